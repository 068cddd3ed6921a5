"""Suppliers whose data is as old as it is: what is measured of it, against the truth."""

import random
from collections.abc import Callable, Iterator
from time import time

import pytest
from django.db import connection

from inventory import lateness, snapshots
from inventory.models import Allocation, LagBreach
from inventory.tests.ledgers import differences
from inventory.tests.promises import pass_time, place, states
from inventory.tests.reconciliation.sides import SKU, STOCK, available, confirm
from suppliers.models import Supplier
from suppliers.simulator.running import RunningChaosSupplier, running_chaos_supplier

pytestmark = pytest.mark.django_db(transaction=True)

DECLARED = 60  # seconds, the default


class Passing:
    """Time that passes without waiting: at the supplier by its clock, here by making what is stored older."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def clock(self) -> float:
        return time() + self.seconds

    def __call__(self, seconds: float) -> None:
        self.seconds += seconds
        for reference in Allocation.objects.values_list("reference", flat=True).distinct():
            pass_time(reference, seconds)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE inventory_stocklevel SET read_at = read_at - %s * interval '1 second'", [seconds])
            cursor.execute(
                "UPDATE inventory_feed SET complete_as_of = complete_as_of - %(by)s * interval '1 second',"
                " complete_until = complete_until - %(by)s * interval '1 second'",
                {"by": seconds},
            )


@pytest.fixture
def later() -> Passing:
    return Passing()


@pytest.fixture
def chaos(later) -> Iterator[RunningChaosSupplier]:
    with running_chaos_supplier(rows=2, stock=STOCK, clock=later.clock) as running:
        yield running
        assert differences() == []


def snapshot(supplier: Supplier) -> None:
    assert snapshots.run_full(supplier.pk).status == "applied"


def ordered(supplier: Supplier, reference: str, quantity: int) -> None:
    place(reference, {SKU: quantity})
    confirm(supplier)
    assert states(reference) == [("confirmed", quantity)]


def read_until(supplier: Supplier, later: Passing, *, every: float, ended: Callable[[], bool]) -> None:
    for _ in range(60):
        later(every)
        snapshot(supplier)
        if ended():
            return
    raise AssertionError("nothing was found in sixty readings")


@pytest.mark.parametrize(("truth", "every"), [(75, 10), (150, 25), (900, 50)])
def test_a_lag_larger_than_declared_is_measured(supplier, chaos, later, truth, every):
    chaos.set(lag={"lag_s": truth})
    ordered(supplier, "order-1", 3)
    read_until(supplier, later, every=every, ended=LagBreach.objects.exists)
    breach = LagBreach.objects.get()
    assert (breach.kind, breach.certain) == ("late", True)
    assert breach.evidence["at_least_seconds"] <= truth <= breach.seconds + 1
    assert breach.seconds <= truth + every + 1
    assert truth < lateness.suggested(breach.seconds) <= (truth + every + 1) * 1.1 + 1
    assert available() == STOCK - 3


def test_with_what_was_suggested_nothing_is_sold_twice_any_more(supplier, chaos, later):
    """Control first: under the lag that was declared the units of the order come back."""
    chaos.set(lag={"lag_s": 150})
    ordered(supplier, "order-1", 3)
    read_until(supplier, later, every=25, ended=lambda: states("order-1") == [("settled", 3)])
    assert available() == STOCK
    read_until(supplier, later, every=25, ended=LagBreach.objects.exists)
    Supplier.objects.update(settlement_lag_seconds=lateness.suggested(LagBreach.objects.get().seconds))
    ordered(supplier, "order-2", 2)
    read_until(supplier, later, every=25, ended=lambda: states("order-2") == [("settled", 2)])
    assert (available(), LagBreach.objects.count()) == (STOCK - 5, 1)


def test_copies_of_which_one_is_behind_are_found(supplier, chaos, later):
    chaos.set(lag={"lag_s": 20, "replicas": 2})
    ordered(supplier, "order-1", 3)
    read_until(supplier, later, every=0.5, ended=LagBreach.objects.exists)
    breach = LagBreach.objects.get()
    assert (breach.kind, breach.certain, breach.evidence["orders"]) == ("replicas", True, ["order-1"])


@pytest.mark.parametrize("seed", range(2))
def test_of_an_honest_supplier_where_others_buy_too_nothing_is_claimed(supplier, chaos, later, seed):
    chaos.set(lag={"lag_s": 45})
    chaos.restock(SKU, 500)
    draws = random.Random(seed)
    snapshot(supplier)
    for number in range(40):
        later(draws.choice((5, 20, 70)))
        snapshot(supplier)
        if draws.random() < 0.5:
            chaos.sell(SKU, draws.randint(1, 2))
        if draws.random() < 0.3 and available():
            ordered(supplier, f"order-{number}", 1)
    assert LagBreach.objects.count() == 0
