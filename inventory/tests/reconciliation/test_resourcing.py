"""Orders that one real HTTP server refuses and another one takes: both hidden ledgers agree with ours."""

from collections.abc import Iterator

import pytest

from inventory import reconciliation, resourcing
from inventory.models import Allocation, StockLevel
from inventory.tests.promises import cancel, make_due, pass_time, place
from inventory.tests.reconciliation.sides import SKU, STOCK, confirm, sold, sync
from suppliers.models import Supplier
from suppliers.simulator.running import RunningChaosSupplier, running_chaos_supplier

pytestmark = pytest.mark.django_db(transaction=True)
OTHER = "SKU-000002"


@pytest.fixture
def spare() -> Iterator[RunningChaosSupplier]:
    with running_chaos_supplier(rows=2, stock=STOCK) as running:
        yield running
        assert running.audit()["duplicates"] == {}


@pytest.fixture
def other(supplier, spare, connect) -> Supplier:
    """A second supplier of the same SKUs, sold from when the first has none."""
    second: Supplier = connect(spare)
    return second


def states(reference: str) -> list[tuple[str, int]]:
    rows = Allocation.objects.filter(reference=reference, at_risk=0).exclude(state="lost").order_by("id")
    return list(rows.values_list("state", "quantity"))


def references(chaos: RunningChaosSupplier) -> list[str]:
    """Of our orders that it took, in that order."""
    return [sale["ref"] for sale in chaos.audit()["sales"] if sale["ref"] != "channel"]


def test_what_one_supplier_refuses_another_delivers(supplier, other, chaos, spare):
    chaos.sell(SKU, 8)
    place("order-1", {SKU: 5})
    confirm(supplier)
    confirm(other)
    assert (sold(chaos), sold(spare), states("order-1")) == (8, 5, [("confirmed", 5)])
    pass_time("order-1", 61)
    sync(other)
    level = StockLevel.objects.get(supplier=other, code=SKU)
    assert (states("order-1"), level.reported, level.allocated) == ([("settled", 5)], 5, 0)


def test_what_one_supplier_takes_in_part_another_completes(supplier, other, chaos, spare):
    chaos.set(partial=True)
    chaos.sell(SKU, 7)
    place("order-1", {SKU: 5})
    confirm(supplier)
    confirm(other)
    assert (sold(chaos), sold(spare)) == (10, 2)
    assert states("order-1") == [("confirmed", 3), ("confirmed", 2)]


def test_a_supplier_is_told_of_what_moves_to_it_as_an_order_of_its_own(supplier, other, chaos, spare):
    """It knows the order by its number already, and would take the same number for a repeat."""
    chaos.sell(SKU, 10)
    StockLevel.objects.filter(supplier=supplier, code=OTHER).update(sellable=0, reported=0)
    place("order-1", {SKU: 2, OTHER: 3})
    confirm(other)
    confirm(supplier)
    confirm(other)
    assert references(spare) == ["order-1", "order-1.2"]
    assert (states("order-1"), spare.truth()[SKU]["sold"]) == ([("confirmed", 3), ("confirmed", 2)], 2)
    cancel("order-1")
    make_due("cancel")
    reconciliation.cancel_due(other.pk)
    truth = spare.truth()
    assert [truth[code]["cancelled"] for code in (SKU, OTHER)] == [2, 3]
    StockLevel.objects.filter(supplier=supplier, code=OTHER).update(sellable=STOCK, reported=STOCK)


def test_an_answer_that_was_lost_on_the_way_moves_once(supplier, other, chaos, spare):
    """The worker never heard the refusal: the read-back finds no order, and the next one is refused again."""
    chaos.sell(SKU, 10)
    place("order-1", {SKU: 4})
    chaos.set(server_error={"endpoints": ["confirm"], "times": 1})
    confirm(supplier)
    pass_time("order-1", 61)
    reconciliation.resolve_expired_claims(supplier.pk)
    confirm(supplier)
    confirm(supplier)
    confirm(other)
    confirm(other)
    assert (sold(spare), references(spare), states("order-1")) == (4, ["order-1"], [("confirmed", 4)])


def test_a_backorder_is_delivered_by_the_same_supplier_as_far_as_it_has_stock(supplier, chaos):
    Supplier.objects.update(on_rejection="backorder")
    chaos.sell(SKU, 8)
    place("order-1", {SKU: 5})
    confirm(supplier)
    assert Allocation.objects.get().at_risk == 5
    sync(supplier)  # the number fell below the refused one, so that it is believed again
    assert resourcing.retry_waiting() == 1
    confirm(supplier)
    assert (references(chaos), sold(chaos)) == (["order-1.2"], 10)
    assert list(Allocation.objects.order_by("id").values_list("state", "quantity", "at_risk")) == [
        ("lost", 5, 3),
        ("confirmed", 2, 0),
    ]
