"""Orders and reservations: what was promised to whom.  They are placed over HTTP and never edited."""

import uuid
from typing import Any

from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from inventory import operations
from inventory.admin.ledger import say_reconciled
from inventory.admin.pages import ReadOnlyAdmin, Table, TablesAdmin, age, chosen, link, log, origin
from inventory.admin.runs import promises_table
from inventory.admin.words import discrepancies_table
from inventory.models import Allocation, Discrepancy
from orders import reading
from orders.cancellation import cancel_order
from orders.lines import fate
from orders.models import Order, Reservation
from storefronts.models import Storefront


def orders_at_risk() -> QuerySet[Order]:
    """Orders with units that a supplier does not deliver and that nobody else has."""
    waiting = Allocation.objects.filter(reference=OuterRef("number"), at_risk__gt=0)
    return Order.objects.filter(Exists(waiting))


class AtRiskFilter(admin.SimpleListFilter):
    title = "at risk"
    parameter_name = "at_risk"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "a supplier does not deliver")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        return queryset & orders_at_risk() if self.value() else queryset


@admin.register(Order)
class OrderAdmin(TablesAdmin, ReadOnlyAdmin):
    list_display = ("number", "storefront", "reference", "shown_status", "destination", "placed_at")
    list_filter = ("status", AtRiskFilter, "storefront")
    list_select_related = ("storefront",)
    ordering = ("-id",)
    search_fields = ("number", "reference")
    search_help_text = "A whole number or reference"
    readonly_fields = ("shown_status", "placed_at")
    fieldsets = (
        (None, {"fields": (("number", "shown_status", "storefront", "reference"),)}),
        (None, {"fields": (("placed_at", "cancelled_at", "destination"), ("idempotency_key", "request_id"))}),
    )
    actions = ("cancel_orders", "reconcile_again", "source_again")
    actions_detail = ("cancel",)

    def get_search_results(
        self,
        request: HttpRequest,
        queryset: QuerySet[Order],
        search_term: str,
    ) -> tuple[QuerySet[Order], bool]:
        """By storefront and reference, as the index is."""
        term = search_term.strip()
        if not term:
            return queryset, False
        everyone = list(Storefront.objects.values_list("pk", flat=True))
        return queryset.filter(Q(number=term) | Q(storefront__in=everyone, reference=term)), False

    def tables(self, request: HttpRequest, obj: Order) -> list[Table]:
        promised = Allocation.objects.filter(reference=obj.number).select_related("sku", "level__supplier")
        found = Discrepancy.objects.filter(Q(reference=obj.number) | Q(reference__startswith=f"{obj.number}."))
        return [lines_table(obj), promises_table(promised), discrepancies_table(found)]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.behind)
        return [path("behind/<str:reference>/", view, name="orders_order_behind"), *super().get_urls()]

    def behind(self, request: HttpRequest, reference: str) -> HttpResponse:
        """Whose promises these are: the pages of stock know a reference only."""
        name = reference.partition(".")[0]
        order = Order.objects.filter(number=name).first()
        if order:
            return redirect("admin:orders_order_change", order.pk)
        try:
            return redirect("admin:orders_reservation_change", Reservation.objects.get(pk=uuid.UUID(name)).pk)
        except (ValueError, Reservation.DoesNotExist):
            raise Http404("No order and no reservation has this reference.") from None

    @display(description="Status", ordering="status", label={"placed": "success", "cancelled": "warning"})
    def shown_status(self, order: Order) -> str:
        return order.status

    @action(
        description="Cancel order",
        permissions=["act"],
        url_path="cancel",
        icon="cancel",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Cancel this order?",
            "description": "What the supplier has not seen is released now; the rest is cancelled there.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Cancel the order",
        },
    )
    def cancel(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        order = self.get_object(request, object_id)
        if order:
            self._cancel(request, [order])
        return HttpResponse(headers={"HX-Redirect": reverse("admin:orders_order_change", args=[object_id])})

    @admin.action(description="Cancel orders", permissions=["act"])
    def cancel_orders(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        self._cancel(request, chosen(request, queryset))

    @admin.action(description="Reconcile again", permissions=["act"])
    def reconcile_again(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        orders = chosen(request, queryset)
        say_reconciled(request, operations.reconcile(order.number for order in orders))
        log(request, orders, "Asked for it to be reconciled again.")

    @admin.action(description="Look for stock again", permissions=["act"])
    def source_again(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        orders = chosen(request, queryset)
        count = operations.source_again((order.number for order in orders), origin=origin(request))
        log(request, orders, "Looked for stock again.")
        left = orders_at_risk().filter(pk__in=[order.pk for order in orders])
        still = ", ".join(left.values_list("number", flat=True))
        messages.success(request, f"Looked at again: {count} with units at risk. Still at risk: {still or 'none'}.")

    def _cancel(self, request: HttpRequest, orders: list[Order]) -> None:
        placed = [order for order in orders if order.status == Order.Status.PLACED]
        for order in placed:
            cancel_order(order.number, storefront_id=order.storefront_id, origin=origin(request))
            log(request, [order], "Cancelled.")  # one by one: the next may be busy, and this one is done
        messages.success(request, f"Cancelled: {', '.join(order.number for order in placed) or 'none'}.")


def lines_table(order: Order) -> Table:
    parts, cancelled = reading.parts_of([order.number]), order.status == Order.Status.CANCELLED
    rows = []
    for line in order.lines.select_related("sku"):
        told = fate(line.quantity, parts[order.number, line.sku_id], order_cancelled=cancelled)
        state = str(told.state).replace("_", " ")
        rows.append((link(line.sku), line.quantity, state, told.at_risk or "–", told.cancelled or "–", line.version))
    return Table("Lines", ("SKU", "Quantity", "State", "At risk", "Cancelled", "SKU version"), rows)


@admin.register(Reservation)
class ReservationAdmin(TablesAdmin, ReadOnlyAdmin):
    list_display = ("id", "storefront", "shown_status", "units", "destination", "expires_at", "created")
    list_filter = ("status", "storefront")
    list_select_related = ("storefront",)
    search_fields = ("=id",)
    search_help_text = "A whole id"
    readonly_fields = ("shown_status", "units", "created_at")
    fieldsets = (
        (
            None,
            {"fields": (("storefront", "shown_status", "units", "destination"), ("created_at", "expires_at", "lines"))},
        ),
    )

    def tables(self, request: HttpRequest, obj: Reservation) -> list[Table]:
        held = Allocation.objects.filter(reference=str(obj.pk)).select_related("sku", "level__supplier")
        return [promises_table(held)]

    @display(
        description="Status", ordering="status", label={"held": "info", "converted": "success", "released": "warning"}
    )
    def shown_status(self, reservation: Reservation) -> str:
        return reservation.status

    @display(description="Units")
    def units(self, reservation: Reservation) -> Any:
        return sum(reservation.lines.values())

    @display(description="Age", ordering="created_at")
    def created(self, reservation: Reservation) -> str:
        return age(reservation.created_at)
