"""Orders that people place at suppliers by hand."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from inventory import claims, deadlines, marks, reconciliation, sql
from inventory.models import Allocation, Discrepancy
from inventory.tests.promises import cancel, make_due, mark, open_effects, pass_time, place, states
from inventory.tests.reconciliation.sides import SKU, available, confirm, sold, sync, without

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def untold(supplier):
    """The same supplier, which cannot be told of orders."""
    without(supplier, "confirm")
    return supplier


def test_an_order_waits_for_a_person_and_settles_after_the_mark(untold, chaos):
    place("order-1", {SKU: 3})
    confirm(untold)
    assert Allocation.objects.filter(by_hand=True, state="committed").count() == 1
    pass_time("order-1", 3600)
    chaos.sell(SKU, 3)  # a person buys it there
    assert mark(untold, "order-1", "ordered", upstream_order="SO-7")
    assert (states("order-1"), Allocation.objects.get().upstream_order) == ([("confirmed", 3)], "SO-7")
    pass_time("order-1", 61)
    sync(untold)
    assert (states("order-1"), available()) == ([("settled", 3)], 7)


def test_a_mark_is_made_once(untold, chaos):
    place("order-1", {SKU: 3})
    assert [mark(untold, "order-1", "ordered") for _ in range(3)] == [True, False, False]
    assert open_effects("sync") == 1


def test_what_is_marked_is_not_sent_any_more(supplier, chaos):
    place("order-1", {SKU: 3})
    mark(supplier, "order-1", "ordered")
    confirm(supplier)
    assert (sold(chaos), open_effects("confirm")) == (0, 0)


def test_marked_and_sent_at_once_it_is_one_of_both(supplier, chaos):
    """A worker tells the supplier while a person marks: never both, and never a second order upstream."""
    for number in range(8):
        place(f"order-{number}", {SKU: 1})
    make_due("confirm")
    start = threading.Barrier(2)
    refused: list[str] = []

    def tell() -> None:
        start.wait(10)
        reconciliation.confirm_due(supplier.pk)
        connection.close()

    def say() -> None:
        start.wait(10)
        for number in reversed(range(8)):
            try:
                mark(supplier, f"order-{number}", "ordered", upstream_order=f"by hand {number}")
            except marks.Refused as error:
                refused.append(str(error))
        connection.close()

    threads = [threading.Thread(target=tell), threading.Thread(target=say)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reconciliation.confirm_due(supplier.pk)
    by_hand = Allocation.objects.filter(upstream_order__startswith="by hand").count()
    assert set(Allocation.objects.values_list("state", flat=True)) == {"confirmed"}
    assert sold(chaos) == 8 - by_hand
    assert Discrepancy.objects.count() == 0


def test_an_order_on_its_way_is_not_marked(supplier, chaos):
    place("order-1", {SKU: 3})
    claims.claim(supplier, "order-1", lease_seconds=60)
    with pytest.raises(marks.Refused, match="being sent"):
        mark(supplier, "order-1", "ordered")
    pass_time("order-1", 61)
    assert mark(supplier, "order-1", "ordered")
    assert states("order-1") == [("confirmed", 3)]


def test_a_mark_clears_an_unknown_outcome(supplier, chaos):
    without(supplier, "readback")
    chaos.set(lost_reply={"times": 1})
    place("order-1", {SKU: 3})
    confirm(supplier)
    pass_time("order-1", 61)
    reconciliation.resolve_expired_claims(supplier.pk)
    assert Discrepancy.objects.get().state == "open"
    mark(supplier, "order-1", "ordered")
    assert Discrepancy.objects.get().state == "resolved"


def test_what_cannot_be_so_is_refused_and_changes_nothing(untold, chaos):
    place("order-1", {SKU: 3})
    for reference, at, why in [
        ("order-2", None, "no such order"),
        ("order-1", sql.clock() + timedelta(hours=1), "future"),
        ("order-1", sql.clock() - timedelta(hours=1), "before the order"),
    ]:
        with pytest.raises(marks.Refused, match=why):
            mark(untold, reference, "ordered", at=at)
    assert states("order-1") == [("committed", 3)]
    cancel("order-1")
    with pytest.raises(marks.Refused, match="cancelled here"):
        mark(untold, "order-1", "ordered")


def test_an_order_that_the_supplier_refuses_a_person_is_written_off(untold, chaos):
    place("order-1", {SKU: 3})
    assert mark(untold, "order-1", "lost")
    assert (states("order-1"), available()) == ([("lost", 3)], 0)
    with pytest.raises(marks.Refused, match="written off"):
        mark(untold, "order-1", "ordered")


def test_an_order_that_is_unsettled_too_long_is_shown_until_it_settles(untold, chaos):
    place("order-1", {SKU: 3})
    confirm(untold)
    assert deadlines.review() == 0
    Allocation.objects.update(created_at=sql.clock() - timedelta(days=1, minutes=1))
    assert [deadlines.review(), deadlines.review()] == [1, 0]
    discrepancy = Discrepancy.objects.get()
    assert (discrepancy.kind, discrepancy.reference, discrepancy.times) == ("unsettled", "order-1", 1)
    assert discrepancy.evidence["by_hand"] is True
    mark(untold, "order-1", "ordered")
    pass_time("order-1", 61)
    sync(untold)
    deadlines.review()
    discrepancy.refresh_from_db()
    assert (states("order-1"), discrepancy.state) == ([("settled", 3)], "resolved")
