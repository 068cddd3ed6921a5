"""Refusals, cancels, sweeps and new orders at once: every unit of an order is seen to exactly once."""

import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from django.db import connection, transaction
from django.db.models import F, Sum

from inventory import claims, resourcing, settlement, sourcing, stock
from inventory.asked import Claim
from inventory.ledger import Origin
from inventory.models import Allocation, Discrepancy, Effect, Offer, Sku, StockLevel
from inventory.settlement import Reading
from inventory.tests.ledgers import differences
from inventory.tests.promises import place
from inventory.tests.test_resourcing import parts
from inventory.tests.test_settlement import database_time
from inventory.tests.test_settlement_concurrency import wait_until_somebody_waits, workers
from suppliers.models import Supplier
from suppliers.readings import ConfirmResult, Outcome

pytestmark = pytest.mark.django_db(transaction=True)
ORIGIN = Origin(actor="test")
REFUSED = ConfirmResult(Outcome.REJECTED_STOCK, detail="sold out")
MOVED = [("first", "lost", 3, 0), ("second", "committed", 3, 0)]


@pytest.fixture(autouse=True)
def conserved(db: None) -> Iterator[None]:
    yield
    assert differences() == []


@pytest.fixture
def refused(make_supplier, make_sku, make_level) -> Claim:
    """An order for 3 units on its way to the first supplier, which has 10; the second has 4."""
    sku = make_sku("TEA")
    for slug, units in (("first", 10), ("second", 4)):
        make_level(sku, units, supplier=make_supplier(slug), priority=units == 4)
    place("order-1", {"TEA": 3})
    claimed = claims.claim(Supplier.objects.get(slug="first"), "order-1", lease_seconds=60)
    assert claimed
    return claimed


def at_once(first: Callable[[], object], second: Callable[[], object]) -> None:
    """The second begins when the first is done and not committed, and goes on when it is."""

    def late() -> None:
        second()
        connection.close()

    thread = threading.Thread(target=late)
    with transaction.atomic():
        first()
        thread.start()
        wait_until_somebody_waits()
    thread.join()


def refuse(claimed: Claim) -> None:
    """What a worker does with the answer, in the caller's transaction."""
    resourcing.lock(claimed.order)
    settlement.reject(claimed.ids, detail="sold out", origin=ORIGIN)
    resourcing.see_to(claimed.order, ORIGIN)


def cancel() -> None:
    """As a storefront's cancel takes its locks, in the caller's transaction."""
    stock.lock(["TEA"])()
    stock.release("order-1", ORIGIN)


def cancel_and_commit() -> None:
    with transaction.atomic():
        cancel()


def test_units_that_stayed_on_the_count_would_move_twice(refused, monkeypatch):
    """Control: what the count prevents."""
    monkeypatch.setattr(resourcing, "_COUNT", "SELECT %s::bigint[], %s::int[]")
    claims.conclude(refused, REFUSED)
    StockLevel.objects.filter(supplier__slug="second").update(sellable=F("sellable") + 10)
    resourcing.retry("order-1")
    assert [part[2] for part in parts("order-1") if part[1] == "committed"] == [3, 3]
    StockLevel.objects.filter(supplier__slug="second").update(sellable=F("sellable") - 10)


def test_two_workers_with_the_same_refusal_move_it_once(refused):
    at_once(lambda: refuse(refused), lambda: claims.conclude(refused, REFUSED))
    assert parts("order-1") == MOVED
    assert StockLevel.objects.get(supplier__slug="first").rejections == 1
    assert Effect.objects.filter(kind="confirm", supplier__slug="second").count() == 1


def test_a_person_and_the_sweep_move_it_once(refused):
    StockLevel.objects.filter(supplier__slug="second").update(read_at=None)
    claims.conclude(refused, REFUSED)
    assert parts("order-1") == [("first", "lost", 3, 3)]
    StockLevel.objects.filter(supplier__slug="second").update(read_at=database_time())
    Supplier.objects.update(on_rejection="backorder")

    def look() -> None:
        resourcing.lock("order-1")
        resourcing.see_to("order-1", ORIGIN)

    at_once(look, resourcing.retry_waiting)
    assert parts("order-1") == MOVED


def test_a_cancel_behind_the_move_takes_back_what_moved(refused):
    at_once(lambda: refuse(refused), cancel_and_commit)
    assert parts("order-1") == [("first", "lost", 3, 0), ("second", "released", 3, 0)]
    second = Supplier.objects.get(slug="second")
    assert claims.claim(second, "order-1", lease_seconds=60) is None
    assert StockLevel.objects.get(supplier=second).allocated == 0


def test_a_cancel_before_the_refusal_leaves_nothing_to_move(refused):
    at_once(cancel, lambda: claims.conclude(refused, REFUSED))
    assert parts("order-1") == [("first", "lost", 3, 0)]


