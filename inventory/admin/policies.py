"""What single levels are believed where it differs from their supplier's policy."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display

from inventory import operations
from inventory.admin.levels import reason
from inventory.models import LevelPolicy
from suppliers.history_admin import HistoryAdmin


@admin.register(LevelPolicy)
class LevelPolicyAdmin(HistoryAdmin):
    """An edit counts the level anew, and is on record."""

    list_display = ("level", "code", "buffer", "haircut", "sentinel_at", "sentinel_cap", "lot", "min_order")
    list_filter = ("level__supplier",)
    list_select_related = ("level__supplier",)
    show_full_result_count = False
    search_fields = ("=level__external_id", "=level__code")
    search_help_text = "A whole code or upstream id"
    autocomplete_fields = ("level",)
    warn_unsaved_form = True
    fieldsets = (
        (None, {"fields": (("level", "why"),)}),
        ("Trust", {"fields": (("buffer", "haircut"), ("sentinel_at", "sentinel_cap"))}),
        ("Lots", {"fields": (("lot", "min_order"),)}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: LevelPolicy | None = None) -> tuple[str, ...]:
        return ("level", "why") if obj else ("why",)

    def save_model(self, request: HttpRequest, obj: LevelPolicy, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        operations.recount(obj.level)

    def delete_model(self, request: HttpRequest, obj: LevelPolicy) -> None:
        level = obj.level  # a deleted row has lost its key, which is the level's
        super().delete_model(request, obj)
        operations.recount(level)

    @display(description="Code")
    def code(self, own: LevelPolicy) -> str:
        return own.level.code

    @display(description="Sellable")
    def why(self, own: LevelPolicy) -> str:
        return reason(own.level) if own.pk else "–"
