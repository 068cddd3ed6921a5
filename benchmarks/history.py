"""A large past, made in bulk: SKUs, each sold from a level of its own, and orders that were placed and settled.

Written as the service would have written it, so that the books are right; without its triggers, which check row by row.
"""

import hashlib
from urllib.parse import urlsplit, urlunsplit

import psycopg

from benchmarks import goods

_SKUS = """
INSERT INTO inventory_sku (code, name, active, stop_selling, splittable, safety_stock, low_stock_threshold, version,
                           created_at)
SELECT %(prefix)s || n, '', true, false, true, 0, 5, 1, now() FROM generate_series(%(first)s::int, %(last)s) n
"""
_LEVELS = """
INSERT INTO inventory_stocklevel (supplier_id, external_id, location, code, reported, components, flags, read_at,
                                  sellable, allocated, version, misses, rejections)
SELECT %(supplier)s, code, '', code, %(units)s, '{}', '[]', now(), %(units)s, 0, 1, 0, 0
FROM (SELECT %(prefix)s || n AS code FROM generate_series(%(first)s::int, %(last)s) n) made
"""
_OFFERS = """
INSERT INTO inventory_offer (sku_id, level_id, priority)
SELECT sku.id, level.id, 100 FROM generate_series(%(first)s::int, %(last)s) n
JOIN inventory_sku sku ON sku.code = %(prefix)s || n
JOIN inventory_stocklevel level ON level.supplier_id = %(supplier)s AND level.external_id = sku.code
"""
_MOVEMENTS = """
INSERT INTO inventory_stockmovement (level_id, version, cause, reference, actor, request_id, sellable_before,
    sellable_delta, sellable_after, allocated_before, allocated_delta, allocated_after, reported_after)
SELECT level.id, 1, 'reading', '', 'bench', '', 0, sellable, sellable, 0, 0, 0, reported
FROM inventory_stocklevel level
WHERE level.supplier_id = %(supplier)s
  AND level.external_id IN (SELECT %(prefix)s || n FROM generate_series(%(first)s::int, %(last)s) n)
"""
# Order n bought a unit of a SKU, and a later reading took it in.  Every tenth SKU is left for the buyers of today.
_ORDERS = """
INSERT INTO orders_order (number, storefront_id, reference, status, destination, idempotency_key, fingerprint, answer,
                          request_id, placed_at)
SELECT 'PAST-' || n, (SELECT id FROM storefronts_storefront WHERE slug = %(name)s), 'bench', 'placed', '',
       'past-' || n, %(hash)s::bytea, '{}'::bytea, '', now() - interval '1 day'
FROM generate_series(1, %(orders)s::int) n
"""
_BOUGHT = """
CREATE TEMPORARY TABLE bought ON COMMIT DROP AS
SELECT own.id AS order_id, own.number, offer.sku_id, level.id AS level_id, level.sellable, level.reported,
       row_number() OVER (PARTITION BY level.id ORDER BY own.id) AS turn
FROM orders_order own
JOIN inventory_sku sku
  ON sku.code = %(prefix)s || (substr(own.number, 6)::int %% (%(last)s / 10) * 10
                               + 1 + substr(own.number, 6)::int / (%(last)s / 10) %% 9)
JOIN inventory_offer offer ON offer.sku_id = sku.id
JOIN inventory_stocklevel level ON level.id = offer.level_id
WHERE own.number LIKE 'PAST-%%'
"""
_LINES = """
INSERT INTO orders_orderline (order_id, sku_id, quantity, version) SELECT order_id, sku_id, 1, 2 * turn FROM bought
"""
_SETTLED = """
INSERT INTO inventory_allocation (level_id, sku_id, reference, quantity, state, upstream_order, confirmed_at, closed_at,
                                  detail, created_at)
SELECT level_id, sku_id, number, 1, 'settled', '', now(), now(), '', now() FROM bought
"""
_MOVED = """
INSERT INTO inventory_stockmovement (level_id, version, cause, reference, actor, request_id, sellable_before,
    sellable_delta, sellable_after, allocated_before, allocated_delta, allocated_after, reported_after)
SELECT level_id, 2 * turn, 'allocate', number, '', '', sellable, 0, sellable, 0, 1, 1, reported FROM bought
UNION ALL
SELECT level_id, 2 * turn + 1, 'reading', '', '', '', sellable, 0, sellable, 1, -1, 0, reported FROM bought
"""
_VERSIONS = """
UPDATE inventory_stocklevel level SET version = level.version + 2 * made.orders
FROM (SELECT level_id, count(*) AS orders FROM bought GROUP BY level_id) made WHERE level.id = made.level_id
"""


def twin(url: str, name: str) -> str:
    """A copy of this database, empty of goods; its URL.  Whoever is connected to it is cut off."""
    parts = urlsplit(url)
    own = parts.path.strip("/")
    copy = f"{own}_{name}"
    with psycopg.connect(urlunsplit(parts._replace(path="/postgres")), autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{copy}" WITH (FORCE)')
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [own])
        server.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{own}"')
    copied = urlunsplit(parts._replace(path=f"/{copy}"))
    clear(copied)
    return copied


def clear(url: str) -> None:
    """Forget every SKU, level and order."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "TRUNCATE inventory_sku, inventory_stocklevel, inventory_stockmovement, inventory_effect, orders_order"
            " CASCADE"
        )


def add_skus(url: str, prefix: str, first: int, last: int) -> None:
    """SKUs `<prefix><first>` to `<prefix><last>`, each with a level, an offer and an opening movement."""
    with psycopg.connect(url) as connection:
        _unchecked(connection)
        supplier = connection.execute("SELECT id FROM suppliers_supplier WHERE slug = %s", [goods.NAME]).fetchone()
        assert supplier
        values = {"prefix": prefix, "first": first, "last": last, "supplier": supplier[0], "units": goods.PLENTY}
        for statement in (_SKUS, _LEVELS, _OFFERS, _MOVEMENTS):
            connection.execute(statement, values)
    _tidy(url)


def add_orders(url: str, prefix: str, skus: int, orders: int) -> None:
    """Past orders, spread over the SKUs `<prefix>1` … but every tenth.  Requires: none was added before."""
    with psycopg.connect(url) as connection:
        _unchecked(connection)
        values = {"name": goods.NAME, "prefix": prefix, "last": skus, "orders": orders}
        connection.execute(_ORDERS, {**values, "hash": hashlib.sha256(b"bench").digest()})
        connection.execute(_BOUGHT, values)
        for statement in (_LINES, _SETTLED, _MOVED, _VERSIONS):
            connection.execute(statement)
    _tidy(url)


def allocated(url: str) -> int:
    """Units that are promised in this database."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT sum(allocated) FROM inventory_stocklevel").fetchone()
        return int(row[0]) if row else 0


def _unchecked(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    connection.execute("SET LOCAL session_replication_role = replica")  # no triggers: the rows are right as they are
    connection.execute("SET LOCAL statement_timeout = 0")


def _tidy(url: str) -> None:
    """Now, what the server would otherwise do during the measurement."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET statement_timeout = 0")
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")
