"""The one row of switches for everything."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from suppliers.dialogs import close_dialog
from suppliers.models import Switchboard
from suppliers.stop_switch import ReasonDialog, why

LATELY = 10  # uses of the switchboard that its page shows


class SwitchboardAdmin(ModelAdmin):
    fields = ("selling", "lately")
    readonly_fields = ("selling", "lately")
    compressed_fields = False
    actions_detail = ("stop_everything", "resume_everything")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_switch_permission(request) or request.user.has_perm("suppliers.view_switchboard")

    def has_switch_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("suppliers.change_switchboard")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseRedirect:
        if not self.has_view_permission(request):
            raise PermissionDenied
        board, _ = Switchboard.objects.get_or_create(pk=1)
        return redirect("admin:suppliers_switchboard_change", board.pk)

    @action(
        description="Stop selling everything",
        permissions=["switch"],
        url_path="stop",
        icon="front_hand",
        variant=ActionVariant.DANGER,
        dialog=why("Stop selling everything?", "Every SKU shows 0 available within a second.", "Stop"),
    )
    def stop_everything(self, request: HttpRequest, form: ReasonDialog, object_id: str) -> HttpResponse:
        return self._set(request, stop=True, reason=form.cleaned_data["reason"])

    @action(
        description="Resume",
        permissions=["switch"],
        url_path="resume",
        icon="play_arrow",
        dialog=why("Resume selling?", "SKUs and suppliers that were stopped one by one stay so.", "Resume"),
    )
    def resume_everything(self, request: HttpRequest, form: ReasonDialog, object_id: str) -> HttpResponse:
        return self._set(request, stop=False, reason=form.cleaned_data["reason"])

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only the one of both that changes something."""
        stopped = Switchboard.objects.filter(pk=1, stop_selling=True).exists()
        hidden = "stop_everything" if stopped else "resume_everything"
        return [found for found in super().get_actions_detail(request, object_id) if found.method.__name__ != hidden]

    @display(description="Selling")
    def selling(self, board: Switchboard) -> str:
        return "nothing is sold: everything is stopped" if board.stop_selling else "yes"

    @display(description="Switched lately")
    def lately(self, board: Switchboard) -> str:
        acts = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(Switchboard), object_id=board.pk)
        told = [
            (f"{entry.action_time:%Y-%m-%d %H:%M:%S}", entry.user, entry.get_change_message())
            for entry in acts.select_related("user").order_by("-id")[:LATELY]
        ]
        return format_html_join(mark_safe("<br>"), "{} · {} · {}", told) if told else "never"

    def _set(self, request: HttpRequest, *, stop: bool, reason: str) -> HttpResponse:
        board, _ = Switchboard.objects.get_or_create(pk=1)
        if Switchboard.objects.filter(pk=1).exclude(stop_selling=stop).update(stop_selling=stop):
            self.log_change(request, board, f"{'Stopped selling everything' if stop else 'Resumed selling'}: {reason}")
            messages.success(request, "Nothing is sold now." if stop else "Selling again.")
        else:
            messages.info(request, "Somebody else was first: nothing was to be done.")
        return close_dialog(reverse("admin:suppliers_switchboard_change", args=[board.pk]))
