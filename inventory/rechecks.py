"""When an order that a supplier took is looked up there again, lest it was called off since.

Note [Ever more rarely]
A supplier may call a taken order off and tell nobody, also after its number took the order in.  So an order is looked
up when it is as old as the lag, then whenever it is twice as old as at the last time, and once more at its supplier's
horizon.  Each look is claimed by moving its time: whoever fails or dies leaves it to be due again soon.
"""

from collections.abc import Collection, Sequence

from django.db import connection

from inventory import attempts

FIRST_SECONDS = 30.0
LEASE_SECONDS = 120.0  # longer than one call

# Of an allocation that its supplier just took, in SQL.  What a person orders there need not carry our reference.
FIRST = f"""CASE WHEN supplier.recheck_for_seconds > 0 AND NOT allocation.by_hand THEN statement_timestamp()
    + GREATEST({FIRST_SECONDS}, supplier.settlement_lag_seconds + 1) * interval '1 second' END"""

_STANDING = "allocation.state IN ('confirmed', 'settled') AND allocation.cancel_requested_at IS NULL"
_DUE = f"allocation.recheck_at <= statement_timestamp() AND {_STANDING}"
_WITH_DUE = f"""
SELECT DISTINCT level.supplier_id FROM inventory_allocation allocation
JOIN inventory_stocklevel level ON level.id = allocation.level_id
JOIN suppliers_supplier supplier ON supplier.id = level.supplier_id
WHERE {_DUE} AND supplier.enabled
"""
# First what the supplier spoke of, then what it refused others of, then what its number does not show yet, the newest
# first.  No lock is waited for: settlements lock the same rows in another order.
_CLAIM = f"""
WITH due AS (
    SELECT allocation.reference, allocation.attempt FROM inventory_allocation allocation
    JOIN inventory_stocklevel level ON level.id = allocation.level_id
    WHERE level.supplier_id = %(supplier)s AND {_DUE}
    GROUP BY allocation.reference, allocation.attempt
    ORDER BY bool_or(allocation.recheck_at <= allocation.created_at) DESC,
             bool_or(level.rejection_cap IS NOT NULL) DESC, bool_or(allocation.state = 'confirmed') DESC,
             max(allocation.id) DESC
    LIMIT %(limit)s
)
UPDATE inventory_allocation allocation
SET recheck_at = statement_timestamp() + {LEASE_SECONDS} * interval '1 second'
WHERE allocation.id IN (
    SELECT allocation.id FROM inventory_allocation allocation
    JOIN inventory_stocklevel level ON level.id = allocation.level_id
    JOIN due ON due.reference = allocation.reference AND due.attempt = allocation.attempt
    WHERE level.supplier_id = %(supplier)s AND {_DUE}
    FOR UPDATE OF allocation SKIP LOCKED)
RETURNING {attempts.NAME}
"""
_AGE = "statement_timestamp() - COALESCE(allocation.sent_at, allocation.created_at)"
_NEXT = f"""
UPDATE inventory_allocation allocation
SET recheck_at = (
    SELECT CASE WHEN horizon.at > statement_timestamp() THEN
           LEAST(horizon.at, statement_timestamp() + GREATEST({_AGE}, {FIRST_SECONDS} * interval '1 second')) END
    FROM suppliers_supplier supplier, LATERAL (
        SELECT COALESCE(allocation.sent_at, allocation.created_at) + supplier.recheck_for_seconds * interval '1 second'
    ) AS horizon(at)
    WHERE supplier.id = %(supplier)s)
WHERE allocation.id IN (
    SELECT allocation.id FROM inventory_allocation allocation WHERE id = ANY(%(ids)s) FOR UPDATE SKIP LOCKED)
"""
_END = """
UPDATE inventory_allocation SET recheck_at = NULL
WHERE id IN (SELECT id FROM inventory_allocation WHERE id = ANY(%s) FOR UPDATE SKIP LOCKED)
"""
_HASTEN = f"""
UPDATE inventory_allocation allocation SET recheck_at = allocation.created_at
WHERE allocation.id IN (
    SELECT allocation.id FROM inventory_allocation allocation
    JOIN inventory_stocklevel level ON level.id = allocation.level_id
    WHERE level.supplier_id = %s AND {_STANDING} AND {attempts.NAME} = ANY(%s)
    FOR UPDATE OF allocation SKIP LOCKED)
RETURNING {attempts.NAME}
"""


def suppliers_with_due() -> list[int]:
    """Ids of the suppliers of which orders are due to be looked up."""
    with connection.cursor() as cursor:
        cursor.execute(_WITH_DUE)
        return [supplier_id for (supplier_id,) in cursor.fetchall()]


def claim(supplier_id: int, *, limit: int) -> list[str]:
    """Take orders that are due, the riskiest first, by the names that the supplier knows them by."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"supplier": supplier_id, "limit": limit})
        return list(dict.fromkeys(name for (name,) in cursor.fetchall()))


def put_off(supplier_id: int, allocation_ids: Sequence[int]) -> None:
    """These were looked up: set when to do so next, or never again."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, {"supplier": supplier_id, "ids": list(allocation_ids)})


def end(allocation_ids: Sequence[int]) -> None:
    """These cannot be looked up."""
    with connection.cursor() as cursor:
        cursor.execute(_END, [list(allocation_ids)])


def hasten(supplier_id: int, references: Collection[str]) -> set[str]:
    """Have these orders looked up at once, before others; which of them the supplier has."""
    with connection.cursor() as cursor:
        cursor.execute(_HASTEN, [supplier_id, sorted(references)])
        return {name for (name,) in cursor.fetchall()}
