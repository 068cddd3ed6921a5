"""Storefronts and their API keys."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm, MultipleChoiceField
from django.http import HttpRequest
from rest_framework_api_key.models import APIKey as UnusedApiKey
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from storefronts.models import ApiKey, Scope, Storefront, every_scope

# The package registers a model of its own beside ours; a key made there would open nothing.
admin.site.unregister(UnusedApiKey)


@admin.register(Storefront)
class StorefrontAdmin(ModelAdmin):
    list_display = ("name", "slug", "active", "orders_per_sku", "created_at")
    list_filter = ("active",)
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}


class ApiKeyForm(ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    scopes = MultipleChoiceField(
        choices=Scope.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget, initial=every_scope
    )

    class Meta:
        model = ApiKey
        fields = ("storefront", "name", "scopes", "expiry_date", "revoked")


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    form = ApiKeyForm
    list_display = ("prefix", "name", "storefront", "scopes", "expiry_date", "revoked", "last_used_at")
    list_filter = ("storefront", "revoked")
    list_select_related = ("storefront",)
    search_fields = ("name", "prefix")
    actions = ("revoke",)

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("prefix",)
        # A key stays with its storefront, whose orders it can read; a revoked one stays revoked.
        fixed = ("prefix", "storefront", "last_used_at")
        return (*fixed, "name", "scopes", "expiry_date", "revoked") if obj.revoked else fixed

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        key = ApiKey.objects.assign_key(obj)
        obj.save()
        text = f"The key of {obj.name} is {key} — store it now: it is shown this once, and only its hash is kept."
        messages.warning(request, text)

    @admin.action(description="Revoke", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """Within five seconds, in every process."""
        keys = list(queryset.filter(revoked=False))
        for key in keys:
            key.revoked = True
            key.save(update_fields=["revoked"])
            self.log_change(request, key, "Revoked.")
        messages.success(request, f"Revoked: {', '.join(key.prefix for key in keys) or 'none'}.")
