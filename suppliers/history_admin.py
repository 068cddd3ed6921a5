"""Pages with the history of a row: who changed what, when."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin


class HistoryAdmin(SimpleHistoryAdmin, ModelAdmin):
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
