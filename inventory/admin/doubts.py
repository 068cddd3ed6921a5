"""Numbers that are not believed: of which supplier, how many, since when, and what says so."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, Max, Q, QuerySet
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from inventory.admin.pages import Table, age, label, link
from inventory.models import Discrepancy
from suppliers.models import Supplier

KINDS = (Discrepancy.Kind.QUARANTINE, Discrepancy.Kind.INFLATION)


def is_doubted(supplier_id: int) -> bool:
    return _open([supplier_id]).exists()


def doubts_table(supplier: Supplier) -> list[Table]:
    """What is not believed of it just now; no table where all is."""
    waiting = _open([supplier.pk]).filter(kind=Discrepancy.Kind.QUARANTINE).count()
    inflation = _open([supplier.pk]).filter(kind=Discrepancy.Kind.INFLATION).first()
    if not waiting and inflation is None:
        return []
    evidence: dict[str, Any] = inflation.evidence if inflation else {}
    rose = f"{evidence['jumped']} of the {evidence['in_stock']} in stock" if evidence else "some by themselves"
    row = (
        link(inflation, f"inflation, for {age(inflation.opened_at)}") if inflation else "–",
        rose,
        _rises(evidence.get("rises", [])),
        quarantine_link(supplier.pk, f"{waiting:,} in quarantine"),
        "a person, or a whole snapshot that does not say so" if inflation else "a repeat beside others, or a person",
    )
    headers = ("Discrepancy", "Rose at once", "For example", "Levels", "Believed by")
    note = "The numbers from before stand, and are sold. Is it true? Then believe all its numbers, above."
    return [Table("Not believed", headers, [row], note)]


def doubts_by_supplier(suppliers: Iterable[Supplier]) -> dict[int, SafeString]:
    """Supplier id → what of it is not believed, with a way there."""
    counted = (
        _open([supplier.pk for supplier in suppliers])
        .values("supplier_id")
        .annotate(
            waiting=Count("pk", filter=Q(kind=Discrepancy.Kind.QUARANTINE)),
            inflation=Max("pk", filter=Q(kind=Discrepancy.Kind.INFLATION)),
        )
    )
    return {row["supplier_id"]: _told(**row) for row in counted}


def quarantine_link(supplier_id: int, text: str) -> SafeString:
    url = reverse("admin:inventory_stocklevel_changelist")
    query = f"state=quarantined&supplier__id__exact={supplier_id}"
    return format_html('<a class="text-link" href="{}?{}">{}</a>', url, query, text)


def _told(supplier_id: int, waiting: int, inflation: int | None) -> SafeString:
    levels = quarantine_link(supplier_id, f"{waiting:,} in quarantine")
    return format_html("{} {}", label("inflates", "danger"), levels) if inflation else levels


def _rises(rises: Iterable[dict[str, Any]]) -> SafeString | str:
    told = ((one["code"] or one["uid"], one["trusted"], one["reported"]) for one in rises)
    return format_html_join(", ", "{}: {} → {}", told) or "–"


def _open(supplier_ids: list[int]) -> QuerySet[Discrepancy]:
    return Discrepancy.objects.filter(kind__in=KINDS, supplier__in=supplier_ids, state=Discrepancy.State.OPEN)
