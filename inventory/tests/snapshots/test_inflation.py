"""All numbers times ten: whatever way they come in and however often, none is believed; a delivery is."""

import time
from collections.abc import Callable, Iterator

import pytest

from inventory import operations, snapshots, transitions
from inventory.models import Discrepancy, Snapshot, StockLevel
from inventory.snapshots.incremental import sync_due
from inventory.tests.pushing import PUSH, SECRET, push
from inventory.tests.snapshots.catalogues import items, point_to, run
from inventory.tests.upstreams import connect
from suppliers.credentials import seal, unseal
from suppliers.models import Supplier
from suppliers.simulator.running import RunningChaosSupplier, running_chaos_supplier

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("conserved")]
ONE = "SKU-000003"
FOUR = ["SKU-000003", "SKU-000004", "SKU-000005", "SKU-000006"]


@pytest.fixture
def supplier(supplier: Supplier, settings) -> Supplier:
    """With its catalogue in, and a lag of nothing: a repeat may come at once."""
    settings.SYNC_COALESCE_SECONDS = 0
    supplier.config = {**supplier.config, "push": PUSH}
    supplier.credentials = seal({**unseal(supplier.credentials), "push": SECRET})
    supplier.settlement_lag_seconds = 0
    supplier.save()
    assert run(supplier).status == Snapshot.Status.APPLIED
    return supplier


def numbers() -> dict[str, tuple[int | None, int | None]]:
    """Code → what is trusted, and what waits."""
    return {
        code: (trusted, waiting)
        for code, trusted, waiting in StockLevel.objects.values_list("code", "reported", "quarantined_reported")
    }


def read_whole(supplier: Supplier) -> None:
    run(supplier)


def read_directly(supplier: Supplier) -> None:
    """One after the other, as buyers come."""
    for code in FOUR:
        operations.sync(list(StockLevel.objects.filter(code=code).values_list("pk", flat=True)))
        sync_due(supplier.pk)


def be_pushed(supplier: Supplier) -> None:
    said = {"r0000003": 70, "r0000004": 70, "r0000005": 70, "r0000006": 70}
    events = [{"id": uid, "location": "main", "available": units, "at": time.time()} for uid, units in said.items()]
    assert push(supplier, f"msg-{time.time()}", *events).status_code == 202
    while snapshots.take_in_due(supplier.pk):
        pass


PATHS = pytest.mark.parametrize("tell", [read_whole, read_directly, be_pushed])
Tell = Callable[[Supplier], None]


def inflated() -> int:
    """How many levels count more than there is."""
    return sum((trusted or 0) > 7 for trusted, _ in numbers().values())


@PATHS
def test_without_proof_what_is_said_twice_is_believed(supplier, chaos, monkeypatch, tell: Tell):
    """The control: so it was before a repeat had to be proved."""
    monkeypatch.setattr(transitions, "proven", lambda level, proof: level)
    Supplier.objects.filter(pk=supplier.pk).update(mass_jump_share=None)
    chaos.set(inflation={"k": 10})
    for _ in range(2):
        tell(supplier)
    assert inflated() >= len(FOUR)


@PATHS
def test_all_numbers_times_ten_are_never_believed(supplier, chaos, tell: Tell):
    chaos.set(inflation={"k": 10})
    for _ in range(4):
        tell(supplier)
    assert inflated() == 0
    assert tell is read_whole or numbers()[ONE] == (7, 70), "a whole snapshot like that is refused"


def test_paths_that_take_turns_prove_nothing_either(supplier, chaos):
    chaos.set(inflation={"k": 10})
    for tell in (be_pushed, read_directly, read_whole, read_directly, be_pushed, read_whole):
        tell(supplier)
    assert inflated() == 0


@pytest.mark.parametrize("k", [2.9, 20], ids=["no jump", "from 2 to 40"])
def test_one_delivery_is_believed_when_it_is_read_again(supplier, chaos, k: float):
    chaos.sell(ONE, 5)
    run(supplier)
    chaos.restock(ONE, round(2 * k) - 2)
    for _ in range(2):
        operations.sync(list(StockLevel.objects.filter(code=ONE).values_list("pk", flat=True)))
        sync_due(supplier.pk)
    assert numbers()[ONE] == (round(2 * k), None)


@pytest.mark.parametrize("tell", [read_whole, read_directly])
def test_several_deliveries_at_once_are_believed_with_the_next_whole_snapshot(supplier, chaos, tell: Tell):
    for code in FOUR:
        chaos.restock(code, 40)
    tell(supplier)
    assert {numbers()[code] for code in FOUR} == {(7, 47)}
    run(supplier)
    assert {numbers()[code] for code in FOUR} == {(47, None)}
    assert not Discrepancy.objects.filter(state="open").exists()


