"""Reads of the riskiest levels with what is left of each supplier's budget; the rest waits for its snapshot."""

from collections import defaultdict
from dataclasses import astuple

import structlog
from django.db import connection, transaction
from prometheus_client import Counter

from inventory import budget, effects, risk
from inventory.effects import Due
from inventory.models import Effect
from inventory.positions import OF_EVENT, READ_AT
from inventory.risk import Candidate
from suppliers import gateway
from suppliers.errors import SupplierError
from suppliers.models import Supplier

log = structlog.get_logger(__name__)

READS = Counter("holdfast_risk_reads_total", "Levels read before their snapshot because of their risk.", ["why"])

_NEWEST = 20_000  # promises looked at for what is hot: more orders an hour than that keep every hot level read anyhow
_MOST = 5_000  # levels of events looked at

_CANDIDATES = f"""
WITH sold AS (
    SELECT level_id, sum(quantity) AS units FROM (
        SELECT level_id, quantity, created_at FROM inventory_allocation ORDER BY id DESC LIMIT {_NEWEST}
    ) newest WHERE created_at > now() - interval '1 hour' GROUP BY level_id
), refused AS (
    SELECT offer.level_id, sum(wanted.refused) AS orders FROM inventory_wanted wanted
    JOIN inventory_offer offer ON offer.sku_id = wanted.sku_id
    WHERE wanted.noted_at > now() - interval '1 hour' GROUP BY offer.level_id
), chosen AS (
    SELECT DISTINCT offer.level_id FROM inventory_salesevent event
    JOIN inventory_salesevent_skus skus ON skus.salesevent_id = event.id
    JOIN inventory_offer offer ON offer.sku_id = skus.sku_id
    WHERE event.switched_on AND event.starts_at <= now() + interval '5 minutes' AND event.ends_at > now() LIMIT {_MOST}
)
SELECT level.id, level.supplier_id, COALESCE(sold.units, 0), COALESCE(refused.orders, 0),
       GREATEST(0, level.sellable - level.allocated), extract(epoch FROM now() - ({READ_AT}))::float8,
       EXISTS (SELECT FROM inventory_salesevent event WHERE event.switched_on AND event.ends_at > now()
               AND event.starts_at <= now() + interval '5 minutes' AND {OF_EVENT})
FROM (SELECT level_id FROM sold UNION SELECT level_id FROM refused UNION SELECT level_id FROM chosen) known
JOIN inventory_stocklevel level ON level.id = known.level_id
JOIN suppliers_supplier supplier ON supplier.id = level.supplier_id AND supplier.enabled
LEFT JOIN inventory_feed feed ON feed.supplier_id = level.supplier_id
LEFT JOIN sold ON sold.level_id = level.id
LEFT JOIN refused ON refused.level_id = level.id
WHERE (level.supplier_id, level.id::text) NOT IN (
    SELECT supplier_id, target FROM inventory_effect
    WHERE done_at IS NULL AND kind = 'sync' AND supplier_id IS NOT NULL
)
"""


def ask_riskiest() -> list[tuple[str, int | None]]:
    """Write the reads that each supplier has calls left for; their lanes, to be rung for after the commit."""
    by_supplier: dict[int, list[Candidate]] = defaultdict(list)
    for candidate in candidates():
        by_supplier[candidate.supplier_id].append(candidate)
    lanes: list[tuple[str, int | None]] = []
    for supplier in Supplier.objects.filter(pk__in=by_supplier).order_by("pk"):
        chosen = risk.riskiest(by_supplier[supplier.pk], spare_rows(supplier))
        if chosen:
            _ask(supplier, chosen)
            lanes.append((str(Effect.Kind.SYNC), supplier.pk))
    return lanes


def candidates() -> list[Candidate]:
    """Levels that buyers asked for in the last hour, or that an event names, and that no read is asked for yet."""
    with connection.cursor() as cursor:
        cursor.execute(_CANDIDATES)
        return [Candidate(*row) for row in cursor.fetchall()]


def spare_rows(supplier: Supplier) -> int:
    """Rows that may be read now without taking a call from confirms, waiting reads or a snapshot."""
    try:
        upstream = gateway.for_supplier(supplier)
    except SupplierError:  # not configured: its snapshots say so
        return 0
    return budget.spare_calls(supplier, upstream) * upstream.allowance().rows_per_read


def _ask(supplier: Supplier, chosen: list[Candidate]) -> None:
    dues = [Due(Effect.Kind.SYNC, str(one.level_id), supplier.pk, reason=one.reason) for one in chosen]
    with transaction.atomic():
        effects.record(dues)
    for one in chosen:
        READS.labels(one.kind).inc()
    log.info("riskiest_asked_for", supplier=supplier.slug, levels=len(chosen), first=astuple(chosen[0]))
