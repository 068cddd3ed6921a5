"""The unlogged table that holds a snapshot's rows until it is whole, and its comparison with the levels."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection
from psycopg.errors import UniqueViolation

from inventory import arrays, ledger
from inventory.ledger import Origin
from inventory.positions import OF_EVENT
from inventory.snapshots import guards
from inventory.snapshots.copying import Lines
from suppliers.models import Supplier

Key = tuple[str, str]  # uid, location
Worth = tuple[int | None, int, int]  # reported, lot, minimum order: what decides how much of a row can be sold
START: Key = ("", "")


@dataclass(frozen=True, slots=True)
class Window:
    """A range of one snapshot's rows in key order: after `after`, up to and with `last`."""

    snapshot_id: int
    supplier_id: int
    after: Key
    last: Key


class Different(msgspec.Struct, frozen=True, gc=False):
    """A staged row that the merge must look at.  level_id None: upstream shows it for the first time.

    described: upstream's code, lots, components or flags differ too.  idle: nothing else differs, the level has
    no policy of its own, and nothing is promised of it, so that there is nothing to settle.  reported, sellable,
    version: of the level as it was compared.
    """

    level_id: int | None
    available: int | None
    lot: int
    min_order: int
    read_at: datetime
    described: bool
    idle: bool
    reported: int | None
    sellable: int | None
    version: int | None

    @property
    def worth(self) -> Worth:
        return self.available, self.lot, self.min_order


