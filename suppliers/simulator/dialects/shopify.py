"""The parts of Shopify's Admin GraphQL that tell and change stock: POST /admin/api/{version}/graphql.json.

`available` may fall below 0; changes compare (`changeFromQuantity`) and are idempotent by `@idempotent(key:)`, which
versions from 2026-04 on demand.  A bulk operation is complete at once; its JSONL lies at /bulk/all.jsonl.
"""

import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from suppliers.simulator import errors
from suppliers.simulator.asks import Ask, Told, bad
from suppliers.simulator.ledger import Change, Ledger
from suppliers.simulator.messages import Problem, Reply, Request, json_reply
from suppliers.simulator.sales import STALE
from suppliers.simulator.stock import stamp

from .base import DEFAULT_SIZE, at_cursor, cursor, nowhere, rows_named
from .gql import Operation
from .platforms import FIRST_SKU, Sheet, row_of

MAX_FIRST = 250
FIRST_STRICT_VERSION = "2026-04"
ITEM, LEVEL = "gid://shopify/InventoryItem/", "gid://shopify/InventoryLevel/"
LOCATION = "gid://shopify/Location/"
FIELDS = (
    "inventoryItems",
    "nodes",
    "node",
    "inventoryAdjustQuantities",
    "inventorySetQuantities",
    "bulkOperationRunQuery",
    "currentBulkOperation",
)
USER_ERRORS = (STALE, "NO_STOCK")


class ShopifyDialect:
    def credential(self, request: Request, secret: str, now: float) -> str:  # noqa: ARG002
        if request.path.startswith("/bulk/"):
            return secret  # the real URL is signed and needs no token
        return request.headers.get("x-shopify-access-token", "")

    def understand(self, request: Request, ledger: Ledger) -> Ask:
        if request.path == "/bulk/all.jsonl":
            return Ask("list", "bulk", 0, len(ledger.items), form="jsonl")
        found = re.fullmatch(r"/admin/api/(\d{4}-\d{2})/graphql\.json", request.path)
        if request.method != "POST" or not found:
            raise nowhere()
        operation = Operation(request, FIELDS)
        match operation.field:
            case "inventoryItems":
                return _items(operation, ledger)
            case "nodes":
                ids = operation.argument("ids", [])
                rows = [index for gid in ids if (index := _row(ledger, gid)) is not None]
                return Ask("fetch", f"{ids}", indexes=rows, form=("nodes", ids), query=_aliases(operation))
            case "bulkOperationRunQuery" | "currentBulkOperation" | "node":
                return Ask("fetch", operation.field, form=(operation.field, request.headers.get("host", "")))
        return _changes(operation, ledger, found[1])

    def answer(self, ask: Ask, told: Told, ledger: Ledger) -> Reply:
        sheet = Sheet(ask, told, ledger)
        if ask.form == "jsonl":
            return Reply(200, _jsonl(sheet), content_type="application/jsonl")
        return json_reply(200, {"data": {ask.form[0]: _data(sheet)}, "extensions": {"cost": _COST}})

    def problem(self, problem: Problem) -> Reply:
        if problem.code in USER_ERRORS:
            error = {"code": problem.code, "field": ["input"], "message": problem.message}
            document = {"inventoryAdjustmentGroup": None, "userErrors": [error]}
            data = {"inventoryAdjustQuantities": document, "inventorySetQuantities": document}
            return json_reply(200, {"data": data, "extensions": {"cost": _COST}})
        return errors.shopify(problem)


_COST = {
    "requestedQueryCost": 12,
    "actualQueryCost": 12,
    "throttleStatus": {"maximumAvailable": 2000.0, "currentlyAvailable": 1988, "restoreRate": 100.0},
}


# --- What is asked ------------------------------------------------------------------------------------------
def _items(operation: Operation, ledger: Ledger) -> Ask:
    wanted = re.findall(r"sku:\s*['\"]?([^'\"\s)]+)", str(operation.argument("query") or ""))
    if wanted:
        indexes = rows_named(ledger, wanted, [])
        return Ask("fetch", f"{wanted}", indexes=indexes, form=("inventoryItems", ()), query=_aliases(operation))
    start, issued_at = at_cursor(operation.argument("after") or "c0")
    size = min(operation.number("first", DEFAULT_SIZE), MAX_FIRST)
    return Ask(
        "list", f"{start} {size}", start, size, issued_at, form=("inventoryItems", ()), query=_aliases(operation)
    )


def _aliases(operation: Operation) -> dict[str, str]:
    """Alias → number of the location, where a query asks for levels one by one."""
    return dict(
        re.findall(r"(\w+)\s*:\s*inventoryLevel\(locationId:\s*\"gid://shopify/Location/(\d+)\"", operation.text)
    )


def _row(ledger: Ledger, gid: Any) -> int | None:
    return row_of(ledger, str(gid).rpartition("/")[2].partition("?")[0], FIRST_SKU)


