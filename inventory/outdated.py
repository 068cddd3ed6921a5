"""What the measured age of a supplier's data comes to: settings to propose, and a discrepancy beyond doubt."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from inventory import discrepancies, lateness
from inventory.discrepancies import Finding
from inventory.models import Discrepancy, LagBreach

KEPT_DAYS = 7  # without another, what was measured counts no more
BEYOND_DOUBT = 3  # certain ones in a day; where only we buy, one

# A person's word ends what was before it.
_MEASURED = f"""
SELECT supplier.id, breach.kind, count(*), count(*) FILTER (WHERE certain),
       COALESCE(max(seconds) FILTER (WHERE certain), max(seconds)), max(breach.at),
       supplier.settlement_lag_seconds,
       count(*) FILTER (WHERE certain AND breach.at > now() - interval '1 day')
           >= CASE WHEN supplier.exclusive THEN 1 ELSE {BEYOND_DOUBT} END,
       bool_or(certain AND breach.at > COALESCE(known.seen_at, '-infinity')), known.id IS NOT NULL
FROM inventory_lagbreach breach
JOIN suppliers_supplier supplier ON supplier.id = breach.supplier_id
LEFT JOIN inventory_discrepancy known
       ON known.kind = 'lag' AND known.state = 'open' AND known.supplier_id = supplier.id
      AND known.reference = breach.kind
WHERE breach.at > now() - interval '{KEPT_DAYS} days' AND (%(supplier)s::bigint IS NULL OR supplier.id = %(supplier)s)
  AND NOT CASE breach.kind WHEN 'late' THEN seconds <= supplier.settlement_lag_seconds ELSE supplier.replicas END
  AND breach.at > COALESCE((
      SELECT max(resolved_at) FROM inventory_discrepancy before
      WHERE before.kind = 'lag' AND before.state = 'resolved' AND before.supplier_id = supplier.id
        AND before.reference = breach.kind), '-infinity')
GROUP BY supplier.id, breach.kind, known.id ORDER BY supplier.id, breach.kind
"""
_RESOLVE = f"""
UPDATE inventory_discrepancy discrepancy SET state = 'resolved', resolved_at = now(), resolution =
    CASE WHEN EXISTS (SELECT 1 FROM inventory_lagbreach breach
                      WHERE breach.supplier_id = discrepancy.supplier_id AND breach.kind = discrepancy.reference
                        AND certain AND breach.at > now() - interval '{KEPT_DAYS} days')
         THEN 'the settings cover what was measured' ELSE '{KEPT_DAYS} days passed without another' END
WHERE kind = 'lag' AND state = 'open'
  AND NOT (supplier_id, reference) IN (SELECT * FROM unnest(%s::bigint[], %s::text[]))
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the last days showed of one supplier that its settings do not cover.

    largest: seconds, of the certain ones if there are any.  newest: when it was stored.  declared: its settlement lag.
    beyond_doubt: it is a discrepancy.  news: something certain since that was seen.  open: it is one already.
    """

    supplier_id: int
    kind: str
    count: int
    certain: int
    largest: float
    newest: datetime
    declared: int
    beyond_doubt: bool
    news: bool
    open: bool

    @property
    def advice(self) -> str:
        """What to set."""
        if self.kind == LagBreach.Kind.REPLICAS:
            return "switch on replicas"
        return f"settlement_lag_seconds = {lateness.suggested(self.largest)}"


def measured(supplier_id: int | None = None) -> list[Measured]:
    """What is not covered, of one supplier or all."""
    with connection.cursor() as cursor:
        cursor.execute(_MEASURED, {"supplier": supplier_id})
        return [Measured(*row) for row in cursor.fetchall()]


def review() -> int:
    """Open a discrepancy for what is beyond doubt, resolve what is over; how many are open."""
    with transaction.atomic():
        found = [one for one in measured() if one.beyond_doubt or (one.open and one.certain)]
        discrepancies.report([_finding(one) for one in found if one.news])
        _resolve_others(found)
    return len(found)


def _finding(one: Measured) -> Finding:
    return Finding(
        Discrepancy.Kind.LAG,
        one.supplier_id,
        reference=one.kind,
        evidence={
            "measured": one.count,
            "certain": one.certain,
            "largest_seconds": round(one.largest, 3),
            "settlement_lag_seconds": one.declared,
            "newest": one.newest.isoformat(),
            "what_to_do": one.advice,
            "shown_by": _newest_evidence(one),
        },
    )


def _newest_evidence(one: Measured) -> list[object]:
    rows = LagBreach.objects.filter(supplier_id=one.supplier_id, kind=one.kind, certain=True).order_by("-id")
    return list(rows.values_list("evidence", flat=True)[:BEYOND_DOUBT])


def _resolve_others(found: Sequence[Measured]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_RESOLVE, [[one.supplier_id for one in found], [one.kind for one in found]])
