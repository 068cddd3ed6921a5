"""Direct reads of just the levels that were sold from: coalesced, and closed with what they found."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from inventory import availability, effects, settlement
from inventory.batches import Pace, work_off
from inventory.effects import Claimed
from inventory.ledger import Origin
from inventory.models import Effect, Snapshot, StockLevel
from inventory.settlement import Absorbed, Reading
from inventory.snapshots import guards, runs, witnesses
from inventory.transitions import Proof
from suppliers import gateway
from suppliers.errors import SupplierError
from suppliers.models import Supplier
from suppliers.readings import Capability, FetchResult, Ref

log = structlog.get_logger(__name__)

# Seconds, doubling with each attempt.  A supplier that healed must not wait long for what gathered meanwhile, and while
# it is down the circuit breaker spares it, not this.
FIRST_BACKOFF, LONGEST_BACKOFF = 2.0, 30.0
SWITCHED_OFF = 60.0  # seconds until it is looked at again

Key = tuple[str, str]  # uid, location

# Whatever closed an effect of a level just now has read it: a snapshot or a sync that was sent after the effect.
_READ_JUST_NOW = """
SELECT target, extract(epoch FROM max(done_at) - clock_timestamp()) + %(window)s FROM inventory_effect
WHERE done_at > clock_timestamp() - %(window)s * interval '1 second' AND kind = 'sync' AND supplier_id = %(supplier)s
  AND target = ANY(%(targets)s)
