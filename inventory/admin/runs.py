"""What runs by itself: snapshots, the effects that are due, and what they found out of step."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget

from inventory import attempts, operations
from inventory.admin.pages import ReadOnlyAdmin, Table, TablesAdmin, age, chosen, link, log, seconds_since
from inventory.models import Allocation, Discrepancy, Effect, Snapshot
from suppliers.admin import close_dialog

SNAPSHOT_LABELS = {
    "running": "info",
    "stalled": "warning",
    "applied": "success",
    "refused": "danger",
    "failed": "warning",
}


def status_of(snapshot: Snapshot) -> str:
    """The status as people should see it: `stalled` is a running one whose worker is gone."""
    lost = snapshot.lease_until is not None and seconds_since(snapshot.lease_until) > 0
    return "stalled" if snapshot.status == Snapshot.Status.RUNNING and lost else snapshot.status


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "supplier",
        "kind",
        "shown_status",
        "progress",
        "changed",
        "missing",
        "rejected",
        "began",
        "took",
        "reason",
    )
    list_filter = ("status", "kind", "supplier")
    list_select_related = ("supplier",)
    ordering = ("-id",)
    fieldsets = (
        (None, {"fields": (("supplier", "kind", "shown_status"), ("progress", "took", "actor"), "reason")}),
        ("Rows", {"fields": (("total", "seen", "changed", "missing", "rejected", "pages"),)}),
        (
            "Times",
            {
                "fields": (
                    ("started_at", "first_requested_at"),
                    ("last_requested_at", "finished_at", "lease_until"),
                )
            },
        ),
        ("Evidence", {"fields": ("evidence", "cursor")}),
    )

    @display(description="Status", ordering="status", label=SNAPSHOT_LABELS)
    def shown_status(self, snapshot: Snapshot) -> str:
        return status_of(snapshot)

    @display(description="Seen")
    def progress(self, snapshot: Snapshot) -> str:
        if not snapshot.total or snapshot.seen == snapshot.total:
            return f"{snapshot.seen:,}"
        return f"{snapshot.seen:,} of {snapshot.total:,} ({100 * snapshot.seen // snapshot.total} %)"

    @display(description="Began", ordering="id")
    def began(self, snapshot: Snapshot) -> str:
        return f"{age(snapshot.started_at)} ago"

    @display(description="Took")
    def took(self, snapshot: Snapshot) -> str:
        if snapshot.finished_at is None:
            return "–"
        return f"{(snapshot.finished_at - snapshot.started_at).total_seconds():.1f} s"


STATE_LABELS = {"open": "danger", "acknowledged": "warning", "resolved": "success"}


class ResolutionForm(BaseDialogForm):
    resolution = forms.CharField(
        label="What settles it?", max_length=300, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )


@admin.register(Discrepancy)
class DiscrepancyAdmin(TablesAdmin, ReadOnlyAdmin):
    list_display = ("id", "kind", "shown_state", "supplier", "level", "reference", "times", "last_seen", "resolution")
    list_filter = ("state", "kind", "supplier")
    list_select_related = ("supplier", "level__supplier")
    ordering = ("-id",)
    search_fields = ("=reference",)
    search_help_text = "A whole order number or reservation"
    actions = ("acknowledge", "reconcile_again")
    actions_detail = ("resolve",)
    readonly_fields = ("shown_state", "opened_at")
    fieldsets = (
        (None, {"fields": (("kind", "shown_state", "supplier"), ("level", "reference", "times"))}),
        (None, {"fields": (("opened_at", "seen_at"), ("acknowledged_at", "acknowledged_by"))}),
        (None, {"fields": (("resolved_at", "resolved_by"), "resolution", "evidence")}),
    )

    def tables(self, request: HttpRequest, obj: Discrepancy) -> list[Table]:
        if not obj.reference:
            return []
        reference = attempts.split(obj.reference)[0]
        rows = Allocation.objects.filter(reference=reference).select_related("sku", "level__supplier")
        return [promises_table(rows)]

    @display(description="State", ordering="state", label=STATE_LABELS)
    def shown_state(self, discrepancy: Discrepancy) -> str:
        acknowledged = discrepancy.acknowledged_at and discrepancy.state == Discrepancy.State.OPEN
        return "acknowledged" if acknowledged else discrepancy.state

    @display(description="Last seen", ordering="seen_at")
    def last_seen(self, discrepancy: Discrepancy) -> str:
        return f"{age(discrepancy.seen_at)} ago"

    @admin.action(description="Acknowledge: somebody is at it", permissions=["act"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[Discrepancy]) -> None:
        rows = chosen(request, queryset)
        count = operations.acknowledge([row.pk for row in rows], actor=request.user.get_username())
        log(request, rows, "Acknowledged.")
        messages.success(request, f"Acknowledged: {count}. They are not escalated.")

    @admin.action(description="Reconcile again", permissions=["act"])
    def reconcile_again(self, request: HttpRequest, queryset: QuerySet[Discrepancy]) -> None:
        rows = chosen(request, queryset)
        count = operations.reconcile(row.reference for row in rows if row.reference)
        count += operations.sync([row.level_id for row in rows if row.level_id])
        log(request, rows, "Asked for it to be reconciled again.")
        messages.success(request, f"Reads and questions to suppliers that are due now: {count}.")

    @action(
        description="Resolve",
        permissions=["act"],
        url_path="resolve",
        icon="task_alt",
        dialog={
            "title": "Resolve",
            "description": "Closes it for now: if it is still so at the next look, it opens again.",
            "form_class": ResolutionForm,
            "form_submit_text": "Resolve",
        },
    )
    def resolve(self, request: HttpRequest, form: ResolutionForm, object_id: str) -> HttpResponse:
        resolution = form.cleaned_data["resolution"]
        discrepancy = self.get_object(request, object_id)
        if discrepancy and operations.resolve(discrepancy.pk, resolution=resolution, actor=request.user.get_username()):
            self.log_change(request, discrepancy, f"Resolved: {resolution}")
            messages.success(request, "Resolved.")
        else:
            messages.info(request, "It is not open any more.")
        return close_dialog(reverse("admin:inventory_discrepancy_change", args=[object_id]))


def promises_table(allocations: QuerySet[Allocation]) -> Table:
    """What was promised under one reference, and how far upstream is with it."""
    rows = [
        (
            link(row.sku),
            row.level.supplier,
            link(row.level, row.level.external_id),
            row.quantity,
            link(row, row.state if not row.at_risk else f"{row.state}, {row.at_risk} at risk"),
            row.upstream_order or "–",
            row.confirmed_at or "–",
            row.detail or "–",
        )
        for row in allocations[:200]
    ]
    headers = ("SKU", "Supplier", "Level", "Quantity", "State", "Upstream order", "Confirmed", "Detail")
    return Table("Promised", headers, rows)


class DueFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("due", "due"), ("waiting", "waiting"), ("failed", "failed before"), ("done", "done")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Effect]) -> QuerySet[Effect]:
        conditions = {
            "due": Q(done_at=None, due_at__lte=Now()),
            "waiting": Q(done_at=None, due_at__gt=Now()),
            "failed": Q(done_at=None) & ~Q(error=""),
            "done": Q(done_at__isnull=False),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


@admin.register(Effect)
class EffectAdmin(ReadOnlyAdmin):
    list_display = ("id", "kind", "supplier", "target", "shown_state", "due_at", "attempts", "reason", "error")
    list_filter = (DueFilter, "kind", "supplier")
    list_select_related = ("supplier",)
    ordering = ("-id",)
    search_fields = ("=target",)
    search_help_text = "A whole SKU, level id or order number"
    readonly_fields = ("shown_state", "created_at")
    fieldsets = (
        (None, {"fields": (("kind", "supplier", "target"), ("shown_state", "attempts"), "reason", "error")}),
        (None, {"fields": (("created_at", "due_at"), ("leased_until", "done_at"))}),
    )
    actions = ("run_now",)

    @display(description="State", label={"done": "success", "at work": "info", "due": "warning", "failed": "danger"})
    def shown_state(self, effect: Effect) -> str:
        now = datetime.now(UTC)
        if effect.done_at:
            return "done"
        if effect.leased_until and effect.leased_until > now:
            return "at work"
        if effect.error:
            return "failed"
        return "due" if effect.due_at <= now else "waiting"

    @admin.action(description="Run now", permissions=["act"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[Effect]) -> None:
        rows = chosen(request, queryset)
        count = operations.run_now([row.pk for row in rows])
        log(request, rows, "Asked for it to be run now.")
        messages.success(request, f"{count} will run now.")
