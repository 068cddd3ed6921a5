"""The chaos supplier's own webhooks, over HTTP: doubled, out of order, forged, copied, lost, or saying little."""

import time

import pytest

from inventory import availability, lanes, snapshots
from inventory.models import Push, StockLevel
from inventory.tests.pushing import PUSH, SECRET
from inventory.tests.upstreams import connect
from suppliers import refusals
from suppliers.credentials import seal, unseal
from suppliers.simulator.running import running_chaos_supplier

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("conserved"),
]
SALES, SKU = 30, "SKU-000001"
MAP = {"uid": "id", "location": "location", "available": "available", "updated_at": "at"}
LATEST = 20  # seconds


@pytest.fixture
def chaos():
    with running_chaos_supplier(rows=3, stock=100) as running:
        yield running


@pytest.fixture
def supplier(chaos, make_sku):
    make_sku(SKU)
    supplier = connect(chaos)
    part = {**PUSH, "events": "events", "map": MAP}
    supplier.config = {**supplier.config, "push": part}
    supplier.credentials = seal({**unseal(supplier.credentials), "push": SECRET})
    supplier.save()
    assert snapshots.run_full(supplier.pk).status == "applied"
    return supplier


@pytest.fixture
def sell(chaos, supplier, live_server):
    """Let others buy, one by one, while webhooks behave like this; everything that is sent has arrived then."""

    def sold(**how: object) -> None:
        url = f"{live_server.url}/hooks/suppliers/{supplier.slug}/"
        chaos.set(webhooks={"url": url, "secret": SECRET, "delay_ms": 1, "disable_after": 0, **how})
        for _ in range(SALES):
            chaos.sell(SKU, 1)
        until = time.monotonic() + LATEST
        while not chaos.supplier.outbox.is_empty and time.monotonic() < until:
            time.sleep(0.02)
        assert chaos.supplier.outbox.is_empty

    return sold


def take_in(supplier) -> None:
    while snapshots.take_in_due(supplier.pk):
        pass


def known() -> tuple[int | None, int]:
    reported = StockLevel.objects.get(external_id="r0000001").reported
    return reported, availability.read([SKU])[SKU].available


def test_the_last_number_stands_whatever_the_way_does_to_them(sell, supplier, chaos):
    sell(reorder_s=1.5, dup_p=0.5, replay_p=0.3, replay_after_s=0.2)
    arrived = list(Push.objects.order_by("pk").values_list("body", flat=True))
    said = [int(bytes(body).partition(b'"available":')[2].split(b"}")[0].split(b",")[0]) for body in arrived]
    assert said != sorted(said, reverse=True), "the control: they did not come in the order of the sales"
    assert min(said) < said[-1], "whoever believes the last to arrive sells what is gone"
    assert sorted(said) == list(range(100 - SALES, 100)), "each is stored once, however often it came"
    assert refusals.counted(supplier.slug)["push_replayed"] >= 1
    take_in(supplier)
    assert known() == (100 - SALES, 100 - SALES)


def test_forged_ones_are_refused_and_what_they_said_is_read_later(sell, supplier, chaos):
    sell(bad_signature_p=1)
    assert refusals.counted(supplier.slug)["bad_signature"] == SALES
    assert Push.objects.count() == 0
    assert known() == (100, 100)
    snapshots.run_full(supplier.pk)
    assert known() == (100 - SALES, 100 - SALES)


def test_lost_ones_are_made_up_for_by_the_snapshot(sell, supplier, chaos):
    sell(lost_p=0.5)
    assert 0 < Push.objects.count() < SALES
    take_in(supplier)
    snapshots.run_full(supplier.pk)
    assert known() == (100 - SALES, 100 - SALES)


@pytest.mark.parametrize("content", ["delta", "nothing"])
def test_what_tells_no_number_is_read(sell, supplier, chaos, content):
    sell(content=content, reorder_s=0.5)
    take_in(supplier)
    assert known() == (100, 100), "a difference is not added up: it may have come before or after its neighbours"
    lanes.drain("sync", supplier.pk)
    assert known() == (100 - SALES, 100 - SALES)
