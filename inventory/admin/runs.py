"""What runs by itself: snapshots, and the effects that are due."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from unfold.decorators import display

from inventory import operations
from inventory.admin.pages import (
    ReadOnlyAdmin,
    Table,
    age,
    chosen,
    link,
    link_to,
    log,
    reference_link,
    seconds_since,
    supplier_link,
    told,
)
from inventory.models import Allocation, Effect, Snapshot

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
        "at",
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
        ("Evidence", {"fields": ("shown_evidence", "shown_cursor")}),
    )
    readonly_fields = ("progress", "took", "shown_status", "shown_evidence", "shown_cursor", "started_at")

    @display(description="Supplier", ordering="supplier")
    def at(self, snapshot: Snapshot) -> str:
        return supplier_link(snapshot)

    @display(description="Evidence")
    def shown_evidence(self, snapshot: Snapshot) -> str:
        return told(snapshot.evidence)

    @display(description="Where a resumed run goes on")
    def shown_cursor(self, snapshot: Snapshot) -> str:
        return told(snapshot.cursor)

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


def promises_table(allocations: QuerySet[Allocation]) -> Table:
    """What was promised under one reference, and how far upstream is with it."""
    rows = [
        (
            link(row.sku),
            link(row.level.supplier, row.level.supplier.slug),
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
            "failed": Q(done_at=None, attempts__gt=0) & ~Q(error=""),
            "done": Q(done_at__isnull=False),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


@admin.register(Effect)
class EffectAdmin(ReadOnlyAdmin):
    list_display = ("id", "kind", "at", "what", "shown_state", "due", "attempts", "reason", "error")
    list_filter = (DueFilter, "kind", "supplier")
    list_select_related = ("supplier",)
    ordering = ("-id",)
    search_fields = ("=target",)
    search_help_text = "A whole SKU, level id or order number"
    readonly_fields = ("shown_state", "created_at", "what")
    fieldsets = (
        (None, {"fields": (("kind", "supplier", "what"), ("shown_state", "attempts"), "reason", "error")}),
        (None, {"fields": (("created_at", "due_at"), ("leased_until", "done_at"))}),
    )
    actions = ("run_now",)

    @display(description="Supplier", ordering="supplier")
    def at(self, effect: Effect) -> str:
        return supplier_link(effect)

    @display(description="Target", ordering="target")
    def what(self, effect: Effect) -> str:
        """What it is about, with a way there."""
        if effect.kind == Effect.Kind.SYNC or (effect.kind == Effect.Kind.RETRUST and effect.target):
            return link_to("inventory_stocklevel", effect.target, f"level {effect.target}")
        if effect.kind == Effect.Kind.ALERT:
            return link_to("inventory_alert", effect.target, f"alert {effect.target}")
        if effect.kind == Effect.Kind.PUSH:
            return link_to("inventory_push", effect.target, f"push {effect.target}")
        if effect.kind in (Effect.Kind.CONFIRM, Effect.Kind.CANCEL, Effect.Kind.FOLLOW):
            return reference_link(effect.target)
        return effect.target or "–"

    @display(description="Due", ordering="due_at")
    def due(self, effect: Effect) -> str:
        left = -int(seconds_since(effect.due_at))
        return f"in {left} s" if left > 0 else f"{age(effect.due_at)} ago"

    @display(description="State", label={"done": "success", "at work": "info", "due": "warning", "failed": "danger"})
    def shown_state(self, effect: Effect) -> str:
        now = datetime.now(UTC)
        if effect.done_at:
            return "done"
        if effect.leased_until and effect.leased_until > now:
            return "at work"
        if effect.error and effect.attempts:  # untried, it only says what it waits for
            return "failed"
        return "due" if effect.due_at <= now else "waiting"

    @admin.action(description="Run now", permissions=["act"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[Effect]) -> None:
        rows = chosen(request, queryset)
        count = operations.run_now([row.pk for row in rows])
        log(request, rows, "Asked for it to be run now.")
        messages.success(request, f"{count} will run now.")
