"""Rows: what an inventory item at a location says, listed by cursor or asked for one by one."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from suppliers.adapters.listing import NextDeadline
from suppliers.adapters.mapping import normalise_sku
from suppliers.adapters.quantities import exact, whole_units
from suppliers.adapters.shopify.client import Client, gid, number_of, part
from suppliers.errors import Malformed, SupplierError
from suppliers.readings import FetchResult, Json, Page, Ref, StockRow

FETCH_BATCH = 50
AVAILABLE = "available"
QUANTITIES = '(names: ["available", "on_hand", "committed", "incoming"]) { name quantity updatedAt }'
ITEM = "id sku tracked"


def item_fields(locations: Sequence[str]) -> str:
    """An inventory item with its level at each of these locations, as `l0`, `l1` and so on."""
    levels = (
        f'l{number}: inventoryLevel(locationId: "{gid("Location", location)}") {{ quantities{QUANTITIES} }}'
        for number, location in enumerate(locations)
    )
    return " ".join((ITEM, *levels))


def row_of(item: Mapping[str, Any], level: Mapping[str, Any], location: str) -> StockRow:
    """One row.  Raises: Malformed."""
    sku, raw_sku, flags = normalise_sku(item.get("sku"))
    components, updated_at = {}, None
    for quantity in part(level, "quantities", of=list):
        number, _ = exact(part(quantity, "quantity", of=int))
        components[str(quantity.get("name"))] = Decimal(number or 0)
        if quantity.get("name") == AVAILABLE:
            updated_at = _moment(quantity.get("updatedAt"))
    if AVAILABLE not in components:
        raise Malformed("A level says nothing of what is available.")
    units, more = whole_units(components[AVAILABLE])
    return StockRow(
        uid=number_of(item.get("id")),
        sku=sku,
        raw_sku=raw_sku,
        location=location,
        available=units if part(item, "tracked", of=bool) else None,
        components=components,
        upstream_updated_at=updated_at,
        flags=flags | more,
    )


class Reading:
    """Items at the selected locations."""

    def __init__(self, client: Client, locations: Sequence[str], page_size: int) -> None:
        self._client = client
        self._locations = locations
        self._size = page_size
        self._list = (
            "query ($size: Int!, $after: String) { inventoryItems(first: $size, after: $after)"
            f" {{ nodes {{ {item_fields(locations)} }} pageInfo {{ hasNextPage endCursor }} }} }}"
        )
        self._nodes = (
            f"query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on InventoryItem {{ {item_fields(locations)} }} }} }}"
        )

    def pages(self, cursor: Json, next_deadline: NextDeadline) -> Iterator[Page]:
        """cursor: Shopify's own; None: from the beginning.  Raises: any SupplierError."""
        after = cursor if isinstance(cursor, str) else None
        while True:
            answer = self._client.run(self._list, {"size": self._size, "after": after}, next_deadline())
            items = part(answer.document, "data", "inventoryItems", "nodes", of=list)
            info = part(answer.document, "data", "inventoryItems", "pageInfo", of=dict)
            following = part(info, "endCursor", of=str) if part(info, "hasNextPage", of=bool) else None
            if following is not None and (following == after or not items):
                raise Malformed("The list does not get on.", answer.evidence)
            rows = [row for item in items for row in self._rows(item)]
            yield Page(rows, following, None, age=answer.age, evidence=answer.evidence)
            if following is None:
                return
            after = following

    def fetch(self, refs: Sequence[Ref], next_deadline: NextDeadline) -> FetchResult:
        """Raises: SupplierError if the first batch fails; when a later one does, its refs are unanswered."""
        askable = [ref for ref in refs if ref.uid.isdigit() and ref.location in self._locations]
        result = FetchResult([], [], [ref for ref in refs if ref not in set(askable)])
        uids = list(dict.fromkeys(ref.uid for ref in askable))
        found: dict[tuple[str, str], StockRow] = {}
        asked: set[str] = set()
        for start in range(0, len(uids), FETCH_BATCH):
            batch = uids[start : start + FETCH_BATCH]
            try:
                found |= {(row.uid, row.location): row for row in self._batch(batch, next_deadline)}
            except SupplierError:
                if start == 0:
                    raise
                break
            asked |= set(batch)
        for ref in askable:
            row = found.get((ref.uid, ref.location))
            if row is not None:
                result.rows.append(row)
            else:
                (result.missing if ref.uid in asked else result.unanswered).append(ref)
        return result

    def _batch(self, uids: Sequence[str], next_deadline: NextDeadline) -> Iterator[StockRow]:
        ids = [gid("InventoryItem", uid) for uid in uids]
        answer = self._client.run(self._nodes, {"ids": ids}, next_deadline())
        nodes = part(answer.document, "data", "nodes", of=list)
        if len(nodes) != len(uids):
            raise Malformed("The answer holds another number of nodes than were asked for.", answer.evidence)
        for node in nodes:
            if node:  # null: there is no such item; {}: it is something else
                yield from self._rows(node)

    def _rows(self, item: Any) -> Iterator[StockRow]:
        """A level that is null: the item is not stocked at that location."""
        for number, location in enumerate(self._locations):
            if f"l{number}" not in item:
                raise Malformed("An item does not say what it has at a location.")
            level = item[f"l{number}"]
            if level is not None:
                yield row_of(item, level, location)


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
