"""Sales events: planned here, looked at before they act, switched on and off."""

import re
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextareaWidget

from inventory import events
from inventory.admin.pages import Table, TablesAdmin, may
from inventory.models import SalesEvent, Sku
from suppliers.dialogs import close_dialog
from suppliers.history_admin import HistoryAdmin
from suppliers.stop_switch import ReasonDialog, why

PHASE_LABELS = {"draft": "info", "planned": "warning", "running": "danger", "over": "success"}
SHOWN = 50
MOST_CODES = 10_000


class SalesEventForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    codes = forms.CharField(
        label="SKUs",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 5}),
        help_text=f"Codes, apart by spaces, commas or lines; at most {MOST_CODES:,}. Empty: every SKU.",
    )

    class Meta:
        model = SalesEvent
        exclude = ("skus",)  # noqa: DJ006 - the admin's fieldsets name what is shown

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "codes" in self.fields:
            self.fields["codes"].initial = "\n".join(self.instance.skus.values_list("code", flat=True))

    def clean_codes(self) -> list[Sku]:
        codes = set(re.split(r"[\s,;]+", self.cleaned_data["codes"])) - {""}
        if len(codes) > MOST_CODES:
            raise ValidationError(f"At most {MOST_CODES:,} SKUs; choose suppliers instead.")
        skus = list(Sku.objects.filter(code__in=codes))
        unknown = sorted(codes - {sku.code for sku in skus})
        if unknown:
            raise ValidationError(f"There are no such SKUs: {', '.join(unknown[:10])}")
        return skus


@admin.register(SalesEvent)
class SalesEventAdmin(TablesAdmin, HistoryAdmin):
    form = SalesEventForm
    list_display = ("name", "shown_phase", "starts_at", "ends_at", "scope", "care")
    list_filter = ("phase", "suppliers")
    search_fields = ("name__icontains",)
    readonly_fields = ("shown_phase",)
    filter_horizontal = ("suppliers",)
    actions_detail = ("switch_on", "switch_off")
    history_list_display = ("history_change_reason", "phase")
    fieldsets = (
        (None, {"fields": (("name", "shown_phase"), ("starts_at", "ends_at"))}),
        ("Where", {"fields": ("suppliers", "codes")}),
        (
            "Selling meanwhile",
            {"fields": (("buffer_units", "buffer_share"), ("hold_seconds", "stop_selling"))},
        ),
        ("Believing meanwhile", {"fields": (("jump_units", "jump_ratio", "repeats_prove"),)}),
    )

    def tables(self, request: HttpRequest, obj: SalesEvent) -> list[Table]:
        return [preview_table(obj)]

    def has_change_permission(self, request: HttpRequest, obj: SalesEvent | None = None) -> bool:
        return may(request, SalesEvent, "change") and not (obj and obj.switched_on)

    def has_delete_permission(self, request: HttpRequest, obj: SalesEvent | None = None) -> bool:
        return bool(super().has_delete_permission(request, obj)) and not (obj and obj.switched_on)

    def has_switch_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, SalesEvent, "change")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only the switch that changes something; none on what is over."""
        event = self.get_object(request, str(object_id))
        if event is None or events.phase_of(event, datetime.now(UTC)) == SalesEvent.Phase.OVER:
            return []
        hidden = "switch_on" if event.switched_on else "switch_off"
        return [found for found in super().get_actions_detail(request, object_id) if found.method.__name__ != hidden]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        form.instance.skus.set(form.cleaned_data["codes"])

    @display(description="Phase", ordering="phase", label=PHASE_LABELS)
    def shown_phase(self, event: SalesEvent) -> str:
        return str(events.phase_of(event, datetime.now(UTC)))

    @display(description="SKUs")
    def codes(self, event: SalesEvent) -> str:
        """Where the form is only shown."""
        return ", ".join(event.skus.values_list("code", flat=True)[:SHOWN]) or "every SKU"

    @display(description="Where")
    def scope(self, event: SalesEvent) -> str:
        suppliers = ", ".join(str(supplier) for supplier in event.suppliers.all()) or "every supplier"
        skus: int = event.chosen  # type: ignore[attr-defined]  # annotated below
        return f"{suppliers}, {skus:,} SKUs" if skus else f"{suppliers}, every SKU"

    @display(description="Held back")
    def care(self, event: SalesEvent) -> str:
        if event.stop_selling:
            return "everything"
        share = f" and {event.buffer_share.normalize():%}" if event.buffer_share else ""
        return f"{event.buffer_units} units{share}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[SalesEvent]:
        found: QuerySet[SalesEvent] = super().get_queryset(request)
        return found.annotate(chosen=Count("skus")).prefetch_related("suppliers")

    @action(
        description="Switch on",
        permissions=["switch"],
        url_path="switch-on",
        icon="local_fire_department",
        dialog=why(
            "Switch it on?", "It acts from its start to its end; what it does is shown below the form.", "Switch on"
        ),
    )
    def switch_on(self, request: HttpRequest, form: ReasonDialog, object_id: str) -> HttpResponse:
        return self._switch(request, object_id, form.cleaned_data["reason"], on=True)

    @action(
        description="Switch off",
        permissions=["switch"],
        url_path="switch-off",
        icon="undo",
        variant=ActionVariant.DANGER,
        dialog=why("Switch it off?", "All is as before, within a second.", "Switch off"),
    )
    def switch_off(self, request: HttpRequest, form: ReasonDialog, object_id: str) -> HttpResponse:
        return self._switch(request, object_id, form.cleaned_data["reason"], on=False)

    def _switch(self, request: HttpRequest, object_id: str, reason: str, *, on: bool) -> HttpResponse:
        try:
            event = (events.switch_on if on else events.switch_off)(int(object_id), reason=reason)
        except events.EventError as error:
            messages.error(request, str(error))
        else:
            self.log_change(request, event, f"Switched {'on' if on else 'off'}: {reason}")
            messages.success(request, f"{event} is {'on' if on else 'off'}.")
        return close_dialog(reverse("admin:inventory_salesevent_change", args=[object_id]))


def preview_table(event: SalesEvent) -> Table:
    """What it does to what can be sold now."""
    if events.phase_of(event, datetime.now(UTC)) == SalesEvent.Phase.OVER:
        return Table("Effect", (), (), "It is over: all is as before.")
    found = events.preview(event)
    rows = [(line.code, line.before, line.during, line.during - line.before) for line in found.lines[:SHOWN]]
    note = f"If it ran now, of {found}." + (f" The {SHOWN} most affected." if len(found.lines) > SHOWN else "")
    return Table("Effect", ("SKU", "Available now", "During the event", "Difference"), rows, note)
