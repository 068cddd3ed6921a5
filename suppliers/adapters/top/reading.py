"""Rows out of items and their SKUs.

Note [Two ways to deduct]
`quantity` is net of orders where an item deducts when an order is placed.  Where it deducts on payment, orders that
wait for theirs are still in it, and `with_hold_quantity` says how many.  It is the item that says which (`sub_stock`:
1 order, 2 payment); an item that does not say is taken to deduct on payment, which can only promise less.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from suppliers.adapters.listing import NextDeadline
from suppliers.adapters.mapping import normalise_sku
from suppliers.adapters.platforms import text_of
from suppliers.adapters.quantities import exact, whole_units
from suppliers.adapters.top.client import CHINA, STAMP, Client, Refusal
from suppliers.adapters.top.configuration import PAGE_SIZE
from suppliers.errors import Malformed, SupplierError
from suppliers.readings import FetchResult, Json, Page, Ref, StockRow

LISTS = ("taobao.items.onsale.get", "taobao.items.inventory.get")  # on sale, and off the shelf
ITEM_FIELDS = "num_iid,outer_id,num,approve_status,sub_stock,modified,sku"
SKU_FIELDS = "sku_id,num_iid,outer_id,quantity,with_hold_quantity,modified,status"
GONE = ("isv.item-not-exist", "isv.item-is-delete")
BY_CODE = "outer:"
DEDUCTS_ON_ORDER = "1"
MOST_PAGES = 100_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a list goes on: which of LISTS, which page."""

    number: int
    page: int

    @classmethod
    def of(cls, cursor: Json) -> "Place":
        match cursor:
            case None:
                return cls(0, 1)
            case [int(number), int(page)] if 0 <= number < len(LISTS) and page >= 1:
                return cls(number, page)
        raise Malformed("The stored position is not one of TOP's; start the list anew.")

    def following(self, *, more: bool) -> "Place | None":
        if more:
            return Place(self.number, self.page + 1)
        return Place(self.number + 1, 1) if self.number + 1 < len(LISTS) else None


class Reading:
    """Items of one seller."""

    def __init__(self, client: Client, config: Mapping[str, Any]) -> None:
        self._client = client
        self._size: int = config.get("page_size", PAGE_SIZE)
        self._deducts: str = config.get("deducts", "by_item")

    def pages(self, cursor: Json, next_deadline: NextDeadline) -> Iterator[Page]:
        """A page of a list with the SKUs of its items: one call for the page and one for each item.

        Raises: any SupplierError.
        """
        place: Place | None = Place.of(cursor)
        while place is not None:
            answer = self._client.run(
                LISTS[place.number],
                {"fields": "num_iid", "page_no": place.page, "page_size": self._size, "order_by": "list_time:asc"},
                next_deadline(),
            )
            total, _ = exact(answer.document.get("total_results"))
            items = _inner(answer.document, "items", "item")
            if total is None or (not items and (place.page - 1) * self._size < total):
                raise Malformed("The list ends before its total.", answer.evidence)
            rows = [row for item in items for row in self._item(_number(item, "num_iid"), next_deadline) or ()]
            place = place.following(more=place.page * self._size < total)
            yield Page(rows, [place.number, place.page] if place else None, None, evidence=answer.evidence)

    def fetch(self, refs: Sequence[Ref], next_deadline: NextDeadline) -> FetchResult:
        """Raises: SupplierError if the first item fails; when a later one does, what is left is unanswered."""
        result = FetchResult([], [], [])
        by_item: dict[str, list[Ref]] = {}
        for ref in refs:
            by_item.setdefault(ref.uid if ref.uid.startswith(BY_CODE) else ref.uid.partition(":")[0], []).append(ref)
        failed = False
        for number, (key, asked) in enumerate(by_item.items()):
            try:
                rows = None if failed else self._rows_of(key, next_deadline)
            except SupplierError:
                if number == 0:
                    raise
                failed, rows = True, None
            if failed:
                result.unanswered.extend(asked)
                continue
            found = {row.uid: row for row in rows or ()}
            result.rows.extend(found[ref.uid] for ref in asked if ref.uid in found)
            result.missing.extend(ref for ref in asked if ref.uid not in found)
        return result

    def _rows_of(self, key: str, next_deadline: NextDeadline) -> list[StockRow] | None:
        if not key.startswith(BY_CODE):
            return self._item(key, next_deadline)
        code = key.removeprefix(BY_CODE)
        parameters = {"outer_id": code, "fields": SKU_FIELDS}
        answer = self._client.run("taobao.skus.custom.get", parameters, next_deadline())
        skus = [sku for sku in _inner(answer.document, "skus", "sku") if sku.get("outer_id") == code]
        if len(skus) > 1:
            raise Malformed(f"{len(skus)} SKUs carry the code {code[:40]!r}.", answer.evidence)
        return [self._row(sku, {}, uid=key) for sku in skus]

    def _item(self, num_iid: str, next_deadline: NextDeadline) -> list[StockRow] | None:
        """The rows of an item; None if there is no such item."""
        parameters = {"num_iid": num_iid, "fields": f"{ITEM_FIELDS},{SKU_FIELDS}"}
        try:
            answer = self._client.run("taobao.item.seller.get", parameters, next_deadline())
        except Refusal as refusal:
            if refusal.sub_code.startswith(GONE):
                return None
            raise
        item = answer.document.get("item")
        if not isinstance(item, dict) or _number(item, "num_iid") != num_iid:
            raise Malformed("The answer is not about the item that was asked for.", answer.evidence)
        skus = _inner(item, "skus", "sku")
        if not skus:
            return [self._row({**item, "quantity": item.get("num")}, item, uid=num_iid)]
        return [self._row(sku, item, uid=f"{num_iid}:{_number(sku, 'sku_id')}") for sku in skus]

    def _row(self, sku: Mapping[str, Any], item: Mapping[str, Any], *, uid: str) -> StockRow:
        quantity, flags = exact(sku.get("quantity"))
        held, _ = exact(sku.get("with_hold_quantity"))
        code, raw, more = normalise_sku(sku.get("outer_id"))
        components = {"quantity": Decimal(quantity or 0), "with_hold_quantity": Decimal(held or 0)}
        on_order = self._deducts == "order" or (
            self._deducts == "by_item" and text_of(item.get("sub_stock")) == DEDUCTS_ON_ORDER
        )
        available = None
        if quantity is not None:
            available, rounded = whole_units(quantity - (0 if on_order else held or 0))
            flags |= rounded
        if item.get("approve_status", "onsale") != "onsale" or sku.get("status", "normal") != "normal":
            available, flags = 0, flags | {"inactive"}
        return StockRow(
            uid=uid,
            sku=code,
            raw_sku=raw,
            location="",
            available=available,
            components=components,
            upstream_updated_at=_moment(sku.get("modified")),
            flags=flags | more,
        )


def _inner(document: Mapping[str, Any], outer: str, inner: str) -> list[dict[str, Any]]:
    """TOP wraps lists twice, and leaves both wrappers away where a list is empty."""
    wrapped = document.get(outer, {})
    items = wrapped.get(inner, []) if isinstance(wrapped, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Malformed(f"{outer}.{inner} is not a list.")
    return items


def _number(document: Mapping[str, Any], name: str) -> str:
    value = str(document.get(name))
    if not value.isdigit():
        raise Malformed(f"{name} is {value[:40]!r}, which is no number.")
    return value


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.strptime(text, STAMP).replace(tzinfo=CHINA).astimezone(UTC)
    except (TypeError, ValueError):
        return None
