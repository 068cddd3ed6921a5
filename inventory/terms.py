"""What the rows of suppliers and levels say, as the policy that the pure rules take."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection

from inventory import arrays, trust
from inventory.lots import Lots

# A level's own terms, of a person, go before its supplier's and before what upstream says of its lots.
OWN = "LEFT JOIN inventory_levelpolicy own ON own.level_id = level.id"
# What was learned of the level alone goes before what was learned of its supplier.
JOINS = f"""
{OWN}
LEFT JOIN inventory_learnedbuffer learned
       ON learned.supplier_id = supplier.id AND learned.level_id IS NULL AND learned.until IS NULL
LEFT JOIN inventory_learnedbuffer alone
       ON alone.supplier_id = supplier.id AND alone.level_id = level.id AND alone.until IS NULL
"""
FIXED = "COALESCE(own.buffer, supplier.buffer)"
LEARNED = "COALESCE(own.buffer, alone.buffer, learned.buffer, supplier.buffer_cold_start)"
LOTS = "COALESCE(own.lot, level.lot, 1), COALESCE(own.min_order, level.min_order, 1)"
# What `policy` makes a policy of: columns of whoever selects from levels, their suppliers and the JOINS.
COLUMNS = f"""
CASE WHEN supplier.buffer_is_learned THEN {LEARNED} ELSE {FIXED} END,
supplier.stale_after_seconds, supplier.expire_after_seconds, supplier.stale_cap,
COALESCE(own.haircut, supplier.haircut), COALESCE(own.sentinel_at, supplier.sentinel_at),
COALESCE(own.sentinel_cap, supplier.sentinel_cap), supplier.jump_ratio, supplier.jump_units, supplier.hard_jump_ratio,
{LOTS}
"""
WIDTH = 12  # of COLUMNS

_OF_SUPPLIER = f"""
SELECT {COLUMNS} FROM suppliers_supplier supplier LEFT JOIN inventory_stocklevel level ON false
{JOINS}
WHERE supplier.id = %s
"""
_OF_LEVELS = f"""
SELECT level.id, {COLUMNS} FROM inventory_stocklevel level
JOIN suppliers_supplier supplier ON supplier.id = level.supplier_id
{JOINS}
WHERE level.id = ANY(%s::bigint[])
"""


def policy(columns: Sequence[Any]) -> trust.Policy:
    """The policy that COLUMNS say."""
    return trust.Policy(*[*columns[:-2], Lots(*columns[-2:])])


def of_supplier(supplier_id: int) -> trust.Policy:
    """How far the supplier's numbers are believed now, where a level has no terms of its own."""
    with connection.cursor() as cursor:
        cursor.execute(_OF_SUPPLIER, [supplier_id])
        return policy(cursor.fetchone())


def of_levels(level_ids: Iterable[int]) -> dict[int, trust.Policy]:
    """Level id → how far its numbers are believed now."""
    with connection.cursor() as cursor:
        cursor.execute(_OF_LEVELS, [arrays.literal(level_ids)])
        return {level_id: policy(columns) for level_id, *columns in cursor.fetchall()}
