-- One order of one unit in a transaction of its own: the rows that the service writes for it, without HTTP and Python.
-- Casts say what prepared statements cannot guess.
\set key random(1, 9000000000000000000)
BEGIN;
SELECT id AS sku, version + 1 AS sku_version FROM inventory_sku WHERE code = :code FOR NO KEY UPDATE \gset
SELECT level.id AS level, level.supplier_id AS supplier, level.sellable AS sellable, level.allocated AS allocated,
    level.version + 1 AS level_version, level.reported AS reported
    FROM inventory_stocklevel level JOIN inventory_offer offer ON offer.level_id = level.id
    WHERE offer.sku_id = :sku FOR NO KEY UPDATE OF level \gset
WITH placed AS (
    INSERT INTO orders_order (number, storefront_id, reference, status, destination, idempotency_key, fingerprint,
        answer, request_id, placed_at)
    VALUES ('PG-' || :key::text, :storefront, 'bench', 'placed', '', 'pgbench-' || :key::text, sha256('bench'),
        convert_to('{"number":"PG-' || :key::text || '","reference":"bench","status":"placed","placed_at":"' || now()
            || '","lines":[{"sku":"' || :code::text || '","quantity":1,"version":' || :sku_version::text
            || ',"allocations":[{"supplier":"bench","quantity":1}]}]}', 'UTF8'), '', now())
    RETURNING id)
INSERT INTO orders_orderline (order_id, sku_id, quantity, version)
    SELECT id, :sku::bigint, 1, :sku_version::bigint FROM placed;
INSERT INTO inventory_allocation (level_id, sku_id, reference, quantity, state, upstream_order, detail)
    VALUES (:level, :sku, 'PG-' || :key::text, 1, 'committed', '', '');
INSERT INTO inventory_stockmovement (level_id, version, cause, reference, actor, request_id, sellable_before,
    sellable_delta, sellable_after, allocated_before, allocated_delta, allocated_after, reported_after)
    VALUES (:level, :level_version, 'allocate', 'PG-' || :key::text, 'pgbench', '', :sellable::int, 0, :sellable::int,
        :allocated::int, 1, :allocated::int + 1, :reported);
UPDATE inventory_stocklevel SET allocated = :allocated::int + 1, version = :level_version WHERE id = :level;
UPDATE inventory_sku SET version = :sku_version WHERE id = :sku;
INSERT INTO inventory_effect (kind, target, supplier_id, attempts, error) VALUES
    ('invalidate', :code::text, NULL, 0, ''), ('sync', :level::text, :supplier::bigint, 0, ''),
    ('confirm', 'PG-' || :key::text, :supplier::bigint, 0, '');
COMMIT;
