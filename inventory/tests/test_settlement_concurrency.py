"""Orders, cancels, readings and answers of upstream at once: nothing deadlocks, and the ledger adds up."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count

import pytest
from django.db import connection, transaction

from inventory import claims, ledger, settlement, sourcing, stock
from inventory.ledger import Origin
from inventory.models import Allocation, Offer, Sku, StockLevel
from inventory.settlement import Reading
from inventory.tests.ledgers import differences
from inventory.tests.promises import cancel, place
from suppliers.models import Supplier
from suppliers.readings import ConfirmResult, Outcome

pytestmark = pytest.mark.django_db(transaction=True)
ORIGIN = Origin(actor="test")
ROUNDS = 60
CODES = ["A", "B", "C", "D"]
OUTCOMES = [Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.REJECTED_STOCK, Outcome.REJECTED_OTHER, Outcome.PARTIAL]


class Chaos:
    """What several workers do to four SKUs that share levels, each by its own dice."""

    def __init__(self, supplier: Supplier) -> None:
        self.supplier = supplier
        self.numbers = count(1)
        self.levels = list(StockLevel.objects.order_by("-pk").values_list("pk", flat=True))

    def order(self, dice: random.Random) -> None:
        codes = dice.sample(CODES, 2)
        with transaction.atomic():
            locked = stock.lock(codes)()
            decision = sourcing.decide(locked.positions, [(code, dice.randint(1, 3)) for code in codes])
            if not decision.shortages:
                stock.allocate([stock.Promise(f"order-{next(self.numbers)}", decision.takes, ORIGIN)], locked)

    def cancel(self, dice: random.Random) -> None:
        cancel(f"order-{dice.randint(1, 40)}")

    def read(self, dice: random.Random) -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT clock_timestamp()")
                now = cursor.fetchone()[0]
            readings = [Reading(pk, dice.randint(0, 30), now) for pk in self.levels]
            settlement.absorb(readings, origin=ORIGIN, skip_locked=dice.random() < 0.5)

    def confirm(self, dice: random.Random) -> None:
        claimed = claims.claim(self.supplier, f"order-{dice.randint(1, 40)}", lease_seconds=60)
        if claimed is None:
            return
        outcome = dice.choice(OUTCOMES)
        accepted = {part.ref.uid: dice.randint(0, part.quantity) for part in claimed.parts}
        if dice.random() < 0.2:
            claims.give_back(claimed)
        else:
            claims.conclude(claimed, ConfirmResult(outcome, accepted=accepted if outcome is Outcome.PARTIAL else {}))


@pytest.fixture
def chaos(make_supplier, make_level) -> Chaos:
    supplier = make_supplier(settlement_lag_seconds=0)
    levels = [make_level(code, 30, supplier=supplier) for code in CODES]
    for code, level in zip(CODES, reversed(levels), strict=True):
        Offer.objects.create(sku=Sku.objects.get(code=code), level=level, priority=200)
    return Chaos(supplier)


@contextmanager
def workers(jobs: list[Callable[[random.Random], None]]) -> Iterator[list[BaseException]]:
    """Each job in a thread of its own, ROUNDS times; what they raised."""
    failures: list[BaseException] = []
    start = threading.Barrier(len(jobs))

    def work(number: int, job: Callable[[random.Random], None]) -> None:
        dice = random.Random(number)
        try:
            start.wait(10)
            for _ in range(ROUNDS):
                job(dice)
        except Exception as error:  # noqa: BLE001 - the test names them all
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=numbered) for numbered in enumerate(jobs)]
    for thread in threads:
        thread.start()
    yield failures
    for thread in threads:
        thread.join()


def test_everything_at_once_keeps_the_ledger(chaos):
    with workers([chaos.order, chaos.order, chaos.cancel, chaos.read, chaos.confirm, chaos.confirm]) as failures:
        pass
    assert failures == []
    assert differences() == []
    seen = set(Allocation.objects.values_list("state", flat=True))
    assert {"released", "lost", "settled"} <= seen, "the dice left something out"


def test_one_order_written_off_by_two_workers_at_once_leaves_the_level_once(make_level):
    level = make_level("A", 10)
    place("order-1", {"A": 3})
    place("order-2", {"A": 2})
    allocation = Allocation.objects.get(reference="order-1").pk

    def reject() -> None:
        with transaction.atomic():
            settlement.reject([allocation], detail="sold out", origin=ORIGIN)
        connection.close()

    second = threading.Thread(target=reject)
    with transaction.atomic():
        settlement.reject([allocation], detail="sold out", origin=ORIGIN)
        second.start()
        wait_until_somebody_waits()
    second.join()
    level.refresh_from_db()
    assert (level.allocated, level.rejections) == (2, 1)
    assert differences() == []


def wait_until_somebody_waits(seconds: float = 2) -> None:
    """Until another session has asked for a lock that we hold."""
    deadline = time.monotonic() + seconds
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
    raise AssertionError("nobody waits")


def test_no_level_is_locked_before_all_skus_are(make_level):
    """An order locks SKUs first: who held a level while waiting for a SKU would be half of a deadlock."""
    first, last = make_level("A", 1), make_level("B", 1)

    def work() -> set[int]:
        try:
            with transaction.atomic():
                return ledger.lock_levels([first.pk, last.pk])
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Sku.objects.select_for_update().get(code="B")
            locked = pool.submit(work)
            wait_until_somebody_waits()
            StockLevel.objects.select_for_update(nowait=True).get(pk=first.pk)
        assert locked.result(10) == {first.pk, last.pk}
