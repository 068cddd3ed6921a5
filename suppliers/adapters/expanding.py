"""A list in which some items are only the head of a list of their own: one more request for each of those.

Source: WooCommerce, whose variations are listed product by product.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from suppliers.adapters.expressions import compile_path, holds
from suppliers.adapters.listing import NextDeadline, Sheet, StockListing
from suppliers.readings import Json, Page, StockRow

PAGE_ROWS = 200  # rows after which a page is handed on: memory stays bounded, and a run can stop and resume there


@dataclass(slots=True)
class Draft:
    """The page that is being gathered.  age: of its oldest answer."""

    rows: list[StockRow] = field(default_factory=list)
    age: float = 0.0

    def take(self, rows: list[StockRow], age: float) -> None:
        self.rows += rows
        self.age = max(self.age, age)

    def hand_on(self, cursor: Json, evidence: str) -> Page:
        page = Page(rows=self.rows, cursor=cursor, total=None, age=self.age, evidence=evidence)
        self.rows, self.age = [], 0.0
        return page


class ExpandedListing:
    """Pages of a list and of the lists below it.

    A cursor inside a page is {"list": where that page began, "expanded": how many of its items are done}.
    """

    def __init__(self, config: Mapping[str, Any], parents: StockListing, children: StockListing) -> None:
        self._parents, self._children = parents, children
        self._is_head = compile_path(config["for_each"])
        self._is_kept = compile_path(config["keep_when"]) if "keep_when" in config else None

    def pages(self, cursor: Json, next_deadline: NextDeadline) -> Iterator[Page]:
        start, done = cursor, 0
        if isinstance(cursor, dict) and "expanded" in cursor:
            start, done = cursor["list"], cursor["expanded"]
        draft = Draft()
        for sheet in self._parents.sheets(start, {}, next_deadline):
            yield from self._pages_of(sheet, done, draft, next_deadline)
            done = 0

    def _pages_of(self, sheet: Sheet, done: int, draft: Draft, next_deadline: NextDeadline) -> Iterator[Page]:
        heads = [item for item in sheet.items if holds(self._is_head(item))]
        if not done:
            draft.take(
                self._parents.rows((item for item in sheet.items if self._is_row(item)), sheet.answer), sheet.answer.age
            )
        for number, head in enumerate(heads[done:], start=done + 1):
            self._expand(head, draft, next_deadline)
            if len(draft.rows) >= PAGE_ROWS and number < len(heads):
                yield draft.hand_on({"list": sheet.position or None, "expanded": number}, sheet.answer.evidence)
        # Two pages without rows in a row would look like one that came twice.
        if draft.rows or sheet.following is None:
            yield draft.hand_on(sheet.following, sheet.answer.evidence)

    def _is_row(self, item: Any) -> bool:
        return not holds(self._is_head(item)) or (self._is_kept is not None and holds(self._is_kept(item)))

    def _expand(self, head: Any, draft: Draft, next_deadline: NextDeadline) -> None:
        variables = {f"item.{name}": value for name, value in head.items()}
        for sheet in self._children.sheets(None, variables, next_deadline):
            draft.take(
                self._children.rows((_below(item, head) for item in sheet.items), sheet.answer), sheet.answer.age
            )


def _below(item: Any, head: Any) -> dict[str, Any]:
    """An item with its head, for the code alone: the numbers of a head are older.  A bare number is named `value`."""
    return {**(item if isinstance(item, dict) else {"value": item}), "parent": head}
