"""Orders to suppliers with guards of their own: those that know repeats, and those that compare before they take."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from inventory import claims, reconciliation
from inventory.models import Allocation, Discrepancy, Effect
from inventory.tests.promises import open_effects, pass_time, place, states
from inventory.tests.reconciliation.sides import SKU, available, confirm, sold, without
from suppliers import adapters
from suppliers.adapters.kinds import Kind
from suppliers.errors import Conflict, Throttled, UpstreamTimeout
from suppliers.models import Supplier
from suppliers.readings import Capability, ConfirmRequest, ConfirmResult, FetchResult, Outcome, Ref, StockRow

pytestmark = pytest.mark.django_db(transaction=True)

DAY = 86_400


@pytest.fixture
def knowing(supplier, chaos):
    """A supplier that knows repeats for a day, and that nobody can ask."""
    chaos.set(idempotent=True)
    supplier.config["confirm"]["idempotent_seconds"] = DAY
    without(supplier, "readback")
    return supplier


@pytest.mark.parametrize(
    "fault", [{"lost_reply": {"times": 1}}, {"server_error": {"endpoints": ["confirm"], "times": 1}}]
)
def test_who_knows_repeats_is_sent_the_order_again_at_once(knowing, chaos, fault):
    chaos.set(**fault)
    place("order-1", {SKU: 3})
    confirm(knowing)
    assert states("order-1") == [("sending", 3)]
    assert reconciliation.resolve_expired_claims(knowing.pk) == 1
    assert states("order-1") == [("confirmed", 3)]
    assert (sold(chaos), Discrepancy.objects.count()) == (3, 0)


def test_a_repeat_that_is_refused_ends_the_doubt(knowing, chaos):
    chaos.set(server_error={"endpoints": ["confirm"], "times": 1})
    place("order-1", {SKU: 3})
    confirm(knowing)
    chaos.sell(SKU, 8)
    assert reconciliation.resolve_expired_claims(knowing.pk) == 1
    assert states("order-1") == [("lost", 3)]
    assert sold(chaos) == 8


def test_nothing_is_repeated_when_upstream_may_have_forgotten(knowing, chaos):
    chaos.set(lost_reply={"times": 1})
    place("order-1", {SKU: 3})
    confirm(knowing)
    Allocation.objects.update(sent_at=F("sent_at") - timedelta(seconds=DAY))
    pass_time("order-1", 61)
    chaos.set(idempotent=False)
    assert reconciliation.resolve_expired_claims(knowing.pk) == 0
    assert (states("order-1"), sold(chaos)) == ([("sending", 3)], 3)
    assert Discrepancy.objects.get().kind == "unknown_outcome"


def test_a_person_is_told_when_no_repeat_is_answered(knowing, chaos):
    chaos.set(server_error={"endpoints": ["confirm"]})
    place("order-1", {SKU: 3})
    confirm(knowing)
    assert reconciliation.resolve_expired_claims(knowing.pk) == 0
    assert Discrepancy.objects.count() == 0
    Allocation.objects.update(sent_at=F("sent_at") - timedelta(seconds=61))
    reconciliation.resolve_expired_claims(knowing.pk)
    assert Discrepancy.objects.get().times == 1
    # Not again at once, and then with an answer.
    chaos.set(server_error=None)
    assert reconciliation.resolve_expired_claims(knowing.pk) == 0
    Discrepancy.objects.update(seen_at="2020-01-01T00:00:00Z")
    assert reconciliation.resolve_expired_claims(knowing.pk) == 1
    assert (states("order-1"), sold(chaos)) == ([("confirmed", 3)], 3)


def test_a_claim_that_ran_out_is_taken_over_once(knowing, chaos):
    place("order-1", {SKU: 3})
    claims.claim(knowing, "order-1", lease_seconds=0)
    found = claims.find(knowing, "order-1", ["sending"])
    assert found
    renewed = [claims.renew(found, lease_seconds=9, window_seconds=DAY) for _ in range(2)]
    assert renewed[0]
    assert renewed[1] is None
    assert claims.renew(renewed[0], lease_seconds=9, window_seconds=DAY) is None  # it is still held


def test_a_repeat_that_says_the_first_one_failed_is_decided_anew(supplier, shelf):
    shelf.capabilities |= Capability.IDEMPOTENT
    shelf.idempotent_seconds = DAY
    shelf.answers = [UpstreamTimeout("no answer", sent=True), ConfirmResult(Outcome.NOT_FOUND)]
    place("order-1", {SKU: 3})
    confirm(supplier)
    shelf.has = 10  # it was not taken
    assert reconciliation.resolve_expired_claims(supplier.pk) == 1
    assert (states("order-1"), open_effects("confirm")) == ([("committed", 3)], 1)
    shelf.has = 10  # and neither was the repeat
    confirm(supplier)
    assert (states("order-1"), shelf.has) == ([("confirmed", 3)], 7)
    first, repeat, anew = shelf.attempts
    assert first == repeat != anew


@dataclass
class Shelf:
    """A supplier that compares before it takes, in this process: what upstream has, and what happens between calls."""

    has: int = 10
    between: list[Callable[[], None]] = field(default_factory=list)  # one for each read: after it, before the order
    answers: list[Exception | ConfirmResult] = field(default_factory=list)  # given after the order was taken
    attempts: list[str] = field(default_factory=list)
    expected: list[int | None] = field(default_factory=list)

    capabilities = Capability.FETCH | Capability.CONFIRM | Capability.CAS
    idempotent_seconds = 0.0

    def fetch(self, refs: Sequence[Ref]) -> FetchResult:
        rows = [StockRow(ref.uid, ref.sku, ref.sku, ref.location, self.has) for ref in refs]
        if self.between:
            self.between.pop(0)()
        return FetchResult(rows, [], [])

    def confirm(self, order: ConfirmRequest) -> ConfirmResult:
        line = order.lines[0]
        self.expected.append(line.expected_available)
        self.attempts.append(order.attempt)
        if line.expected_available != self.has:
            raise Conflict("stale")
        self.has -= line.quantity
        answer = self.answers.pop(0) if self.answers else ConfirmResult(Outcome.ACCEPTED, "S-1")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sell(self, units: int) -> Callable[[], None]:
        def sell() -> None:
            self.has -= units

        return sell


@pytest.fixture
def shelf(supplier, monkeypatch):
    shelf: Any = Shelf()
    monkeypatch.setitem(adapters.ADAPTERS, "shelf", Kind("", lambda *_: shelf, lambda _: [], lambda _: {}))
    Supplier.objects.filter(pk=supplier.pk).update(adapter="shelf")
    return shelf


def test_an_order_is_compared_with_what_was_just_read(supplier, shelf):
    place("order-1", {SKU: 3})
    shelf.has = 8
    confirm(supplier)
    assert (states("order-1"), shelf.has, shelf.expected) == ([("confirmed", 3)], 5, [8])
    assert Allocation.objects.get().expected_available == 8


def test_what_changes_in_between_is_read_again(supplier, shelf):
    place("order-1", {SKU: 3})
    shelf.between = [shelf.sell(2), shelf.sell(1)]
    confirm(supplier)
    assert (states("order-1"), shelf.has, shelf.expected) == ([("confirmed", 3)], 4, [10, 8, 7])


def test_what_is_gone_when_it_is_read_again_is_refused(supplier, shelf):
    place("order-1", {SKU: 3})
    shelf.between = [shelf.sell(8)]
    confirm(supplier)
    assert (states("order-1"), shelf.has, shelf.expected) == ([("lost", 3)], 2, [10])
    assert available() == 0
    assert "SKU-000001 2 of 3" in Discrepancy.objects.get().evidence["detail"]


def test_who_loses_every_race_waits(supplier, shelf):
    place("order-1", {SKU: 1})
    shelf.between = [shelf.sell(1)] * 4
    confirm(supplier)
    assert (states("order-1"), shelf.has) == ([("committed", 1)], 6)
    assert Effect.objects.get(kind="confirm").error.startswith("Conflict")
    confirm(supplier)
    assert (states("order-1"), shelf.has) == ([("confirmed", 1)], 5)


def test_a_supplier_that_cannot_be_read_is_not_told(supplier, shelf, monkeypatch):
    def refuse(*_: Any) -> Any:
        raise Throttled("later", 3)

    monkeypatch.setattr(shelf, "fetch", refuse)
    place("order-1", {SKU: 1})
    confirm(supplier)
    assert (states("order-1"), shelf.expected) == ([("committed", 1)], [])
    monkeypatch.setattr(shelf, "fetch", lambda refs: FetchResult([], [], list(refs)))
    confirm(supplier)
    assert (states("order-1"), shelf.expected) == ([("committed", 1)], [])


def test_a_repeat_says_what_the_first_one_said(supplier, shelf):
    """And so a number that changed since is no answer: by it upstream may have taken the order, or somebody else."""
    shelf.capabilities |= Capability.IDEMPOTENT  # its promise, which it breaks
    shelf.idempotent_seconds = DAY
    shelf.answers = [UpstreamTimeout("no answer", sent=True)]
    place("order-1", {SKU: 3})
    confirm(supplier)
    assert (states("order-1"), open_effects("confirm")) == ([("sending", 3)], 0)
    assert reconciliation.resolve_expired_claims(supplier.pk) == 0
    assert (states("order-1"), shelf.has, shelf.expected) == ([("sending", 3)], 7, [10, 10])
    shelf.has = 10  # it was not taken, after all
    assert reconciliation.resolve_expired_claims(supplier.pk) == 1
    assert (states("order-1"), shelf.has, shelf.expected) == ([("confirmed", 3)], 7, [10, 10, 10])
