"""Reading lists: the snapshot, page by page in bounded memory, and the direct read of a few rows."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin

from suppliers.adapters.answers import Answer, Judge
from suppliers.adapters.calls import Caller, RequestForm
from suppliers.adapters.expressions import MISSING, Getter, compile_path
from suppliers.adapters.mapping import RowMapping
from suppliers.adapters.paging import Cursor, Paging, Position
from suppliers.adapters.quantities import exact
from suppliers.errors import Malformed
from suppliers.readings import Json, Page, StockRow
from suppliers.transport import Deadline, Request

MOST_PAGES = 100_000
NextDeadline = Callable[[], Deadline]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One answer of a list: its items and where the next ones are."""

    answer: Answer
    items: list[Any]
    following: Cursor | None
    total: int | None
    position: Cursor


class Listing:
    """A list request with its paging.  items: None where only the document matters."""

    def __init__(self, config: Mapping[str, Any], form: RequestForm, call: Caller, judge: Judge) -> None:
        self._config = config
        self._form = form
        self._call = call
        self._judge = judge
        self._items: Getter | None = compile_path(config["items"]) if "items" in config else None
        self._total: Getter | None = compile_path(config["total"]) if "total" in config else None
        self._absent_status: list[int] = config.get("not_found_status", config.get("missing_status", []))
        self._paging = Paging(config.get("paginate"), has_total="total" in config or "total_header" in config)

    def sheets(self, cursor: Json, variables: Mapping[str, Any], next_deadline: NextDeadline) -> Iterator[Sheet]:
        """Raises: any SupplierError, Malformed among others if a page equals its predecessor."""
        position = self._paging.start(cursor)
        visited = {self._paging.place(position)}
        previous: list[Any] = []
        read = self._judge.success_or(*self._absent_status)
        for _ in range(MOST_PAGES):
            request = self._request(position, variables)
            answer = self._call(request, read, safe=True, deadline=next_deadline())
            sheet = self._sheet(position, answer, request)
            if previous and sheet.items == previous:
                if self._paging.ends_by_repeating(previous, len(visited)):
                    yield replace(sheet, items=[], following=None)
                    return
                raise Malformed("A page equals the one before it.", answer.evidence)
            yield sheet
            if sheet.following is None:
                return
            position, previous = sheet.following, sheet.items
            if self._paging.place(position) in visited:
                raise Malformed("The next page was read before: the list goes round in circles.", answer.evidence)
            visited.add(self._paging.place(position))
        raise Malformed(f"The list did not end after {MOST_PAGES:,} pages.")

    def _request(self, position: Cursor, variables: Mapping[str, Any]) -> Request:
        template = self._config["request"]
        values = {**variables, **self._paging.variables(position)}
        if "url" in position:
            # Upstream wrote this address: it holds the parameters already, and stays on its host.
            url = self._form.same_host(position["url"])
            return self._form.request({**template, "params": {}, "url": url.replace("$", "$$")}, values)
        return self._form.request(template, values)

    def _sheet(self, position: Cursor, answer: Answer, request: Request) -> Sheet:
        if not answer.ok:
            if answer.document is None:
                # A wrong address answers so too.
                raise Malformed(f"{answer.status} without a JSON body proves nothing.", answer.evidence)
            return Sheet(answer, [], None, None, position)
        items = self._items_of(answer)
        total = self._total_of(answer)
        following = self._paging.following(Position(position, items, total), answer)
        if following and "url" in following:
            following["url"] = self._form.same_host(urljoin(request.url, str(following["url"])))
        return Sheet(answer, items, following, total, position)

    def _items_of(self, answer: Answer) -> list[Any]:
        if self._items is None:
            return answer.document if isinstance(answer.document, list) else [answer.document]
        items = self._items(answer.document)
        if not isinstance(items, list):
            raise Malformed(f"{self._config['items']!r} is not a list in the answer.", answer.evidence)
        return items

    def _total_of(self, answer: Answer) -> int | None:
        if "total_header" in self._config:
            value: Any = answer.headers.get(self._config["total_header"])
        elif self._total is not None:
            value = self._total(answer.document)
        else:
            return None
        number, _ = exact(None if value is MISSING else value)
        if number is None:
            raise Malformed("The answer does not hold the total.", answer.evidence)
        return int(number)


class StockListing:
    """A list whose items are rows of stock, or hold them in a list of their own."""

    def __init__(self, listing: Listing, mapping: RowMapping, rows: str | None = None) -> None:
        self.sheets = listing.sheets
        self._mapping = mapping
        self._nested = compile_path(rows) if rows else None

    def pages(self, cursor: Json, next_deadline: NextDeadline) -> Iterator[Page]:
        for sheet in self.sheets(cursor, {}, next_deadline):
            yield Page(
                rows=self.rows(sheet.items, sheet.answer),
                cursor=sheet.following,
                # Of items that hold several rows each, or none, it says nothing about rows.
                total=None if self._nested else sheet.total,
                age=sheet.answer.age,
                evidence=sheet.answer.evidence,
            )

    def rows(self, items: Iterable[Any], answer: Answer) -> list[StockRow]:
        """Raises: Malformed if a single item does not fit; then no row of the page may be used."""
        try:
            return self._mapping.rows(list(self._leaves(items)))
        except Malformed as error:
            raise Malformed(str(error), answer.evidence) from None

    def _leaves(self, items: Iterable[Any]) -> Iterable[Any]:
        return items if self._nested is None else _nested(items, self._nested)


def _nested(items: Iterable[Any], rows_of: Getter) -> Iterator[Any]:
    for item in items:
        rows = rows_of(item)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Malformed("The rows of an item are not a list of objects.")
        yield from ({**row, "parent": item} for row in rows)
