"""SKUs and offers: what the merchant sells, from where, and how carefully."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.views import ChangeList

from inventory import availability, operations, terms
from inventory.admin.levels import known_at, policy_link, reason, say_invalidated
from inventory.admin.pages import Table, TablesAdmin, age, chosen, link, log, may, reference_link, supplier_link
from inventory.admin.words import discrepancies_table
from inventory.models import Allocation, Discrepancy, Offer, Sku, StockLevel
from suppliers.history_admin import HistoryAdmin
from suppliers.stop_switch import StopSwitchAdmin

NEWEST = 20  # promises on the page of a SKU
LABELS = {"in stock": "success", "low stock": "warning", "out of stock": "danger", "unknown": "danger"}


class SkuList(ChangeList):
    """A page of SKUs with what can be sold of each: one query for all of them."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        skus: list[Any] = list(self.result_list)
        answers = availability.read([sku.code for sku in skus], allow_cached=False)
        for sku in skus:
            sku.answer = answers.get(sku.code)
        self.result_list = skus


class OffersOfSku(BaseInlineFormSet):  # type: ignore[type-arg]  # not subscriptable at run time
    def get_queryset(self) -> QuerySet[Offer]:
        """With the policy of each level: one query for all of them."""
        if not hasattr(self, "_queryset"):
            levels = [offer.level for offer in super().get_queryset()]
            policies = terms.of_levels(level.pk for level in levels)
            for level in levels:
                level.believed = policies[level.pk]
        offers: QuerySet[Offer] = super().get_queryset()
        return offers

    def clean(self) -> None:
        super().clean()
        for form in self.deleted_forms:
            if promised_through(form.instance):
                raise ValidationError(f"{form.instance.level}: units are promised through this offer; it stays.")


def promised_through(offer: Offer) -> bool:
    """Whether open promises were made through an offer; withdrawing it would orphan them."""
    return Allocation.objects.filter(sku=offer.sku_id, level=offer.level_id, state__in=Allocation.OPEN).exists()


class OfferInline(TabularInline):
    """The levels that a SKU is sold from; their order and their delivery can be edited."""

    model = Offer
    formset = OffersOfSku
    verbose_name_plural = "Sold from"
    fields = (
        "level_link",
        "sellable",
        "policy",
        "allocated",
        "left",
        "age",
        "priority",
        "ships_to",
        "lead_days",
    )
    readonly_fields = ("level_link", "sellable", "policy", "allocated", "left", "age")
    hide_title = True
    extra = 0
    max_num = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Offer]:
        offers: QuerySet[Offer] = super().get_queryset(request)
        return offers.select_related("level__supplier__feed", "level__own_policy", "sku")

    @display(description="Level")
    def level_link(self, offer: Offer) -> str:
        return format_html("{}<br>{}", link(offer.level, offer.level.external_id), supplier_link(offer.level))

    @display(description="Sellable, and why")
    def sellable(self, offer: Offer) -> str:
        return reason(offer.level)

    def policy(self, offer: Offer) -> str:
        return policy_link(offer.level)

    def allocated(self, offer: Offer) -> int:
        return offer.level.allocated

    @display(description="Not promised")
    def left(self, offer: Offer) -> int:
        return max(0, offer.level.sellable - offer.level.allocated)

    def age(self, offer: Offer) -> str:
        return age(known_at(offer.level))


class NewOfferInline(TabularInline):
    model = Offer
    verbose_name = "offer"
    verbose_name_plural = "Sell it from another level too"
    fields = ("level", "priority", "ships_to", "lead_days")
    autocomplete_fields = ("level",)
    extra = 0
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Offer]:
        offers: QuerySet[Offer] = super().get_queryset(request)
        return offers.none()


