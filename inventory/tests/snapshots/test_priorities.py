"""What is left of a supplier's budget goes to the riskiest levels: the chaos supplier counts the calls."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from inventory import events, snapshots, tasks
from inventory.models import Effect, Feed, SalesEvent, Sku, Snapshot, StockLevel
from inventory.snapshots import priorities
from inventory.tests import promises
from inventory.tests.upstreams import connect
from suppliers import gateway
from suppliers.adapters.limits import Limits
from suppliers.models import Supplier
from suppliers.pace import Pace
from suppliers.simulator.running import RunningChaosSupplier, running_chaos_supplier

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("conserved")]

CALLS = 10  # in the supplier's window of 100 s: the test is over before one comes free


@pytest.fixture
def chaos() -> Iterator[RunningChaosSupplier]:
    with running_chaos_supplier(rows=20, stock=7) as running:
        yield running


@pytest.fixture
def supplier(chaos, make_sku) -> Supplier:
    """Twenty SKUs, all read ten minutes ago; then the budget begins: a row a call, ten calls."""
    for number in range(1, 21):
        make_sku(f"SKU-{number:06d}")
    supplier = connect(chaos)
    assert snapshots.run_full(supplier.pk).status == "applied"
    supplier.config["limits"] |= {"rate": CALLS / 100, "burst": CALLS}
    supplier.config["fetch"]["batch"] = 1
    supplier.slug += "-slow"
    supplier.save()
    grow_old(600)
    return supplier


def grow_old(seconds: float) -> None:
    past = Now() - timedelta(seconds=seconds)
    StockLevel.objects.update(read_at=past)
    Feed.objects.update(complete_as_of=past, complete_until=past)
    Effect.objects.all().delete()  # a level that was read just now would wait for the end of the coalescing window


def sell(**lines: int) -> None:
    """A confirmed order, so that nothing else is due."""
    promises.place(f"N-{lines}", {code.replace("_", "-"): units for code, units in lines.items()})
    Effect.objects.all().delete()


def fetches(chaos: RunningChaosSupplier) -> int:
    return int(chaos.chaos()["requests"].get("fetch", 0))


def read() -> list[str]:
    """The codes that were read, in the order in which they were asked for."""
    lanes = snapshots.ask_riskiest()
    asked = Effect.objects.filter(kind="sync", done_at=None).order_by("id")
    codes = [StockLevel.objects.get(pk=effect.target).code for effect in asked]
    for lane in lanes:
        tasks.drain(*lane)
    assert not Effect.objects.filter(kind="sync", done_at=None).exists()
    return codes


def test_the_riskiest_are_read_and_the_others_wait(supplier, chaos):
    for number in range(1, 9):
        sell(**{f"SKU_{number:06d}": min(6, number)})
    before = fetches(chaos)
    codes = read()
    # The most sold have also the fewest left.  Half of the window is not ours.
    assert codes == ["SKU-000006", "SKU-000007", "SKU-000008", "SKU-000005", "SKU-000004"]
    assert fetches(chaos) - before == CALLS // 2
    assert read() == []
    assert fetches(chaos) - before == CALLS // 2


def test_goods_of_an_event_come_first_also_before_it_starts(supplier):
    sell(SKU_000001=6)
    start = Now() + timedelta(minutes=4)
    event = SalesEvent.objects.create(name="Sale", starts_at=start, ends_at=start + timedelta(hours=1))
    event.skus.set(Sku.objects.filter(code__in=["SKU-000011", "SKU-000012"]))
    assert read() == ["SKU-000001"]  # the control: not switched on
    grow_old(600)
    events.switch_on(event.pk)
    assert read() == ["SKU-000011", "SKU-000012", "SKU-000001"]


def test_a_delivery_of_what_is_sold_out_and_wanted_is_seen(supplier, chaos):
    chaos.sell("SKU-000003", 7)
    level = StockLevel.objects.get(code="SKU-000003")
    Effect.objects.create(kind=Effect.Kind.SYNC, supplier=supplier, target=str(level.pk))
    tasks.drain("sync", supplier.pk)
    grow_old(600)
    assert read() == []  # the control: nobody asked for it
    tasks.note_refusals([("SKU-000003", 5)])
    chaos.supplier.ledger.restock("r0000003", 4)
    assert read() == ["SKU-000003"]
    level.refresh_from_db()
    assert level.reported == 4


def test_confirms_keep_their_calls(supplier, chaos):
    for number in range(1, 9):
        sell(**{f"SKU_{number:06d}": 6})
    for number in range(4):  # four orders wait to be told
        Effect.objects.create(kind=Effect.Kind.CONFIRM, supplier=supplier, target=f"W-{number}")
    assert priorities.spare_rows(supplier) == CALLS // 2 - 4
    read()
    assert gateway.for_supplier(supplier).allowance().left == CALLS - 1


def test_what_is_due_later_takes_no_call_now(supplier):
    follow = Effect.Kind.FOLLOW
    for number in range(CALLS):  # whether these are paid is asked in an hour
        Effect.objects.create(kind=follow, supplier=supplier, target=f"F-{number}", due_at=Now() + timedelta(hours=1))
    assert priorities.spare_rows(supplier) == CALLS // 2


def test_a_supplier_that_asked_for_a_pause_is_left_alone(supplier, chaos):
    sell(SKU_000001=6)
    Pace(supplier.slug, Limits()).pause(30)
    assert snapshots.ask_riskiest() == []


def test_why_it_was_read_stays_with_the_effect(supplier):
    sell(SKU_000001=6)
    read()
    effect = Effect.objects.get(kind="sync")
    assert effect.done_at
    assert effect.reason == "6 sold, 0 refused in an hour, 1 left, 600 s old"
    assert Snapshot.objects.filter(kind="incremental").count() == 1
