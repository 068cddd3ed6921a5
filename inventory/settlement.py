"""Where the two layers meet: the one module that writes both sides of a level, in one statement.

Note [Settlement]
A reading may or may not include the orders that we placed.  Storing it as it is would sell their units again;
subtracting them for ever would count them twice.  So an order stays in `allocated` until a reading that is younger than
its confirmation by the supplier's settlement lag, a declared bound on the age of upstream's data, and leaves with it.
What upstream has not confirmed is never in a reading.  The decision per level is `inventory.transitions`,
and which of our orders a reading includes `inventory.inclusion`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from inventory import arrays, breaches, discrepancies, effects, ledger, standings, transitions
from inventory.effects import Due
from inventory.inclusion import Promise
from inventory.ledger import Origin
from inventory.models import Allocation, Effect, StockMovement
from inventory.transitions import Numbers, Proof, Standing


@dataclass(frozen=True, slots=True)
class Reading:
    """What upstream said of one level.

    reported: whole units, None = "not counted".  read_at: aware UTC by the database's clock, how new it can be at best.
    """

    level_id: int
    reported: int | None
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Absorbed:
    """What became of readings.

    changed: levels whose numbers changed.  skipped: somebody holds them; try again.  stale: ignored, the stored number
    is newer.  codes: SKUs whose version rose; their cached values are to be invalidated after the commit.
    """

    changed: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    stale: list[int] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Promise:
    id: int
    level_id: int
    reference: str
    quantity: int
    state: str


@dataclass(slots=True)
class _Changes:
    """What one transaction does to levels, and the allocations that leave `allocated` with it."""

    cause: str
    origin: Origin
    reference: str = ""
    levels: list[tuple[Standing, Numbers]] = field(default_factory=list)
    settled: list[int] = field(default_factory=list)
    observed: dict[int, int] = field(default_factory=dict)
    lost: list[int] = field(default_factory=list)
    detail: str = ""

    def moved(self) -> list[tuple[Standing, Numbers]]:
        return [(level, after) for level, after in self.levels if transitions.is_moved(level.numbers, after)]


# The reading and what it settles are one statement: no moment, and no crash, lies between them.
_STORE = """
WITH settled AS (
    UPDATE inventory_allocation SET state = 'settled', closed_at = clock_timestamp()
    WHERE id = ANY(%(settled)s::bigint[]) AND state IN ('committed', 'confirmed')
), observed AS (
    UPDATE inventory_allocation allocation SET observed = seen.units
    FROM unnest(%(observed)s::bigint[], %(units)s::int[]) AS seen(id, units)
    WHERE allocation.id = seen.id AND allocation.id <> ALL(%(settled)s::bigint[])
), lost AS (
    UPDATE inventory_allocation
    SET state = 'lost', closed_at = clock_timestamp(), lease_until = NULL, detail = %(detail)s,
        out_of_stock = %(out_of_stock)s,
        at_risk = CASE WHEN state <> 'held' AND cancel_requested_at IS NULL THEN quantity ELSE 0 END
    WHERE id = ANY(%(lost)s::bigint[]) AND state IN ('held', 'committed', 'sending', 'confirmed', 'settled')
)
UPDATE inventory_stocklevel level
SET reported = after.reported, sellable = after.sellable, allocated = after.allocated, read_at = after.read_at,
    misses = after.misses, rejection_cap = after.rejection_cap, rejections = after.rejections,
    capped_until = after.capped_until, quarantined_reported = after.quarantined_reported,
    quarantined_at = after.quarantined_at, version = after.version
FROM unnest(%(id)s::bigint[], %(reported)s::int[], %(sellable)s::int[], %(allocated)s::int[],
            %(read_at)s::timestamptz[], %(misses)s::int[], %(rejection_cap)s::int[], %(rejections)s::int[],
            %(capped_until)s::timestamptz[], %(quarantined_reported)s::int[], %(quarantined_at)s::timestamptz[],
            %(version)s::bigint[])
    AS after(id, reported, sellable, allocated, read_at, misses, rejection_cap, rejections, capped_until,
             quarantined_reported, quarantined_at, version)
