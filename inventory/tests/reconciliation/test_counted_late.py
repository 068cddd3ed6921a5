"""Suppliers whose number goes down on payment or shipment, not when they take the order."""

import pytest

from inventory import claims, reconciliation, snapshots
from inventory.models import Allocation, Discrepancy, StockLevel
from inventory.tests.promises import make_due, mark, open_effects, pass_time, place, states
from inventory.tests.reconciliation.sides import SKU, available, confirm, sync
from suppliers import gateway
from suppliers.models import Supplier

pytestmark = pytest.mark.django_db(transaction=True)
UNPAID = {"inflation": {"k": 1.0, "add": 4}}  # the four units of an order are still in the number


def counts_on(supplier: Supplier, moment: str, says: str | None = None) -> None:
    """says: JMESPath of the read-back, whether its number counts the order."""
    if says:
        supplier.config["readback"]["counted"] = says
    supplier.decrements_on = moment
    supplier.save()


def snapshot(supplier: Supplier) -> None:
    assert snapshots.run_full(supplier.pk).status == "applied"


def follow(supplier: Supplier) -> None:
    make_due("follow")
    reconciliation.follow_due(supplier.pk)


def test_taken_for_counted_it_would_sell_the_units_twice(supplier, chaos):
    """Control: the number still holds what is not paid yet."""
    chaos.set(**UNPAID)
    place("order-1", {SKU: 4})
    confirm(supplier)
    pass_time("order-1", 61)
    sync(supplier)
    assert (states("order-1"), available()) == ([("settled", 4)], 10)


def test_without_a_word_of_the_payment_no_reading_settles_it(supplier, chaos):
    chaos.set(**UNPAID)
    counts_on(supplier, "payment")
    place("order-1", {SKU: 4})
    confirm(supplier)
    pass_time("order-1", 3600)
    snapshot(supplier)
    assert (states("order-1"), available()) == ([("confirmed", 4)], 6)
    assert Allocation.objects.get().confirmed_at is None
    follow(supplier)
    assert open_effects("follow") == 0, "nobody can be asked"


def test_the_read_back_says_when_its_number_counts_the_order(supplier, chaos):
    counts_on(supplier, "shipment", "`false`")
    place("order-1", {SKU: 3})
    confirm(supplier)
    follow(supplier)
    follow(supplier)
    assert (open_effects("follow"), Allocation.objects.get().confirmed_at) == (1, None)
    counts_on(supplier, "shipment", "`true`")
    follow(supplier)
    assert (open_effects("follow"), open_effects("sync")) == (0, 1)
    snapshot(supplier)
    assert states("order-1") == [("confirmed", 3)], "its lag is not over"
    pass_time("order-1", 61)
    snapshot(supplier)
    assert (states("order-1"), available()) == ([("settled", 3)], 7)


def test_a_level_may_differ_from_its_supplier(supplier, chaos):
    counts_on(supplier, "payment")
    StockLevel.objects.filter(code=SKU).update(decrements_on="order")
    place("order-1", {SKU: 3, "SKU-000002": 1})
    confirm(supplier)
    counted = dict(Allocation.objects.values_list("sku__code", "confirmed_at"))
    assert counted[SKU] is not None
    assert counted["SKU-000002"] is None


def test_a_person_says_that_it_is_paid(supplier, chaos):
    counts_on(supplier, "payment")
    place("order-1", {SKU: 3})
    confirm(supplier)
    assert mark(supplier, "order-1", "counted")
    assert not mark(supplier, "order-1", "counted")
    allocation = Allocation.objects.get()
    assert allocation.confirmed_at is not None
    assert allocation.upstream_order
    assert Discrepancy.objects.count() == 0


@pytest.mark.parametrize("settled", [False, True])
def test_what_the_supplier_calls_off_later_is_lost_and_caps_the_level(supplier, chaos, settled):
    counts_on(supplier, "order" if settled else "payment", None if settled else "`false`")
    place("order-1", {SKU: 3})
    confirm(supplier)
    if settled:
        pass_time("order-1", 61)
        sync(supplier)
        assert states("order-1") == [("settled", 3)]
    taken = claims.find(supplier, "order-1", ["confirmed", "settled"])
    assert taken
    gateway.for_supplier(supplier).cancel(taken.request, taken.upstream_order)
    if settled:
        assert mark(supplier, "order-1", "lost")
        assert not mark(supplier, "order-1", "lost")
    else:
        follow(supplier)
    level = StockLevel.objects.get(code=SKU)
    assert (states("order-1"), level.allocated, available()) == ([("lost", 3)], 0, 0)
    assert Discrepancy.objects.get().kind == "lost"
