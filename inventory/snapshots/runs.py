"""The life of a full snapshot's row: queued, leased to one worker, resumed, ended.

A queued run has no lease; a worker takes it by writing one.  The lease's own value is the fencing token: a worker that
was frozen past its lease finds another value in the row and stops, whatever it was about to write.
"""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import IntegrityError, connection, transaction

from inventory import experience
from inventory.models import Snapshot
from inventory.snapshots import staging
from inventory.snapshots.staging import START, Key
from inventory.transitions import Proof
from suppliers.models import Supplier
from suppliers.readings import Json

LEASE_SECONDS = 120  # longer than any page takes, its retries included
QUEUE_SECONDS = 60  # a queued run that nobody took for so long is announced again: its message was lost
BACKOFF_SECONDS = 15  # after the first failure; doubles with each, up to the supplier's interval
RETRY_AFTER_AT_MOST = 3_600  # a supplier may ask for rest, not for silence
YOUNG_SECONDS = 900  # a pause longer than this, or than the interval, is not worth resuming after

READING, MERGING, MISSING = "reading", "merging", "missing"


class SnapshotUnavailable(Exception):
    """A full snapshot of this supplier cannot be run now; the message says why."""


class TimeIsUp(Exception):
    """A worker has used the time it was given; the next one goes on at once where it stopped."""


class LeaseLost(Exception):
    """Another worker has taken this snapshot over; stop, it goes on there."""


@dataclass(slots=True)
class Run:
    """A snapshot that this worker holds, and how far it is.

    upstream: the adapter's cursor of the next page.  mark: what the whole is recognised by.
    after: the key up to which the present phase is done.
    asked_since: when its first request left, whatever the age of the answer.
    resumed_at: the pages that were there when this worker took it over; None: it began anew.
    proof: of what its numbers are worth, once they are all there.
    """

    snapshot: Snapshot
    supplier: Supplier
    phase: str = READING
    upstream: Json = None
    mark: Json = None
    after: Key = START
    asked_since: datetime | None = None
    lease: datetime | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    resumed_at: int | None = None
    proof: Proof = Proof.NONE
    deadline: float = float("inf")  # of the monotonic clock

    def check_time(self) -> None:
        """Raises: TimeIsUp.  Call it where everything done is stored."""
        if time.monotonic() > self.deadline:
            raise TimeIsUp

    def enter(self, phase: str) -> None:
        """Go on to the next phase, from its beginning."""
        self.phase, self.upstream, self.after = phase, None, START


_RENEW = """
UPDATE inventory_snapshot SET lease_until = clock_timestamp() + %s * interval '1 second', cursor = %s::jsonb,
    first_requested_at = %s, last_requested_at = %s, pages = %s, total = %s, seen = %s, changed = %s, missing = %s,
    rejected = %s
WHERE id = %s AND status = 'running' AND lease_until = %s
RETURNING lease_until, clock_timestamp()
"""
_TAKE = """
UPDATE inventory_snapshot SET lease_until = clock_timestamp() + %s * interval '1 second', status = 'running',
    actor = COALESCE(NULLIF(actor, ''), %s), reason = '', finished_at = NULL
WHERE id = %s AND (status = 'failed' OR status = 'running'
                   AND (lease_until IS NULL OR lease_until < clock_timestamp()))
RETURNING lease_until
"""
# Of three beats that see the same last run only one begins the next.
_QUEUE_NEW = """
INSERT INTO inventory_snapshot (supplier_id, kind, status, reason, actor, pages, seen, changed, missing, rejected,
                                evidence)
SELECT %(supplier)s, 'full', 'running', '', %(actor)s, 0, 0, 0, 0, 0, %(evidence)s::jsonb
WHERE NOT EXISTS (SELECT 1 FROM inventory_snapshot
                  WHERE supplier_id = %(supplier)s AND kind = 'full' AND id > %(latest)s)
ON CONFLICT (supplier_id) WHERE kind = 'full' AND status = 'running' DO NOTHING RETURNING id
"""
# Of three beats that see the same lost run only one finds it unchanged.
_QUEUE_AGAIN = """
UPDATE inventory_snapshot SET lease_until = NULL, started_at = clock_timestamp()
WHERE id = %s AND status = 'running'
  AND (lease_until < clock_timestamp()
       OR lease_until IS NULL AND started_at < clock_timestamp() - %s * interval '1 second')
"""
_REOPEN = """
UPDATE inventory_snapshot SET status = 'running', lease_until = NULL, started_at = clock_timestamp(), finished_at = NULL
WHERE id = %s AND status = 'failed' AND finished_at = %s
"""
_FINISH = """
UPDATE inventory_snapshot SET status = %s, reason = %s, evidence = %s::jsonb, lease_until = NULL,
    finished_at = clock_timestamp()
WHERE id = %s AND status = 'running' AND lease_until = %s
"""
_HAND_OVER = """
UPDATE inventory_snapshot SET lease_until = clock_timestamp() WHERE id = %s AND status = 'running' AND lease_until = %s
"""
# That a snapshot showed a number unchanged is written nowhere else: buffers are learned from it.
_PURGE = f"""
DELETE FROM inventory_snapshot old WHERE finished_at < now() - %s * interval '1 day'
    AND NOT (kind = 'full' AND status = 'applied' AND finished_at > now() - {experience.DAYS} * interval '1 day')
    AND (kind <> 'full' OR EXISTS (SELECT 1 FROM inventory_snapshot newer WHERE newer.supplier_id = old.supplier_id
                                   AND newer.kind = 'full' AND newer.id > old.id))
"""
_PURGE_STAGING = """
DELETE FROM inventory_staging WHERE snapshot_id IN (
    SELECT id FROM inventory_snapshot WHERE finished_at < now() - %s * interval '1 day')
"""


