"""Orders that a supplier takes and calls off later by itself, telling nobody."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from inventory import rechecks, reconciliation, snapshots, tasks
from inventory.models import Allocation, Discrepancy, StockLevel
from inventory.tests.promises import cancel, make_due, mark, pass_time, place, states
from inventory.tests.pushing import PUSH, SECRET, push
from inventory.tests.reconciliation.sides import SKU, STOCK, available, confirm, sold, sync, without
from suppliers import credentials
from suppliers.models import Supplier
from suppliers.simulator.running import RunningChaosSupplier, running_chaos_supplier

pytestmark = pytest.mark.django_db(transaction=True)
CALLS_OFF = {"after_s": 0, "cancel_p": 1, "cancel_after_s": 0}  # takes an order, and then thinks better of it


@pytest.fixture
def spare(connect):
    """A second supplier of the same SKUs, sold from when the first has none."""
    with running_chaos_supplier(rows=2, stock=STOCK) as running:
        yield connect(running)


def take(
    supplier: Supplier, chaos: RunningChaosSupplier, reference: str = "order-1", *, calls_off: bool = False
) -> None:
    """It takes an order of 3, and calls it off in its next moment if so told."""
    chaos.set(async_accept=CALLS_OFF if calls_off else None)
    place(reference, {SKU: 3})
    confirm(supplier)
    assert states(reference) == [("confirmed", 3)]


def look(supplier: Supplier, seconds: float = 61, reference: str = "order-1") -> int:
    """Let so much time pass, and look up what is due."""
    pass_time(reference, seconds)
    return reconciliation.recheck(supplier.pk)


def due_in(reference: str = "order-1") -> timedelta | None:
    """From now until the order is looked up again."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT recheck_at - now() FROM inventory_allocation WHERE reference = %s", [reference])
        found: timedelta | None = cursor.fetchone()[0]
        return found


def about(found: timedelta | None, seconds: float) -> bool:
    return found is not None and abs(found.total_seconds() - seconds) < 20


def test_unless_it_is_looked_up_nobody_notices(supplier, chaos):
    """Control: confirmed, cancelled there, settled here, and no word of it."""
    take(supplier, chaos, calls_off=True)
    pass_time("order-1", 61)
    sync(supplier)
    assert snapshots.run_full(supplier.pk).status == "applied"
    reconciliation.resolve_expired_claims(supplier.pk)
    assert chaos.audit()["sales"][0]["cancelled_by"] == "supplier"
    assert states("order-1") == [("settled", 3)]
    assert not Discrepancy.objects.exists()


@pytest.mark.parametrize("state", ["confirmed", "settled"])
def test_what_was_called_off_is_lost_and_a_person_knows(supplier, chaos, state):
    take(supplier, chaos, calls_off=True)
    if state == "settled":
        pass_time("order-1", 61)
        sync(supplier)
        assert states("order-1") == [("settled", 3)]
    assert look(supplier) == 1
    assert states("order-1") == [("lost", 3)]
    found = Discrepancy.objects.get()
    assert (found.kind, found.state, found.reference) == ("lost", "open", "order-1")
    assert (available(), Allocation.objects.get().at_risk) == (0, 3), "who calls off for lack of goods has none"


def test_it_moves_to_a_supplier_that_has_some(supplier, spare, chaos):
    take(supplier, chaos, calls_off=True)
    assert look(supplier) == 1
    confirm(spare)
    assert states("order-1") == [("lost", 3), ("confirmed", 3)]
    assert Discrepancy.objects.get().state == "resolved"


def test_what_stands_is_looked_up_ever_more_rarely_until_the_horizon(supplier, chaos):
    take(supplier, chaos)
    assert about(due_in(), 61)
    assert look(supplier, 10) == 0
    assert about(due_in(), 51), "too early: nobody asked"
    look(supplier, 90)
    assert about(due_in(), 100)
    look(supplier, 100_000)
    assert about(due_in(), 100_100)
    look(supplier, 400_000)
    assert about(due_in(), 604_800 - 500_100), "the last look"
    look(supplier, 104_700)
    assert due_in() is None
    assert states("order-1") == [("confirmed", 3)]


def test_a_supplier_without_a_horizon_is_never_asked(supplier, chaos):
    Supplier.objects.update(recheck_for_seconds=0)
    take(supplier, chaos)
    assert due_in() is None


@pytest.mark.parametrize(("declared", "state"), [(False, "confirmed"), (True, "lost")])
def test_an_order_that_it_does_not_know_any_more_is_lost_only_if_so_declared(supplier, chaos, declared, state):
    Supplier.objects.update(gone_is_cancelled=declared)
    take(supplier, chaos)
    chaos.set(late_readback={"lag_s": 100_000})
    look(supplier)
    assert states("order-1") == [(state, 3)]