_UNCOUNTED = -(2**31)  # stands for "not counted" where rows are joined by number; no reported one is as low
_LAST_OF_WINDOW = """
SELECT uid, location FROM inventory_staging
WHERE snapshot_id = %(snapshot)s AND (uid, location) > (%(uid)s, %(location)s)
ORDER BY uid, location OFFSET %(size)s - 1 LIMIT 1
"""
_LAST = """
SELECT uid, location FROM inventory_staging
WHERE snapshot_id = %(snapshot)s AND (uid, location) > (%(uid)s, %(location)s)
ORDER BY uid DESC, location DESC LIMIT 1
"""
_STAGED = """
staged.snapshot_id = %(snapshot)s AND (staged.uid, staged.location) > (%(after_uid)s, %(after_location)s)
AND (staged.uid, staged.location) <= (%(last_uid)s, %(last_location)s)
"""
_DESCRIBED = """
((level.code, level.lot, level.min_order, level.components, level.flags)
 IS DISTINCT FROM (staged.code, staged.lot, staged.min_order, staged.components, staged.flags))
"""
# Believed as its supplier is.
_COMMON = """
NOT EXISTS (SELECT 1 FROM inventory_levelpolicy own WHERE own.level_id = level.id)
AND NOT EXISTS (SELECT 1 FROM inventory_learnedbuffer alone
                WHERE alone.supplier_id = level.supplier_id AND alone.level_id = level.id AND alone.until IS NULL)
"""
# An event in whose time the reading may fall doubts what is usual otherwise.
_EVENT = f"""
EXISTS (SELECT 1 FROM inventory_salesevent event
        WHERE event.switched_on AND event.ends_at > staged.read_at AND event.starts_at <= now() AND {OF_EVENT})
"""
# A reading that is no younger than its supplier's last whole snapshot may be outdated: that takes a second look.
_IDLE = f"""
level.allocated = 0 AND level.rejection_cap IS NULL AND level.misses = 0 AND level.quarantined_at IS NULL
AND staged.read_at >= COALESCE(level.read_at, '-infinity')
AND staged.read_at >= COALESCE(feed.complete_until, '-infinity')
AND {_COMMON} AND NOT {_EVENT}
AND NOT EXISTS (SELECT 1 FROM inventory_discrepancy short
                WHERE short.kind = 'shortfall' AND short.state = 'open'
                  AND short.supplier_id = level.supplier_id AND short.level_id = level.id)
"""
# Both sides are bounded by the window, so that each is a range of its index whatever the planner knows of them.
_DIFFERENT = f"""
SELECT level.id, staged.available, staged.lot, staged.min_order, staged.read_at::text, {_DESCRIBED},
       level.reported IS DISTINCT FROM staged.available AND NOT {_DESCRIBED} AND {_IDLE},
       level.reported, level.sellable, level.version
FROM inventory_staging staged
LEFT JOIN inventory_feed feed ON feed.supplier_id = %(supplier)s
LEFT JOIN inventory_stocklevel level
       ON level.supplier_id = %(supplier)s AND level.external_id = staged.uid AND level.location = staged.location
      AND (level.external_id, level.location) > (%(after_uid)s, %(after_location)s)
      AND (level.external_id, level.location) <= (%(last_uid)s, %(last_location)s)
WHERE {_STAGED}
  AND (level.id IS NULL OR level.reported IS DISTINCT FROM staged.available OR level.code <> staged.code
       OR level.lot <> staged.lot OR level.min_order <> staged.min_order
       OR level.misses > 0 OR level.rejection_cap IS NOT NULL OR level.quarantined_at IS NOT NULL
       OR EXISTS (SELECT 1 FROM inventory_allocation allocation
                  WHERE allocation.level_id = level.id
                    AND (allocation.state = 'confirmed' OR allocation.state = 'committed' AND allocation.observed > 0)))
ORDER BY level.id
"""
_INSERT = f"""
INSERT INTO inventory_stocklevel (supplier_id, external_id, location, code, reported, lot, min_order, components, flags,
                                  read_at, sellable, allocated, version, misses, rejections)
SELECT %(supplier)s, staged.uid, staged.location, staged.code, staged.available, staged.lot, staged.min_order,
       staged.components, staged.flags, staged.read_at, trusted.units, 0, 1, 0, 0
FROM inventory_staging staged
JOIN unnest(%(reported)s::int[], %(lot)s::int[], %(min_order)s::int[], %(units)s::int[])
    AS trusted(reported, lot, min_order, units)
  ON trusted.reported = COALESCE(staged.available, {_UNCOUNTED})
 AND trusted.lot = staged.lot AND trusted.min_order = staged.min_order
WHERE {_STAGED} AND NOT EXISTS (
    SELECT 1 FROM inventory_stocklevel level
    WHERE level.supplier_id = %(supplier)s AND level.external_id = staged.uid AND level.location = staged.location)
ORDER BY staged.uid, staged.location
ON CONFLICT DO NOTHING RETURNING id
"""
# The version proves that numbers and promises are what the comparison saw; misses, age and quarantine change without.
_STORE_IDLE = f"""
WITH stored AS (
    UPDATE inventory_stocklevel level
    SET reported = new.reported, sellable = new.sellable, version = level.version + 1,
        read_at = LEAST(new.read_at, clock_timestamp())
    FROM (
        SELECT row.*, (%(moments)s::timestamptz[])[row.moment] AS read_at
        FROM unnest(%(id)s::bigint[], %(version)s::bigint[], %(sellable_before)s::int[], %(reported)s::int[],
                    %(sellable)s::int[], %(moment)s::int[])
            AS row(id, version, sellable_before, reported, sellable, moment)
    ) new
    WHERE level.id = new.id AND level.version = new.version AND level.misses = 0 AND level.quarantined_at IS NULL
      AND COALESCE(level.read_at, '-infinity') <= new.read_at
      AND {_COMMON}
    RETURNING level.id, level.version, new.sellable_before, level.sellable, level.allocated, level.reported
)
{ledger.APPEND_STORED}
"""
_DESCRIBE = f"""
UPDATE inventory_stocklevel level
SET code = staged.code, lot = staged.lot, min_order = staged.min_order, components = staged.components,
    flags = staged.flags
FROM inventory_stocklevel before, inventory_staging staged
WHERE level.id = ANY(%(levels)s) AND before.id = level.id AND staged.snapshot_id = %(snapshot)s
  AND staged.uid = level.external_id AND staged.location = level.location AND {_DESCRIBED}
RETURNING level.id, (before.lot, before.min_order) <> (level.lot, level.min_order)
"""
# The rule of `trust.rise` over all rows at once; it may differ by what orders settle, for it counts a mass of rows.
_LEFT = "GREATEST(0, level.reported - level.allocated)"
# What waits and came down as far as it had jumped says that an inflation is over, whatever was delivered meanwhile.
_JUMPED = f"""
(staged.available > level.reported AND staged.available - {_LEFT} > %(jump_units)s
 AND staged.available > {_LEFT} * %(jump_ratio)s::numeric
 AND (%(sentinel_at)s::int IS NULL OR level.reported < %(sentinel_at)s::int)
 AND (level.quarantined_reported IS NULL OR level.quarantined_reported - staged.available <= %(jump_units)s
      OR level.quarantined_reported <= staged.available * %(jump_ratio)s::numeric))
"""
_IN_STOCK = """
FROM inventory_staging staged
JOIN inventory_stocklevel level
  ON level.supplier_id = %(supplier)s AND level.external_id = staged.uid AND level.location = staged.location
WHERE staged.snapshot_id = %(snapshot)s AND level.reported > 0
"""
_MOVES = f"""
SELECT count(*), count(*) FILTER (WHERE staged.available = 0), count(*) FILTER (WHERE {_JUMPED}) {_IN_STOCK}
"""
_RISES = f"""
SELECT staged.uid, staged.code, level.reported, staged.available {_IN_STOCK} AND {_JUMPED}
ORDER BY staged.available DESC LIMIT %(shown)s
"""
_SUMMARY = """
SELECT count(*) FILTER (WHERE level.id IS NULL),
       count(*) FILTER (WHERE level.id IS NOT NULL AND level.reported IS DISTINCT FROM staged.available),
       (SELECT count(*) FROM inventory_stocklevel WHERE supplier_id = %(supplier)s) - count(level.id)
FROM inventory_staging staged
LEFT JOIN inventory_stocklevel level
       ON level.supplier_id = %(supplier)s AND level.external_id = staged.uid AND level.location = staged.location
WHERE staged.snapshot_id = %(snapshot)s
"""


