"""Our orders at a real HTTP server with a hidden ledger: what it took must be what we think it took."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from inventory import reconciliation
from inventory.models import Allocation, Discrepancy, Effect, Offer, Sku, StockLevel
from inventory.tests.promises import open_effects, pass_time, place, states
from inventory.tests.reconciliation.sides import SKU, available, confirm, sold, sync, without
from suppliers.models import Supplier

pytestmark = pytest.mark.django_db(transaction=True)


def test_upstream_learns_of_an_order_once(supplier, chaos):
    place("order-1", {SKU: 3, "SKU-000002": 1})
    confirm(supplier)
    confirm(supplier)
    assert states("order-1") == [("confirmed", 3), ("confirmed", 1)]
    assert [sale["ref"] for sale in chaos.audit()["sales"]] == ["order-1"]
    assert (sold(chaos), open_effects("confirm")) == (3, 0)
    allocation = Allocation.objects.filter(reference="order-1")[0]
    assert allocation.upstream_order
    assert allocation.lease_until is None
    sync_effect = Effect.objects.get(kind="sync", target=str(allocation.level_id))
    assert allocation.confirmed_at
    assert sync_effect.due_at - allocation.confirmed_at >= timedelta(seconds=supplier.settlement_lag_seconds)


def test_the_read_that_follows_a_confirm_settles_it(supplier, chaos):
    place("order-1", {SKU: 3})
    confirm(supplier)
    pass_time("order-1", 61)
    sync(supplier)
    assert states("order-1") == [("settled", 3)]
    level = StockLevel.objects.get(external_id="r0000001")
    assert (level.reported, level.allocated, available()) == (7, 0, 7)


def test_a_read_within_the_lag_settles_nothing_and_sells_nothing_twice(supplier, chaos):
    chaos.set(lag={"lag_s": 3600})
    place("order-1", {SKU: 10})
    confirm(supplier)
    sync(supplier)
    assert states("order-1") == [("confirmed", 10)]
    assert available() == 0


def test_two_workers_at_once_send_an_order_once(supplier, chaos):
    chaos.set(latency={"median_ms": 100, "sigma": 0.0})
    for number in range(4):
        place(f"order-{number}", {SKU: 1})
        # A duplicate of every effect, as if it had been written twice.
        Effect.objects.create(kind="confirm", supplier=supplier, target=f"order-{number}")
    start = threading.Barrier(2)

    def work() -> None:
        start.wait()
        reconciliation.confirm_due(supplier.pk)
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sold(chaos) == 4
    assert open_effects("confirm") == 0
    assert [states(f"order-{number}") for number in range(4)] == [[("confirmed", 1)]] * 4


def test_an_order_refused_for_lack_of_stock_caps_the_level(supplier, chaos):
    chaos.sell(SKU, 8)
    place("order-1", {SKU: 1})
    place("order-2", {SKU: 5})
    reconciliation.confirm_due(supplier.pk)
    assert states("order-1") == [("confirmed", 1)]
    assert states("order-2") == [("lost", 5)]
    assert available() == 0
    discrepancy = Discrepancy.objects.get()
    assert (discrepancy.kind, discrepancy.reference) == ("rejected", "order-2")
    pass_time("order-1", 61)
    sync(supplier)
    assert (states("order-1"), available()) == ([("settled", 1)], 1)


def test_an_order_refused_for_another_reason_gives_its_units_back(supplier, chaos):
    supplier.config["confirm"]["rejected"] = "error.code == 'BAD_ADDRESS'"
    supplier.save()
    chaos.set(reject={"status": 422, "code": "BAD_ADDRESS"})
    place("order-1", {SKU: 4})
    confirm(supplier)
    assert states("order-1") == [("lost", 4)]
    assert available() == 10
    assert Discrepancy.objects.get().kind == "rejected"


def test_a_partial_confirm_splits_the_allocation(supplier, chaos):
    chaos.set(partial=True)
    chaos.sell(SKU, 7)
    place("order-1", {SKU: 5})
    confirm(supplier)
    assert states("order-1") == [("confirmed", 3), ("lost", 2)]
    assert sold(chaos) == 10
    assert available() == 0
    assert Discrepancy.objects.get().evidence["accepted"] == {"r0000001": 3}


def test_what_is_missing_of_a_shared_level_is_told_even_if_it_would_do_for_each_line(supplier, chaos):
    level = StockLevel.objects.get(external_id="r0000001")
    Offer.objects.create(sku=Sku.objects.create(code="SAME"), level=level)
    chaos.set(partial=True)
    chaos.sell(SKU, 7)
    place("order-1", {SKU: 3, "SAME": 3})
    confirm(supplier)
    assert sorted(states("order-1")) == [("confirmed", 3), ("lost", 3)]
    assert Discrepancy.objects.get(kind="rejected").evidence["at_risk"]


def test_a_throttled_order_waits_as_long_as_upstream_asks(supplier, chaos):
    chaos.set(throttle={"endpoints": ["confirm"], "times": 1, "retry_after": 7})
    place("order-1", {SKU: 3})
    confirm(supplier)
    assert states("order-1") == [("committed", 3)]
    effect = Effect.objects.get(kind="confirm")
    assert 6 < (effect.due_at - effect.created_at).total_seconds() < 12
    assert effect.error.startswith("Throttled")
    assert effect.leased_until is None


def test_a_supplier_that_cannot_be_told_leaves_the_order_committed(supplier, chaos):
    without(supplier, "confirm")
    place("order-1", {SKU: 3})
    confirm(supplier)
    assert states("order-1") == [("committed", 3)]
    assert (open_effects("confirm"), available()) == (0, 7)


def test_a_supplier_without_a_usable_configuration_is_tried_later(supplier, chaos):
    Supplier.objects.filter(pk=supplier.pk).update(adapter="none")
    place("order-1", {SKU: 3})
    confirm(supplier)
    effect = Effect.objects.get(kind="confirm")
    assert (effect.done_at, effect.error.split(":")[0]) == (None, "NotConfigured")
