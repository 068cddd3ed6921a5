"""What no row tells by itself: snapshots that do not come, and effects that do not get done."""

from django.db import connection, transaction

from inventory import discrepancies
from inventory.discrepancies import Finding
from inventory.models import Discrepancy

OVERDUE_SECONDS = 60
KINDS = (Discrepancy.Kind.LATE, Discrepancy.Kind.OVERDUE)

# A slot counts as missed when two intervals passed without a snapshot that was applied.
_LATE = """
SELECT supplier.id, feed.complete_as_of, supplier.snapshot_interval_seconds,
       (SELECT reason FROM inventory_snapshot run WHERE run.supplier_id = supplier.id AND run.kind = 'full'
        ORDER BY run.id DESC LIMIT 1)
FROM suppliers_supplier supplier LEFT JOIN inventory_feed feed ON feed.supplier_id = supplier.id
WHERE supplier.enabled AND GREATEST(feed.complete_until, supplier.created_at)
      < now() - 2 * supplier.snapshot_interval_seconds * interval '1 second'
"""
# What a supplier does not take is put off again and again: such an effect is never long overdue, only old.
_OVERDUE = """
SELECT effect.supplier_id, effect.kind, count(*), min(effect.created_at), max(effect.error)
FROM inventory_effect effect JOIN suppliers_supplier supplier ON supplier.id = effect.supplier_id
WHERE effect.done_at IS NULL AND supplier.enabled
  AND (effect.due_at < now() - %(seconds)s * interval '1 second'
       OR (effect.kind IN ('confirm', 'cancel') AND effect.attempts > 2
           AND effect.created_at < now() - %(seconds)s * interval '1 second'))
GROUP BY effect.supplier_id, effect.kind
"""
_RESOLVE = """
UPDATE inventory_discrepancy SET state = 'resolved', resolved_at = now(), resolution = 'it is in time again'
WHERE kind = ANY(%s) AND state = 'open'
  AND NOT (kind, supplier_id, reference) IN (SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[]))
"""


def watch() -> int:
    """Open discrepancies for what is late, and resolve those of what is in time again; how many are late."""
    with transaction.atomic():
        found = [*_late(), *_overdue()]
        discrepancies.report(found)
        kinds, suppliers, references = (
            zip(*[(str(one.kind), one.supplier_id, one.reference) for one in found], strict=True)
            if found
            else ((), (), ())
        )
        with connection.cursor() as cursor:
            cursor.execute(_RESOLVE, [[str(kind) for kind in KINDS], list(kinds), list(suppliers), list(references)])
    return len(found)


def _late() -> list[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(_LATE)
        return [
            Finding(
                Discrepancy.Kind.LATE,
                supplier_id,
                evidence={
                    "complete_as_of": as_of.isoformat() if as_of else None,
                    "interval_seconds": interval,
                    "last_run": reason or "",
                },
            )
            for supplier_id, as_of, interval, reason in cursor.fetchall()
        ]


def _overdue() -> list[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(_OVERDUE, {"seconds": OVERDUE_SECONDS})
        return [
            Finding(
                Discrepancy.Kind.OVERDUE,
                supplier_id,
                reference=kind,
                evidence={"effects": count, "oldest": oldest.isoformat(), "error": error or ""},
            )
            for supplier_id, kind, count, oldest, error in cursor.fetchall()
        ]