def take(supplier: Supplier, *, actor: str) -> Run:
    """Begin a full snapshot, take a queued one, or resume one that its worker left.

    Raises: SnapshotUnavailable.
    """
    if not supplier.enabled:
        raise SnapshotUnavailable(f"{supplier.slug} is switched off")
    latest = latest_full(supplier.pk)
    if latest is None or not (latest.status == Snapshot.Status.RUNNING or is_resumable(latest, supplier)):
        _insert(supplier.pk, latest, actor)
        latest = latest_full(supplier.pk)
    lease = _lease(latest.pk, actor) if latest else None
    if latest is None or lease is None:
        raise SnapshotUnavailable(f"a full snapshot of {supplier.slug} is being read already")
    latest.refresh_from_db()
    run = Run(latest, supplier, lease=lease, evidence=dict(latest.evidence))
    _resume(run)
    return run


def _lease(snapshot_id: int, actor: str) -> datetime | None:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_TAKE, [LEASE_SECONDS, actor, snapshot_id])
            row = cursor.fetchone()
            return row[0] if row else None
    except IntegrityError:  # another run began since we looked
        return None


def _insert(supplier_id: int, latest: Snapshot | None, actor: str) -> bool:
    ended_badly = latest is not None and latest.status != Snapshot.Status.APPLIED
    failures = latest.evidence.get("failures", 0) if latest and ended_badly else 0
    with connection.cursor() as cursor:
        cursor.execute(
            _QUEUE_NEW,
            {
                "supplier": supplier_id,
                "actor": actor,
                "evidence": orjson.dumps({"failures": failures}).decode(),
                "latest": latest.pk if latest else 0,
            },
        )
        return cursor.fetchone() is not None


def _resume(run: Run) -> None:
    """Go on where the last worker stopped, if all that it stored is still there; else start anew."""
    snapshot = run.snapshot
    staging.clear_older(run.supplier.pk, snapshot.pk)
    if snapshot.pages and is_resumable(snapshot, run.supplier) and staging.count(snapshot.pk) == snapshot.seen:
        place = snapshot.cursor or {}
        run.phase, run.upstream = place.get("phase", READING), place.get("upstream")
        run.mark = place.get("mark")
        run.after = (place["after"][0], place["after"][1]) if "after" in place else START
        run.asked_since = datetime.fromisoformat(place["asked_since"]) if place.get("asked_since") else None
        run.evidence["resumed"] = run.evidence.get("resumed", 0) + 1
        run.resumed_at = snapshot.pages
        return
    staging.clear(snapshot.pk)
    snapshot.first_requested_at = snapshot.last_requested_at = snapshot.total = None
    snapshot.pages = snapshot.seen = snapshot.changed = snapshot.missing = snapshot.rejected = 0


def latest_full(supplier_id: int) -> Snapshot | None:
    """The supplier's newest full snapshot, whatever became of it."""
    return Snapshot.objects.filter(supplier_id=supplier_id, kind=Snapshot.Kind.FULL).order_by("-id").first()