def moves(snapshot_id: int, supplier: Supplier) -> guards.Moves:
    """How the staged rows differ from the levels."""
    with connection.cursor() as cursor:
        cursor.execute(_MOVES, _compared(snapshot_id, supplier))
        return guards.Moves(*cursor.fetchone())


def rises(snapshot_id: int, supplier: Supplier, most: int) -> list[dict[str, Any]]:
    """The largest of the staged numbers that jumped, for a person."""
    with connection.cursor() as cursor:
        cursor.execute(_RISES, {**_compared(snapshot_id, supplier), "shown": most})
        return [dict(zip(("uid", "code", "trusted", "reported"), row, strict=True)) for row in cursor.fetchall()]


def _compared(snapshot_id: int, supplier: Supplier) -> dict[str, Any]:
    policy = {name: getattr(supplier, name) for name in ("jump_ratio", "jump_units", "sentinel_at")}
    return {**policy, "snapshot": snapshot_id, "supplier": supplier.pk}


def store(snapshot_id: int, page: Lines, read_at: datetime) -> None:
    """Add a page.  Requires an open transaction.

    Raises: Refused, if a row of it is there already.
    """
    wanted = f"COPY inventory_staging ({', '.join(page.columns)}, read_at, snapshot_id) FROM STDIN"
    end = f"\t{read_at.isoformat()}\t{snapshot_id}\n"
    try:
        with connection.cursor() as cursor, cursor.copy(wanted) as copy:
            copy.write(end.join([*page.texts, ""]))
    except UniqueViolation as error:  # a COPY's own errors pass Django by
        raise guards.Refused("a row came twice", detail=(error.diag.message_detail or "")[:300]) from error


def count(snapshot_id: int) -> int:
    """How many distinct rows the table holds of a snapshot."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM inventory_staging WHERE snapshot_id = %s", [snapshot_id])
        return int(cursor.fetchone()[0])


def clear(snapshot_id: int) -> None:
    """Drop a snapshot's rows."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM inventory_staging WHERE snapshot_id = %s", [snapshot_id])


def clear_older(supplier_id: int, snapshot_id: int) -> None:
    """Drop what this supplier's earlier snapshots left."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM inventory_staging WHERE snapshot_id IN"
            " (SELECT id FROM inventory_snapshot WHERE supplier_id = %s AND kind = 'full' AND id < %s)",
            [supplier_id, snapshot_id],
        )


def analyze() -> None:
    """Let the planner know what was loaded; the table is filled and emptied faster than autovacuum looks."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE inventory_staging")


