"""Whether the books are right after a step: a benchmark that oversells has no figures."""

from collections.abc import Mapping

from django.db import connection

from inventory import audit

_BOOKS = """
WITH wanted AS (SELECT id, code FROM inventory_sku WHERE code = ANY(%s)),
ordered AS (
    SELECT line.sku_id, sum(line.quantity) AS units
    FROM orders_orderline line JOIN orders_order own ON own.id = line.order_id
    WHERE own.status = 'placed' AND line.sku_id IN (SELECT id FROM wanted) GROUP BY line.sku_id),
moved AS (
    SELECT offer.sku_id, sum(movement.allocated_delta) AS units
    FROM inventory_offer offer JOIN inventory_stockmovement movement ON movement.level_id = offer.level_id
    WHERE offer.sku_id IN (SELECT id FROM wanted) GROUP BY offer.sku_id)
SELECT wanted.code, coalesce(ordered.units, 0), coalesce(moved.units, 0), level.allocated, level.sellable
FROM wanted
JOIN inventory_offer offer ON offer.sku_id = wanted.id
JOIN inventory_stocklevel level ON level.id = offer.level_id
LEFT JOIN ordered ON ordered.sku_id = wanted.id
LEFT JOIN moved ON moved.sku_id = wanted.id
"""


def problems(promised: Mapping[str, int]) -> list[str]:
    """Everything that is wrong; empty if the books are right.  promised: SKU → units that answers promised."""
    found = [
        f"{one.level}: {one.rule}: expected {one.expected}, found {one.found}" for one in list(audit.differences())[:20]
    ]
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(_BOOKS, [list(promised)])
        for code, ordered, moved, allocated, sellable in cursor.fetchall():
            if not promised[code] == ordered == moved == allocated:
                found.append(
                    f"{code}: {promised[code]} answered, {ordered} ordered, {moved} moved, {allocated} allocated"
                )
            if allocated > sellable:
                found.append(f"{code}: {allocated} sold of {sellable}")
    connection.close()
    return found