def _changes(operation: Operation, ledger: Ledger, version: str) -> Ask:
    given, key = operation.argument("input"), _key(operation)
    if not isinstance(given, dict):
        raise bad("input is an object")
    if not key and version >= FIRST_STRICT_VERSION:
        raise bad("The @idempotent directive is required for this mutation.")
    delta = operation.field == "inventoryAdjustQuantities"
    wanted = given.get("changes" if delta else "quantities")
    if not isinstance(wanted, list) or not wanted:
        raise bad("there is nothing to change")
    changes = [_change(ledger, each, delta=delta) for each in wanted]
    # What is only for the record tells us whose order it was.
    reference = str(given.get("referenceDocumentUri") or key)
    return Ask("confirm", key or reference, reference=reference, changes=changes, key=key, form=(operation.field, ()))


def _key(operation: Operation) -> str:
    found = re.search(r"@idempotent\(\s*key\s*:\s*(?:\$(\w+)|\"([^\"]*)\")", operation.text)
    if not found:
        return ""
    return str(operation.variables.get(found[1], "")) if found[1] else found[2]


def _change(ledger: Ledger, each: Any, *, delta: bool) -> Change:
    index = _row(ledger, each.get("inventoryItemId")) if isinstance(each, dict) else None
    number = each.get("delta" if delta else "quantity") if isinstance(each, dict) else None
    if index is None or type(number) is not int:
        raise bad("a change names an item and a whole number")
    expected = each.get("changeFromQuantity", each.get("compareQuantity"))
    return Change(index, number, delta=delta, expected=expected, may_fall_below_zero=True)


# --- What is told ---------------------------------------------------------------------------------------------
def _data(sheet: Sheet) -> Any:
    field, extra = sheet.ask.form
    match field:
        case "inventoryItems":
            nodes = [_item(row, index, sheet.ask.query) for row, index in sheet.numbered]
            return {"nodes": nodes, "edges": [{"node": node} for node in nodes], "pageInfo": _page_info(sheet)}
        case "nodes":
            by_id = {f"{ITEM}{FIRST_SKU + index}": _item(row, index, sheet.ask.query) for row, index in sheet.numbered}
            return [by_id.get(str(gid)) for gid in extra]
        case "bulkOperationRunQuery":
            return {"bulkOperation": {"id": "gid://shopify/BulkOperation/1", "status": "CREATED"}, "userErrors": []}
        case "currentBulkOperation" | "node":
            operation = {"id": "gid://shopify/BulkOperation/1", "status": "COMPLETED", "errorCode": None}
            return {**operation, "createdAt": stamp(sheet.told.now), "url": f"http://{extra}/bulk/all.jsonl"}
    return _adjusted(sheet)


def _page_info(sheet: Sheet) -> Mapping[str, Any]:
    window = sheet.told.window
    more = sheet.ask.endpoint == "list" and window is not None and window.stop < window.total
    return {"hasNextPage": more, "endCursor": cursor(window.stop, sheet.told.now) if window and more else None}


def _item(row: Mapping[str, Any], index: int, aliases: Mapping[str, str] | None = None) -> dict[str, Any]:
    tracked = bool(row.get("tracked", True))
    item = {"id": f"{ITEM}{FIRST_SKU + index}", "sku": row["sku"], "tracked": tracked, "updatedAt": row["updated_at"]}
    level, at = _level(row, index), location_number(row["location"])
    asked = {alias: level if number == at else None for alias, number in (aliases or {}).items()}
    return {**item, "inventoryLevels": {"nodes": [level]}, **asked}


def location_number(name: str) -> str:
    """Locations have numbers there; the first one is 1."""
    return "1" if name == "main" else str(zlib.crc32(name.encode()))


def _level(row: Mapping[str, Any], index: int) -> dict[str, Any]:
    units, at = row.get("available"), row["updated_at"]
    quantities = [{"name": name, "quantity": units, "updatedAt": at} for name in ("available", "on_hand")]
    others = [{"name": name, "quantity": 0, "updatedAt": at} for name in ("committed", "incoming", "reserved")]
    location = {"id": f"{LOCATION}{location_number(row['location'])}", "name": row["location"]}
    shown = quantities + others if "available" in row else others
    return {"id": f"{LEVEL}{FIRST_SKU + index}", "location": location, "updatedAt": at, "quantities": shown}


def _jsonl(sheet: Sheet) -> bytes:
    """Children stand on lines of their own behind their parent."""
    lines: list[Mapping[str, Any]] = []
    for row, index in sheet.numbered:
        item = _item(row, index)
        levels: Sequence[Mapping[str, Any]] = item.pop("inventoryLevels")["nodes"]
        lines += [item, *({**level, "__parentId": item["id"]} for level in levels)]
    return b"".join(orjson.dumps(line) + b"\n" for line in lines)


def _adjusted(sheet: Sheet) -> dict[str, Any]:
    changes = [{"name": "available", "delta": change.number} for change in sheet.ask.changes]
    group = {
        "id": f"gid://shopify/InventoryAdjustmentGroup/{sheet.ask.identity}",
        "referenceDocumentUri": sheet.ask.reference,
        "changes": changes,
    }
    return {"inventoryAdjustmentGroup": group, "userErrors": []}
