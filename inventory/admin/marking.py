"""Asks a person how they know, then marks several orders at once."""

from collections.abc import Sequence

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from inventory import operations
from inventory.admin.pages import log
from inventory.marks import Said
from inventory.models import Allocation
from suppliers.stop_switch import asking

TITLES = {
    Said.ORDERED: "Mark as ordered",
    Said.COUNTED: "Mark as paid or shipped",
    Said.LOST: "Mark as lost",
}
DESCRIPTIONS = {
    Said.ORDERED: "The whole order at this supplier is marked. It settles with a reading one settlement lag later"
    ", or, where the number goes down on payment or shipment, after that is marked too.",
    Said.COUNTED: "The supplier's number has gone down for these orders: they settle one settlement lag later.",
    Said.LOST: "They are written off, a discrepancy opens, and their levels sell no more until the numbers move.",
}


class MarkForm(forms.Form):
    reason = forms.CharField(
        label="How do you know?", max_length=250, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )
    upstream_order = forms.CharField(
        label="The supplier's order number", max_length=100, required=False, widget=UnfoldAdminTextInputWidget
    )


def page(admin: ModelAdmin, request: HttpRequest, rows: Sequence[Allocation], said: Said) -> HttpResponse | None:
    """The page that asks; None once it was answered and done."""
    if not rows:
        return None
    form = MarkForm(request.POST if "confirmed" in request.POST else None)
    if len({row.reference for row in rows}) > 1:
        del form.fields["upstream_order"]  # one number cannot be that of several orders
    if form.is_valid():
        _mark(request, rows, said, form)
        return None
    return asking(admin, request, rows, form, title=TITLES[said], description=DESCRIPTIONS[said])


def _mark(request: HttpRequest, rows: Sequence[Allocation], said: Said, form: MarkForm) -> None:
    reason = form.cleaned_data["reason"]
    told = f"{request.user.get_username()}: {reason}"
    marked = operations.mark(rows, said, reason=told, upstream_order=form.cleaned_data.get("upstream_order", ""))
    log(request, [row for row in rows if row.reference in marked.done], f"{TITLES[said]}: {reason}")
    if marked.done:
        messages.success(request, f"Marked: {', '.join(marked.done)}.")
    if marked.known:
        messages.info(request, f"Known already: {', '.join(marked.known)}.")
    for reference, why in marked.refused.items():
        messages.error(request, f"{reference}: {why}.")