WHERE level.id = after.id
"""


def absorb(
    readings: Sequence[Reading], *, origin: Origin, skip_locked: bool = False, proof: Proof = Proof.NONE
) -> Absorbed:
    """Store readings, and settle the orders that they include.

    Of several readings of one level the newest counts.
    Locks: Sku rows, then levels.  Requires an open transaction.
    """
    return _absorb(readings, transitions.by_reading, origin, proof, skip_locked=skip_locked)


def missing(level_ids: Sequence[int], *, read_at: datetime, origin: Origin, skip_locked: bool = False) -> Absorbed:
    """Store that upstream has these rows no more: they count as 0.

    read_at: when upstream was asked, by the database's clock.
    Locks: Sku rows, then levels.  Requires an open transaction.
    """
    gone = [Reading(level_id, 0, read_at) for level_id in level_ids]
    return _absorb(gone, transitions.by_absence, origin, Proof.NONE, skip_locked=skip_locked)


def _absorb(
    readings: Sequence[Reading],
    rule: Callable[[Standing, int | None, datetime, Sequence[Promise]], transitions.Read | None],
    origin: Origin,
    proof: Proof,
    *,
    skip_locked: bool,
) -> Absorbed:
    newest = {reading.level_id: reading for reading in sorted(readings, key=lambda one: one.read_at)}
    locked = ledger.lock_levels(list(newest), skip_locked=skip_locked)
    levels, now = standings.before_readings(locked, [reading.read_at for reading in readings])
    promises = standings.open_upstream([level.id for level in levels if level.numbers.allocated])
    changes = _Changes(StockMovement.Cause.READING, origin)
    stale = []
    for stored in levels:
        level, reading = transitions.proven(stored, proof), newest[stored.id]
        # A clock that runs ahead must not settle orders early.
        read = rule(level, reading.reported, min(reading.read_at, now), promises.get(level.id, ()))
        if read is None:
            stale.append(level.id)
        else:
            changes.levels.append((level, read.numbers))
            changes.settled.extend(read.settled)
            changes.observed.update(read.observed)
    breaches.measure(changes.levels)
    codes = _write(changes)
    _read_again(changes.levels)
    changed = [level.id for level, _ in changes.moved()]
    return Absorbed(changed, [pk for pk in newest if pk not in locked], stale, codes)


def reject(allocation_ids: Sequence[int], *, detail: str, origin: Origin, even_settled: bool = False) -> list[str]:
    """Write off allocations that upstream refused for lack of stock, and cap their levels at what stays promised.

    even_settled: it took them, and called them off later; those that its number includes already move no stock.
    The codes of the SKUs whose version rose.  Allocations that are closed already are left alone.
    Locks: Sku rows, then levels.  Requires an open transaction.
    """
    changes = _Changes(StockMovement.Cause.REJECTION, origin, detail=detail[:300])
    return _write_off(allocation_ids, changes, ("settled",) if even_settled else ())


def lose(allocation_ids: Sequence[int], *, detail: str, origin: Origin) -> list[str]:
    """Write off allocations that upstream does not deliver for another reason than lack of stock.

    The codes of the SKUs whose version rose.  Allocations that are closed already are left alone.
    Locks: Sku rows, then levels.  Requires an open transaction.
    """
    return _write_off(allocation_ids, _Changes(StockMovement.Cause.LOSS, origin, detail=detail[:300]))


def _write_off(allocation_ids: Sequence[int], changes: _Changes, closed: Sequence[str] = ()) -> list[str]:
    """closed: states that are written off too, although their units are not in `allocated` any more."""
    ledger.lock_levels(list({promise.level_id for promise in _promises(allocation_ids, closed)}))
    # Again, under the lock: a cancel or another worker may have closed some since.
    promises = _promises(allocation_ids, closed)
    levels, now = standings.of_levels({promise.level_id for promise in promises})
    changes.lost = [promise.id for promise in promises]
    changes.reference = promises[0].reference if promises else ""
    rejected = changes.cause == StockMovement.Cause.REJECTION
    for level in levels:
        units = sum(one.quantity for one in promises if one.level_id == level.id and one.state not in closed)
        after = transitions.by_refusal(level, units, now) if rejected else transitions.by_loss(level, units)
        changes.levels.append((level, after))
    return _write(changes)


def retrust(level_ids: Sequence[int], *, origin: Origin, skip_locked: bool = False) -> Absorbed:
    """Count levels anew under their suppliers' present policies.

    Locks: Sku rows, then levels.  Requires an open transaction.
    """
    locked = ledger.lock_levels(level_ids, skip_locked=skip_locked)
    levels, _ = standings.of_levels(locked)
    changes = _Changes(StockMovement.Cause.POLICY, origin)
    changes.levels = [(level, transitions.by_policy(level)) for level in levels]
    changes.levels = changes.moved()
    codes = _write(changes)
    return Absorbed([level.id for level, _ in changes.levels], [pk for pk in level_ids if pk not in locked], [], codes)


def believe(level_ids: Sequence[int], *, reason: str, origin: Origin) -> Absorbed:
    """Take in the numbers that wait in quarantine, because a person knows better; levels without one are left alone.

    Locks: Sku rows, then levels.  Requires an open transaction.
    """
    levels, _ = standings.of_levels(ledger.lock_levels(level_ids))
    changes = _Changes(StockMovement.Cause.POLICY, origin, detail=f"believed: {reason}"[:300])
    changes.levels = [(level, transitions.by_person(level)) for level in levels if level.numbers.quarantined_at]
    codes = _write(changes)
    return Absorbed([level.id for level, _ in changes.levels], [], [], codes)


def _read_again(levels: Sequence[tuple[Standing, Numbers]]) -> None:
    effects.record(
        [
            Due(Effect.Kind.SYNC, str(level.id), level.supplier_id, delay)
            for level, after in levels
            for delay in transitions.reads_again(level, after)
        ]
    )


def _promises(allocation_ids: Sequence[int], closed: Sequence[str]) -> list[_Promise]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, level_id, reference, quantity, state FROM inventory_allocation"
            " WHERE id = ANY(%s) AND state = ANY(%s) ORDER BY id",
            [list(allocation_ids), [*Allocation.OPEN, *closed]],
        )
        return [_Promise(*row) for row in cursor.fetchall()]


def _write(changes: _Changes) -> list[str]:
    """Store the changes with their movements; the codes of the SKUs whose version rose."""
    if not changes.levels:
        return []
    moved = changes.moved()
    versions = {level.id: level.version + 1 for level, _ in moved}
    with connection.cursor() as cursor:
        cursor.execute(_STORE, _parameters(changes, versions))
    codes = []
    if moved:
        ledger.append([_movement(changes, level, after) for level, after in moved], changes.origin)
        codes = ledger.bump_versions_of_levels(list(versions))
    discrepancies.review_shortfalls(
        [
            discrepancies.Balance(level.supplier_id, level.id, after.sellable, after.allocated)
            for level, after in changes.levels
        ]
    )
    _review_quarantines(changes)
    return codes


def _review_quarantines(changes: _Changes) -> None:
    discrepancies.review_quarantines(
        [
            discrepancies.Doubt(
                level.supplier_id,
                level.id,
                trusted=after.reported,
                waiting=after.quarantined_reported,
                since=after.quarantined_at if transitions.is_suspicious(level, after) else None,
                hard=transitions.is_hard(after, level.policy),
            )
            for level, after in changes.levels
            if level.numbers.quarantined_at or after.quarantined_at
        ],
        resolution=changes.detail,
    )


def _parameters(changes: _Changes, versions: dict[int, int]) -> dict[str, Any]:
    lists = {
        "settled": changes.settled,
        "lost": changes.lost,
        "observed": list(changes.observed),
        "units": list(changes.observed.values()),
        "id": [level.id for level, _ in changes.levels],
        "version": [versions.get(level.id, level.version) for level, _ in changes.levels],
        **{column: [getattr(after, column) for _, after in changes.levels] for column in Numbers.__slots__},
    }
    out_of_stock = changes.cause == StockMovement.Cause.REJECTION
    return {
        "detail": changes.detail,
        "out_of_stock": out_of_stock,
        **{name: arrays.literal(values) for name, values in lists.items()},
    }


def _movement(changes: _Changes, level: Standing, after: Numbers) -> ledger.Movement:
    before = level.numbers
    return ledger.Movement(
        level.id,
        level.version + 1,
        changes.cause,
        changes.reference,
        (before.sellable, after.sellable),
        (before.allocated, after.allocated),
        after.reported,
    )
