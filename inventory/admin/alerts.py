"""Alert channels, each with a Test button, and what was sent to them."""

import base64
import secrets
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Max, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from inventory import alerts, operations
from inventory.admin.pages import ReadOnlyAdmin, age, chosen, log, may
from inventory.admin.words import DISCREPANCIES
from inventory.alerts.delivering import UndeliveredError
from inventory.models import Alert, AlertChannel, Discrepancy
from suppliers import credentials, guard
from suppliers.adapters.signatures import STANDARD_PREFIX
from suppliers.dialogs import close_dialog, confirmation
from suppliers.errors import BlockedAddress, NotConfigured
from suppliers.history_admin import HistoryAdmin

SECRET_BYTES = 24


class AlertChannelForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    kinds = forms.MultipleChoiceField(
        choices=[(kind, f"{kind.label}: {DISCREPANCIES[kind][0]}") for kind in Discrepancy.Kind],
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Of these kinds only. None: of all.",
    )
    renew = forms.BooleanField(
        required=False, label="New secret", help_text="Makes another signing secret; the old one ends at once."
    )

    class Meta:
        model = AlertChannel
        fields = ("name", "url", "email", "kinds", "enabled")

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        if url:
            try:
                guard.check_url(url)
            except BlockedAddress as error:
                raise ValidationError(str(error)) from None
        return url

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        moved = "url" in self.changed_data or not self.instance.secret
        if cleaned.get("url") and (moved or cleaned.get("renew")):
            self.new_secret = STANDARD_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
            try:
                self.instance.secret = credentials.seal({"secret": self.new_secret})
            except NotConfigured as error:
                raise ValidationError(str(error)) from None
        return cleaned


@admin.register(AlertChannel)
class AlertChannelAdmin(HistoryAdmin):
    form = AlertChannelForm
    list_display = ("name", "address", "enabled", "last")
    actions_detail = ("test",)
    fieldsets = ((None, {"fields": (("name", "enabled"), ("url", "email"), "kinds", "renew")}),)

    def save_model(self, request: HttpRequest, obj: AlertChannel, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        new = getattr(form, "new_secret", "")
        if new:
            messages.warning(request, f"The secret that verifies its messages, shown this once: {new}")

    @display(description="Address")
    def address(self, channel: AlertChannel) -> str:
        return channel.email or channel.url.split("?")[0]

    @display(description="Last taken")
    def last(self, channel: AlertChannel) -> str:
        taken: datetime | None = channel.taken  # type: ignore[attr-defined]  # annotated below
        return f"{age(taken)} ago" if taken else "–"

    def get_queryset(self, request: HttpRequest) -> QuerySet[AlertChannel]:
        channels: QuerySet[AlertChannel] = super().get_queryset(request)
        return channels.annotate(taken=Max("alerts__delivered_at"))

    def has_send_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, AlertChannel, "change")

    @action(
        description="Test",
        permissions=["send"],
        url_path="test",
        icon="send",
        dialog=confirmation("Send a test?", "Sends a message of the type `test` to this channel, now.", "Send"),
    )
    def test(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        channel = self.get_object(request, object_id)
        if channel:
            try:
                alerts.send_test(channel)
            except UndeliveredError as error:
                messages.error(request, f"It was not taken: {error}")
                self.log_change(request, channel, "Tested: not taken.")
            else:
                messages.success(request, "It was taken.")
                self.log_change(request, channel, "Tested: taken.")
        return close_dialog(reverse("admin:inventory_alertchannel_change", args=[object_id]))


class DeliveryFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("failed", "failed, so far or for good"), ("waiting", "waiting"), ("taken", "taken")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        conditions = {
            "failed": Q(delivered_at=None) & (Q(given_up_at__isnull=False) | ~Q(error="")),
            "waiting": Q(delivered_at=None, given_up_at=None),
            "taken": Q(delivered_at__isnull=False),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    list_display = ("id", "channel", "kind", "shown_state", "created_at", "attempts", "error")
    list_filter = (DeliveryFilter, "channel", "kind")
    list_select_related = ("channel",)
    ordering = ("-id",)
    actions = ("send_again",)
    readonly_fields = ("shown_state", "created_at")
    fieldsets = (
        (None, {"fields": (("channel", "kind", "shown_state"), ("message_id", "attempts"), "error")}),
        (None, {"fields": (("created_at", "delivered_at", "given_up_at"), "body")}),
    )

    @display(description="State", label={"taken": "success", "waiting": "warning", "given up": "danger"})
    def shown_state(self, alert: Alert) -> str:
        if alert.delivered_at:
            return "taken"
        return "given up" if alert.given_up_at else "waiting"

    @admin.action(description="Send again what was not taken", permissions=["act"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        rows = chosen(request, queryset.filter(delivered_at=None))
        operations.send_again([row.pk for row in rows])
        log(request, rows, "Asked for it to be sent again.")
        messages.success(request, f"Sent again, now: {len(rows)}.")
