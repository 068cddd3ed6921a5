"""What suppliers sent by themselves, and how that channel is."""

from django.contrib import admin
from unfold.decorators import display

from inventory.admin.pages import ReadOnlyAdmin, Table, age, label, link
from inventory.models import Push
from suppliers import refusals
from suppliers.adapters.answers import Redaction
from suppliers.credentials import unseal
from suppliers.errors import NotConfigured
from suppliers.models import Supplier

LABELS = {
    "waiting": "info",
    "applied": "success",
    "read": "success",
    "outdated": "warning",
    "ignored": "warning",
    "malformed": "danger",
}
SHOWN_CHARACTERS = 20_000


@admin.register(Push)
class PushAdmin(ReadOnlyAdmin):
    list_display = ("id", "supplier", "received", "shown_verdict", "events", "taken", "reads", "reason")
    list_filter = ("verdict", "supplier")
    list_select_related = ("supplier",)
    ordering = ("-id",)
    search_fields = ("=event_id",)
    search_help_text = "A whole id of upstream's"
    readonly_fields = ("shown_verdict", "shown_body", "received_at")
    fieldsets = (
        (None, {"fields": (("supplier", "shown_verdict", "reason"), ("events", "taken", "reads"))}),
        (None, {"fields": (("received_at", "signed_at", "finished_at"), "event_id", "shown_body")}),
    )

    @display(description="Verdict", ordering="verdict", label=LABELS)
    def shown_verdict(self, push: Push) -> str:
        return push.verdict

    @display(description="Received", ordering="id")
    def received(self, push: Push) -> str:
        return f"{age(push.received_at)} ago"

    @display(description="Body")
    def shown_body(self, push: Push) -> str:
        """As it came, without any secret of the supplier."""
        text = bytes(push.body)[:SHOWN_CHARACTERS].decode("utf-8", "replace")
        try:
            return Redaction(unseal(push.supplier.credentials).values())(text)
        except NotConfigured:
            return "not shown: the credentials cannot be read, so no secret can be taken out"


def is_pushing(supplier: Supplier) -> bool:
    """Whether it has anything to show: pushes are configured, or came once."""
    return "push" in supplier.config or Push.objects.filter(supplier=supplier).exists()


def pushes_table(supplier: Supplier) -> Table:
    """The newest pushes, and how many were refused at the door."""
    newest = list(Push.objects.filter(supplier=supplier).order_by("-id").defer("body")[:10])
    rows = [
        (
            link(push, push.pk),
            f"{age(push.received_at)} ago",
            label(push.verdict, LABELS[push.verdict]),
            push.events,
            push.taken,
            push.reads,
            push.reason or "–",
        )
        for push in newest
    ]
    refused = ", ".join(f"{times:,} {code}" for code, times in sorted(refusals.counted(supplier.slug).items()))
    note = f"Last push: {age(newest[0].received_at)} ago. " if newest else "No push yet. "
    note += f"Refused lately: {refused or 'none'}."
    return Table("Pushes", ("Push", "Received", "Verdict", "Events", "Taken in", "Reads", "Reason"), rows, note)
