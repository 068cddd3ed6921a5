"""Stock levels: what upstream reported, what of it can be sold, what is promised.  Every column is the ledger's."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Expression, F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from inventory import operations, terms, trust
from inventory.admin.learning import learned_reason
from inventory.admin.pages import (
    ReadOnlyAdmin,
    Table,
    TablesAdmin,
    age,
    chosen,
    label,
    link,
    log,
    origin,
    reference_link,
    span,
    supplier_link,
    told,
)
from inventory.admin.words import discrepancies_table
from inventory.models import Allocation, Discrepancy, LevelPolicy, Offer, Sku, StockLevel
from suppliers.dialogs import close_dialog
from suppliers.models import CountsOn, Supplier

NEWEST_MOVEMENTS = 50
MOST_ALLOCATIONS = 100


def known_at(level: StockLevel) -> datetime | None:
    """How new the number is: an unchanged row inherits the age of its supplier's last complete snapshot."""
    feed = getattr(level.supplier, "feed", None)
    inherits = level.misses == 0 and level.quarantined_at is None
    inherited = feed.complete_as_of if feed and inherits else None
    return max((moment for moment in (level.read_at, inherited) if moment), default=None)


def reason(level: StockLevel) -> str:
    """How `sellable` comes from `reported`."""
    policy: trust.Policy = getattr(level, "believed", None) or terms.of_levels([level.pk])[level.pk]
    told = trust.sellable(level.reported, policy, rejection_cap=level.rejection_cap)
    if told.units != level.sellable:
        return f"{level.sellable}; by the policy of now {told.reason}, from the next reading on"
    if level.quarantined_at:
        return f"{told.reason}; {level.quarantined_reported} reported since is not believed"
    return trust.aged(told, known_at(level), policy, now=datetime.now(UTC)).reason


def policy_link(level: StockLevel) -> SafeString:
    """To the level's own policy, or to where it gets one."""
    own: LevelPolicy | None = getattr(level, "own_policy", None)
    if own:
        return link(own, "its own")
    url = f"{reverse('admin:inventory_levelpolicy_add')}?level={level.pk}"
    return format_html('the supplier\'s <a class="text-link" href="{}">(give it its own)</a>', url)


class ReasonForm(BaseDialogForm):
    reason = forms.CharField(
        label="How do you know?", max_length=250, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )


class CountsOnForm(BaseDialogForm):
    decrements_on = forms.ChoiceField(
        label="Its number goes down on",
        choices=[("", "as the supplier's others"), *CountsOn.choices],
        required=False,
        widget=UnfoldAdminSelectWidget,
    )


class ShortfallFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("promised", "has promised units"),
            ("shortfall", "shortfall: more promised than sellable"),
            ("capped", "capped after a rejection"),
            ("quarantined", "quarantined: rose too much to be believed"),
            ("missing", "missing from snapshots"),
            ("unmapped", "sold as no SKU"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StockLevel]) -> QuerySet[StockLevel]:
        conditions: dict[str, dict[str, bool | int | Expression | F | None]] = {
            "promised": {"allocated__gt": 0},
            "shortfall": {"allocated__gt": F("sellable")},
            "capped": {"rejection_cap__isnull": False},
            "quarantined": {"quarantined_at__isnull": False},
            "missing": {"misses__gt": 0},
            "unmapped": {"offers": None},
        }
        return queryset.filter(**conditions.get(self.value() or "", {}))


