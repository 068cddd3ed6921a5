"""Promises that upstream's number has not taken in for too long: shown to people until they are settled."""

from django.db import connection

_AT_ONCE = 1_000
_OPEN = "('committed', 'sending', 'confirmed')"
_OVERDUE = f"""
INSERT INTO inventory_discrepancy (kind, state, supplier_id, level_id, reference, evidence, times, resolution)
SELECT 'unsettled', 'open', supplier.id, level.id, allocation.reference,
       jsonb_build_object('units', sum(allocation.quantity), 'since', min(allocation.created_at),
                          'states', jsonb_agg(DISTINCT allocation.state), 'by_hand', bool_or(allocation.by_hand)), 1, ''
FROM inventory_allocation allocation
JOIN inventory_stocklevel level ON level.id = allocation.level_id
JOIN suppliers_supplier supplier ON supplier.id = level.supplier_id
WHERE allocation.state IN {_OPEN}
  AND allocation.created_at < clock_timestamp() - supplier.unsettled_after_seconds * interval '1 second'
  AND NOT EXISTS (SELECT 1 FROM inventory_discrepancy told
                  WHERE told.kind = 'unsettled' AND told.state = 'open' AND told.supplier_id = supplier.id
                    AND told.level_id = level.id AND told.reference = allocation.reference)
GROUP BY supplier.id, level.id, allocation.reference ORDER BY min(allocation.created_at) LIMIT {_AT_ONCE}
ON CONFLICT (kind, supplier_id, level_id, reference) WHERE state = 'open' DO NOTHING
"""
_OVER = f"""
UPDATE inventory_discrepancy discrepancy
SET state = 'resolved', resolved_at = now(), resolution = 'its number has taken the order in, or it is off'
WHERE discrepancy.kind = 'unsettled' AND discrepancy.state = 'open'
  AND NOT EXISTS (SELECT 1 FROM inventory_allocation allocation
                  WHERE allocation.reference = discrepancy.reference AND allocation.level_id = discrepancy.level_id
                    AND allocation.state IN {_OPEN})
"""


def review() -> int:
    """Open a discrepancy for each order that is unsettled too long, resolve the others'; how many were opened."""
    with connection.cursor() as cursor:
        cursor.execute(_OVER)
        cursor.execute(_OVERDUE)
        return int(cursor.rowcount)
