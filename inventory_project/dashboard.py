"""What ops must see first.  Every query is bounded: by an index, by a limit, or by its time."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Now, TruncMinute
from django.db.utils import OperationalError
from django.http import HttpRequest
from django.urls import reverse

from inventory.admin.doubts import doubts_by_supplier
from inventory.admin.pages import Table, label, link
from inventory.admin.runs import SNAPSHOT_LABELS, status_of
from inventory.admin.suppliers import freshness, is_stale
from inventory.models import Sku, Snapshot
from inventory.positions import READ_AT, SKUS_AND_LEVELS
from inventory.terms import LOTS
from inventory_project import attention
from inventory_project.attention import Tile
from orders.models import Order
from suppliers.models import Supplier, Switchboard

MOST_SUPPLIERS = 50
COUNT_WITHIN = 1_000  # milliseconds

# The same rule as inventory.positions, over all active SKUs at once; but for lots beside safety stock.
_STATUS_COUNTS = f"""
WITH free AS (
    SELECT sku.id, sku.stop_selling OR COALESCE(board.stop_selling, false) AS stop_selling,
           sku.splittable, sku.safety_stock, sku.low_stock_threshold, ARRAY[{LOTS}] AS lots,
           CASE WHEN supplier.enabled AND NOT supplier.stop_selling AND level.reported IS NOT NULL
                     AND ({READ_AT}) IS NOT NULL
                     AND (supplier.expire_after_seconds IS NULL
                          OR ({READ_AT}) + supplier.expire_after_seconds * interval '1 second' > now())
                     AND caution.stop_selling IS NOT TRUE
                THEN GREATEST(0, LEAST(level.sellable, CASE
                    WHEN ({READ_AT}) + supplier.stale_after_seconds * interval '1 second' <= now()
                    THEN supplier.stale_cap END) - level.allocated - COALESCE(caution.units, 0)
                    - ceil(COALESCE(caution.share, 0) * level.sellable)::int) ELSE 0 END AS units
    {SKUS_AND_LEVELS}
    WHERE sku.active
), orderable AS (
    SELECT *, CASE WHEN units - units % lots[1] >= lots[2] THEN units - units % lots[1] ELSE 0 END AS within FROM free
), skus AS (
    SELECT low_stock_threshold, CASE WHEN stop_selling THEN 0 ELSE GREATEST(
        0, CASE WHEN splittable THEN sum(within) ELSE max(within) END - safety_stock) END AS available
    FROM orderable GROUP BY id, stop_selling, splittable, safety_stock, low_stock_threshold
)
SELECT count(*), count(*) FILTER (WHERE available = 0),
       count(*) FILTER (WHERE available > 0 AND available <= low_stock_threshold)
FROM skus
"""


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add what the first page shows.  Who may not see suppliers and stock sees none of it."""
    if request.user.has_perms(["suppliers.view_supplier", "inventory.view_stocklevel", "orders.view_order"]):
        counts, suppliers = orders_per_minute(), shown_suppliers()
        context |= {
            "everything_stopped": Switchboard.objects.filter(stop_selling=True).exists(),
            "groups": [
                ("What needs a person", attention.tiles(suppliers)),
                ("What is sold", [*stock_tiles(), orders_tile(counts)]),
            ],
            "tables": [attention.by_kind_table(), attention.newest_table(), suppliers_table(suppliers)],
            "orders_chart": chart(counts),
        }
    return context


def shown_suppliers() -> list[Any]:
    """With the id of the newest full snapshot of each."""
    newest = Snapshot.objects.filter(supplier=OuterRef("pk"), kind=Snapshot.Kind.FULL).order_by("-id").values("pk")[:1]
    return list(Supplier.objects.select_related("feed").annotate(newest=Subquery(newest))[:MOST_SUPPLIERS])


def suppliers_table(suppliers: list[Any]) -> Table:
    snapshots = Snapshot.objects.in_bulk([supplier.newest for supplier in suppliers if supplier.newest])
    # What calls for somebody stands above what goes well.
    doubts, rows = doubts_by_supplier(suppliers), []
    for supplier in sorted(suppliers, key=lambda supplier: (not is_stale(supplier), supplier.pk not in doubts)):
        snapshot = snapshots.get(supplier.newest) if supplier.newest else None
        state = _selling(supplier), doubts.get(supplier.pk, "–"), freshness(supplier)
        rows.append((link(supplier), *state, *_snapshot_cells(snapshot)))
    note = f"The first {MOST_SUPPLIERS}." if len(suppliers) == MOST_SUPPLIERS else ""
    headers = ("Supplier", "Selling", "Not believed", "Catalogue", "Last snapshot", "Seen", "Reason")
    return Table("Suppliers", headers, rows, note)


def _selling(supplier: Supplier) -> str:
    if not supplier.enabled:
        return label("disabled", "warning")
    return label("stopped", "danger") if supplier.stop_selling else label("yes", "success")


def _snapshot_cells(snapshot: Snapshot | None) -> tuple[str, str, str]:
    if snapshot is None:
        return "–", "–", "–"
    seen = f"{snapshot.seen:,}" + (f" of {snapshot.total:,}" if snapshot.total else "")
    return label(status_of(snapshot), SNAPSHOT_LABELS[status_of(snapshot)]), seen, snapshot.reason or "–"


def stock_tiles() -> list[Tile]:
    """Counted over all SKUs, if the database can do it in time: no page waits for a number of interest."""
    url = reverse("admin:inventory_sku_changelist")
    counts = status_counts()
    if counts is None:
        return [
            Tile("SKUs", f"{Sku.objects.filter(active=True).count():,}", "too many to count those in stock", url=url)
        ]
    active, out, low = counts
    return [
        Tile("Active SKUs", f"{active:,}", "known to storefronts", url=url),
        Tile("Out of stock", f"{out:,}", "nothing can be sold", url=url),
        Tile("Low in stock", f"{low:,}", "at or below the threshold", url=url),
    ]


def status_counts() -> tuple[int, int, int] | None:
    """Active SKUs, those with 0 available, and those with few; None if counting takes too long."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {COUNT_WITHIN}")
            cursor.execute(_STATUS_COUNTS)
            active, out, low = cursor.fetchone()
            cursor.execute("SET LOCAL statement_timeout TO DEFAULT")
            return active, out, low
    except OperationalError:  # cancelled by the timeout
        return None


def orders_per_minute() -> dict[datetime, int]:
    """Minute → orders placed in it, for the last hour."""
    rows = (
        Order.objects.filter(placed_at__gte=Now() - timedelta(hours=1))
        .annotate(minute=TruncMinute("placed_at"))
        .values("minute")
        .order_by("minute")
        .annotate(orders=Count("pk"))
    )
    return {row["minute"]: row["orders"] for row in rows}


def orders_tile(counts: dict[datetime, int]) -> Tile:
    return Tile("Orders", f"{sum(counts.values()):,}", "in the last hour", url=reverse("admin:orders_order_changelist"))


def chart(counts: dict[datetime, int]) -> str:
    """Bars for the chart component, one a minute."""
    last = datetime.now(UTC).replace(second=0, microsecond=0)
    minutes = [last - timedelta(minutes=ago) for ago in range(59, -1, -1)]
    found = Counter(counts)
    return json.dumps(
        {
            "labels": [f"{minute:%H:%M}" for minute in minutes],
            "datasets": [
                {
                    "label": "Orders a minute",
                    "data": [found[minute] for minute in minutes],
                    "backgroundColor": "var(--color-primary-600)",
                    "displayYAxis": True,
                    "maxTicksXLimit": 12,
                }
            ],
        }
    )
