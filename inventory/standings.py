"""Levels as they are stored, with all that the decision on a reading, a refusal or another policy takes."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import connection

from inventory import arrays, discrepancies, terms, trust
from inventory.caution import Window
from inventory.inclusion import Promise
from inventory.positions import INHERITS, OF_EVENT, READ_AT
from inventory.transitions import Numbers, Standing

_STANDING = f"""
SELECT level.id, level.supplier_id, level.version, level.reported, level.sellable, level.allocated, level.read_at,
       level.misses, level.rejection_cap, level.rejections, level.capped_until, level.quarantined_reported,
       level.quarantined_at, {READ_AT},
       CASE WHEN {INHERITS} AND feed.complete_as_of >= COALESCE(level.read_at, '-infinity')
            THEN feed.complete_until END,
       refusal.at, refusal.floor, {terms.COLUMNS}
FROM inventory_stocklevel level
JOIN suppliers_supplier supplier ON supplier.id = level.supplier_id
{terms.JOINS}
LEFT JOIN inventory_feed feed ON feed.supplier_id = level.supplier_id
LEFT JOIN LATERAL (
    SELECT at, reported_after - allocated_after AS floor FROM inventory_stockmovement
    WHERE level.rejection_cap IS NOT NULL AND level_id = level.id AND cause = 'rejection'
    ORDER BY version DESC LIMIT 1
) refusal ON true
WHERE level.id = ANY(%s::bigint[])
ORDER BY level.id
"""
_SUPPLIERS = f"""
SELECT id, settlement_lag_seconds, exclusive, replicas,
       {discrepancies.INFLATES} OR {discrepancies.HARD_JUMPS} >= {trust.BOAST}
FROM suppliers_supplier supplier WHERE id IN (SELECT supplier_id FROM inventory_stocklevel WHERE id = ANY(%s::bigint[]))
"""
# Also of events that have ended since: a reading belongs to the time that it is as new as.
_WINDOWS = f"""
SELECT level.id, event.starts_at, event.ends_at, event.jump_ratio, event.jump_units, event.repeats_prove
FROM inventory_salesevent event JOIN inventory_stocklevel level ON {OF_EVENT}
WHERE event.switched_on AND event.ends_at > %s AND event.starts_at <= now() AND level.id = ANY(%s::bigint[])
"""
_OPEN_UPSTREAM = """
SELECT level_id, id, quantity, confirmed_at, created_at, observed, state = 'confirmed', state = 'sending'
FROM inventory_allocation
WHERE level_id = ANY(%s::bigint[]) AND (state IN ('sending', 'confirmed') OR state = 'committed' AND by_hand)
ORDER BY id
"""
_UNPROVEN = """
SELECT level_id, sum(quantity) FROM inventory_allocation
WHERE level_id = ANY(%s::bigint[]) AND state = 'settled' AND confirmed_at IS NULL GROUP BY level_id
"""


def of_levels(level_ids: Iterable[int]) -> tuple[list[Standing], datetime]:
    """Levels by id, and the database's time.  Requires: the levels are locked."""
    wanted = arrays.literal(level_ids)
    with connection.cursor() as cursor:
        cursor.execute(_SUPPLIERS, [wanted])
        suppliers = {
            supplier_id: (timedelta(seconds=lag), exclusive, replicas, boasting)
            for supplier_id, lag, exclusive, replicas, boasting in cursor.fetchall()
        }
        cursor.execute(_STANDING, [wanted])
        levels = [
            Standing(*[*row[:3], Numbers(*row[3:13]), terms.policy(row[17:]), *suppliers[row[1]], *row[13:17]])
            for row in cursor.fetchall()
        ]
        cursor.execute("SELECT clock_timestamp()")
        return levels, cursor.fetchone()[0]


def before_readings(level_ids: Iterable[int], read_at: Iterable[datetime]) -> tuple[list[Standing], datetime]:
    """Levels with all that readings as new as these may meet, and the database's time.

    Requires: the levels are locked.
    """
    levels, now = of_levels(level_ids)
    return _within_events(_with_unproven(levels), min(read_at, default=now)), now


def _within_events(levels: Sequence[Standing], since: datetime) -> list[Standing]:
    """The levels with the events that readings since then may fall into."""
    windows: dict[int, list[Window]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_WINDOWS, [since, arrays.literal(level.id for level in levels)])
        for level_id, *window in cursor.fetchall():
            windows.setdefault(level_id, []).append(Window(*window))
    return [replace(level, windows=windows[level.id]) if level.id in windows else level for level in levels]


def _with_unproven(levels: Sequence[Standing]) -> list[Standing]:
    exclusive = [level.id for level in levels if level.exclusive]
    if not exclusive:
        return list(levels)
    with connection.cursor() as cursor:
        cursor.execute(_UNPROVEN, [arrays.literal(exclusive)])
        units = dict(cursor.fetchall())
    return [replace(level, unproven=units.get(level.id, 0)) for level in levels]


def open_upstream(level_ids: Sequence[int]) -> dict[int, list[Promise]]:
    """Level id → the allocations that a reading may include, or that are on their way; oldest first."""
    found: dict[int, list[Promise]] = {}
    if level_ids:
        with connection.cursor() as cursor:
            cursor.execute(_OPEN_UPSTREAM, [arrays.literal(level_ids)])
            for level_id, *allocation in cursor.fetchall():
                found.setdefault(level_id, []).append(Promise(*allocation))
    return found