GROUP BY target
"""


@dataclass(slots=True)
class _Batch:
    """The levels that one request asks for, and the effects that wait for the answer.

    witnesses: levels asked for beside them, for which no effect waits.  proof: what the answer is worth.
    """

    snapshot: Snapshot
    levels: dict[int, StockLevel]
    waiting: dict[int, list[Claimed]]
    requested_at: datetime
    closed: int = 0
    origin: Origin = field(default_factory=Origin)
    witnesses: dict[int, StockLevel] = field(default_factory=dict)
    proof: Proof = Proof.NONE

    @property
    def asked(self) -> dict[int, StockLevel]:
        return self.levels | self.witnesses

    def effects_of(self, level_ids: Sequence[int]) -> list[int]:
        return [effect.id for level_id in level_ids for effect in self.waiting.get(level_id, ())]


def sync_due(supplier_id: int) -> int:
    """Read the levels of this supplier that wait for it, with one request; how many effects were closed.

    A level read just now waits for the end of the coalescing window; what could not be read waits longer each time.
    """
    supplier = Supplier.objects.get(pk=supplier_id)
    claimed = effects.claim(Effect.Kind.SYNC, supplier_id)
    if not supplier.enabled:
        ids = [one.id for one in claimed]
        effects.postpone(ids, delay=SWITCHED_OFF, error="the supplier is switched off", tried=False)
        return 0
    waiting, closed = _sort(supplier, claimed)
    if not waiting:
        return closed
    found_levels = StockLevel.objects.in_bulk(list(waiting))
    levels = {pk: found_levels[pk] for pk in waiting if pk in found_levels}
    snapshot = Snapshot.objects.create(supplier=supplier, kind=Snapshot.Kind.INCREMENTAL, actor="sync")
    batch = _Batch(snapshot, levels, waiting, runs.clock())  # the clock after the claim, before the request
    batch.origin = Origin(actor="sync", request_id=f"snapshot-{snapshot.pk}")
    try:
        upstream = gateway.for_supplier(supplier)
        if Capability.FETCH not in upstream.capabilities:
            _leave_to_full(batch, supplier)
            return closed
        batch.witnesses = witnesses.wanted(supplier, levels)
        found = upstream.fetch([Ref(level.external_id, level.code, level.location) for level in batch.asked.values()])
    except SupplierError as error:
        _postpone_all(batch, error)
        return closed
    _take_in(batch, found)
    return closed + batch.closed


def _sort(supplier: Supplier, claimed: Sequence[Claimed]) -> tuple[dict[int, list[Claimed]], int]:
    """Effects by level that may be read now.  Those of no level of ours are closed, those read just now postponed."""
    by_target: dict[str, list[Claimed]] = {}
    for effect in claimed:
        by_target.setdefault(effect.target, []).append(effect)
    numbers = [int(target) for target in by_target if target.isdecimal()]
    ours = set(StockLevel.objects.filter(pk__in=numbers, supplier=supplier).values_list("pk", flat=True))
    strange = [one.id for target, own in by_target.items() for one in own if not _is_of(target, ours)]
    effects.close(strange)
    with connection.cursor() as cursor:
        window = settings.SYNC_COALESCE_SECONDS
        cursor.execute(_READ_JUST_NOW, {"window": window, "supplier": supplier.pk, "targets": list(by_target)})
        fresh = {int(target): float(left) for target, left in cursor.fetchall() if _is_of(target, ours)}
    for level_id, left in fresh.items():
        effects.postpone([effect.id for effect in by_target[str(level_id)]], delay=max(left, 0.1), tried=False)
    # In the order they were asked for: what is riskiest is read first.
    waiting = [int(target) for target in by_target if _is_of(target, ours - fresh.keys())]
    return {level_id: by_target[str(level_id)] for level_id in waiting}, len(strange)


def _is_of(target: str, level_ids: set[int]) -> bool:
    return target.isdecimal() and int(target) in level_ids


def _take_in(batch: _Batch, found: FetchResult) -> None:
    keys: dict[Key, int] = {(level.external_id, level.location): pk for pk, level in batch.asked.items()}
    read_at = batch.requested_at - timedelta(seconds=found.age)
    rows = {keys[row.uid, row.location]: row for row in found.rows if (row.uid, row.location) in keys}
    gone = [keys[ref.uid, ref.location] for ref in found.missing if (ref.uid, ref.location) in keys]
    gone = [level_id for level_id in gone if level_id not in rows]
    readings = [Reading(level_id, guards.whole_units(row)[0], read_at) for level_id, row in rows.items()]
    said = {reading.level_id: reading.reported for reading in readings}
    batch.proof = witnesses.heard(batch.snapshot.supplier, batch.asked, said)
    pace = Pace()
    work_off(readings, partial(_absorb, batch), pace)
    work_off(gone, partial(_absent, batch, read_at), pace)
    silent = [level_id for level_id in batch.levels if level_id not in rows and level_id not in gone]
    _postpone(batch, silent, "upstream did not answer for this row")
    batch.snapshot.seen, batch.snapshot.missing, batch.snapshot.rejected = len(rows), len(gone), len(silent)
    _finish(batch, Snapshot.Status.APPLIED)


def _absorb(batch: _Batch, readings: Sequence[Reading], skip_locked: bool) -> list[Reading]:
    """One transaction: what was read, and the effects that asked for it."""
    with transaction.atomic(durable=True):
        absorbed = settlement.absorb(readings, origin=batch.origin, skip_locked=skip_locked, proof=batch.proof)
        done = _close(batch, [reading.level_id for reading in readings], absorbed)
    _count(batch, absorbed, done)
    return [reading for reading in readings if reading.level_id in set(absorbed.skipped)]


def _absent(batch: _Batch, read_at: datetime, level_ids: Sequence[int], skip_locked: bool) -> list[int]:
    """One transaction: rows that upstream says do not exist count as 0 at once, for they were asked for by name."""
    with transaction.atomic(durable=True):
        absorbed = settlement.missing(level_ids, read_at=read_at, origin=batch.origin, skip_locked=skip_locked)
        done = _close(batch, level_ids, absorbed)
    _count(batch, absorbed, done)
    return absorbed.skipped


def _close(batch: _Batch, level_ids: Sequence[int], absorbed: Absorbed) -> int:
    # What a snapshot may have read after us says nothing of our orders: such a level is read again.
    _postpone(batch, absorbed.stale, "the stored number may be newer than this answer")
    left = {*absorbed.skipped, *absorbed.stale}
    done = batch.effects_of([level_id for level_id in level_ids if level_id not in left])
    effects.close(done)
    return len(done)


def _count(batch: _Batch, absorbed: Absorbed, closed: int) -> None:
    availability.invalidate(absorbed.codes)
    batch.snapshot.changed += len(absorbed.changed)
    batch.closed += closed


def _leave_to_full(batch: _Batch, supplier: Supplier) -> None:
    """Without direct reads the next full snapshot closes these effects."""
    effects.postpone(
        batch.effects_of(list(batch.levels)),
        delay=supplier.snapshot_interval_seconds,
        error="waits for the next full snapshot: this supplier has no direct reads",
        tried=False,
    )
    batch.snapshot.delete()


def _postpone_all(batch: _Batch, error: SupplierError) -> None:
    reason = f"{type(error).__name__}: {error}"
    _postpone(batch, list(batch.levels), reason, at_least=error.retry_after or 0.0)
    _finish(batch, Snapshot.Status.FAILED, reason)


def _postpone(batch: _Batch, level_ids: Sequence[int], reason: str, *, at_least: float = 0.0) -> None:
    by_delay: dict[float, list[int]] = {}
    for level_id in level_ids:
        for effect in batch.waiting.get(level_id, ()):
            delay = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(effect.attempts - 1, 20))
            by_delay.setdefault(max(delay, min(at_least, runs.RETRY_AFTER_AT_MOST)), []).append(effect.id)
    for delay, effect_ids in by_delay.items():
        effects.postpone(effect_ids, delay=delay, error=reason)


def _finish(batch: _Batch, status: Snapshot.Status, reason: str = "") -> None:
    snapshot = batch.snapshot
    Snapshot.objects.filter(pk=snapshot.pk).update(
        status=status,
        reason=reason[:500],
        first_requested_at=batch.requested_at,
        last_requested_at=batch.requested_at,
        finished_at=Now(),
        pages=1,
        total=len(batch.asked),
        seen=snapshot.seen,
        changed=snapshot.changed,
        missing=snapshot.missing,
        rejected=snapshot.rejected,
    )
    log.info(
        "levels_synced",
        snapshot=snapshot.pk,
        supplier=snapshot.supplier.slug,
        status=str(status),
        reason=reason,
        asked=len(batch.asked),
        seen=snapshot.seen,
        changed=snapshot.changed,
        missing=snapshot.missing,
        unanswered=snapshot.rejected,
        closed=batch.closed,
    )
