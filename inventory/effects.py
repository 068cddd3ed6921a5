"""What must happen after a commit: written in that commit, claimed by whoever works, closed with the work itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from inventory import sql

_YOUNG_SECONDS = 5  # longer than most claims are worked on


@dataclass(frozen=True, slots=True)
class Due:
    """An effect to be written.  delay: seconds from now until it may be worked on.  reason: why, where that is not
    plain from what it was committed with.
    """

    kind: str
    target: str
    supplier_id: int | None = None
    delay: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Claimed:
    """An effect that this worker may work on until its lease ends."""

    id: int
    target: str
    attempts: int
    created_at: datetime


def record(dues: Sequence[Due]) -> None:
    """Write effects.  Requires the open transaction of what they follow from."""
    if not dues:
        return
    sql.execute(
        "INSERT INTO inventory_effect (kind, target, supplier_id, due_at, attempts, error, reason)"
        " SELECT kind, target, supplier_id, now() + delay * interval '1 second', 0, '', reason"
        " FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::float8[], %s::text[])"
        " AS due(kind, target, supplier_id, delay, reason)",
        [
            [str(due.kind) for due in dues],
            [due.target for due in dues],
            [due.supplier_id for due in dues],
            [due.delay for due in dues],
            [due.reason for due in dues],
        ],
    )


def record_following(insertion: str, parameters: Sequence[Any]) -> int:
    """Write rows and an effect for each of them in one statement, so in one round trip; how many.

    insertion: an INSERT that returns `kind`, `target` and `supplier_id` of the effects.
    """
    # As `record` does.
    statement = (
        f"WITH written AS ({insertion})"
        " INSERT INTO inventory_effect (kind, target, supplier_id, due_at, attempts, error, reason)"
        " SELECT kind, target, supplier_id, now(), 0, '', '' FROM written"
    )
    return sql.execute(statement, parameters).rowcount


def claim(kind: str, supplier_id: int | None, *, limit: int = 500) -> list[Claimed]:
    """Lease due effects of one lane, oldest first.  Two workers may claim at once: each gets its own rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE inventory_effect SET leased_until = now() + %s * interval '1 second', attempts = attempts + 1"
            " WHERE id IN (SELECT id FROM inventory_effect WHERE done_at IS NULL AND kind = %s"
            "   AND supplier_id IS NOT DISTINCT FROM %s AND due_at <= now()"
            "   AND (leased_until IS NULL OR leased_until < now())"
            "   ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED)"
            " RETURNING id, target, attempts, created_at",
            [settings.EFFECT_LEASE_SECONDS, kind, supplier_id, limit],
        )
        return sorted((Claimed(*row) for row in cursor.fetchall()), key=lambda effect: effect.id)


def claims_under_way(kind: str, supplier_id: int | None) -> int:
    """How many claims of one lane somebody works on now, each of one effect or many.

    Only young claims: an older one is slow work, or that of a worker that is gone, and neither may keep the whole
    lane waiting until its lease ends.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            # What was claimed together ends together.
            "SELECT count(DISTINCT leased_until) FROM inventory_effect WHERE done_at IS NULL AND kind = %s"
            " AND supplier_id IS NOT DISTINCT FROM %s AND leased_until >= now() + %s * interval '1 second'",
            [kind, supplier_id, settings.EFFECT_LEASE_SECONDS - _YOUNG_SECONDS],
        )
        return int(cursor.fetchone()[0])


def close(effect_ids: Sequence[int]) -> None:
    """Mark effects done.  Call it in the transaction of the effect itself."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE inventory_effect SET done_at = now(), error = '' WHERE id = ANY(%s) AND done_at IS NULL",
            [list(effect_ids)],
        )


def postpone(effect_ids: Sequence[int], *, delay: float, error: str = "", tried: bool = True) -> None:
    """Give claimed effects back, to be tried again in `delay` seconds.

    error: why, for a person.  tried: whether this counts as an attempt, and makes later pauses longer.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE inventory_effect SET leased_until = NULL, due_at = now() + %s * interval '1 second', error = %s,"
            " attempts = GREATEST(attempts - %s, 0) WHERE id = ANY(%s) AND done_at IS NULL",
            [delay, error[:300], int(not tried), list(effect_ids)],
        )


def due_lanes() -> list[tuple[str, int | None]]:
    """(kind, supplier id) of every lane with work that is due and that nobody holds."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT kind, supplier_id FROM inventory_effect"
            " WHERE done_at IS NULL AND due_at <= now() AND (leased_until IS NULL OR leased_until < now())"
        )
        return [(kind, supplier_id) for kind, supplier_id in cursor.fetchall()]


def purge(*, keep_days: int = 7) -> int:
    """Delete done effects older than the kept days; how many went."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM inventory_effect WHERE done_at < now() - %s * interval '1 day'",
            [keep_days],
        )
        return int(cursor.rowcount)