@admin.register(StockLevel)
class StockLevelAdmin(TablesAdmin, ReadOnlyAdmin):
    list_display = ("row", "code", "at", "reported", "doubted", "sellable", "allocated", "left", "age")
    list_filter = (ShortfallFilter, "supplier")
    list_select_related = ("supplier__feed",)
    ordering = ("supplier", "external_id", "location")
    search_fields = ("external_id", "code")
    search_help_text = "A whole code or upstream id"
    actions = ("sync_now", "invalidate_cache")
    actions_detail = ("believe", "count_orders_on")
    fieldsets = (
        (None, {"fields": (("supplier", "external_id", "location"), ("code", "shown_flags", "made_of"))}),
        (
            "Stock",
            {
                "fields": (
                    ("reported", "sellable", "allocated", "left"),
                    ("why", "age", "decrements_on", "version"),
                    ("lot", "min_order", "policy"),
                    ("learned",),
                )
            },
        ),
        (
            "Doubts",
            {
                "fields": (
                    ("misses", "rejections", "rejection_cap", "capped_until"),
                    ("quarantined_reported", "quarantined_at"),
                )
            },
        ),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[StockLevel], search_term: str
    ) -> tuple[QuerySet[StockLevel], bool]:
        """Whole words only, and per supplier: so the indexes answer, among millions of rows."""
        if not search_term:
            return queryset, False
        everyone = list(Supplier.objects.values_list("pk", flat=True))
        term = search_term.strip()
        return queryset.filter(supplier__in=everyone, external_id=term) | queryset.filter(
            supplier__in=everyone, code=term
        ), False

    def get_readonly_fields(self, request: HttpRequest, obj: StockLevel | None = None) -> tuple[str, ...]:
        return (
            "left",
            "why",
            "age",
            "policy",
            "learned",
            "shown_flags",
            "made_of",
            *(field.name for field in self.opts.fields),
        )

    def tables(self, request: HttpRequest, obj: StockLevel) -> list[Table]:
        found = Discrepancy.objects.filter(level=obj)
        return [offers_table(obj), allocations_table(obj), discrepancies_table(found), movements_table(obj)]

    @display(description="Level", ordering="external_id")
    def row(self, level: StockLevel) -> str:
        return f"{level.external_id}{'@' + level.location if level.location else ''}"

    @display(description="Supplier", ordering="supplier")
    def at(self, level: StockLevel) -> str:
        return supplier_link(level)

    @display(description="Not believed", ordering="quarantined_reported")
    def doubted(self, level: StockLevel) -> str | None:
        waits = level.quarantined_reported is not None
        return label(f"{level.quarantined_reported:,} for {age(level.quarantined_at)}", "danger") if waits else None

    @display(description="Odd about it")
    def shown_flags(self, level: StockLevel) -> str:
        return told(level.flags)

    @display(description="Its number is made of")
    def made_of(self, level: StockLevel) -> str:
        return told(level.components)

    @display(description="Not promised")
    def left(self, level: StockLevel) -> int:
        return max(0, level.sellable - level.allocated)

    @display(description="Why so many are sellable")
    def why(self, level: StockLevel) -> str:
        return reason(level)

    @display(description="Policy")
    def policy(self, level: StockLevel) -> str:
        return policy_link(level)

    @display(description="Learned buffer")
    def learned(self, level: StockLevel) -> str:
        return learned_reason(level) or "not in use"

    @display(description="Age", ordering="read_at")
    def age(self, level: StockLevel) -> str:
        return age(known_at(level))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Nothing to believe where no number waits."""
        found = super().get_actions_detail(request, object_id)
        waits = StockLevel.objects.filter(pk=object_id, quarantined_at__isnull=False).exists()
        return [one for one in found if waits or one.method.__name__ != "believe"]

    @admin.action(description="Sync now", permissions=["act"])
    def sync_now(self, request: HttpRequest, queryset: QuerySet[StockLevel]) -> None:
        levels = chosen(request, queryset)
        count = operations.sync([level.pk for level in levels])
        log(request, levels, "Asked for a sync.")
        messages.success(request, f"{count} to be read again, now.")

    @admin.action(description="Invalidate cache", permissions=["act"])
    def invalidate_cache(self, request: HttpRequest, queryset: QuerySet[StockLevel]) -> None:
        levels = chosen(request, queryset)
        offered = Sku.objects.filter(offers__level__in=levels).distinct().values_list("code", flat=True)
        say_invalidated(request, operations.invalidate(offered), len(offered))
        log(request, levels, "Invalidated the cache of what is sold from it.")

    @action(
        description="Believe the reported number",
        permissions=["act"],
        url_path="believe",
        icon="verified",
        dialog={
            "title": "Believe the reported number",
            "description": "Takes in the number that waits in quarantine: what it says can be sold at once.",
            "form_class": ReasonForm,
            "form_submit_text": "Believe it",
        },
    )
    def believe(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        level = self.get_object(request, object_id)
        reason = form.cleaned_data["reason"]
        if level and operations.believe(level.pk, reason=reason, origin=origin(request)):
            self.log_change(request, level, f"Believed {level.quarantined_reported} reported: {reason}")
            messages.success(request, f"{level.quarantined_reported} reported is taken in.")
        else:
            messages.info(request, "Its number is not in quarantine any more.")
        return close_dialog(reverse("admin:inventory_stocklevel_change", args=[object_id]))

    @action(
        description="When it counts orders",
        permissions=["act"],
        url_path="counts-on",
        icon="event_available",
        dialog={
            "title": "When it counts orders",
            "description": "Orders that the supplier takes from now on follow it.",
            "form_class": CountsOnForm,
            "form_submit_text": "Set it",
        },
    )
    def count_orders_on(self, request: HttpRequest, form: CountsOnForm, object_id: str) -> HttpResponse:
        level = self.get_object(request, object_id)
        moment = form.cleaned_data["decrements_on"]
        if level:
            operations.count_orders_on(level.pk, moment)
            self.log_change(request, level, f"Its number goes down on {moment or 'what the supplier says'}.")
            messages.success(request, "Set.")
        return close_dialog(reverse("admin:inventory_stocklevel_change", args=[object_id]))


def say_invalidated(request: HttpRequest, done: bool, count: int) -> None:
    """Tell a person what became of the cached answers."""
    if done:
        messages.success(request, f"Forgotten: the cached answers of {count} SKUs.")
    else:
        messages.warning(request, "The cache does not answer; it will be asked again until it does.")


def offers_table(level: StockLevel) -> Table:
    offers = Offer.objects.filter(level=level).select_related("sku")[:MOST_ALLOCATIONS]
    rows = [(link(offer.sku), offer.sku.name or "–", offer.priority) for offer in offers]
    return Table("Sold as", ("SKU", "Name", "Priority"), rows)


def allocations_table(level: StockLevel) -> Table:
    promised = Allocation.objects.filter(level=level, state__in=Allocation.OPEN)
    newest = promised.select_related("sku").order_by("-id")[:MOST_ALLOCATIONS]
    rows = [
        (
            reference_link(row.reference),
            link(row.sku),
            row.quantity,
            link(row, row.state),
            row.upstream_order or "–",
            age(row.created_at),
        )
        for row in newest
    ]
    note = f"The newest {MOST_ALLOCATIONS}." if len(rows) == MOST_ALLOCATIONS else ""
    return Table("Promised", ("Reference", "SKU", "Quantity", "State", "Upstream order", "Age"), rows, note)


def movements_table(level: StockLevel) -> Table:
    newest = level.movements.order_by("-version")[:NEWEST_MOVEMENTS]
    rows = [
        (
            row.version,
            row.cause,
            reference_link(row.reference) if row.reference else row.actor or "–",
            span(row.sellable_before, row.sellable_delta, row.sellable_after),
            span(row.allocated_before, row.allocated_delta, row.allocated_after),
            "–" if row.reported_after is None else row.reported_after,
            row.at,
        )
        for row in newest
    ]
    note = f"The newest {NEWEST_MOVEMENTS}." if len(rows) == NEWEST_MOVEMENTS else ""
    return Table("Movements", ("Version", "Cause", "By", "Sellable", "Allocated", "Reported", "At"), rows, note)
