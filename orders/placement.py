"""DEDUCTION LAYER: places orders and holds.  Owns the transaction, and the order of lock, tombstone, COMMIT, answer.

Takes a list of intents and answers each as if they had been placed one by one, in that order.
"""

import time
from collections import Counter as CountOf
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import TypeVar

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from prometheus_client import Counter

from inventory import availability, effects, positions, sourcing, sql, stock
from inventory.effects import Due
from inventory.locks import sku_locks
from inventory.models import Effect
from inventory.positions import Position
from inventory.sourcing import Decision, Shortage, Take, Unorderable
from inventory.stock import Locked
from orders import holds, records
from orders.holds import Hold
from orders.intents import Intent, KeyReused, NotOrderable, Outcome, Placed, Refused, WrongReservation
from orders.models import Order
from orders.records import Draft
from orders.signals import order_placed, order_refused

OUTCOMES = Counter("holdfast_placements_total", "What became of orders and holds.", ["outcome"])

Line = TypeVar("Line", Shortage, Unorderable)

_ATTEMPTS = 3  # a key used twice at once makes one of the two start over, and then find the other's answer


class KeyContendedError(Exception):
    """The key is being used by another request right now; ask again with the same key."""


@dataclass(slots=True)
class _Batch:
    """What one transaction decided and wrote."""

    locked: Locked
    outcomes: dict[int, Outcome]
    lanes: list[tuple[str, int | None]] = field(default_factory=list)
    raised: CountOf[str] = field(default_factory=CountOf)  # SKU → versions that the orders decided so far make

    def count(self, takes: Iterable[Take], hold: Hold | None) -> None:
        """An order was decided that takes these; a hold that it consumes is a change of its own."""
        codes = {code for take in takes for code in self.locked.sellers[take.level.id].values()}
        for _ in range(2 if hold else 1):
            self.raised.update(codes)

    def as_of_now(self, line: Line) -> Line:
        """With the version that has the orders before it counted in, as its number has."""
        return replace(line, version=line.version + self.raised[line.sku])

    def refused(self, decision: Decision) -> Refused | NotOrderable:
        """What becomes of an order that cannot be served."""
        if decision.shortages:
            return Refused([self.as_of_now(short) for short in decision.shortages])
        return NotOrderable([self.as_of_now(line) for line in decision.unorderable])


def answer_without_lock(intents: Sequence[Intent]) -> dict[int, Outcome]:
    """Repeats and true refusals, by place: each was right at the instant of this read, so it needs no lock."""
    with sql.pipeline():
        known = records.ask_known(intents)
        asked = positions.ask(sorted({code for intent in intents for code in intent.codes}))
        outcomes: dict[int, Outcome] = dict(known())
        current = asked()
    refuse = lru_cache(partial(_refusal, current))  # nearly all who want a hot SKU want the same of it
    for at, intent in enumerate(intents):
        # The units of a hold count as taken here: only the transaction can tell whether they suffice.
        if at not in outcomes and not intent.reservation:
            refused = refuse(tuple(intent.lines), intent.destination)
            if refused:
                outcomes[at] = refused
    _count(outcomes.values())
    return outcomes


def _refusal(
    current: Mapping[str, Position], lines: tuple[tuple[str, int], ...], destination: str
) -> Refused | NotOrderable | None:
    refusal = sourcing.refusal(current, lines, destination)
    if not refusal:
        return None
    return Refused(refusal.shortages) if refusal.shortages else NotOrderable(refusal.unorderable)


@contextmanager
def under_lock(codes: Collection[str]) -> Iterator[None]:
    """Hold the SKUs' Redis locks.  Raises: LockBusyError, LockUnavailableError."""
    # A pooled connection kept through the wait would make the pool's size the length of the queue.
    connection.close()
    with sku_locks(list(codes), deadline=time.monotonic() + settings.SKU_LOCK_ACQUIRE_SECONDS + 1):
        yield


def place_locked(intents: Sequence[Intent]) -> list[Outcome]:
    """Place orders and holds in one transaction; one outcome for each, in order.

    Meant to be called under the SKUs' locks, and right without them.
    Raises: KeyContendedError, OperationalError: nothing is known to be placed, the same key tells later.
    """
    codes = sorted({code for intent in intents for code in intent.codes})
    token = availability.tombstone(codes)
    batch = _retry(intents, codes)
    current = batch.locked.positions
    availability.publish(current.values(), token)
    # Unknown SKUs had a tombstone; SKUs that share a level have a new number that nobody computed yet.
    availability.invalidate(sorted({*codes, *batch.locked.codes} - set(current)))
    _count(batch.outcomes.values())
    if batch.lanes:
        order_placed.send_robust(sender=Order, lanes=batch.lanes)
    return [batch.outcomes[at] for at in range(len(intents))]


def recall(intents: Sequence[Intent]) -> dict[int, Outcome]:
    """What is known of these keys, by place, after a COMMIT whose answer was lost."""
    return dict(records.ask_known(intents)())


def _count(outcomes: Iterable[Outcome]) -> None:
    short: list[str] = []
    for outcome in outcomes:
        OUTCOMES.labels(type(outcome).__name__.lower()).inc()
        if isinstance(outcome, Refused):
            short += [shortage.sku for shortage in outcome.shortages]
    if short:
        order_refused.send_robust(sender=Order, codes=short)


def _retry(intents: Sequence[Intent], codes: Sequence[str]) -> _Batch:
    for attempt in range(_ATTEMPTS):
        try:
            with sql.pipeline(), transaction.atomic(durable=True):
                return _place_in_transaction(intents, codes)
        except IntegrityError:
            # The same key under other SKUs won, or, without any row lock, somebody else took the units.
            if attempt == _ATTEMPTS - 1:
                raise KeyContendedError(KeyContendedError.__doc__) from None
    raise AssertionError


def _place_in_transaction(intents: Sequence[Intent], codes: Sequence[str]) -> _Batch:
    locked, known = stock.lock(codes), records.ask_known(intents)
    batch = _Batch(locked(), dict(known()))
    current = batch.locked.positions
    drafts: dict[int, Draft] = {}
    repeats: dict[int, int] = {}
    first: dict[tuple[int, str, bool], int] = {}
    # Orders that consume a hold come first, or another order of the batch would get the units that the hold kept.
    for at in sorted(range(len(intents)), key=lambda at: intents[at].reservation is None):
        intent = intents[at]
        if at in batch.outcomes:
            continue
        if intent.identity in first:
            repeats[at] = first[intent.identity]
            continue
        fitted = holds.fitted(intent)
        if fitted is None:
            batch.outcomes[at] = WrongReservation()
            continue
        intent = fitted
        hold = holds.open_for(intent, current, [draft.hold for draft in drafts.values() if draft.hold])
        decision = sourcing.decide(current, intent.lines, intent.destination)
        holds.close(hold, refused=not decision.takes)
        if not decision.takes:
            batch.outcomes[at] = batch.refused(decision)
        else:
            batch.count(decision.takes, hold)
            first[intent.identity] = at
            now = current[intent.codes[0]].now
            drafts[at] = Draft(intent, records.new_name(intent), decision.takes, now, hold)
    if drafts:
        _write(drafts, batch)
    for at, original in repeats.items():
        batch.outcomes[at] = _repeat(intents[at], intents[original], batch.outcomes[original])
    return batch


def _repeat(intent: Intent, original: Intent, outcome: Outcome) -> Outcome:
    if intent.fingerprint != original.fingerprint:
        return KeyReused()
    return Placed(outcome.answer, repeated=True) if isinstance(outcome, Placed) else outcome


def _write(drafts: dict[int, Draft], batch: _Batch) -> None:
    """Write what was decided: stock, then the orders, then what must follow."""
    ordered, current = list(drafts.values()), batch.locked.positions
    holds.consume([draft.hold for draft in ordered if draft.hold], current)
    versions = stock.allocate([draft.promise for draft in ordered], batch.locked)
    batch.outcomes |= dict(zip(drafts, records.insert(ordered, versions, current), strict=True))
    dues = _effects(ordered, batch.locked.codes)
    effects.record(dues)
    batch.lanes = sorted({(due.kind, due.supplier_id) for due in dues}, key=str)


def _effects(drafts: Sequence[Draft], changed: Sequence[str]) -> list[Due]:
    """What must happen after the COMMIT, each once for the batch where once is enough."""
    dues = [Due(Effect.Kind.INVALIDATE, code) for code in changed]
    orders = [draft for draft in drafts if draft.expires_at is None]
    levels = {take.level.id: take.level.supplier_id for draft in orders for take in draft.takes}
    dues += [Due(Effect.Kind.SYNC, str(level_id), supplier_id) for level_id, supplier_id in levels.items()]
    for draft in orders:
        suppliers = sorted({take.level.supplier_id for take in draft.takes})
        dues += [Due(Effect.Kind.CONFIRM, draft.name, supplier_id) for supplier_id in suppliers]
    return dues
