"""The stop switch on pages of the admin: every use of it asks why, and the history keeps the answer."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget

from suppliers.dialogs import close_dialog

LONGEST_REASON = 100  # what the history keeps
MOST = 1_000  # rows of one act
NAMED = 10  # of them, in the message


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label="Why?",
        max_length=LONGEST_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Shown in the history, for whoever wonders later.",
    )


class ReasonDialog(ReasonForm, BaseDialogForm):
    pass


def why(title: str, description: str, submit: str) -> dict[str, Any]:
    """A dialog that asks for a reason."""
    return {"title": title, "description": description, "form_class": ReasonDialog, "form_submit_text": submit}


def asking(
    model_admin: ModelAdmin, request: HttpRequest, rows: Sequence[Model], form: forms.Form, **words: str
) -> HttpResponse:
    """The page that asks before something is done to chosen rows.  words: title, description."""
    listing = reverse(f"admin:{model_admin.opts.app_label}_{model_admin.opts.model_name}_changelist")
    context = {
        **model_admin.admin_site.each_context(request),
        **words,
        "opts": model_admin.opts,
        "rows": rows,
        "form": form,
        "action": request.POST.get("action", ""),
        "listing": listing,
    }
    return TemplateResponse(request, "suppliers/ask.html", context)


class StopSwitchAdmin(ModelAdmin):
    """For rows with `stop_selling` and a history.  `has_switch_permission` says who may."""

    def switch(self, request: HttpRequest, rows: Sequence[Any], *, stop: bool, reason: str) -> None:
        """Act at once, in every process; each row keeps the reason in its history."""
        raise NotImplementedError

    def has_switch_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        raise NotImplementedError

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only the one of both switches that changes something."""
        row = self.get_object(request, str(object_id))
        hidden = "stop_one" if row is None or row.stop_selling else "resume_one"
        return [found for found in super().get_actions_detail(request, object_id) if found.method.__name__ != hidden]

    @display(description="Selling")
    def selling_now(self, row: Any) -> str:
        """With who stopped it, and why."""
        if row.pk is None or not row.stop_selling:
            return "yes"
        last = row.history.select_related("history_user").exclude(history_change_reason=None).first()
        if last is None or not last.stop_selling:
            return "stopped"
        return f"stopped by {last.history_user or 'nobody'}: {last.history_change_reason}"

    @admin.action(description="Stop selling", permissions=["switch"])
    def stop_selling(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return self._ask(request, queryset, stop=True)

    @admin.action(description="Resume selling", permissions=["switch"])
    def resume_selling(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return self._ask(request, queryset, stop=False)

    @action(
        description="Stop selling",
        permissions=["switch"],
        url_path="stop-selling",
        icon="front_hand",
        variant=ActionVariant.DANGER,
        dialog=why("Stop selling it?", "0 are available within a second. Orders that are placed stay.", "Stop selling"),
    )
    def stop_one(self, request: HttpRequest, form: ReasonDialog, object_id: str) -> HttpResponse:
        return self._switch_one(request, form, object_id, stop=True)

    @action(
        description="Resume selling",
        permissions=["switch"],
        url_path="resume-selling",
        icon="play_arrow",
        dialog=why("Resume selling it?", "What is there can be sold again within a second.", "Resume selling"),
    )
    def resume_one(self, request: HttpRequest, form: ReasonDialog, object_id: str) -> HttpResponse:
        return self._switch_one(request, form, object_id, stop=False)

    def _ask(self, request: HttpRequest, queryset: QuerySet[Any], *, stop: bool) -> HttpResponse | None:
        rows = list(queryset.filter(stop_selling=not stop)[: MOST + 1])
        if not rows or len(rows) > MOST:
            nothing = (
                f"At most {MOST:,} at once" if rows else f"All of them are {'stopped' if stop else 'sold'} already"
            )
            messages.warning(request, f"{nothing}; nothing was done.")
            return None
        form = ReasonForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            title = "Stop selling" if stop else "Resume selling"
            description = "It acts within a second, in every process. Orders that are placed stay."
            return asking(self, request, rows, form, title=title, description=description)
        self._switch(request, rows, stop=stop, reason=form.cleaned_data["reason"])
        return None

    def _switch_one(self, request: HttpRequest, form: ReasonDialog, object_id: str, *, stop: bool) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None:
            raise PermissionDenied
        if row.stop_selling is stop:
            messages.info(request, "Somebody else was first: nothing was to be done.")
        else:
            self._switch(request, [row], stop=stop, reason=form.cleaned_data["reason"])
        page = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[object_id])
        return close_dialog(page)

    def _switch(self, request: HttpRequest, rows: Sequence[Any], *, stop: bool, reason: str) -> None:
        self.switch(request, rows, stop=stop, reason=reason)
        for row in rows:
            self.log_change(request, row, f"{'Stopped' if stop else 'Resumed'} selling: {reason}")
        more = len(rows) - NAMED
        names = ", ".join(str(row) for row in rows[:NAMED]) + (f" and {more:,} more" if more > 0 else "")
        messages.success(request, f"{'Stopped' if stop else 'Resumed'}: {names}.")
