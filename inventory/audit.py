"""Proves that the columns of every level equal its ledger and its open promises, and repairs them if asked.

Everything is added up in the database, in one snapshot of it: orders go on meanwhile, and memory does not grow with
the number of levels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from inventory import availability, ledger
from inventory.ledger import Movement, Origin
from inventory.models import StockMovement


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which a level is not what its ledger says.

    repairable: the columns can be made right; otherwise the ledger itself was changed, which only a person can judge.
    """

    level_id: int
    level: str
    rule: str
    expected: str
    found: str
    repairable: bool


# Versions are 1..n, each movement starts where the one before it ended, and each adds up.
_CHAIN = """
SELECT chained.level_id, chained.rule, chained.expected, chained.found, false FROM (
    SELECT level_id, version,
           row_number() OVER own AS position,
           lag(sellable_after, 1, 0) OVER own AS sellable_then, sellable_before, sellable_delta, sellable_after,
           lag(allocated_after, 1, 0) OVER own AS allocated_then, allocated_before, allocated_delta, allocated_after
    FROM inventory_stockmovement WINDOW own AS (PARTITION BY level_id ORDER BY version)
) movement, LATERAL (VALUES
    ('versions are gapless', movement.position::text, movement.version::text, version <> position),
    ('sellable goes on from version ' || version - 1, sellable_then::text, sellable_before::text,
     sellable_before <> sellable_then),
    ('allocated goes on from version ' || version - 1, allocated_then::text, allocated_before::text,
     allocated_before <> allocated_then),
    ('sellable adds up in version ' || version, (sellable_before + sellable_delta)::text, sellable_after::text,
     sellable_after <> sellable_before + sellable_delta),
    ('allocated adds up in version ' || version, (allocated_before + allocated_delta)::text, allocated_after::text,
     allocated_after <> allocated_before + allocated_delta)
) AS chained_rule(rule, expected, found, broken),
LATERAL (SELECT movement.level_id, rule, expected, found) chained
WHERE broken
"""
# Only version 1 of each: movements without one are told above, as a chain with a gap.
_HOMELESS = """
SELECT level_id, 'the level of the movements is there', 'a level', 'none', false
FROM inventory_stockmovement movement
WHERE version = 1 AND NOT EXISTS (SELECT FROM inventory_stocklevel WHERE id = movement.level_id)
"""
# The last movement is what the columns say, and the open promises add up to what is allocated.
_COLUMNS = """
SELECT level.id, checked.rule, checked.expected, checked.found, true
FROM inventory_stocklevel level
LEFT JOIN LATERAL (
    SELECT version, sellable_after, allocated_after, reported_after FROM inventory_stockmovement
    WHERE level_id = level.id ORDER BY version DESC LIMIT 1
) last ON true
LEFT JOIN (
    SELECT level_id, sum(quantity) AS units FROM inventory_allocation
    WHERE state IN ('held', 'committed', 'sending', 'confirmed') GROUP BY level_id
) promised ON promised.level_id = level.id,
LATERAL (VALUES
    ('version is that of the last movement', COALESCE(last.version, 0)::text, level.version::text),
    ('sellable is that of the last movement', COALESCE(last.sellable_after, 0)::text, level.sellable::text),
    ('allocated is that of the last movement', COALESCE(last.allocated_after, 0)::text, level.allocated::text),
    ('allocated is the sum of the open promises', COALESCE(promised.units, 0)::text, level.allocated::text),
    ('reported is that of the last movement', COALESCE(last.reported_after::text, 'not counted'),
     COALESCE(level.reported::text, 'not counted'))
) AS checked(rule, expected, found)
WHERE checked.expected <> checked.found
"""
_NAMED = """
SELECT difference.level_id,
       COALESCE(supplier.slug || ':' || level.external_id
                || CASE level.location WHEN '' THEN '' ELSE '@' || level.location END, 'not there'),
       difference.rule, difference.expected, difference.found, difference.repairable
FROM ({differences}) AS difference(level_id, rule, expected, found, repairable)
LEFT JOIN inventory_stocklevel level ON level.id = difference.level_id
LEFT JOIN suppliers_supplier supplier ON supplier.id = level.supplier_id
ORDER BY difference.level_id, difference.rule
"""
_STATEMENT = _NAMED.format(differences=f"{_CHAIN} UNION ALL {_HOMELESS} UNION ALL {_COLUMNS}")
_TRUTH = """
SELECT level.id, COALESCE(last.version, 0), COALESCE(last.sellable_after, 0), COALESCE(last.allocated_after, 0),
       last.reported_after,
       COALESCE((SELECT sum(quantity) FROM inventory_allocation WHERE level_id = level.id
                 AND state IN ('held', 'committed', 'sending', 'confirmed')), 0)
FROM inventory_stocklevel level
LEFT JOIN LATERAL (
    SELECT version, sellable_after, allocated_after, reported_after FROM inventory_stockmovement
    WHERE level_id = level.id ORDER BY version DESC LIMIT 1
) last ON true
WHERE level.id = ANY(%s::bigint[])
"""
_REPAIR = """
UPDATE inventory_stocklevel SET version = %s, sellable = %s, allocated = %s, reported = %s WHERE id = %s
"""


def differences() -> Iterator[Difference]:
    """Every difference of every level, as of one instant; none means that the books are right."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        # An audit of millions of movements may take minutes; it blocks nobody.
        cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute(f"DECLARE audit NO SCROLL CURSOR FOR {_STATEMENT}")
        while True:
            cursor.execute("FETCH 1000 FROM audit")
            found = cursor.fetchall()
            if not found:
                return
            yield from (Difference(*row) for row in found)


def totals() -> dict[str, int]:
    """How much there is to prove."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM inventory_stocklevel), (SELECT count(*) FROM inventory_stockmovement)"
        )
        levels, movements = cursor.fetchone()
        return {"levels": levels, "movements": movements}


def repair(level_ids: Sequence[int], *, origin: Origin) -> list[int]:
    """Make the columns of these levels what ledger and open promises say, with a movement that tells so; their ids.

    The promises are the truth of `allocated`, the last movement is that of all else.  A broken chain stays as it is.
    """
    with transaction.atomic(durable=True):
        ledger.lock_levels(level_ids)
        movements = _corrections(level_ids)
        with connection.cursor() as cursor:
            for one in movements:
                cursor.execute(_REPAIR, [one.version, one.sellable[1], one.allocated[1], one.reported, one.level_id])
        ledger.append(movements, origin)
        repaired = [movement.level_id for movement in movements]
        codes = ledger.bump_versions_of_levels(repaired)
    availability.invalidate(codes)
    return repaired


def _corrections(level_ids: Sequence[int]) -> list[Movement]:
    with connection.cursor() as cursor:
        cursor.execute(_TRUTH, [list(level_ids)])
        return [
            Movement(
                level_id=level_id,
                version=version + 1,
                cause=StockMovement.Cause.REPAIR,
                reference="",
                sellable=(sellable, sellable),
                allocated=(allocated, promised),
                reported=reported,
            )
            for level_id, version, sellable, allocated, reported, promised in cursor.fetchall()
        ]
