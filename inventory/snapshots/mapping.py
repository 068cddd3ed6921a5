"""Which rows sell which SKU: offered without asking where the code leaves no doubt, else listed for a person."""

from collections.abc import Sequence

import structlog
from django.db import connection, transaction
from simple_history.utils import bulk_create_with_history

from inventory import availability, discrepancies
from inventory.models import Discrepancy, Offer
from suppliers.models import Supplier

log = structlog.get_logger(__name__)

_BATCH = 200  # SKU rows locked at once, each for a version
_SHOWN = 20  # of the rows that share a code
_MOST = 500  # collisions reported of one supplier; more are one cause, not so many cases
GONE = "the code is on one row only, or every row of it is offered"

# A row is one uid, wherever it lies: its locations are offered together.  A pair that a person took away stays away.
_UNAMBIGUOUS = """
SELECT sku.id, sku.code, level.id
FROM inventory_stocklevel level
JOIN inventory_sku sku ON sku.code = level.code
WHERE level.supplier_id = %(supplier)s AND level.misses = 0
  AND NOT EXISTS (SELECT 1 FROM inventory_offer offer WHERE offer.level_id = level.id)
  AND NOT EXISTS (SELECT 1 FROM inventory_historicaloffer past WHERE past.history_type = '-'
                  AND past.sku_id = sku.id AND past.level_id = level.id)
  AND NOT EXISTS (SELECT 1 FROM inventory_stocklevel other
                  WHERE other.supplier_id = %(supplier)s AND other.code = level.code AND other.misses = 0
                    AND other.external_id <> level.external_id)
ORDER BY sku.id, level.id
"""
_COLLISIONS = """
SELECT level.code, array_agg(DISTINCT level.external_id ORDER BY level.external_id)
FROM inventory_stocklevel level
JOIN inventory_sku sku ON sku.code = level.code
WHERE level.supplier_id = %(supplier)s AND level.misses = 0
GROUP BY level.code
HAVING count(DISTINCT level.external_id) > 1
   AND bool_or(NOT EXISTS (SELECT 1 FROM inventory_offer offer WHERE offer.level_id = level.id))
ORDER BY level.code LIMIT %(most)s
"""
_RESOLVE = """
UPDATE inventory_discrepancy SET state = 'resolved', resolved_at = now(), resolution = %s
WHERE kind = 'collision' AND state = 'open' AND supplier_id = %s AND NOT reference = ANY(%s)
"""


def offer_unambiguous(supplier: Supplier) -> int:
    """Offer every level whose code equals a SKU's and is on no other row of this supplier; how many."""
    with connection.cursor() as cursor:
        cursor.execute(_UNAMBIGUOUS, {"supplier": supplier.pk})
        found = cursor.fetchall()
    for start in range(0, len(found), _BATCH):
        batch = found[start : start + _BATCH]
        # In order of SKU: the offer's trigger locks each one to give it a new version.
        offers = [Offer(sku_id=sku_id, level_id=level_id) for sku_id, _, level_id in batch]
        with transaction.atomic(durable=True):
            bulk_create_with_history(offers, Offer, default_change_reason="the upstream code equals the SKU's")
        availability.invalidate([code for _, code, _ in batch])
    if found:
        log.info("levels_offered", supplier=supplier.slug, offers=len(found))
    return len(found)


def report_collisions(supplier: Supplier) -> Sequence[str]:
    """List the codes of SKUs that several rows of this supplier carry, and close what is no longer so; the codes."""
    with connection.cursor() as cursor:
        cursor.execute(_COLLISIONS, {"supplier": supplier.pk, "most": _MOST})
        found = cursor.fetchall()
    codes = [code for code, _ in found]
    dismissed = _dismissed(supplier.pk, codes)
    with transaction.atomic(durable=True):
        discrepancies.report(
            [
                discrepancies.Finding(
                    Discrepancy.Kind.COLLISION,
                    supplier.pk,
                    reference=code,
                    evidence={"code": code, "rows": len(uids), "uids": uids[:_SHOWN]},
                )
                for code, uids in found
                if (code, tuple(uids[:_SHOWN])) not in dismissed
            ]
        )
        with connection.cursor() as cursor:
            cursor.execute(_RESOLVE, [GONE, supplier.pk, codes])
    return codes


def _dismissed(supplier_id: int, codes: Sequence[str]) -> set[tuple[str, tuple[str, ...]]]:
    """(code, uids) that a person has looked at and closed: not asked again about the same rows."""
    closed = Discrepancy.objects.filter(
        kind=Discrepancy.Kind.COLLISION,
        supplier_id=supplier_id,
        state=Discrepancy.State.RESOLVED,
        reference__in=codes,
    ).exclude(resolution=GONE)
    return {(one.reference, tuple(one.evidence.get("uids", ()))) for one in closed}
