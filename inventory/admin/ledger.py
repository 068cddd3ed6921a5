"""Promises and movements: what the service wrote, for people to read."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import display

from inventory import operations
from inventory.admin import marking
from inventory.admin.pages import ReadOnlyAdmin, age, chosen, link, log, reference_link, span, supplier_link
from inventory.marks import Said
from inventory.models import Allocation, StockMovement

ALLOCATION_LABELS = {
    "held": "info",
    "committed": "warning",
    "sending": "warning",
    "confirmed": "info",
    "settled": "success",
    "lost": "danger",
}


class ByHandFilter(admin.SimpleListFilter):
    title = "to do"
    parameter_name = "todo"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("order", "to be ordered by hand"), ("count", "taken there, not paid or shipped yet")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Allocation]) -> QuerySet[Allocation]:
        if self.value() == "order":
            return queryset.filter(state=Allocation.State.COMMITTED, by_hand=True)
        if self.value() == "count":
            return queryset.filter(state=Allocation.State.CONFIRMED, confirmed_at=None)
        return queryset


@admin.register(Allocation)
class AllocationAdmin(ReadOnlyAdmin):
    list_display = ("id", "order", "what", "at", "where", "quantity", "shown_state", "upstream_order", "made")
    list_filter = ("state", ByHandFilter, "level__supplier")
    list_select_related = ("sku", "level__supplier")
    ordering = ("-id",)
    search_fields = ("=reference",)
    search_help_text = "A whole order number or reservation"
    actions = ("reconcile_again", "mark_as_ordered", "mark_as_counted", "mark_as_lost")
    readonly_fields = ("created_at", "order")
    fieldsets = (
        (None, {"fields": (("order", "sku", "level"), ("quantity", "state", "upstream_order"))}),
        (None, {"fields": (("created_at", "expires_at", "closed_at"), ("sent_at", "lease_until", "confirmed_at"))}),
        (None, {"fields": (("at_risk", "out_of_stock", "attempt", "destination"),)}),
        (None, {"fields": (("cancel_requested_at", "by_hand", "expected_available", "detail"),)}),
    )

    @display(description="State", ordering="state", label=ALLOCATION_LABELS)
    def shown_state(self, allocation: Allocation) -> str:
        return allocation.state

    @display(description="Order")
    def order(self, allocation: Allocation) -> str:
        return reference_link(allocation.reference)

    @display(description="SKU")
    def what(self, allocation: Allocation) -> str:
        return link(allocation.sku)

    @display(description="Supplier")
    def at(self, allocation: Allocation) -> str:
        return supplier_link(allocation.level)

    @display(description="Level")
    def where(self, allocation: Allocation) -> str:
        return link(allocation.level, allocation.level.external_id)

    @display(description="Age", ordering="id")
    def made(self, allocation: Allocation) -> str:
        return age(allocation.created_at)

    @admin.action(description="Reconcile again", permissions=["act"])
    def reconcile_again(self, request: HttpRequest, queryset: QuerySet[Allocation]) -> None:
        allocations = chosen(request, queryset)
        say_reconciled(request, operations.reconcile(row.reference for row in allocations))
        log(request, allocations, "Asked for it to be reconciled again.")

    @admin.action(description="Mark as ordered there", permissions=["act"])
    def mark_as_ordered(self, request: HttpRequest, queryset: QuerySet[Allocation]) -> HttpResponse | None:
        return marking.page(self, request, chosen(request, queryset), Said.ORDERED)

    @admin.action(description="Mark as paid or shipped there", permissions=["act"])
    def mark_as_counted(self, request: HttpRequest, queryset: QuerySet[Allocation]) -> HttpResponse | None:
        return marking.page(self, request, chosen(request, queryset), Said.COUNTED)

    @admin.action(description="Mark as lost: the supplier does not deliver it", permissions=["act"])
    def mark_as_lost(self, request: HttpRequest, queryset: QuerySet[Allocation]) -> HttpResponse | None:
        return marking.page(self, request, chosen(request, queryset), Said.LOST)


def say_reconciled(request: HttpRequest, count: int) -> None:
    """Tell a person what a reconciliation will do."""
    if count:
        messages.success(request, f"Suppliers will be told or asked, now: {count}.")
    else:
        messages.info(request, "Nothing is outstanding upstream: there is nothing to tell or to ask.")


@admin.register(StockMovement)
class StockMovementAdmin(ReadOnlyAdmin):
    list_display = ("id", "where", "cause", "by", "sellable", "allocated", "reported", "when")
    list_filter = ("cause", "level__supplier")
    list_select_related = ("level__supplier",)
    ordering = ("-id",)
    search_fields = ("reference",)
    search_help_text = "A whole order number or reservation"
    readonly_fields = ("sellable", "allocated", "reported", "at")
    fieldsets = (
        (None, {"fields": (("level", "version", "cause"), ("sellable", "allocated", "reported"))}),
        (None, {"fields": (("reference", "actor", "request_id", "at"),)}),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[StockMovement], search_term: str
    ) -> tuple[QuerySet[StockMovement], bool]:
        """By way of the promises, which have an index on the reference; the ledger has none, to be quick to write."""
        term = search_term.strip()
        if not term:
            return queryset, False
        levels = list(Allocation.objects.filter(reference=term).values_list("level_id", flat=True)[:1_000])
        return queryset.filter(level__in=levels, reference=term), False

    @display(description="Level")
    def where(self, row: StockMovement) -> str:
        return link(row.level)

    @display(description="By")
    def by(self, row: StockMovement) -> str:
        return reference_link(row.reference) if row.reference else row.actor or "–"

    @display(description="Age", ordering="id")
    def when(self, row: StockMovement) -> str:
        return age(row.at)

    @display(description="Sellable")
    def sellable(self, row: StockMovement) -> str:
        return span(row.sellable_before, row.sellable_delta, row.sellable_after)

    @display(description="Allocated")
    def allocated(self, row: StockMovement) -> str:
        return span(row.allocated_before, row.allocated_delta, row.allocated_after)

    @display(description="Reported")
    def reported(self, row: StockMovement) -> Any:
        return "–" if row.reported_after is None else row.reported_after
