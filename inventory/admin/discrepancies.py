"""Discrepancies: what happened, what to do, and the acts that do it."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html_join
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget

from inventory import attempts, operations
from inventory.admin.pages import (
    ReadOnlyAdmin,
    Table,
    TablesAdmin,
    age,
    chosen,
    link,
    log,
    reference_link,
    supplier_link,
    told,
)
from inventory.admin.runs import promises_table
from inventory.admin.words import DISCREPANCIES, NO_ORDER
from inventory.models import Allocation, Discrepancy, Offer
from suppliers.dialogs import close_dialog, confirmation

MOST_SKUS = 20
STATE_LABELS = {"open": "danger", "acknowledged": "warning", "resolved": "success"}


class ResolutionForm(BaseDialogForm):
    resolution = forms.CharField(
        label="What settles it?", max_length=300, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )


@admin.register(Discrepancy)
class DiscrepancyAdmin(TablesAdmin, ReadOnlyAdmin):
    list_display = ("id", "kind", "shown_state", "at", "where", "order", "times", "last_seen", "resolution")
    list_filter = ("state", "kind", "supplier")
    list_select_related = ("supplier", "level__supplier")
    ordering = ("-id",)
    search_fields = ("=reference",)
    search_help_text = "A whole order number or reservation"
    actions = ("acknowledge", "reconcile_again")
    actions_detail = ("acknowledge_one", "reconcile_one", "resolve")
    readonly_fields = ("shown_state", "opened_at", "order", "sold_as", "happened", "to_do", "found")
    fieldsets = (
        (None, {"fields": (("kind", "shown_state", "supplier"), ("level", "sold_as", "order"))}),
        (None, {"fields": (("happened", "to_do"), "found")}),
        (None, {"fields": (("opened_at", "seen_at", "times"), ("acknowledged_at", "acknowledged_by"))}),
        (None, {"fields": (("resolved_at", "resolved_by"), "resolution")}),
    )

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """None on what is over."""
        still_open = Discrepancy.objects.filter(pk=object_id, state=Discrepancy.State.OPEN).exists()
        return super().get_actions_detail(request, object_id) if still_open else []

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

    @display(description="Supplier", ordering="supplier")
    def at(self, discrepancy: Discrepancy) -> str:
        return supplier_link(discrepancy)

    @display(description="Level")
    def where(self, discrepancy: Discrepancy) -> str:
        return link(discrepancy.level, discrepancy.level.external_id) if discrepancy.level else "–"

    @display(description="Order")
    def order(self, discrepancy: Discrepancy) -> str:
        return "–" if discrepancy.kind in NO_ORDER else reference_link(discrepancy.reference)

    @display(description="Sold as")
    def sold_as(self, discrepancy: Discrepancy) -> str:
        offers = Offer.objects.filter(level=discrepancy.level_id).select_related("sku")[:MOST_SKUS]
        return format_html_join(", ", "{}", ((link(offer.sku),) for offer in offers)) or "–"

    @display(description="What happened")
    def happened(self, discrepancy: Discrepancy) -> str:
        return DISCREPANCIES[discrepancy.kind][0]

    @display(description="What to do")
    def to_do(self, discrepancy: Discrepancy) -> str:
        return DISCREPANCIES[discrepancy.kind][1]

    @display(description="Evidence")
    def found(self, discrepancy: Discrepancy) -> str:
        return told(discrepancy.evidence)

    @display(description="Last seen", ordering="seen_at")
    def last_seen(self, discrepancy: Discrepancy) -> str:
        return f"{age(discrepancy.seen_at)} ago"

    @admin.action(description="Acknowledge: somebody is at it", permissions=["act"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[Discrepancy]) -> None:
        self._acknowledge(request, chosen(request, queryset))

    @admin.action(description="Reconcile again", permissions=["act"])
    def reconcile_again(self, request: HttpRequest, queryset: QuerySet[Discrepancy]) -> None:
        self._reconcile(request, chosen(request, queryset))

    @action(
        description="Acknowledge",
        permissions=["act"],
        url_path="acknowledge",
        icon="visibility",
        dialog=confirmation("Acknowledge", "Says that you are at it, so that it is not escalated.", "Acknowledge"),
    )
    def acknowledge_one(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        self._acknowledge(request, list(Discrepancy.objects.filter(pk=object_id)))
        return close_dialog(reverse("admin:inventory_discrepancy_change", args=[object_id]))

    @action(
        description="Reconcile again",
        permissions=["act"],
        url_path="reconcile",
        icon="sync",
        dialog=confirmation("Reconcile again", "Reads the level and asks about the order, now.", "Reconcile"),
    )
    def reconcile_one(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        self._reconcile(request, list(Discrepancy.objects.filter(pk=object_id)))
        return close_dialog(reverse("admin:inventory_discrepancy_change", args=[object_id]))

    def _acknowledge(self, request: HttpRequest, rows: list[Discrepancy]) -> None:
        count = operations.acknowledge([row.pk for row in rows], actor=request.user.get_username())
        if not count:
            messages.info(request, "Nothing to acknowledge: somebody is at it, or it is over.")
            return
        log(request, rows, "Acknowledged.")
        messages.success(request, f"Acknowledged: {count}. They are not escalated.")

    def _reconcile(self, request: HttpRequest, rows: list[Discrepancy]) -> None:
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