@admin.register(Sku)
class SkuAdmin(StopSwitchAdmin, TablesAdmin, HistoryAdmin):
    list_display = ("code", "name", "available", "status", "as_of", "selling", "safety_stock", "active")
    list_filter = ("active", "stop_selling", "splittable", "offers__level__supplier")
    search_fields = ("code__startswith", "name__icontains")
    search_help_text = "The beginning of a code, or a part of a name"
    show_full_result_count = False
    list_per_page = 50
    inlines = (OfferInline, NewOfferInline)
    actions = ("stop_selling", "resume_selling", "invalidate_cache")
    actions_detail = ("stop_one", "resume_one")
    warn_unsaved_form = True
    fieldsets = (
        (None, {"fields": (("code", "name", "active"),)}),
        ("Now", {"fields": (("available", "status", "as_of", "version"), "selling_now")}),
        ("Carefulness", {"fields": (("safety_stock", "low_stock_threshold"),)}),
        ("Sourcing", {"fields": (("sourcing", "splittable"),)}),
    )

    def tables(self, request: HttpRequest, obj: Sku) -> list[Table]:
        promised = Allocation.objects.filter(sku=obj, level__offers__sku=obj, state__in=Allocation.OPEN)
        newest = promised.select_related("level__supplier").order_by("-id")[:NEWEST]
        rows = [
            (
                reference_link(row.reference),
                supplier_link(row.level),
                link(row.level, row.level.external_id),
                row.quantity,
                link(row, row.state),
                age(row.created_at),
            )
            for row in newest
        ]
        headers = ("Order", "Supplier", "Level", "Quantity", "State", "Age")
        note = f"The newest {NEWEST}." if len(rows) == NEWEST else ""
        found = Discrepancy.objects.filter(level__offers__sku=obj)
        return [
            Table("Promised, and not in the supplier's number yet", headers, rows, note),
            discrepancies_table(found),
        ]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return SkuList

    def get_readonly_fields(self, request: HttpRequest, obj: Sku | None = None) -> tuple[str, ...]:
        shown = ("available", "status", "as_of", "version", "selling_now")
        # Storefronts, orders and caches know a SKU by its code.
        return shown if obj is None else ("code", *shown)

    def has_act_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, StockLevel, "change")

    def has_switch_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(self.has_act_permission(request, obj) or self.has_change_permission(request))

    def has_delete_permission(self, request: HttpRequest, obj: Sku | None = None) -> bool:
        if obj and (obj.offers.exists() or obj.allocations.exists()):
            return False
        return bool(super().has_delete_permission(request, obj))

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        operations.invalidate_on_commit([form.instance.code])

    def delete_model(self, request: HttpRequest, obj: Sku) -> None:
        super().delete_model(request, obj)
        operations.invalidate_on_commit([obj.code])

    @display(description="Available")
    def available(self, sku: Sku) -> int | str:
        answer = answer_of(sku)
        return answer.available if answer else "–"

    @display(description="Status", label=LABELS)
    def status(self, sku: Sku) -> str:
        answer = answer_of(sku)
        return answer.status.replace("_", " ") if answer else "inactive"

    @display(description="Selling", ordering="stop_selling", label={"yes": "success", "stopped": "danger"})
    def selling(self, sku: Sku) -> str:
        return "stopped" if sku.stop_selling else "yes"

    @display(description="Age")
    def as_of(self, sku: Sku) -> str:
        answer = answer_of(sku)
        return age(answer.as_of) if answer else "–"

    @admin.action(description="Invalidate cache", permissions=["act"])
    def invalidate_cache(self, request: HttpRequest, queryset: QuerySet[Sku]) -> None:
        skus = chosen(request, queryset)
        say_invalidated(request, operations.invalidate(sku.code for sku in skus), len(skus))
        log(request, skus, "Invalidated the cache.")

    def switch(self, request: HttpRequest, rows: Sequence[Sku], *, stop: bool, reason: str) -> None:
        operations.switch(rows, stop=stop, reason=reason)


def answer_of(sku: Sku) -> availability.Availability | None:
    """What storefronts are told of it; None if they are told nothing."""
    if not hasattr(sku, "answer"):
        sku.answer = availability.read([sku.code], allow_cached=False).get(sku.code)  # type: ignore[attr-defined]
    answer: availability.Availability | None = sku.answer  # type: ignore[attr-defined]
    return answer


@admin.register(Offer)
class OfferAdmin(HistoryAdmin):
    list_display = ("sku", "supplier", "external_id", "priority")
    list_filter = ("level__supplier",)
    list_select_related = ("sku", "level__supplier")
    show_full_result_count = False
    search_fields = ("sku__code__startswith",)
    search_help_text = "The beginning of a SKU's code"
    autocomplete_fields = ("sku", "level")

    def get_readonly_fields(self, request: HttpRequest, obj: Offer | None = None) -> tuple[str, ...]:
        return ("sku", "level") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Offer | None = None) -> bool:
        if obj and promised_through(obj):
            return False
        return bool(super().has_delete_permission(request, obj))

    def save_model(self, request: HttpRequest, obj: Offer, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        operations.invalidate_on_commit([obj.sku.code])

    def delete_model(self, request: HttpRequest, obj: Offer) -> None:
        super().delete_model(request, obj)
        operations.invalidate_on_commit([obj.sku.code])

    @display(description="Supplier", ordering="level__supplier")
    def supplier(self, offer: Offer) -> str:
        return supplier_link(offer.level)

    @display(description="Level")
    def external_id(self, offer: Offer) -> str:
        return link(offer.level, offer.level.external_id)
