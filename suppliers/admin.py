"""Suppliers: connection, secrets, policy, and what a person may do to them."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm

from suppliers import trial
from suppliers.budgets import budget_of
from suppliers.credentials import unseal
from suppliers.dialogs import close_dialog, confirmation
from suppliers.errors import SupplierError
from suppliers.form_fields import readable
from suppliers.forms import SupplierForm
from suppliers.history_admin import HistoryAdmin
from suppliers.models import Supplier, Switchboard
from suppliers.presets import PRESETS
from suppliers.signals import full_snapshot_requested, policy_changed
from suppliers.stop_switch import StopSwitchAdmin
from suppliers.switchboard_admin import SwitchboardAdmin

# What stored sellable numbers depend on; ages and switches are applied when a number is read.
STORED_POLICY = {"buffer", "haircut", "sentinel_at", "sentinel_cap", "settlement_lag_seconds"} | {
    *("buffer_is_learned", "buffer_target", "buffer_cold_start", "buffer_at_least", "buffer_at_most"),
}


def tab(title: str, *rows: tuple[str, ...], **more: str) -> tuple[str, dict[str, Any]]:
    """Fields behind a tab of their own.  rows: what stands side by side."""
    return title, {"classes": ["tab"], "fields": rows, **more}


@admin.register(Supplier)
class SupplierAdmin(StopSwitchAdmin, HistoryAdmin):
    form = SupplierForm
    list_display: tuple[str, ...] = ("name", "slug", "adapter", "enabled", "selling", "buffer")
    list_filter = ("enabled", "stop_selling")
    search_fields = ("name", "slug")
    readonly_fields = ("selling_now", "stored_credentials", "budget")
    actions = ("full_snapshot", "stop_selling", "resume_selling")
    actions_detail: tuple[str, ...] = ("test", "full_snapshot_now", "stop_one", "resume_one")
    warn_unsaved_form = True
    change_form_before_template = "suppliers/presets.html"
    change_form_after_template = "suppliers/try.html"
    presets = PRESETS
    fieldsets = (
        (None, {"fields": (("name", "slug"), ("enabled", "auto_offer", "selling_now"))}),
        ("Connection", {"fields": ("adapter", "config", "stored_credentials", "new_credentials", "budget")}),
        tab("Delivery", ("ships_to", "lead_days", "on_rejection")),
        tab(
            "Trust",
            ("buffer", "haircut"),
            ("sentinel_at", "sentinel_cap"),
            ("jump_units", "jump_ratio", "hard_jump_ratio"),
            ("stale_after_seconds", "stale_cap", "expire_after_seconds"),
        ),
        tab(
            "Orders in its number",
            ("decrements_on", "settlement_lag_seconds", "unsettled_after_seconds"),
            ("exclusive", "replicas"),
            ("recheck_for_seconds", "gone_is_cancelled"),
        ),
        tab(
            "Learned buffer",
            ("buffer_is_learned", "buffer_target"),
            ("buffer_cold_start", "buffer_at_least", "buffer_at_most"),
            description="What it would be stands below, with its reason, before it is switched on.",
        ),
        tab(
            "Snapshots",
            ("snapshot_interval_seconds", "min_row_ratio", "missing_after"),
            ("mass_zero_share", "mass_jump_share"),
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Supplier | None = None) -> tuple[str, ...]:
        # Links and log lines name a supplier by its slug.
        return self.readonly_fields if obj is None else (*self.readonly_fields, "slug")

    def has_operate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("suppliers.operate_supplier")

    def has_switch_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_operate_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Supplier | None = None) -> bool:
        if obj and obj.levels.exists():
            return False
        return bool(super().has_delete_permission(request, obj))

    def save_model(self, request: HttpRequest, obj: Supplier, form: SupplierForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and STORED_POLICY & set(form.changed_data):
            # In the edit's own transaction: what must follow is committed with it, or neither is.
            policy_changed.send(sender=Supplier, supplier_id=obj.pk)

    @display(description="Selling", label={"yes": "success", "stopped": "danger", "disabled": "warning"})
    def selling(self, supplier: Supplier) -> str:
        if not supplier.enabled:
            return "disabled"
        return "stopped" if supplier.stop_selling else "yes"

    @display(description="Stored credentials")
    def stored_credentials(self, supplier: Supplier) -> str:
        """Names alone: no page shows a secret."""
        try:
            return ", ".join(sorted(unseal(supplier.credentials))) or "none"
        except SupplierError as error:
            return str(error)

    @display(description="Calls")
    def budget(self, supplier: Supplier) -> str:
        """How much of what the supplier allows is used."""
        return str(budget_of(supplier)) if supplier.pk else "–"

    @admin.action(description="Full snapshot", permissions=["operate"])
    def full_snapshot(self, request: HttpRequest, queryset: QuerySet[Supplier]) -> None:
        self._request_snapshots(request, list(queryset))

    @action(
        description="Full snapshot",
        permissions=["operate"],
        url_path="full-snapshot",
        icon="photo_camera",
        dialog=confirmation("Full snapshot", "Reads the whole catalogue of this supplier, now.", "Start"),
    )
    def full_snapshot_now(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        supplier = self._found(request, object_id)
        self._request_snapshots(request, [supplier])
        return close_dialog(reverse("admin:suppliers_supplier_change", args=[supplier.pk]))

    @action(description="Test", permissions=["operate"], url_path="test", icon="network_check")
    def test(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks before it calls: a link must not make requests in our name."""
        supplier = self._found(request, object_id)
        report = None
        if request.method == "POST":
            report = trial.probe(supplier)
            self.log_change(request, supplier, f"Tested: {'it works' if report.ok else 'it does not work'}.")
        context = {
            **self.admin_site.each_context(request),
            "title": f"Test {supplier}",
            "opts": self.opts,
            "supplier": supplier,
            "report": report,
            "rows": trial.rows_of(report) if report else None,
        }
        return TemplateResponse(request, "suppliers/test.html", context)

    def get_urls(self) -> list[URLPattern]:
        own = path("try/", self.admin_site.admin_view(self.try_unsaved), name="suppliers_supplier_try")
        return [own, *super().get_urls()]

    def try_unsaved(self, request: HttpRequest) -> HttpResponse:
        """Test what stands in the form, for who may save it: saved, it would be called just so."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        pk = request.POST.get("supplier", "")
        supplier = self._found(request, pk) if pk else None
        if not (self.has_change_permission(request, supplier) if supplier else self.has_add_permission(request)):
            raise PermissionDenied
        attempt = trial.attempt(SupplierForm(request.POST, instance=supplier), str(request.user.pk))
        if supplier and attempt.report:
            works = "it works" if attempt.report.ok else "it does not work"
            self.log_change(request, supplier, f"Tested an unsaved configuration: {works}.")
        rows = trial.rows_of(attempt.report) if attempt.report else None
        context = {"report": attempt.report, "faults": attempt.faults, "rows": rows}
        return TemplateResponse(request, "suppliers/findings.html", context)

    @property
    def preset_data(self) -> dict[str, dict[str, str]]:
        """What the form of a new supplier is filled with."""
        return {
            preset.name: {
                "adapter": preset.adapter,
                "config": readable(preset.config),
                "credentials": readable(dict.fromkeys(preset.secrets, "")),
                "notes": f"{preset.notes} {preset.proof}",
            }
            for preset in PRESETS
        }

    def _found(self, request: HttpRequest, object_id: str) -> Supplier:
        supplier: Supplier | None = self.get_object(request, object_id)
        if supplier is None:
            raise Http404
        return supplier

    def _request_snapshots(self, request: HttpRequest, suppliers: list[Supplier]) -> None:
        for supplier in suppliers:
            self.log_change(request, supplier, "Asked for a full snapshot.")
            full_snapshot_requested.send_robust(
                sender=Supplier, supplier_id=supplier.pk, actor=f"admin:{request.user.get_username()}"
            )
        messages.success(request, f"Full snapshot asked for: {', '.join(map(str, suppliers)) or 'none'}.")

    def switch(self, request: HttpRequest, rows: Sequence[Supplier], *, stop: bool, reason: str) -> None:
        for supplier in rows:
            supplier.stop_selling = stop
            supplier._change_reason = reason  # type: ignore[attr-defined]  # noqa: SLF001 - how the history takes it
            supplier.save(update_fields=["stop_selling"])


admin.site.register(Switchboard, SwitchboardAdmin)
