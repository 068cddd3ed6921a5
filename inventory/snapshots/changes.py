"""Files that hold only what changed: their rows are read, and what is not in them is as before.

Numbers in them are absolute, so one that was missed or comes late does no harm: each row is as old as its file says,
and what is older than the stored number changes nothing.  What the catalogue as a whole is worth, they do not say: a
row that none of them names gets older until the next whole file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import orjson
import structlog
from django.db import connection, transaction

from inventory import availability, settlement
from inventory.batches import Pace, work_off
from inventory.ledger import Origin
from inventory.models import Snapshot, StockLevel
from inventory.settlement import Reading
from inventory.snapshots import guards, runs
from inventory.snapshots.guards import Refused
from suppliers import gateway
from suppliers.errors import SupplierError, Unchanged
from suppliers.models import Supplier
from suppliers.readings import Json, Page

log = structlog.get_logger(__name__)

# Servers tell their files' times in whole seconds.
CLOCK_STEP = timedelta(seconds=2)
_EVIDENCE = 2_000  # characters of an answer kept for a person

# Two workers at the same instant may both begin: what they read changes nothing the second time.
_BEGIN = """
INSERT INTO inventory_snapshot (supplier_id, kind, status, reason, actor, pages, seen, changed, missing, rejected,
                                evidence)
SELECT %(supplier)s, 'changes', 'running', '', 'changes', 0, 0, 0, 0, 0, '{}'::jsonb
WHERE NOT EXISTS (SELECT 1 FROM inventory_snapshot WHERE supplier_id = %(supplier)s AND kind = 'changes'
                  AND started_at > clock_timestamp() - %(every)s * interval '1 second')
RETURNING id
"""
_DUE = """
SELECT NOT EXISTS (SELECT 1 FROM inventory_snapshot WHERE supplier_id = %s AND kind = 'changes'
                   AND started_at > clock_timestamp() - %s * interval '1 second')
"""
_FINISH = """
UPDATE inventory_snapshot SET status = %s, reason = %s, evidence = %s::jsonb, cursor = %s::jsonb,
    first_requested_at = %s, last_requested_at = %s, pages = %s, seen = %s, changed = %s, rejected = %s,
    finished_at = clock_timestamp()
WHERE id = %s
"""


@dataclass(slots=True)
class _Taken:
    """What a file did so far.  requested_at: when it was asked for.  as_of: of all its rows."""

    requested_at: datetime
    origin: Origin
    as_of: datetime | None = None
    mark: Json = None
    pages: int = 0
    seen: int = 0
    changed: int = 0
    rejected: int = 0
    evidence: dict[str, Any] = field(default_factory=dict)


def changes_due() -> list[int]:
    """Suppliers whose change file is to be looked at now."""
    with connection.cursor() as cursor:
        due = []
        for supplier_id, every in gateway.changing().items():
            cursor.execute(_DUE, [supplier_id, every])
            if cursor.fetchone()[0]:
                due.append(supplier_id)
        return due


def run_changes(supplier_id: int) -> Snapshot | None:
    """Take in what the supplier's change file says; the row that tells what became of it, None if it is not time.

    A second time it changes nothing.
    """
    every = gateway.changing().get(supplier_id)
    begun = None if every is None else _begin(supplier_id, every)
    if begun is None:
        return None
    supplier = Supplier.objects.get(pk=supplier_id)
    taken = _Taken(runs.clock(), Origin("changes", f"snapshot-{begun}"))
    try:
        _take_in(supplier, taken)
        status, reason = Snapshot.Status.APPLIED, ""
    except Unchanged as same:
        status, reason = Snapshot.Status.APPLIED, f"The file is the one that was applied before: {same}."
    except Refused as refusal:
        status, reason = Snapshot.Status.REFUSED, refusal.reason
        taken.evidence |= refusal.evidence
    except SupplierError as error:
        status, reason = Snapshot.Status.FAILED, f"{type(error).__name__}: {error}"
        taken.evidence["answer"] = str(getattr(error, "evidence", ""))[:_EVIDENCE]
    _finish(begun, taken, status, reason)
    log.info("changes_read", supplier=supplier.slug, status=str(status), seen=taken.seen, changed=taken.changed)
    return Snapshot.objects.get(pk=begun)


def _begin(supplier_id: int, every: float) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN, {"supplier": supplier_id, "every": every})
        row = cursor.fetchone()
        return row[0] if row else None


def _take_in(supplier: Supplier, taken: _Taken) -> None:
    """Raises: Refused, SupplierError, and then nothing of the file was taken in; Unchanged."""
    last = _last_applied(supplier)
    mark = (last.cursor or {}).get("mark") if last else None
    for page in gateway.for_supplier(supplier).changes(unless=mark):
        if taken.as_of is None:
            taken.as_of, taken.mark = taken.requested_at - timedelta(seconds=page.age), page.mark
            _check_order(taken.as_of, last)
        taken.pages += 1
        taken.seen += len(page.rows)
        if page.doubts:
            taken.evidence["not_counted"] = page.doubts
        work_off(list(_readings(supplier, page, taken, taken.as_of)), partial(_absorb, taken), Pace())


def _last_applied(supplier: Supplier) -> Snapshot | None:
    runs_of_files = Snapshot.objects.filter(supplier=supplier, kind=Snapshot.Kind.CHANGES, cursor__isnull=False)
    return runs_of_files.order_by("-id").first()


def _check_order(as_of: datetime, last: Snapshot | None) -> None:
    """Raises: Refused for a file that is older than the one before."""
    if last and last.first_requested_at and as_of < last.first_requested_at - CLOCK_STEP:
        raise Refused(
            "the file is older than the one that was applied before",
            as_of=as_of.isoformat(),
            before=last.first_requested_at.isoformat(),
        )


def _readings(supplier: Supplier, page: Page, taken: _Taken, as_of: datetime) -> Iterator[Reading]:
    """Of the rows that we know; new ones come with the next whole file."""
    known = StockLevel.objects.filter(supplier=supplier, external_id__in=[row.uid for row in page.rows])
    levels = {(uid, location): pk for pk, uid, location in known.values_list("pk", "external_id", "location")}
    for row in page.rows:
        units = guards.whole_units(row)[0]
        taken.rejected += units is None
        level_id = levels.get((row.uid, row.location))
        if level_id is None:
            taken.evidence["unknown"] = taken.evidence.get("unknown", 0) + 1
        else:
            yield Reading(level_id, units, as_of)


def _absorb(taken: _Taken, readings: Sequence[Reading], skip_locked: bool) -> list[Reading]:
    """One transaction."""
    with transaction.atomic(durable=True):
        absorbed = settlement.absorb(readings, origin=taken.origin, skip_locked=skip_locked)
    availability.invalidate(absorbed.codes)
    taken.changed += len(absorbed.changed)
    if absorbed.stale:
        taken.evidence["older"] = taken.evidence.get("older", 0) + len(absorbed.stale)
    skipped = set(absorbed.skipped)
    return [reading for reading in readings if reading.level_id in skipped]


def _finish(snapshot_id: int, taken: _Taken, status: Snapshot.Status, reason: str) -> None:
    applied = status == Snapshot.Status.APPLIED and taken.as_of is not None
    place = orjson.dumps({"mark": taken.mark}).decode() if applied else None
    evidence = orjson.dumps(taken.evidence).decode()
    with connection.cursor() as cursor:
        times = [taken.as_of, taken.requested_at]
        counts = [taken.pages, taken.seen, taken.changed, taken.rejected]
        cursor.execute(_FINISH, [status, reason[:500], evidence, place, *times, *counts, snapshot_id])
