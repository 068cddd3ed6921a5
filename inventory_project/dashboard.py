"""What ops must see first.  Every query is bounded: by an index, by a limit, or by its time."""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Now, TruncMinute
from django.db.utils import OperationalError
from django.http import HttpRequest
from django.urls import reverse

from inventory.admin.pages import Table, age, label, link
from inventory.admin.runs import SNAPSHOT_LABELS, status_of
from inventory.admin.suppliers import freshness, is_stale
from inventory.models import Discrepancy, Effect, Sku, Snapshot
from inventory.positions import READ_AT, SKUS_AND_LEVELS
from inventory.terms import LOTS
from orders.models import Order
from suppliers.models import Supplier, Switchboard

OVERDUE = timedelta(seconds=30)  # beyond this the sweep is late, or the supplier does not take it
MOST = 1_000  # counts stop here: "1,000+" is bad enough
MOST_SUPPLIERS = 50
NEWEST = 10
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


@dataclass(frozen=True, slots=True)
class Tile:
    """One number, and whether it calls for somebody."""

    title: str
    value: str
    note: str = ""
    alarm: bool = False
    url: str = ""


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add what the first page shows.  Who may not see suppliers and stock sees none of it."""
    if request.user.has_perms(["suppliers.view_supplier", "inventory.view_stocklevel", "orders.view_order"]):
        counts = orders_per_minute()
        context |= {
            "everything_stopped": Switchboard.objects.filter(stop_selling=True).exists(),
            "tiles": [*stock_tiles(), discrepancy_tile(), quarantine_tile(), overdue_tile(), orders_tile(counts)],
            "suppliers": suppliers_table(),
            "discrepancies": discrepancies_table(),
            "orders_chart": chart(counts),
        }
    return context


def suppliers_table() -> Table:
    newest = Snapshot.objects.filter(supplier=OuterRef("pk"), kind=Snapshot.Kind.FULL).order_by("-id").values("pk")[:1]
    suppliers = list(Supplier.objects.select_related("feed").annotate(newest=Subquery(newest))[:MOST_SUPPLIERS])
    snapshots = Snapshot.objects.in_bulk([supplier.newest for supplier in suppliers if supplier.newest])
    # What calls for somebody stands above what goes well.
    suppliers.sort(key=lambda supplier: not is_stale(supplier))
    rows = []
    for supplier in suppliers:
        snapshot = snapshots.get(supplier.newest) if supplier.newest else None
        rows.append((link(supplier), _selling(supplier), freshness(supplier), *_snapshot_cells(snapshot)))
    note = f"The first {MOST_SUPPLIERS}." if len(suppliers) == MOST_SUPPLIERS else ""
    return Table("Suppliers", ("Supplier", "Selling", "Catalogue", "Last snapshot", "Seen", "Reason"), rows, note)


def _selling(supplier: Supplier) -> str:
    if not supplier.enabled:
        return label("disabled", "warning")
    return label("stopped", "danger") if supplier.stop_selling else label("yes", "success")


def _snapshot_cells(snapshot: Snapshot | None) -> tuple[str, str, str]:
    if snapshot is None:
        return "–", "–", "–"
    seen = f"{snapshot.seen:,}" + (f" of {snapshot.total:,}" if snapshot.total else "")
    return label(status_of(snapshot), SNAPSHOT_LABELS[status_of(snapshot)]), seen, snapshot.reason or "–"


def discrepancies_table() -> Table:
    newest = Discrepancy.objects.filter(state="open").select_related("supplier", "level").order_by("-id")[:NEWEST]
    rows = [
        (
            link(row, row.get_kind_display()),
            row.supplier,
            link(row.level, row.level.external_id) if row.level else "–",
            row.reference or "–",
            row.times,
            f"{age(row.seen_at)} ago",
        )
        for row in newest
    ]
    headers = ("Kind", "Supplier", "Level", "Reference", "Times", "Last seen")
    return Table("Open discrepancies, newest first", headers, rows)


def discrepancy_tile() -> Tile:
    count = Discrepancy.objects.filter(pk__in=Discrepancy.objects.filter(state="open").values("pk")[:MOST]).count()
    url = reverse("admin:inventory_discrepancy_changelist") + "?state__exact=open"
    return Tile("Open discrepancies", _at_most(count), "we and a supplier disagree", bool(count), url)


def quarantine_tile() -> Tile:
    waiting = Discrepancy.objects.filter(state="open", kind=Discrepancy.Kind.QUARANTINE).values("pk")[:MOST]
    count = Discrepancy.objects.filter(pk__in=waiting).count()
    url = reverse("admin:inventory_discrepancy_changelist") + "?state__exact=open&kind__exact=quarantine"
    return Tile("In quarantine", _at_most(count), "numbers that rose too much", bool(count), url)


def overdue_tile() -> Tile:
    overdue = Effect.objects.filter(done_at=None, due_at__lt=Now() - OVERDUE).values("pk")[:MOST]
    count = Effect.objects.filter(pk__in=overdue).count()
    url = reverse("admin:inventory_effect_changelist") + "?state=due"
    return Tile("Overdue effects", _at_most(count), f"due for more than {OVERDUE.seconds} s", bool(count), url)


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


def _at_most(count: int) -> str:
    return f"{MOST:,}+" if count >= MOST else f"{count:,}"