def test_a_pushed_delivery_is_believed_when_it_is_read(supplier, chaos):
    chaos.restock(ONE, 63)
    for _ in range(3):
        be_pushed_one(supplier)
    assert numbers()[ONE] == (7, 70), "pushes alone prove nothing"
    operations.sync(list(StockLevel.objects.filter(code=ONE).values_list("pk", flat=True)))
    sync_due(supplier.pk)
    assert numbers()[ONE] == (70, None)


def be_pushed_one(supplier: Supplier) -> None:
    push(supplier, f"msg-{time.time()}", {"id": "r0000003", "location": "main", "available": 70, "at": time.time()})
    while snapshots.take_in_due(supplier.pk):
        pass


def test_a_refused_snapshot_keeps_direct_repeats_from_being_believed_and_shows_why(supplier, chaos):
    chaos.set(inflation={"k": 10})
    assert run(supplier).status == Snapshot.Status.REFUSED
    found = Discrepancy.objects.get(kind="inflation", state="open")
    assert found.evidence["jumped"] == 25
    Supplier.objects.filter(pk=supplier.pk).update(mass_jump_share=None)
    read_directly(supplier)
    read_directly(supplier)
    assert inflated() == 0, "no share says what all of them would be: the open discrepancy does"


def test_the_truth_ends_it_by_itself(supplier, chaos):
    chaos.set(inflation={"k": 10})
    read_directly(supplier)
    run(supplier)
    chaos.set(profile="calm")
    assert run(supplier).status == Snapshot.Status.APPLIED
    assert set(numbers().values()) == {(7, None)}
    assert not Discrepancy.objects.filter(state="open").exists()


@pytest.fixture
def few() -> Iterator[RunningChaosSupplier]:
    with running_chaos_supplier(items=items(*range(1, 13))) as running:
        yield running


def test_in_a_small_catalogue_each_level_waits_and_the_supplier_is_told_of(few):
    """Too small to be refused as a whole.  What it shows for the first time waits for a snapshot that is believed."""
    supplier = connect(few, settlement_lag_seconds=0)
    run(supplier)
    with running_chaos_supplier(items=items(*range(1, 15))) as more:
        point_to(supplier, more)
        more.set(inflation={"k": 10})
        for _ in range(3):
            assert run(supplier).status == Snapshot.Status.APPLIED
        assert set(numbers().values()) == {(7, 70)}
        assert len(numbers()) == 12
        found = Discrepancy.objects.get(kind="inflation", state="open")
        assert (found.evidence["jumped"], found.evidence["in_stock"]) == (12, 12)
        assert found.evidence["rises"][0]["reported"] == 70
        more.set(profile="calm")
        run(supplier)
    assert set(numbers().values()) == {(7, None)}
    assert len(numbers()) == 14


def test_when_it_ends_what_was_delivered_meanwhile_is_believed(few):
    """All that came in during the inflation is a jump still; that the numbers came down shows that it is over."""
    supplier = connect(few, settlement_lag_seconds=0)
    run(supplier)
    few.set(inflation={"k": 10})
    run(supplier)
    for code in numbers():
        few.restock(code, 40)
    run(supplier)
    assert set(numbers().values()) == {(7, 470)}
    few.set(profile="calm")
    read_directly(supplier)  # which alone proves nothing, and must not hide that all of them came down
    run(supplier)
    assert set(numbers().values()) == {(47, None)}
    assert not Discrepancy.objects.filter(state="open").exists()


def test_a_person_believes_all_of_it(supplier, chaos, sign_in):
    chaos.set(inflation={"k": 10})
    read_directly(supplier)
    assert run(supplier).status == Snapshot.Status.REFUSED
    client, page = sign_in("ops"), f"/admin/suppliers/supplier/{supplier.pk}/"
    shown = client.get(f"{page}change/").content.decode()
    assert "25 of the 25 in stock" in shown
    assert "SKU-000001: 7 → 70" in shown
    assert f"{page}believe-all/" in shown
    assert "inflates" in client.get("/admin/").content.decode()
    listed = client.get(f"/admin/inventory/stocklevel/?state=quarantined&supplier__id__exact={supplier.pk}")
    assert "70 for" in listed.content.decode()
    assert sign_in("merchant").post(f"{page}believe-all/", {"_form_submitted": "on", "reason": "?"}).status_code == 403
    client.post(f"{page}believe-all/", {"_form_submitted": "on", "reason": "ann asked them"})
    assert numbers()[ONE] == (70, None)
    assert not Discrepancy.objects.filter(state="open").exists()
    assert run(supplier).status == Snapshot.Status.APPLIED
    assert set(numbers().values()) == {(70, None)}
    assert f"{page}believe-all/" not in client.get(f"{page}change/").content.decode()
    chaos.set(inflation={"k": 100})
    assert run(supplier).status == Snapshot.Status.REFUSED, "one snapshot, not all that follow"
