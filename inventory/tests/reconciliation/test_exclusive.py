"""Suppliers of whom only we buy: what their number loses settles our orders."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from inventory import reconciliation, snapshots
from inventory.models import Allocation, StockLevel
from inventory.tests.promises import cancel, mark, pass_time, place, states
from inventory.tests.reconciliation.sides import SKU, available, confirm, without
from suppliers.models import Supplier

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def by_hand(supplier: Supplier) -> Supplier:
    """It cannot be told; a person orders there, and nobody else."""
    without(supplier, "confirm")
    Supplier.objects.filter(pk=supplier.pk).update(exclusive=True)
    return supplier


def ordered(supplier: Supplier, reference: str, quantity: int, seconds_ago: float = 0) -> None:
    place(reference, {SKU: quantity})
    confirm(supplier)
    pass_time(reference, seconds_ago)


def snapshot(supplier: Supplier) -> None:
    assert snapshots.run_full(supplier.pk).status == "applied"


def test_without_the_flag_a_drop_settles_nothing_and_is_subtracted_twice(by_hand, chaos):
    """Control."""
    Supplier.objects.update(exclusive=False)
    ordered(by_hand, "order-1", 3, seconds_ago=61)
    chaos.sell(SKU, 3)
    snapshot(by_hand)
    assert (states("order-1"), available()) == ([("committed", 3)], 4)


def test_what_the_number_lost_settles_the_oldest_order(by_hand, chaos):
    ordered(by_hand, "order-1", 3, seconds_ago=61)
    ordered(by_hand, "order-2", 3, seconds_ago=61)
    chaos.sell(SKU, 4)
    snapshot(by_hand)
    assert (states("order-1"), states("order-2"), available()) == ([("settled", 3)], [("committed", 3)], 3)
    assert Allocation.objects.get(reference="order-2").observed == 1


def test_an_order_younger_than_the_data_settles_later_without_another_drop(by_hand, chaos):
    ordered(by_hand, "order-1", 3)
    chaos.sell(SKU, 3)
    snapshot(by_hand)
    assert (states("order-1"), available()) == ([("committed", 3)], 4)
    pass_time("order-1", 61)
    snapshot(by_hand)
    assert (states("order-1"), available()) == ([("settled", 3)], 7)


@pytest.mark.parametrize(("exclusive", "left"), [(False, 4), (True, 7)])
def test_what_an_unanswered_order_took_is_not_subtracted_twice(supplier, chaos, exclusive, left):
    """Where others buy, the loss may be theirs (control)."""
    Supplier.objects.update(exclusive=exclusive)
    chaos.set(lost_reply={"times": 1})
    place("order-1", {SKU: 3})
    confirm(supplier)
    snapshot(supplier)
    assert (states("order-1"), available()) == ([("sending", 3)], left)
    assert reconciliation.resolve_expired_claims(supplier.pk) == 1
    snapshot(supplier)
    assert states("order-1") == [("settled" if exclusive else "confirmed", 3)]
    assert available() == left


def test_a_cancelled_order_takes_its_units_of_the_drop_with_it(by_hand, chaos):
    ordered(by_hand, "order-1", 3)
    chaos.sell(SKU, 3)
    snapshot(by_hand)
    cancel("order-1")
    ordered(by_hand, "order-2", 3, seconds_ago=61)
    snapshot(by_hand)
    assert (states("order-2"), available()) == ([("committed", 3)], 4)


def test_who_is_marked_after_another_was_settled_in_his_place_waits_for_the_proof(by_hand, chaos):
    ordered(by_hand, "order-1", 1, seconds_ago=100)
    ordered(by_hand, "order-2", 1, seconds_ago=61)
    chaos.sell(SKU, 1)  # the person ordered the second first
    snapshot(by_hand)
    assert states("order-1") == [("settled", 1)]
    mark(by_hand, "order-2", "ordered")
    pass_time("order-2", 61)
    snapshot(by_hand)
    assert (states("order-2"), available()) == ([("confirmed", 1)], 8)
    chaos.sell(SKU, 1)
    assert mark(by_hand, "order-1", "ordered")
    assert not mark(by_hand, "order-1", "ordered")
    snapshot(by_hand)
    assert (states("order-2"), available()) == ([("settled", 1)], 8)


def test_a_told_order_settles_with_the_drop_and_not_a_lag_later(supplier, chaos):
    """The reading that shows the order may settle it at once: nobody else took the unit."""
    Supplier.objects.update(exclusive=True)
    place("order-1", {SKU: 9})
    confirm(supplier)
    snapshot(supplier)
    assert (states("order-1"), available()) == ([("settled", 9)], 1)


def test_what_is_not_told_yet_is_not_in_the_number_of_a_supplier_that_is_told(supplier, chaos):
    Supplier.objects.update(exclusive=True)
    place("order-1", {SKU: 3})
    pass_time("order-1", 3600)
    chaos.sell(SKU, 3)
    snapshot(supplier)
    assert (states("order-1"), available()) == ([("committed", 3)], 4)


def test_readings_orders_and_marks_at_once_never_sell_more_than_there_is(by_hand, chaos):
    Supplier.objects.update(settlement_lag_seconds=0)

    def buy(number: int) -> None:
        ordered(by_hand, f"order-{number}", 1)
        chaos.sell(SKU, 1)

    def say(number: int) -> None:
        if Allocation.objects.filter(reference=f"order-{number}").exists():
            mark(by_hand, f"order-{number}", "ordered")

    assert at_once([buy, say, lambda _: snapshot(by_hand)], times=10) == []
    snapshot(by_hand)
    snapshot(by_hand)
    level = StockLevel.objects.get(code=SKU)
    assert (level.reported, available()) == (0, 0)
    assert set(Allocation.objects.values_list("state", flat=True)) <= {"settled", "confirmed"}


def at_once(acts: list[Callable[[int], None]], *, times: int) -> list[BaseException]:
    """Each in a thread of its own, so many times; what they raised."""
    start = threading.Barrier(len(acts))
    failures: list[BaseException] = []

    def work(act: Callable[[int], None]) -> None:
        try:
            start.wait(10)
            for number in range(times):
                act(number)
        except Exception as error:  # noqa: BLE001 - the test names them all
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures
