"""An order at one supplier: claimed before anything is sent, then confirmed, written off or sent anew.

Every step is a short transaction of its own that locks the levels first, so that a cancel cannot slip between.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from inventory import attempts, availability, discrepancies, effects, ledger, rechecks, resourcing, settlement, stock
from inventory.asked import Claim, Part
from inventory.discrepancies import Finding
from inventory.effects import Due
from inventory.ledger import Origin
from inventory.models import Discrepancy, Effect
from suppliers.models import Supplier
from suppliers.readings import ConfirmResult, Outcome, Ref

ORIGIN = Origin(actor="reconciliation")
SYNC_MARGIN_SECONDS = 1.0  # the read that settles an order is sent a little after it may, never before


@dataclass(slots=True)
class _Verdict:
    """What upstream's answer means for each allocation."""

    confirmed: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)  # for lack of stock
    lost: list[int] = field(default_factory=list)


_PART = (
    "allocation.id, level.id, level.external_id, level.code, level.location, allocation.quantity,"
    " allocation.expected_available, allocation.lease_until, allocation.upstream_order, allocation.sent_at"
)
_CLAIM = f"""
UPDATE inventory_allocation allocation
SET state = 'sending', lease_until = statement_timestamp() + %(lease)s * interval '1 second', detail = '',
    sent_at = COALESCE(allocation.sent_at, statement_timestamp())
FROM inventory_stocklevel level
WHERE level.id = allocation.level_id AND level.supplier_id = %(supplier)s AND allocation.reference = %(reference)s
  AND allocation.attempt = %(attempt)s AND allocation.state = 'committed' AND allocation.cancel_requested_at IS NULL
  AND level.id = ANY(%(locked)s)
RETURNING {_PART}
"""
# What is compared with is part of what upstream is asked for: another number is another request.
_EXPECT = f"""
UPDATE inventory_allocation allocation
SET expected_available = wanted.expected, sent_at = statement_timestamp(),
    lease_until = statement_timestamp() + %(lease)s * interval '1 second'
FROM unnest(%(ids)s::bigint[], %(expected)s::int[]) AS wanted(id, expected), inventory_stocklevel level
WHERE allocation.id = wanted.id AND level.id = allocation.level_id AND allocation.state = 'sending'
  AND allocation.lease_until = %(until)s AND allocation.lease_until > statement_timestamp()
RETURNING {_PART}
"""
_RENEW = f"""
UPDATE inventory_allocation allocation
SET lease_until = statement_timestamp() + %(lease)s * interval '1 second'
FROM inventory_stocklevel level
WHERE allocation.id = ANY(%(ids)s) AND level.id = allocation.level_id AND allocation.state = 'sending'
  AND allocation.lease_until = %(until)s AND allocation.lease_until < statement_timestamp()
  AND allocation.sent_at + %(window)s * interval '1 second'
      > statement_timestamp() + %(lease)s * interval '1 second'
RETURNING {_PART}
"""
_OF_STATE = f"""
SELECT {_PART}
FROM inventory_allocation allocation JOIN inventory_stocklevel level ON level.id = allocation.level_id
WHERE level.supplier_id = %(supplier)s AND allocation.reference = %(reference)s AND allocation.attempt = %(attempt)s
  AND allocation.state = ANY(%(states)s)
  AND (NOT %(uncounted)s OR allocation.confirmed_at IS NULL)
  AND (NOT %(wanted)s OR allocation.cancel_requested_at IS NULL)
ORDER BY allocation.id
"""
_LEVELS = """
SELECT DISTINCT allocation.level_id
FROM inventory_allocation allocation JOIN inventory_stocklevel level ON level.id = allocation.level_id
WHERE level.supplier_id = %(supplier)s AND allocation.reference = %(reference)s AND allocation.attempt = %(attempt)s
  AND allocation.state = 'committed'
"""
# `committed`: an answer so late that the order was taken for unknown and is about to be sent again.
_CONFIRM = f"""
UPDATE inventory_allocation allocation
SET state = 'confirmed', lease_until = NULL, recheck_at = {rechecks.FIRST},
    upstream_order = %(upstream_order)s, detail = %(detail)s,
    confirmed_at = CASE WHEN %(counted)s OR COALESCE(NULLIF(level.decrements_on, ''), supplier.decrements_on) = 'order'
                        THEN COALESCE(%(at)s, clock_timestamp()) END
FROM inventory_stocklevel level JOIN suppliers_supplier supplier ON supplier.id = level.supplier_id
WHERE allocation.id = ANY(%(ids)s) AND level.id = allocation.level_id AND allocation.state IN ('sending', 'committed')
"""
_COUNT = """
UPDATE inventory_allocation SET confirmed_at = COALESCE(%(at)s, clock_timestamp())
WHERE id = ANY(%(ids)s) AND state = 'confirmed' AND confirmed_at IS NULL
"""
_TAKEN = (
    "SELECT level_id, confirmed_at IS NOT NULL FROM inventory_allocation WHERE id = ANY(%s) AND state = 'confirmed'"
)
_BACK_TO_COMMITTED = """
UPDATE inventory_allocation SET state = 'committed', lease_until = NULL
WHERE id = ANY(%s) AND state = 'sending' AND lease_until <= %s
RETURNING cancel_requested_at IS NOT NULL
"""
_END_LEASE = """
UPDATE inventory_allocation SET lease_until = LEAST(lease_until, statement_timestamp()), detail = %s
WHERE id = ANY(%s) AND state = 'sending'
"""
_SPLIT = """
WITH rest AS (
    UPDATE inventory_allocation SET quantity = %(kept)s, observed = LEAST(observed, %(kept)s)
    WHERE id = %(id)s AND quantity = %(kept)s + %(rest)s AND state IN ('sending', 'committed', 'confirmed', 'settled')
    RETURNING *
)
INSERT INTO inventory_allocation (level_id, sku_id, reference, attempt, destination, quantity, state, lease_until,
                                  cancel_requested_at, upstream_order, detail, created_at)
SELECT level_id, sku_id, reference, attempt, destination, %(rest)s, state, lease_until, cancel_requested_at, '', '',
       created_at FROM rest
RETURNING id
"""


def claim(supplier: Supplier, reference: str, *, lease_seconds: float) -> Claim | None:
    """Take what the order still has to ask of this supplier; None if there is nothing, or somebody else has it."""
    wanted = _named(supplier, reference)
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(_LEVELS, wanted)
        locked = ledger.lock_levels([level_id for (level_id,) in cursor.fetchall()])
        cursor.execute(_CLAIM, {**wanted, "lease": lease_seconds, "locked": list(locked)})
        return _claim_of(supplier, reference, cursor.fetchall())


def find(
    supplier: Supplier, reference: str, states: Sequence[str], *, uncounted: bool = False, wanted: bool = False
) -> Claim | None:
    """The allocations of an order at this supplier that are in one of these states.

    uncounted: only those of which nobody has said yet that upstream's number took them in.  wanted: only those that
    nobody has cancelled here.
    """
    only = {"states": list(states), "uncounted": uncounted, "wanted": wanted}
    with connection.cursor() as cursor:
        cursor.execute(_OF_STATE, _named(supplier, reference) | only)
        return _claim_of(supplier, reference, cursor.fetchall())


def _named(supplier: Supplier, told: str) -> dict[str, Any]:
    reference, attempt = attempts.split(told)
    return {"supplier": supplier.pk, "reference": reference, "attempt": attempt}


def expect(claimed: Claim, expected: Mapping[Ref, int | None], *, lease_seconds: float) -> Claim | None:
    """The claim with what upstream has now, and a new lease; None if it ran out and may be with somebody else."""
    wanted = [expected[part.ref] for part in claimed.parts]
    return _held(claimed, _EXPECT, {"expected": wanted, "lease": lease_seconds})


def renew(claimed: Claim, *, lease_seconds: float, window_seconds: float) -> Claim | None:
    """Take over a claim that ran out, to send the very same again; None if somebody else does, or it is too late.

    window_seconds: how long upstream knows its first sending by our key.
    """
    return _held(claimed, _RENEW, {"lease": lease_seconds, "window": window_seconds})


def _held(claimed: Claim, statement: str, values: Mapping[str, Any]) -> Claim | None:
    """The claim as this statement leaves it: the whole of it, or nothing is changed."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(statement, {"ids": claimed.ids, "until": claimed.lease_until, **values})
        rows = cursor.fetchall()
        if len(rows) < len(claimed.parts):
            transaction.set_rollback(True)
            return None
        return _claim_of(claimed.supplier, claimed.reference, rows)


def _claim_of(supplier: Supplier, reference: str, rows: Sequence[tuple[Any, ...]]) -> Claim | None:
    if not rows:
        return None
    parts = [Part(row[0], row[1], Ref(*row[2:5]), row[5], row[6]) for row in sorted(rows, key=lambda row: row[0])]
    leases, orders, sent = zip(*(row[7:] for row in rows), strict=True)
    return Claim(
        supplier,
        reference,
        parts,
        lease_until=max(filter(None, leases), default=None),
        upstream_order=next(filter(None, orders), ""),
        sent_at=min(filter(None, sent), default=None),
    )


def give_back(claimed: Claim, *, again: bool = False) -> None:
    """Undo a claim of which it is certain that upstream does not have it.

    again: an effect to send it once more is written; otherwise the caller's is still open.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        # All levels of the order: a cancel releases those at other suppliers too; to lock them later could deadlock.
        resourcing.lock(claimed.order)
        cursor.execute(_BACK_TO_COMMITTED, [claimed.ids, claimed.lease_until])
        back = [cancelled for (cancelled,) in cursor.fetchall()]
        # The cancel that came meanwhile left these units to us.
        codes = stock.release(claimed.order, ORIGIN).codes if any(back) else []
        if again and back and not all(back):
            effects.record([Due(Effect.Kind.CONFIRM, claimed.reference, claimed.supplier.pk)])
            _resolve(claimed, "upstream does not know it; it is sent again")
    availability.invalidate(codes)


def leave_open(claimed: Claim, detail: str, effect_ids: Sequence[int]) -> None:
    """Nobody knows whether upstream has it: the claim stays, and is read back from now on."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(_END_LEASE, [detail[:300], claimed.ids])
        effects.close(effect_ids)


def conclude(claimed: Claim, result: ConfirmResult, effect_ids: Sequence[int] = ()) -> None:
    """Write down what upstream answered, close the effects that asked, and see to the reading that settles it.

    What upstream does not deliver moves to other levels in the same transaction, as its policy says.
    """
    with transaction.atomic(durable=True):
        _lock(claimed, result)
        verdict = _verdict(claimed, result)
        later = result.outcome is Outcome.LOST
        codes = settlement.reject(verdict.refused, detail=result.detail, origin=ORIGIN, even_settled=later)
        codes += settlement.lose(verdict.lost, detail=result.detail, origin=ORIGIN)
        _resolve(claimed, f"upstream answered: {result.outcome}")
        _confirm(claimed, verdict.confirmed, result)
        unfilled = _unfilled(claimed, verdict, result)
        discrepancies.report([_refusal(claimed, level_id, result) for level_id in unfilled])
        if unfilled:
            # What upstream refuses it does not have: the number that we believed is read again.
            effects.record([Due(Effect.Kind.SYNC, str(level_id), claimed.supplier.pk) for level_id in unfilled])
            codes += resourcing.see_to(claimed.order, ORIGIN)
        effects.close(effect_ids)
    availability.invalidate(codes)


def _lock(claimed: Claim, result: ConfirmResult) -> None:
    """The levels that the answer may change: an order that is not taken may move to any of its SKUs'."""
    if result.outcome is Outcome.ACCEPTED:
        ledger.lock_levels(claimed.level_ids)
    else:
        resourcing.lock(claimed.order)


def _verdict(claimed: Claim, result: ConfirmResult) -> _Verdict:
    match result.outcome:
        case Outcome.ACCEPTED:
            return _Verdict(confirmed=claimed.ids)
        case Outcome.REJECTED_STOCK:
            return _Verdict(refused=claimed.ids)
        # Whoever calls a taken order off has no goods for it: the level is capped as after a refusal.
        case Outcome.LOST:
            return _Verdict(refused=_share(claimed, result.accepted).refused)
        case Outcome.REJECTED_OTHER:
            return _Verdict(lost=claimed.ids)
        case Outcome.PARTIAL:
            return _share(claimed, result.accepted)
    raise ValueError(f"{result.outcome} concludes nothing")


def _share(claimed: Claim, accepted: Mapping[str, int]) -> _Verdict:
    """Split the allocations into what upstream took and what it did not, the oldest first."""
    verdict = _Verdict()
    left = dict(accepted)
    for part in claimed.parts:
        taken = min(part.quantity, left.get(part.ref.uid, 0))
        left[part.ref.uid] = left.get(part.ref.uid, 0) - taken
        if taken == 0:
            verdict.refused.append(part.id)
            continue
        verdict.confirmed.append(part.id)
        if taken < part.quantity:
            verdict.refused += _split(part, taken)
    return verdict


def _split(part: Part, kept: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_SPLIT, {"id": part.id, "kept": kept, "rest": part.quantity - kept})
        return [pk for (pk,) in cursor.fetchall()]


def _confirm(claimed: Claim, allocation_ids: Sequence[int], result: ConfirmResult) -> None:
    if not allocation_ids:
        return
    said: dict[str, Any] = {
        "ids": list(allocation_ids),
        "upstream_order": result.upstream_order[:100],
        "detail": result.detail[:300],
        "counted": result.counted,
        "at": result.at,
    }
    with connection.cursor() as cursor:
        cursor.execute(_CONFIRM, said)
        if cursor.rowcount < len(allocation_ids) and _is_surplus(cursor, allocation_ids, result):
            evidence = {"detail": "taken upstream, and not expected here", "upstream_order": result.upstream_order}
            report_doubt(claimed, evidence)
        if result.counted:
            cursor.execute(_COUNT, said)
        cursor.execute(_TAKEN, [said["ids"]])
        taken: list[tuple[int, bool]] = cursor.fetchall()
    _sync_after_lag(claimed, [level_id for level_id, counted in taken if counted])
    if not all(counted for _, counted in taken):
        effects.record([Due(Effect.Kind.FOLLOW, claimed.reference, claimed.supplier.pk)])


def _is_surplus(cursor: CursorWrapper, allocation_ids: Sequence[int], result: ConfirmResult) -> bool:
    """Whether upstream took what was given up here, or took it a second time; not if a read-back was just faster."""
    cursor.execute(
        "SELECT 1 FROM inventory_allocation WHERE id = ANY(%s)"
        " AND (state IN ('released', 'lost') OR upstream_order <> %s) LIMIT 1",
        [list(allocation_ids), result.upstream_order[:100]],
    )
    return cursor.fetchone() is not None


def _sync_after_lag(claimed: Claim, level_ids: Sequence[int]) -> None:
    delay = claimed.supplier.settlement_lag_seconds + SYNC_MARGIN_SECONDS
    effects.record(
        [Due(Effect.Kind.SYNC, str(level_id), claimed.supplier.pk, delay) for level_id in sorted(set(level_ids))]
    )


def conclude_cancel(claimed: Claim, result: ConfirmResult, effect_ids: Sequence[int]) -> None:
    """Write down that the order is off upstream, or that a person must see to it.  No stock moves.

    The units settle as usual, and come back with the reading that shows them.
    """
    with transaction.atomic(durable=True):
        if result.outcome is Outcome.ACCEPTED:
            _sync_after_lag(claimed, claimed.level_ids)
        else:
            evidence = {"intent": "cancel", "outcome": str(result.outcome), "detail": result.detail}
            discrepancies.report(
                [Finding(Discrepancy.Kind.REJECTED, claimed.supplier.pk, None, claimed.reference, evidence)]
            )
        effects.close(effect_ids)


def report_doubt(claimed: Claim, evidence: Mapping[str, Any]) -> None:
    """Tell a person that nobody knows what became of this order."""
    finding = Finding(Discrepancy.Kind.UNKNOWN_OUTCOME, claimed.supplier.pk, None, claimed.reference, evidence)
    discrepancies.report([finding])


def _unfilled(claimed: Claim, verdict: _Verdict, result: ConfirmResult) -> list[int]:
    """Levels of which upstream does not deliver all that it was asked for."""
    if result.outcome not in (Outcome.PARTIAL, Outcome.LOST):
        return sorted({part.level_id for part in claimed.parts if part.id in {*verdict.refused, *verdict.lost}})
    asked: Counter[tuple[int, str]] = Counter()  # several SKUs may be sold from one level
    for part in claimed.parts:
        asked[part.level_id, part.ref.uid] += part.quantity
    return sorted({level_id for (level_id, uid), units in asked.items() if result.accepted.get(uid, 0) < units})


def _refusal(claimed: Claim, level_id: int, result: ConfirmResult) -> Finding:
    asked = sum(part.quantity for part in claimed.parts if part.level_id == level_id)
    evidence = {
        "intent": "confirm",
        "outcome": str(result.outcome),
        "asked": asked,
        "accepted": dict(result.accepted),
        "detail": result.detail,
    }
    kind = Discrepancy.Kind.LOST if result.outcome is Outcome.LOST else Discrepancy.Kind.REJECTED
    return Finding(kind, claimed.supplier.pk, level_id, claimed.reference, evidence)


def _resolve(claimed: Claim, resolution: str) -> None:
    discrepancies.resolve(
        Discrepancy.Kind.UNKNOWN_OUTCOME, claimed.supplier.pk, claimed.reference, resolution=resolution[:300]
    )
