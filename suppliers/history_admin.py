"""Pages with the history of a row: who changed what, when."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin


class NamedAdmin(ModelAdmin):
    """Pages are titled by the names of what a row belongs to, as lists show them."""

    list_select_related: tuple[str, ...] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.select_related(*self.list_select_related) if self.list_select_related else rows


class HistoryAdmin(SimpleHistoryAdmin, NamedAdmin):
    """Shows old versions and never restores one.

    The library saves whatever is posted to an old version, from everybody who may look at it; and an old version,
    brought back whole, would undo what others changed since.
    """

    compressed_fields = False  # labels above their fields: several of them fit on a line

    def history_form_view(
        self, request: HttpRequest, object_id: str, version_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method != "GET":
            raise PermissionDenied
        answer: HttpResponse = super().history_form_view(request, object_id, version_id, extra_context)
        return answer

    def revert_disabled(self, request: HttpRequest, obj: Any = None) -> bool:
        return True
