"""The supplier's page, with what the inventory knows of it: how fresh its catalogue is, and how its snapshots went."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from inventory import operations
from inventory.admin.doubts import doubts_table, is_doubted
from inventory.admin.lag import lag_tables
from inventory.admin.learning import learned_tables
from inventory.admin.levels import ReasonForm
from inventory.admin.pages import Table, TablesAdmin, age, label, link, origin, seconds_since
from inventory.admin.pushes import is_pushing, pushes_table
from inventory.admin.runs import SNAPSHOT_LABELS, status_of
from inventory.models import Feed, Snapshot
from suppliers.admin import SupplierAdmin
from suppliers.dialogs import close_dialog
from suppliers.models import Supplier

admin.site.unregister(Supplier)


@admin.register(Supplier)
class StockedSupplierAdmin(TablesAdmin, SupplierAdmin):
    list_display = (*SupplierAdmin.list_display, "rows", "fresh")
    list_select_related = ("feed",)
    actions_detail = (*SupplierAdmin.actions_detail, "believe_all")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Nothing to believe where no number waits."""
        found = super().get_actions_detail(request, object_id)
        return [one for one in found if one.method.__name__ != "believe_all" or is_doubted(int(object_id))]

    @action(
        description="Believe all its numbers",
        permissions=["operate"],
        url_path="believe-all",
        icon="verified",
        dialog={
            "title": "Believe all its numbers",
            "description": "Takes in what waits in quarantine, and the next whole snapshot as it is: all of it can be"
            " sold at once. To keep doubting, do nothing, or acknowledge the discrepancy.",
            "form_class": ReasonForm,
            "form_submit_text": "Believe them",
        },
    )
    def believe_all(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        supplier, reason = self._found(request, object_id), form.cleaned_data["reason"]
        count = operations.believe_all(supplier.pk, reason=reason, origin=origin(request))
        self.log_change(request, supplier, f"Believed all its numbers, {count} of which waited: {reason}")
        messages.success(request, f"Taken in: {count} numbers. The next whole snapshot is taken as it is.")
        return close_dialog(reverse("admin:suppliers_supplier_change", args=[supplier.pk]))

    def tables(self, request: HttpRequest, obj: Supplier) -> list[Table]:
        return [
            *doubts_table(obj),
            catalogue_table(obj),
            *lag_tables(obj),
            *learned_tables(obj),
            snapshots_table(obj),
            *([pushes_table(obj)] if is_pushing(obj) else []),
        ]

    @display(description="Rows")
    def rows(self, supplier: Supplier) -> str:
        feed = feed_of(supplier)
        return f"{feed.rows:,}" if feed else "–"

    @display(description="Catalogue as of")
    def fresh(self, supplier: Supplier) -> str:
        return freshness(supplier)


def feed_of(supplier: Supplier) -> Feed | None:
    """How new its catalogue is; None before its first snapshot."""
    feed: Feed | None = getattr(supplier, "feed", None)
    return feed


def is_stale(supplier: Supplier) -> bool:
    """Whether the catalogue as a whole is older than the policy allows without a mark."""
    feed = feed_of(supplier)
    if feed is None or feed.complete_as_of is None:
        return True
    return seconds_since(feed.complete_as_of) >= supplier.stale_after_seconds


def freshness(supplier: Supplier) -> str:
    """The age of the catalogue, coloured."""
    feed = feed_of(supplier)
    if feed is None or feed.complete_as_of is None:
        return label("never read", "danger")
    text = f"{age(feed.complete_as_of)} ago"
    return label(f"{text}, stale", "warning") if is_stale(supplier) else label(text, "success")


def catalogue_table(supplier: Supplier) -> Table:
    feed = feed_of(supplier)
    open_ones = supplier.discrepancies.filter(state="open").count()
    ways = (
        _listing("stocklevel", f"supplier__id__exact={supplier.pk}", f"{feed.rows:,} rows" if feed else "none yet"),
        _listing("discrepancy", f"state__exact=open&supplier__id__exact={supplier.pk}", f"{open_ones:,} open"),
        _listing("allocation", f"level__supplier__id__exact={supplier.pk}", "promised units"),
    )
    return Table("Catalogue", ("As of", "Stock levels", "Discrepancies", "Allocations"), [(freshness(supplier), *ways)])


def _listing(model: str, query: str, text: str) -> SafeString:
    url = reverse(f"admin:inventory_{model}_changelist")
    return format_html('<a class="text-link" href="{}?{}">{}</a>', url, query, text)


def snapshots_table(supplier: Supplier) -> Table:
    newest = Snapshot.objects.filter(supplier=supplier, kind=Snapshot.Kind.FULL).order_by("-id")[:10]
    rows = [
        (
            link(row, row.pk),
            label(status_of(row), SNAPSHOT_LABELS[status_of(row)]),
            f"{age(row.started_at)} ago",
            f"{row.seen:,}" if row.total is None else f"{row.seen:,} of {row.total:,}",
            f"{row.changed:,}",
            row.reason or "–",
        )
        for row in newest
    ]
    return Table("Full snapshots", ("Snapshot", "Status", "Began", "Seen", "Changed", "Reason"), rows)