def is_resumable(snapshot: Snapshot, supplier: Supplier) -> bool:
    """Whether pages were stored, the last of them so lately that they make one picture with those that follow."""
    if snapshot.status not in (Snapshot.Status.FAILED, Snapshot.Status.RUNNING) or snapshot.last_requested_at is None:
        return False
    limit = max(YOUNG_SECONDS, supplier.snapshot_interval_seconds)
    return clock() - snapshot.last_requested_at < timedelta(seconds=limit)


def clock() -> datetime:
    """The database's time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now


def renew(run: Run) -> datetime:
    """Store the progress and renew the lease; the database's time.

    Raises: LeaseLost.
    """
    snapshot = run.snapshot
    place: dict[str, Any] = {"phase": run.phase, "upstream": run.upstream, "mark": run.mark, "after": run.after}
    place["asked_since"] = run.asked_since
    counts = [snapshot.pages, snapshot.total, snapshot.seen, snapshot.changed, snapshot.missing, snapshot.rejected]
    with connection.cursor() as cursor:
        cursor.execute(
            _RENEW,
            [
                LEASE_SECONDS,
                orjson.dumps(place).decode(),
                snapshot.first_requested_at,
                snapshot.last_requested_at,
                *counts,
                snapshot.pk,
                run.lease,
            ],
        )
        row = cursor.fetchone()
    if row is None:
        raise LeaseLost(f"snapshot {snapshot.pk} is held by another worker")
    run.lease = row[0]
    now: datetime = row[1]
    return now


def finish(run: Run, status: Snapshot.Status, reason: str = "") -> None:
    """End the run.  A failed one keeps its staged rows and may be resumed.

    Raises: LeaseLost.
    """
    ended_well = status == Snapshot.Status.APPLIED
    run.evidence["failures"] = 0 if ended_well else run.evidence.get("failures", 0) + 1
    evidence = orjson.dumps(run.evidence, default=str).decode()
    with connection.cursor() as cursor:
        cursor.execute(_FINISH, [status, reason[:500], evidence, run.snapshot.pk, run.lease])
        if not cursor.rowcount:
            raise LeaseLost(f"snapshot {run.snapshot.pk} is held by another worker")
    run.snapshot.refresh_from_db()


def hand_over(run: Run) -> None:
    """Give the run back unfinished: its lease ends now, so the next beat announces it.

    Raises: LeaseLost.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HAND_OVER, [run.snapshot.pk, run.lease])
        if not cursor.rowcount:
            raise LeaseLost(f"snapshot {run.snapshot.pk} is held by another worker")
    run.snapshot.refresh_from_db()


def purge(*, keep_days: int = 7) -> int:
    """Delete ended runs older than the kept days, but of each supplier the last full one, and those learned from."""
    with connection.cursor() as cursor:
        cursor.execute(_PURGE_STAGING, [keep_days])
        cursor.execute(_PURGE, [keep_days])
        return int(cursor.rowcount)


def queue_if_due(supplier: Supplier) -> bool:
    """Queue the supplier's next full snapshot if it is time; True for the one caller who must announce it."""
    latest = latest_full(supplier.pk)
    if latest is None:
        return _insert(supplier.pk, None, "")
    with transaction.atomic(), connection.cursor() as cursor:
        if latest.status == Snapshot.Status.RUNNING:
            cursor.execute(_QUEUE_AGAIN, [latest.pk, QUEUE_SECONDS])
            return bool(cursor.rowcount)
        if clock() < _next_at(latest, supplier):
            return False
        if is_resumable(latest, supplier):
            cursor.execute(_REOPEN, [latest.pk, latest.finished_at])
            return bool(cursor.rowcount)
    return _insert(supplier.pk, latest, "")


def _next_at(latest: Snapshot, supplier: Supplier) -> datetime:
    interval = supplier.snapshot_interval_seconds
    if latest.status == Snapshot.Status.APPLIED or latest.finished_at is None:
        return latest.started_at + timedelta(seconds=interval)
    failures = min(latest.evidence.get("failures", 1), 20)
    wait = min(interval, BACKOFF_SECONDS * 2 ** max(failures - 1, 0))
    asked = min(latest.evidence.get("retry_after") or 0, RETRY_AFTER_AT_MOST)
    return latest.finished_at + timedelta(seconds=max(wait, asked))
