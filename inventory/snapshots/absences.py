"""The levels that a whole snapshot does not show."""

from collections.abc import Sequence

from django.db import connection

from inventory.positions import READ_AT
from inventory.snapshots.staging import Key

_LEVELS = "SELECT count(*) FROM inventory_stocklevel WHERE supplier_id = %s"
_MISSING = """
SELECT level.id, level.external_id, level.location FROM inventory_stocklevel level
WHERE level.supplier_id = %(supplier)s AND (level.external_id, level.location) > (%(uid)s, %(location)s)
  AND (level.misses = 0 OR level.reported IS DISTINCT FROM 0
       OR EXISTS (SELECT 1 FROM inventory_allocation allocation
                  WHERE allocation.level_id = level.id AND allocation.state = 'confirmed'))
  AND NOT EXISTS (SELECT 1 FROM inventory_staging staged WHERE staged.snapshot_id = %(snapshot)s
                  AND staged.uid = level.external_id AND staged.location = level.location)
ORDER BY level.external_id, level.location LIMIT %(size)s
"""
# The first miss ends the inheritance: what the row's number was worth until then is written down.
_MISS = f"""
UPDATE inventory_stocklevel level SET misses = LEAST(level.misses + 1, 32767),
    read_at = {READ_AT}
FROM inventory_stocklevel own LEFT JOIN inventory_feed feed ON feed.supplier_id = own.supplier_id
WHERE level.id = ANY(%s) AND own.id = level.id
RETURNING level.id, level.misses
"""


def misses_nothing(supplier_id: int, rows: int) -> bool:
    """Whether the supplier has no more levels than these staged rows, each of which has its level: none is missing.

    Requires: the rows are merged.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LEVELS, [supplier_id])
        return bool(cursor.fetchone()[0] == rows)


def missing_levels(snapshot_id: int, supplier_id: int, after: Key, size: int) -> list[tuple[int, Key]]:
    """(level id, key) of the next levels in key order that the snapshot did not show; those long gone are left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            _MISSING,
            {"snapshot": snapshot_id, "supplier": supplier_id, "uid": after[0], "location": after[1], "size": size},
        )
        return [(row[0], (row[1], row[2])) for row in cursor.fetchall()]


def miss(level_ids: Sequence[int]) -> dict[int, int]:
    """Count one more complete snapshot without these levels: level id → misses.  Requires: their rows are locked."""
    with connection.cursor() as cursor:
        cursor.execute(_MISS, [list(level_ids)])
        return dict(cursor.fetchall())
