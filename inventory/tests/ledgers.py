"""What must be true of every ledger at any time."""

from django.db import connection

_DIFFERENCES = """
SELECT level.id, level.sellable, level.allocated, level.version, ledger.*, promised.units
FROM inventory_stocklevel level
LEFT JOIN LATERAL (
    SELECT COALESCE(sum(sellable_delta), 0) AS sellable, COALESCE(sum(allocated_delta), 0) AS allocated,
           count(*) AS movements, COALESCE(max(version), 0) AS version
    FROM inventory_stockmovement WHERE level_id = level.id
) ledger ON true
LEFT JOIN LATERAL (
    SELECT COALESCE(sum(quantity), 0) AS units FROM inventory_allocation
    WHERE level_id = level.id AND state IN ('held', 'committed', 'sending', 'confirmed')
) promised ON true
WHERE (level.sellable, level.allocated, level.version, level.version, level.allocated)
   IS DISTINCT FROM (ledger.sellable, ledger.allocated, ledger.movements, ledger.version, promised.units)
"""


def differences() -> list[tuple[object, ...]]:
    """Levels whose columns are not the sum of their movements and of their open allocations."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCES)
        return list(cursor.fetchall())
