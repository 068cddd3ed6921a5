"""What buffers were learned, from what, and what they would change: on a page of their own and on their supplier's."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display

from inventory import learning
from inventory.admin.pages import ReadOnlyAdmin, Table, age, label, link
from inventory.models import LearnedBuffer, StockLevel
from suppliers.models import Supplier

SHOWN = 50  # levels that stand alone, on the page of their supplier
REPLACED = 10


@admin.register(LearnedBuffer)
class LearnedBufferAdmin(ReadOnlyAdmin):
    list_display = ("supplier", "scope", "buffer", "shown_proven", "in_force", "since", "until", "reason")
    list_filter = ("supplier", ("until", admin.EmptyFieldListFilter))
    list_select_related = ("supplier", "level__supplier")
    ordering = ("-id",)
    fieldsets = (
        (None, {"fields": (("supplier", "scope", "buffer", "shown_proven"), ("reason",))}),
        (None, {"fields": (("sellable_fixed", "sellable_learned"), ("since", "looked_at", "until"))}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: LearnedBuffer | None = None) -> tuple[str, ...]:
        return ("scope", "shown_proven", "since", "looked_at", *(field.name for field in self.opts.fields))

    @display(description="For")
    def scope(self, row: LearnedBuffer) -> Any:
        return scope(row)

    @display(description="Evidence", label={"proven": "success", "a careful guess": "warning"})
    def shown_proven(self, row: LearnedBuffer) -> str:
        return "proven" if row.proven else "a careful guess"

    @display(description="In force", boolean=True)
    def in_force(self, row: LearnedBuffer) -> bool:
        return row.until is None and row.supplier.buffer_is_learned


def scope(row: LearnedBuffer) -> Any:
    return link(row.level) if row.level else "all its levels"


def learned_tables(supplier: Supplier) -> list[Table]:
    """What is learned of a supplier now, whether it goes by it or not, and what was before."""
    rows = learning.current(supplier.pk)
    mine = rows.get(None)
    title = "Learned buffers, in force" if supplier.buffer_is_learned else "Learned buffers, not in force: a preview"
    if mine is None:
        return [Table(title, (), [], "Nothing is learned yet: it is within minutes, and anew every hour.")]
    alone = sorted((row for row in rows.values() if row.level_id), key=lambda row: -row.buffer)
    told = [
        (
            scope(row),
            row.buffer,
            label("proven", "success") if row.proven else label("a careful guess", "warning"),
            row.reason,
            f"{age(row.looked_at)} ago",
        )
        for row in [mine, *alone[:SHOWN]]
    ]
    note = worth(supplier, mine)
    if len(alone) > SHOWN:
        note += f" {len(alone) - SHOWN} more levels stand alone."
    before = LearnedBuffer.objects.filter(supplier=supplier, until__isnull=False)
    replaced = [
        (scope(row), row.buffer, row.reason, row.since, row.until)
        for row in before.select_related("level__supplier")[:REPLACED]
    ]
    return [
        Table(title, ("For", "Buffer", "Evidence", "Why", "Looked at"), told, note),
        *([Table("Learned before", ("For", "Buffer", "Why", "Since", "Until"), replaced)] if replaced else []),
    ]


def worth(supplier: Supplier, mine: LearnedBuffer) -> str:
    """What both buffers come to, in words."""
    fixed = f"Under the fixed buffer of {supplier.buffer} its levels have {mine.sellable_fixed or 0:,} units to sell"
    return f"{fixed}, under the learned ones {mine.sellable_learned or 0:,}; levels with a buffer of their own keep it."


def learned_reason(level: StockLevel) -> str:
    """Where the level's buffer comes from, if it is a learned one."""
    if not level.supplier.buffer_is_learned:
        return ""
    rows = LearnedBuffer.objects.filter(supplier=level.supplier_id, until=None)
    row = rows.filter(level=level).first() or rows.filter(level=None).first()
    if row is None:
        return f"nothing is learned yet: the buffer at the start, {level.supplier.buffer_cold_start}"
    return f"{'of this level alone' if row.level_id else 'of its supplier'}: {row.reason}"
