"""What needs a person now.  Each number is bounded by an index or a limit: it stops at `MOST`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, Q, QuerySet
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.html import format_html

from inventory.admin.pages import Table, age, link, reference_link
from inventory.admin.suppliers import is_stale
from inventory.admin.words import DISCREPANCIES, NO_ORDER
from inventory.models import Alert, Allocation, Discrepancy, Effect, SalesEvent
from suppliers.models import Supplier

OVERDUE = timedelta(seconds=30)  # beyond this the sweep is late, or the supplier does not take it
MOST = 1_000  # counts stop here: "1,000+" is bad enough
NEWEST = 10
OPEN = "?state__exact=open"


@dataclass(frozen=True, slots=True)
class Tile:
    """One number, and whether it calls for somebody."""

    title: str
    value: str
    note: str = ""
    alarm: bool = False
    url: str = ""


def tiles(suppliers: Iterable[Supplier]) -> list[Tile]:
    """suppliers: those that the page shows."""
    return [
        _at_risk(),
        _discrepancies(),
        _inflation(),
        _quarantine(),
        _late(suppliers),
        _by_hand(),
        _overdue(),
        _failed_alerts(),
        _events(),
    ]


def _at_risk() -> Tile:
    waiting = Allocation.objects.filter(at_risk__gt=0).values("reference").order_by("reference").distinct()[:MOST]
    return _tile("Orders at risk", waiting, "a supplier does not deliver", "orders_order", "?at_risk=yes")


def _discrepancies() -> Tile:
    found = _open().values("pk")[:MOST]
    return _tile("Open discrepancies", found, "we and a supplier disagree", "inventory_discrepancy", OPEN)


def _inflation() -> Tile:
    found = _open().filter(kind=Discrepancy.Kind.INFLATION).select_related("supplier")[:MOST]
    slugs = [one.supplier.slug for one in found]
    note = ", ".join(slugs[:2]) + (" …" if len(slugs) > 2 else "")  # noqa: PLR2004
    url = reverse("admin:inventory_discrepancy_changelist") + f"{OPEN}&kind__exact=inflation"
    return Tile("Suppliers that inflate", f"{len(slugs)}", note or "no catalogue rose at once", bool(slugs), url)


def _quarantine() -> Tile:
    found = _open().filter(kind=Discrepancy.Kind.QUARANTINE).values("pk")[:MOST]
    query = f"{OPEN}&kind__exact=quarantine"
    return _tile("In quarantine", found, "numbers that rose too much", "inventory_discrepancy", query)


def _late(suppliers: Iterable[Supplier]) -> Tile:
    late = [supplier for supplier in suppliers if supplier.enabled and is_stale(supplier)]
    note = ", ".join(supplier.slug for supplier in late[:2]) + (" …" if len(late) > 2 else "")  # noqa: PLR2004
    url = reverse("admin:suppliers_supplier_changelist")
    return Tile("Late suppliers", f"{len(late)}", note or "every catalogue is fresh", bool(late), url)


def _by_hand() -> Tile:
    found = Allocation.objects.filter(state=Allocation.State.COMMITTED, by_hand=True).values("pk")[:MOST]
    return _tile("To order by hand", found, "suppliers that cannot be told", "inventory_allocation", "?todo=order")


def _overdue() -> Tile:
    found = Effect.objects.filter(done_at=None, due_at__lt=Now() - OVERDUE).values("pk")[:MOST]
    return _tile("Overdue effects", found, f"due for more than {OVERDUE.seconds} s", "inventory_effect", "?state=due")


def _failed_alerts() -> Tile:
    newest = Alert.objects.filter(pk__in=Alert.objects.order_by("-id").values("pk")[:MOST])
    found = newest.filter(Q(given_up_at__isnull=False) | ~Q(error=""), delivered_at=None).values("pk")
    return _tile("Failed alerts", found, f"of the newest {MOST:,}", "inventory_alert", "?state=failed")


def _events() -> Tile:
    running = SalesEvent.objects.filter(switched_on=True, starts_at__lte=Now(), ends_at__gt=Now())
    found = list(running.order_by("ends_at")[:NEWEST])
    note = f"{found[0]} until {found[0].ends_at:%d %b %H:%M} UTC" if found else "no sales event runs"
    url = reverse("admin:inventory_salesevent_changelist")
    return Tile("Running events", f"{len(found)}", note, url=url)


def _tile(title: str, rows: QuerySet[Any, Any], note: str, page: str, query: str) -> Tile:
    count = rows.count()
    value = f"{count:,}{'+' if count == MOST else ''}"
    return Tile(title, value, note, bool(count), reverse(f"admin:{page}_changelist") + query)


def _open() -> QuerySet[Discrepancy]:
    return Discrepancy.objects.filter(state=Discrepancy.State.OPEN)


def by_kind_table() -> Table:
    """Open discrepancies by kind, the most first, with what to do."""
    listing = reverse("admin:inventory_discrepancy_changelist")
    counted = (
        Discrepancy.objects.filter(pk__in=_open().order_by("-id").values("pk")[:MOST])
        .values("kind")
        .annotate(open=Count("pk"), seen_by=Count("acknowledged_at"), oldest=Min("opened_at"))
        .order_by("-open", "kind")
    )
    rows = [
        (
            format_html(
                '<a class="text-link" href="{}{}&kind__exact={}">{}</a>',
                *(listing, OPEN, row["kind"], Discrepancy.Kind(row["kind"]).label),
            ),
            row["open"],
            row["seen_by"] or "–",
            _ago(row["oldest"]),
            " ".join(DISCREPANCIES[row["kind"]]),
        )
        for row in counted
    ]
    headers = ("Kind", "Open", "Acknowledged", "Oldest", "What it means, and what to do")
    return Table("Open discrepancies by kind", headers, rows, "" if rows else "None: we and all suppliers agree.")


def newest_table() -> Table:
    rows = [
        (
            link(row, row.get_kind_display()),
            link(row.supplier),
            link(row.level, row.level.external_id) if row.level else "–",
            "–" if row.kind in NO_ORDER else reference_link(row.reference),
            row.times,
            _ago(row.seen_at),
        )
        for row in _open().select_related("supplier", "level").order_by("-id")[:NEWEST]
    ]
    headers = ("Kind", "Supplier", "Level", "Order", "Times", "Last seen")
    return Table("The newest of them", headers, rows)


def _ago(moment: datetime) -> str:
    return f"{age(moment)} ago"
