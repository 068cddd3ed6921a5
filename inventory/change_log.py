"""What has changed since somebody last asked: the log of Sku versions, read so that no commit is skipped.

Note [Order of commits]
Numbers and times are given when a row is written, and rows are seen when they are committed, in another order: who
remembers the highest one seen skips what was written before it and committed after.  So rows carry their transaction's
id, and only those are read whose id is below every transaction that is still under way (`pg_snapshot_xmin`): to them
nothing can be added any more.  Price: a transaction that stays open holds the log back, never more than stock's
timeouts for ours, for as long as it likes for a stranger's in the same cluster.

Note [What no version tells]
A switch of a supplier, or for everything, and an event change many numbers without a version; they make a policy epoch.
Where that is another than the cursor's, every active SKU is told once more, in order of code, beside what the log has.
What the clock alone changes is announced: `valid_until`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import msgspec

from inventory import availability, sql
from inventory.availability import Availability

Instant = Annotated[datetime, msgspec.Meta(tz=True)]

_SCANNED = 5_000  # rows of the log looked at for one answer: a hot SKU has many, and is told once

# A failover or a restore to an earlier time makes a new timeline, in which numbers of transactions come again.
_NOW = """
SELECT (SELECT system_identifier FROM pg_control_system()) || '-' || left(pg_walfile_name(pg_current_wal_lsn()), 8),
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
       COALESCE((SELECT epoch FROM suppliers_switchboard WHERE id = 1), 0), clock_timestamp()
"""
_CHANGES = """
SELECT xid::text::bigint, id, sku, version, at FROM inventory_stockchange
WHERE (xid, id) > (%s::text::xid8, %s::bigint) AND xid < %s::text::xid8 ORDER BY xid, id LIMIT %s
"""
_COMPACT = """
WITH ranked AS (
    SELECT xid, id, row_number() OVER (PARTITION BY sku ORDER BY xid DESC, id DESC) AS place
    FROM inventory_stockchange WHERE xid < pg_snapshot_xmin(pg_current_snapshot())
), superseded AS (
    SELECT xid, id FROM ranked WHERE place > 1 LIMIT %s
)
DELETE FROM inventory_stockchange change USING superseded
WHERE (change.xid, change.id) = (superseded.xid, superseded.id)
"""


class ExpiredError(Exception):
    """The cursor is of another history of the database; list all stock and start without a cursor."""


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """How far somebody has read.

    history: of the database; xid, id: the last row of its log.  epoch: of the policy under which everything was told.
    sweep: of the policy under which everything is being told, up to the SKU `swept`; 0: nothing is.
    """

    history: str
    xid: int
    id: int
    epoch: int
    sweep: int = 0
    swept: str = ""


class Change(msgspec.Struct, frozen=True):
    """The present number of a SKU; 0 if it is not sold any more.

    at: when it changed, or where a policy changed it, when that was noticed.  valid_until: when time alone changes the
    number, without another entry; None: never.
    """

    sku: str
    available: int
    version: int
    at: Instant
    valid_until: Instant | None


@dataclass(frozen=True, slots=True)
class _Now:
    """The state of the log.  Rows below xmin are final; from xmax on there are none."""

    history: str
    xmin: int
    xmax: int
    epoch: int
    at: datetime


def start() -> Cursor:
    """From now on: every commit that is not to be seen yet comes after it."""
    now = _now()
    return Cursor(now.history, now.xmin, 0, now.epoch)


def read(cursor: Cursor, limit: int) -> tuple[list[Change], Cursor]:
    """At most `limit` SKUs that changed after the cursor, each once, and the cursor to go on with.

    Empty: nothing has changed.  The numbers may be younger than the changes that they are told for.
    Raises: ExpiredError.
    """
    now = _now_for(cursor)
    told, cursor = _logged(cursor, now, limit)
    current = availability.read(list(told), allow_cached=False)
    changes = [_change(code, current.get(code), version, at) for code, (version, at) in told.items()]
    if cursor.sweep or cursor.epoch != now.epoch:
        swept, cursor = _sweep(cursor, now, limit - len(changes))
        changes += [_change(each.sku, each, each.version, now.at) for each in swept if each.sku not in told]
    return changes, cursor


def changed(cursor: Cursor) -> tuple[set[str] | None, Cursor]:
    """Codes of the SKUs that changed after the cursor, None: any may have, or there are many; and the cursor after it.

    Raises: ExpiredError.
    """
    now = _now_for(cursor)
    rows = _rows(cursor, now)
    if len(rows) == _SCANNED or cursor.sweep or cursor.epoch != now.epoch:
        return None, Cursor(now.history, now.xmin, 0, now.epoch)
    place = rows[-1][:2] if rows else (cursor.xid, cursor.id)
    return {row[2] for row in rows}, msgspec.structs.replace(cursor, xid=place[0], id=place[1])


def compact(*, at_once: int = 100_000) -> int:
    """Forget rows whose SKU has a newer one that everybody can see; how many.

    Who reads on from before them is told of the newer one: it has the same number.  So the log has a row for each SKU
    and what came lately, and no cursor grows too old.
    at_once: in one transaction, which holds the log back while it deletes.
    """
    forgotten = 0
    while gone := sql.execute(_COMPACT, [at_once]).rowcount:
        forgotten += gone
        if gone < at_once:
            break
    return forgotten


def _now() -> _Now:
    [row] = sql.rows(sql.execute(_NOW, []))
    return _Now(*row)


def _now_for(cursor: Cursor) -> _Now:
    now = _now()
    if cursor.history != now.history or cursor.xid > now.xmax:
        raise ExpiredError(ExpiredError.__doc__)
    return now


def _rows(cursor: Cursor, now: _Now) -> list[tuple[Any, ...]]:
    """The next rows after the cursor that are final: xid, id, SKU, version, time."""
    return sql.rows(sql.execute(_CHANGES, [str(cursor.xid), cursor.id, str(now.xmin), _SCANNED]))


def _logged(cursor: Cursor, now: _Now, limit: int) -> tuple[dict[str, tuple[int, datetime]], Cursor]:
    """SKU → its newest version of those looked at, and when."""
    told: dict[str, tuple[int, datetime]] = {}
    place = (cursor.xid, cursor.id)
    for xid, number, sku, version, at in _rows(cursor, now):
        if sku not in told and len(told) == limit:
            break
        told[sku] = (version, at)
        place = (xid, number)
    return told, msgspec.structs.replace(cursor, xid=place[0], id=place[1])


def _sweep(cursor: Cursor, now: _Now, room: int) -> tuple[list[Availability], Cursor]:
    """The next of all active SKUs, as many as there is room for."""
    policy = cursor.sweep or now.epoch
    found = availability.read_page(cursor.swept, room) if room else []
    if room and len(found) < room:
        return found, msgspec.structs.replace(cursor, epoch=policy, sweep=0, swept="")
    return found, msgspec.structs.replace(cursor, sweep=policy, swept=found[-1].sku if found else cursor.swept)


def _change(code: str, found: Availability | None, version: int, at: datetime) -> Change:
    if found is None:
        return Change(code, 0, version, at, None)
    return Change(code, found.available, found.version, at, found.valid_until)