def test_a_worker_that_is_killed_before_its_commit_has_done_nothing(refused):
    effect = Effect.objects.get(kind="confirm")
    head, _, _ = os.environ["DATABASE_URL"].rpartition("/")
    environment = {**os.environ, "DATABASE_URL": f"{head}/{connection.settings_dict['NAME']}"}
    arguments = [str(refused.supplier.pk), "order-1", str(effect.pk)]
    with transaction.atomic():
        # The last thing that it writes: all else is written by then, and not committed.
        Effect.objects.select_for_update().get(pk=effect.pk)
        command = [sys.executable, "-m", "inventory.tests.concluding", *arguments]
        worker = subprocess.Popen(command, env=environment)
        wait_until_somebody_waits(20)
        worker.kill()
        worker.wait()
    claims.conclude(refused, REFUSED, [effect.pk])
    assert parts("order-1") == MOVED
    assert StockLevel.objects.get(supplier__slug="first").rejections == 1
    assert Effect.objects.filter(kind="confirm", done_at=None).count() == 1


class Market:
    """Four SKUs, each with a level at two suppliers, one of which it shares with the next SKU."""

    outcomes = (Outcome.ACCEPTED, Outcome.REJECTED_STOCK, Outcome.REJECTED_STOCK, Outcome.PARTIAL)

    def __init__(self, suppliers: list[Supplier]) -> None:
        self.suppliers = suppliers
        self.numbers = count(1)
        self.asked: Counter[tuple[str, str]] = Counter()
        self.cancelled: set[str] = set()
        self.codes = list(Sku.objects.order_by("code").values_list("code", flat=True))

    def order(self, dice: random.Random) -> None:
        lines = [(code, dice.randint(1, 3)) for code in sorted(dice.sample(self.codes, 2))]
        with transaction.atomic():
            locked = stock.lock([code for code, _ in lines])()
            decision = sourcing.decide(locked.positions, lines)
            if decision.takes:
                reference = f"order-{next(self.numbers)}"
                stock.allocate([stock.Promise(reference, decision.takes, ORIGIN)], locked)
                self.asked.update({(reference, code): units for code, units in lines})

    def cancel(self, dice: random.Random) -> None:
        reference = f"order-{dice.randint(1, 60)}"
        codes = [code for (each, code) in list(self.asked) if each == reference]
        if codes:
            with transaction.atomic():
                stock.lock(sorted(codes))()
                stock.release(reference, ORIGIN)
            self.cancelled.add(reference)

    def answer(self, dice: random.Random) -> None:
        supplier, told = dice.choice(self.suppliers), f"order-{dice.randint(1, 60)}" + dice.choice(["", "", ".2"])
        claimed = claims.claim(supplier, told, lease_seconds=60)
        if claimed:
            outcome = dice.choice(self.outcomes)
            accepted = {part.ref.uid: dice.randint(0, part.quantity) for part in claimed.parts}
            claims.conclude(claimed, ConfirmResult(outcome, accepted=accepted if outcome is Outcome.PARTIAL else {}))

    def read(self, dice: random.Random) -> None:
        StockLevel.objects.filter(rejection_cap__isnull=False).update(capped_until=database_time())
        with transaction.atomic():
            pks = list(StockLevel.objects.order_by("-pk").values_list("pk", flat=True))
            readings = [Reading(pk, dice.randint(5, 40), database_time()) for pk in pks]
            settlement.absorb(readings, origin=ORIGIN)

    def retry(self, dice: random.Random) -> None:
        resourcing.retry_waiting()


@pytest.fixture
def market(make_supplier, make_sku, make_level) -> Market:
    suppliers = [make_supplier(settlement_lag_seconds=0, on_rejection="backorder") for _ in range(2)]
    codes = ["A", "B", "C", "D"]
    shared = {code: make_level(code, 20, supplier=suppliers[number % 2]) for number, code in enumerate(codes)}
    for number, code in enumerate(codes):
        make_level(Sku.objects.get(code=code), 20, supplier=suppliers[(number + 1) % 2])
        Offer.objects.create(sku=Sku.objects.get(code=codes[number - 1]), level=shared[code], priority=200)
    return Market(suppliers)


def test_everything_at_once_delivers_each_unit_once_or_says_that_it_is_at_risk(market):
    jobs = [market.order, market.order, market.cancel, market.answer, market.answer, market.answer, market.read]
    with workers([*jobs, market.retry]) as failures:
        pass
    assert failures == []
    rows = Allocation.objects.values_list("reference", "sku__code")
    serving = {row[:2]: row[2] for row in rows.filter(state__in=Allocation.SERVING).annotate(units=Sum("quantity"))}
    at_risk = {row[:2]: row[2] for row in rows.annotate(units=Sum("at_risk"))}
    for line, units in market.asked.items():
        if line[0] in market.cancelled:
            assert (serving.get(line, 0) <= units, at_risk[line]) == (True, 0), line
        else:
            assert serving.get(line, 0) + at_risk[line] == units, line
    assert Allocation.objects.filter(attempt__gt=1).exists(), "the dice moved nothing"
    assert Allocation.objects.filter(state="lost", at_risk=0).exists()
    named = {found.evidence["order"] for found in Discrepancy.objects.filter(state="open", kind="rejected")}
    assert {reference for (reference, _), units in at_risk.items() if units} <= named
