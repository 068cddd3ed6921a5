"""What the admin's pages share: rows that nobody edits, tables of what belongs to a row, and a record of each act."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator

from inventory.ledger import Origin
from storefronts.problems import request_id
from suppliers.history_admin import NamedAdmin

AT_ONCE = 1_000  # rows of one act; more is a full snapshot's or a deploy's work

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that belong to the shown one.  note: what was left out, or why it is empty."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]
    note: str = ""


class TablesAdmin(ModelAdmin):
    """Shows bounded tables below the form.  They are text: nothing in them can be posted."""

    change_form_outer_after_template = "inventory/tables.html"

    def tables(self, request: HttpRequest, obj: Any) -> list[Table]:
        raise NotImplementedError

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        obj = self.get_object(request, object_id)
        # Without the right to see the row, Django refuses below; then nothing may be read here either.
        allowed = obj is not None and self.has_view_or_change_permission(request, obj)
        context = {**(extra_context or {}), "tables": self.tables(request, obj) if allowed else []}
        answer: HttpResponse = super().change_view(request, object_id, form_url, context)
        return answer


class ReadOnlyAdmin(NamedAdmin):
    """Rows that only the service writes: found, shown and acted on.  Who may act has the `change` permission."""

    # These tables have millions of rows: no page counts them.
    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50
    compressed_fields = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, self.model, "view") or may(request, self.model, "change")

    def has_act_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, self.model, "change")


def may(request: HttpRequest, model: type[Model], verb: str) -> bool:
    """Whether the person of this request has a permission on a model."""
    return request.user.has_perm(f"{model._meta.app_label}.{verb}_{model._meta.model_name}")


def chosen(request: HttpRequest, queryset: QuerySet[Row]) -> list[Row]:
    """The rows of an action; none, and a word about it, if there are too many."""
    rows = list(queryset[: AT_ONCE + 1])
    if len(rows) <= AT_ONCE:
        return rows
    messages.error(request, f"At most {AT_ONCE:,} at once; nothing was done.")
    return []


def log(request: HttpRequest, rows: Sequence[Model], message: str) -> None:
    """Record who did what to which rows."""
    if rows and request.user.pk is not None:
        LogEntry.objects.log_actions(
            user_id=request.user.pk,
            queryset=rows,
            action_flag=CHANGE,
            change_message=message,
        )


def origin(request: HttpRequest) -> Origin:
    """Who moves stock, for the ledger."""
    return Origin(f"admin:{request.user.get_username()}", request_id())


def age(moment: datetime | None) -> str:
    """How long ago, for a person."""
    if moment is None:
        return "never"
    seconds = int(seconds_since(moment))
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{max(0, seconds)} s"


def seconds_since(moment: datetime) -> float:
    """By the clock of this process: good enough for people; what decides asks the database's."""
    return (datetime.now(UTC) - moment).total_seconds()


def span(before: int, delta: int, after: int) -> str:
    """A change of units, or just the units if there was none."""
    return f"{before} {delta:+d} → {after}" if delta else str(after)


def link(row: Model, text: object = "") -> SafeString:
    """A link to the page of a row."""
    return link_to(f"{row._meta.app_label}_{row._meta.model_name}", row.pk, text or row)


def link_to(page: str, pk: Any, text: object) -> SafeString:
    """A link to the page of a row that is not loaded.  page: app and model."""
    return format_html('<a class="text-link" href="{}">{}</a>', reverse(f"admin:{page}_change", args=[pk]), text)


def supplier_link(row: Any) -> SafeString | str:
    """To the supplier of a row, by the short name: lists have many columns."""
    return link(row.supplier, row.supplier.slug) if row.supplier else "–"


def reference_link(reference: str) -> SafeString | str:
    """To the order or reservation behind a reference; whose it is, the page behind the link finds out."""
    if not reference:
        return "–"
    url = reverse("admin:orders_order_behind", args=[reference])
    return format_html('<a class="text-link" href="{}">{}</a>', url, reference)


def told(document: Any) -> SafeString | str:
    """JSON in words: a name and its value a line."""
    if not isinstance(document, dict):
        return _told(document)
    return (
        format_html_join(
            mark_safe("<br>"), "{}: {}", ((_named(name), _told(value)) for name, value in document.items())
        )
        or "–"
    )


def _told(value: Any) -> str:
    if value is None or value in ([], {}, ""):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{_named(name)} {_told(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return "; ".join(_told(inner) for inner in value)
    return str(value)


def _named(name: str) -> str:
    return name.replace("_", " ")


def label(text: str, kind: str) -> SafeString:
    """A coloured word.  kind: info, success, warning, danger."""
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": kind})
