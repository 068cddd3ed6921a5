"""How old upstream's data was, measured where a reading shows it; settles nothing.

See Note [Late fall] in `inventory.lateness`.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from django.db import connection, transaction
from prometheus_client import Counter

from inventory import arrays, lateness, trust
from inventory.lateness import Breach, Fall, Move, Order
from inventory.models import StockMovement
from inventory.transitions import Numbers, Standing

log = structlog.get_logger(__name__)
counted = Counter(
    "holdfast_supplier_lag_breaches",
    "Falls of numbers that showed data older than declared, or several copies of it.",
    ["supplier", "kind"],
)

MOVES = 100  # of a level that are looked at; what it did before is forgotten
TAKING = (StockMovement.Cause.ALLOCATE, StockMovement.Cause.RESOURCE)

_SETTLED = f"""
SELECT allocation.level_id, allocation.id, allocation.reference, quantity, confirmed_at, closed_at
FROM inventory_allocation allocation
WHERE allocation.level_id = ANY(%(levels)s::bigint[]) AND state = 'settled' AND confirmed_at IS NOT NULL
  AND closed_at > clock_timestamp() - interval '{lateness.SHOWN_WITHIN.total_seconds():.0f} seconds'
"""
_OPEN = """
SELECT level_id, id, reference, quantity, confirmed_at, NULL FROM inventory_allocation
WHERE level_id = ANY(%(levels)s::bigint[])
  AND (state IN ('sending', 'confirmed') OR state = 'committed' AND by_hand)
"""
_MOVEMENTS = f"""
SELECT movement.level_id, version, cause, reference, at, reported_after
FROM unnest(%(levels)s::bigint[], %(versions)s::bigint[]) AS level(id, until)
JOIN inventory_stockmovement movement ON movement.level_id = level.id AND version > level.until - {MOVES}
ORDER BY movement.level_id, version
"""
_INSERT = """
INSERT INTO inventory_lagbreach (supplier_id, level_id, kind, seconds, certain, evidence)
SELECT supplier_id, level_id, kind, seconds, certain, evidence::jsonb
FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::float[], %s::bool[], %s::text[])
    AS found(supplier_id, level_id, kind, seconds, certain, evidence)
RETURNING (SELECT slug FROM suppliers_supplier WHERE id = supplier_id), kind
"""


def measure(readings: Sequence[tuple[Standing, Numbers]]) -> None:
    """Write down what readings show of the age of upstream's data, where they make a number fall.

    readings: levels, and what they become.  Requires: they are locked, and the readings not stored yet.
    """
    falls = {level.id: (level, fall) for level, after in readings if (fall := _fall(level, after))}
    promises = _promises(list(falls))
    if not promises:
        return
    found = []
    for level_id, (moves, placed) in _moves([falls[level_id][0] for level_id in promises]).items():
        level, fall = falls[level_id]
        orders = [Order(*[*one, placed[one[1]]]) for one in promises[level_id] if one[1] in placed]
        if breach := lateness.find(fall, moves, orders, level.lag):
            found.append((level, fall, breach))
    if found:
        _record(found)


def may_show(level_ids: Sequence[int]) -> set[int]:
    """Those of these levels of which an order was settled lately: a fall of theirs is worth a look."""
    if not level_ids:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT level_id FROM ({_SETTLED}) lately", {"levels": arrays.literal(level_ids)})
        return {level_id for (level_id,) in cursor.fetchall()}


def _fall(level: Standing, after: Numbers) -> Fall | None:
    before, now = level.numbers.reported, after.reported
    if before is None or now is None or now >= before or level.known_at is None or after.read_at is None:
        return None
    if after.misses or trust.is_declared(before, level.policy):
        return None  # a row that vanished, a number that nobody counted: no order of ours
    return Fall(level.version + 1, before, now, after.read_at, level.known_at)


def _promises(level_ids: Sequence[int]) -> dict[int, list[tuple[Any, ...]]]:
    """Level id → its orders that a fall may show."""
    if not level_ids:
        return {}
    found: dict[int, list[tuple[Any, ...]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(f"{_SETTLED} UNION ALL {_OPEN}", {"levels": arrays.literal(level_ids)})
        for level_id, *promise in cursor.fetchall():
            found.setdefault(level_id, []).append(tuple(promise))
    return found


def _moves(levels: Sequence[Standing]) -> dict[int, tuple[list[Move], dict[str, int]]]:
    """Level id → what its number did, and the version at which each reference took units."""
    found: dict[int, tuple[list[Move], dict[str, int]]] = {level.id: ([], {}) for level in levels}
    last: dict[int, tuple[datetime, int | None]] = {}
    ids, versions = [level.id for level in levels], [level.version for level in levels]
    with connection.cursor() as cursor:
        cursor.execute(_MOVEMENTS, {"levels": arrays.literal(ids), "versions": arrays.literal(versions)})
        for level_id, version, cause, reference, at, reported in cursor.fetchall():
            moves, placed = found[level_id]
            if cause in TAKING:
                placed.setdefault(reference, version)
            since, before = last.get(level_id, (at, reported))
            if before != reported:
                moves.append(Move(version, before, reported, at, since))
            last[level_id] = at, reported
    return found


def _record(found: Sequence[tuple[Standing, Fall, Breach]]) -> None:
    columns: list[Any] = [
        [level.supplier_id for level, _, _ in found],
        [level.id for level, _, _ in found],
        [breach.kind for _, _, breach in found],
        [round(breach.seconds, 3) for _, _, breach in found],
        [breach.certain for _, _, breach in found],
        [json.dumps(_evidence(*one)) for one in found],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, columns)
        transaction.on_commit(partial(_count, cursor.fetchall()))


def _evidence(level: Standing, fall: Fall, breach: Breach) -> dict[str, Any]:
    return {
        "orders": [one.reference for one in breach.orders],
        "units": sum(one.quantity for one in breach.orders),
        "reported": [fall.before, fall.after],
        "read_at": fall.read_at.isoformat(),
        "at_least_seconds": round(breach.at_least, 3),
        "settlement_lag_seconds": int(level.lag.total_seconds()),
    }


def _count(recorded: Sequence[tuple[str, str]]) -> None:
    for supplier, kind in recorded:
        counted.labels(supplier, kind).inc()
        log.info("lag_breach", supplier=supplier, kind=kind)
