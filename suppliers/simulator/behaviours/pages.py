"""Lists that do not stand still while they are read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from suppliers.simulator.messages import Call, Problem

from .base import JsonRow, PageFault, Rule, Window


@dataclass(kw_only=True, eq=False)
class UnstablePaging(PageFault):
    """Rows shown twice (dup_p) or not at all (drop_p), others in each reading; the total stays as it is."""

    name = "unstable_paging"
    endpoints: Sequence[str] = ("list",)
    dup_p: float = 0.02
    drop_p: float = 0.02

    def page(self, rows: list[JsonRow], call: Call) -> list[JsonRow]:
        if not self.strikes(call):
            return rows
        shown: list[JsonRow] = []
        for row in rows:
            chance = call.draw("unstable_paging.row", str(row["id"])) if self.covers(str(row["sku"])) else 1.0
            if chance < self.drop_p:
                continue
            shown += [row, row] if chance < self.drop_p + self.dup_p else [row]
        return shown


@dataclass(kw_only=True, eq=False)
class ShiftingList(PageFault):
    """While a client pages, the list changes under it by `rows` with each page.

    mode: "insert" (rows come again, the total grows), "delete" (rows are missed, the total falls), "resort" (each page
    is in an order of its own), "drift" (only the total changes).
    """

    name = "shifting_list"
    words = {"mode": ("insert", "delete", "resort", "drift")}
    endpoints: Sequence[str] = ("list",)
    mode: str = "insert"
    shift: int = 1

    def window(self, window: Window, call: Call) -> Window:
        changed = self.shift * (window.start // window.size)
        if not changed or not self.strikes(call):
            return window
        if self.mode == "resort":
            return replace(window, order=call.draw("shifting_list.order"))
        by = {"insert": changed, "delete": -changed}.get(self.mode, 0)
        start = max(0, window.start - by)
        total = max(0, window.total + (by or changed))
        return replace(window, start=start, stop=min(start + window.size, window.total), total=total)


@dataclass(kw_only=True, eq=False)
class LastPageRepeats(PageFault):
    """A page past the end is the last page again."""

    name = "last_page_repeats"
    endpoints: Sequence[str] = ("list",)

    def window(self, window: Window, call: Call) -> Window:
        if window.start < window.total or not window.total or not self.strikes(call):
            return window
        return replace(window, start=(window.total - 1) // window.size * window.size, stop=window.total)


@dataclass(kw_only=True, eq=False)
class CursorExpiry(PageFault):
    """A cursor is good for ttl_s seconds."""

    name = "cursor_expiry"
    endpoints: Sequence[str] = ("list",)
    ttl_s: float = 30.0

    def window(self, window: Window, call: Call) -> Window:
        if window.issued_at is not None and call.now - window.issued_at > self.ttl_s and self.strikes(call):
            raise Problem(400, "CURSOR_EXPIRED", "the cursor has expired; begin anew")
        return window


@dataclass(kw_only=True, eq=False)
class FilterIgnored(Rule):
    """A read of a few rows answers with the first page of all of them."""

    name = "filter_ignored"
    endpoints: Sequence[str] = ("fetch",)


@dataclass(kw_only=True, eq=False)
class EmptyBlip(Rule):
    """A list that is empty for once, and says so with 200 and a total of 0."""

    name = "empty_blip"
    endpoints: Sequence[str] = ("list",)