def test_what_a_person_ordered_there_is_not_looked_up(supplier, chaos):
    without(supplier, "confirm")
    place("order-1", {SKU: 3})
    confirm(supplier)
    assert mark(supplier, "order-1", "ordered")
    assert (states("order-1"), due_in()) == ([("confirmed", 3)], None)


def test_our_own_cancel_is_no_loss(supplier, chaos):
    take(supplier, chaos)
    cancel("order-1")
    make_due("cancel")
    reconciliation.cancel_due(supplier.pk)
    assert look(supplier) == 0
    assert states("order-1") == [("confirmed", 3)]
    assert not Discrepancy.objects.exists()


def test_a_part_that_was_called_off_is_lost_and_the_rest_stands(supplier, chaos):
    take(supplier, chaos)
    supplier.config["readback"]["lines"] = {
        "items": "[{id: 'r0000001', quantity: `1`}]",
        "uid": "id",
        "quantity": "quantity",
    }
    supplier.save()
    assert look(supplier) == 1
    assert sorted(states("order-1")) == [("confirmed", 1), ("lost", 2)]
    assert look(supplier) == 0
    assert sorted(states("order-1")) == [("confirmed", 1), ("lost", 2)]


def test_who_cannot_be_asked_is_not_asked_for_ever(supplier, chaos):
    take(supplier, chaos)
    without(supplier, "readback")
    look(supplier)
    assert (due_in(), states("order-1")) == (None, [("confirmed", 3)])


def test_a_supplier_that_is_down_is_asked_again_soon(supplier, chaos):
    take(supplier, chaos, calls_off=True)
    chaos.set(server_error={"p": 1, "endpoints": ["readback"]})
    assert look(supplier) == 0
    assert about(due_in(), rechecks.LEASE_SECONDS)
    chaos.set(server_error=None)
    assert look(supplier, 121) == 1


def test_without_calls_to_spare_it_waits(supplier, chaos):
    take(supplier, chaos, calls_off=True)
    limits = dict(supplier.config["limits"])
    supplier.config["limits"] |= {"rate": 1, "burst": 1}
    supplier.save()
    assert look(supplier) == 0
    assert about(due_in(), 0)
    supplier.config["limits"] = limits
    supplier.save()
    assert reconciliation.recheck(supplier.pk) == 1


def test_the_riskiest_is_looked_up_first(supplier, chaos):
    for reference in ("old", "settled", "new"):
        take(supplier, chaos, reference)
        pass_time(reference, 61)
    Allocation.objects.filter(reference="settled").update(state="settled")
    StockLevel.objects.filter(code=SKU).update(allocated=6)
    rechecks.hasten(supplier.pk, {"settled", "unheard-of"})
    assert [rechecks.claim(supplier.pk, limit=1) for _ in range(4)] == [["settled"], ["new"], ["old"], []]
    StockLevel.objects.filter(code=SKU).update(allocated=9)
    Allocation.objects.filter(reference="settled").update(state="confirmed")


def test_two_workers_look_each_order_up_once(supplier, chaos):
    for number in range(3):
        take(supplier, chaos, f"order-{number}")
        pass_time(f"order-{number}", 61)
    claimed: list[str] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        barrier.wait()
        claimed.extend(rechecks.claim(supplier.pk, limit=10))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == ["order-0", "order-1", "order-2"]


def test_a_push_that_names_an_order_has_it_looked_up_at_once(supplier, chaos):
    supplier.config["push"] = {**PUSH, "map": {"order": "order.ref"}}
    supplier.credentials = credentials.seal({"token": chaos.token, "push": SECRET})
    supplier.save()
    take(supplier, chaos, calls_off=True)
    assert reconciliation.recheck(supplier.pk) == 0, "not due yet"
    assert push(supplier, "evt_1", {"order": {"ref": "order-1"}}, {"order": {"ref": "another's"}}).status_code == 202
    tasks.drain("push", supplier.pk)
    taken = supplier.pushes.get()
    assert (taken.verdict, taken.reason) == ("read", "1 of its events name nothing that we have of this supplier")
    assert reconciliation.recheck(supplier.pk) == 1
    assert states("order-1") == [("lost", 3)]


def test_the_beat_finds_suppliers_with_orders_that_are_due(supplier, chaos):
    take(supplier, chaos)
    assert rechecks.suppliers_with_due() == []
    pass_time("order-1", 61)
    assert rechecks.suppliers_with_due() == [supplier.pk]
    Supplier.objects.update(enabled=False)
    assert rechecks.suppliers_with_due() == []
    assert sold(chaos) == 3