def next_window(snapshot_id: int, supplier_id: int, after: Key, size: int) -> Window | None:
    """The next `size` staged rows in key order; None after the last."""
    where: dict[str, Any] = {"snapshot": snapshot_id, "uid": after[0], "location": after[1], "size": size}
    with connection.cursor() as cursor:
        cursor.execute(_LAST_OF_WINDOW, where)
        row = cursor.fetchone()
        if row is None:
            cursor.execute(_LAST, where)
            row = cursor.fetchone()
        return Window(snapshot_id, supplier_id, after, (row[0], row[1])) if row else None


def different(window: Window) -> list[Different]:
    """The rows of a window that are new, differ, or have something to settle; known levels first, by id."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENT, _range(window))
        # The rows of a page share their time: as text it is read once, not once for each.
        moment = functools.cache(datetime.fromisoformat)
        return [
            Different(level_id, available, lot, min_order, moment(read_at), described, bool(idle), *numbers)
            for level_id, available, lot, min_order, read_at, described, idle, *numbers in cursor.fetchall()
        ]


def insert_levels(window: Window, sellable: Mapping[Worth, int]) -> list[int]:
    """Make levels of the window's new rows; their ids.  sellable: worth → units that may be promised.

    Requires an open transaction, in which the caller writes their opening movements.
    """
    with connection.cursor() as cursor:
        columns = {
            "reported": [_UNCOUNTED if reported is None else reported for reported, _, _ in sellable],
            "lot": [lot for _, lot, _ in sellable],
            "min_order": [min_order for _, _, min_order in sellable],
            "units": list(sellable.values()),
        }
        cursor.execute(_INSERT, {**_range(window), **columns})
        return [level_id for (level_id,) in cursor.fetchall()]


def store_idle(rows: Sequence[Different], sellable: Mapping[Worth, int], origin: Origin) -> set[int]:
    """Store the numbers of those of these rows whose levels are idle still, with their movements; the levels' ids.

    Does what `settlement.absorb` does to such a level, for many in one statement.  sellable: as in `insert_levels`.
    Requires an open transaction in which the levels are locked.
    """
    # A page's rows share their time: to read it for each row would take the server as long as to find its level.
    moments = list({row.read_at for row in rows})
    place = {moment: number for number, moment in enumerate(moments, 1)}
    columns: dict[str, list[Any]] = {
        "moments": moments,
        "id": [row.level_id for row in rows],
        "version": [row.version for row in rows],
        "sellable_before": [row.sellable for row in rows],
        "reported": [row.available for row in rows],
        "sellable": [sellable[row.worth] for row in rows],
        "moment": [place[row.read_at] for row in rows],
    }
    parameters = {name: arrays.literal(values) for name, values in columns.items()}
    with connection.cursor() as cursor:
        cursor.execute(_STORE_IDLE, {**parameters, "actor": origin.actor, "request_id": origin.request_id})
        return {level_id for (level_id,) in cursor.fetchall()}


def describe(snapshot_id: int, level_ids: Sequence[int]) -> list[int]:
    """Copy upstream's code, lots, components and flags to these levels; the ids of those whose lots are others now.

    Requires: their rows are locked.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DESCRIBE, {"snapshot": snapshot_id, "levels": list(level_ids)})
        return [level_id for level_id, resized in cursor.fetchall() if resized]


def summary(snapshot_id: int, supplier_id: int) -> tuple[int, int, int]:
    """(new, changed, missing): what a merge would do."""
    with connection.cursor() as cursor:
        cursor.execute(_SUMMARY, {"snapshot": snapshot_id, "supplier": supplier_id})
        new, changed, missing = cursor.fetchone()
        return new, changed, missing


def _range(window: Window) -> dict[str, Any]:
    return {
        "snapshot": window.snapshot_id,
        "supplier": window.supplier_id,
        "after_uid": window.after[0],
        "after_location": window.after[1],
        "last_uid": window.last[0],
        "last_location": window.last[1],
    }
