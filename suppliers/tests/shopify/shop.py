"""A shop that a test plays, with answers as its documentation prints them.

Sources: shopify.dev, Admin GraphQL API: "rate limits" (THROTTLED and extensions.cost), "bulk operations, queries"
(JSONL with __parentId), inventoryAdjustQuantities with changeFromQuantity and @idempotent (2026-04), "implementing
idempotency" (error codes).  Nothing here ran against the live platform.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from suppliers.readings import ConfirmLine, ConfirmRequest, Ref
from suppliers.tests.upstream import Seen, reply

LOCATION, OTHER = "124656943", "346779380"
ITEM = "30322695"
REF = Ref(ITEM, "element-151", LOCATION)
ORDER = ConfirmRequest("H-1", [ConfirmLine(REF, 3, 10)], "2026-11-25T12:00:00+00:00")
THROTTLED = {
    "errors": [
        {
            "message": "Throttled",
            "extensions": {"code": "THROTTLED", "documentation": "https://shopify.dev/api/usage/rate-limits"},
        }
    ],
    "extensions": {
        "cost": {
            "requestedQueryCost": 202,
            "actualQueryCost": None,
            "throttleStatus": {"maximumAvailable": 1000.0, "currentlyAvailable": 118, "restoreRate": 50.0},
        }
    },
}


def level(available: int, **more: Any) -> dict[str, Any]:
    quantities = [{"name": "available", "quantity": available, "updatedAt": "2026-11-25T10:00:00Z"}]
    quantities.append({"name": "on_hand", "quantity": available + 2, "updatedAt": "2026-11-25T10:00:00Z"})
    return {"quantities": quantities, **more}


def item(number: str = ITEM, sku: Any = "element-151", tracked: Any = True) -> dict[str, Any]:
    return {"id": f"gid://shopify/InventoryItem/{number}", "sku": sku, "tracked": tracked}


@dataclass
class Shop:
    """answers: by the name of the field that is asked for, in turn, the last one for ever."""

    answers: dict[str, list[Any]] = field(default_factory=dict)
    file: bytes = b""
    ranges: bool = True
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: dict[str, Any] = field(default_factory=dict)
    url: str = ""
    seen: list[Seen] = field(default_factory=list)

    def __call__(self, seen: Seen) -> bytes:
        if seen.method == "GET":
            return self._file(seen)
        self.asked.append(seen.json)
        name = next(name for name in self.answers if name in seen.json["query"])
        left = self.answers[name]
        answer: Any = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, bytes):
            return answer
        whole = answer if {"data", "errors"} & answer.keys() else {"data": {name: answer}}
        return reply(whole, **self.headers)

    def _file(self, seen: Seen) -> bytes:
        assert "x-shopify-access-token" not in seen.headers
        start, end = (int(text) for text in seen.headers["range"].removeprefix("bytes=").split("-"))
        if not self.ranges:
            return reply(body=self.file)
        return reply(body=self.file[start : end + 1], status=206)


def operation(shop: Shop, status: str = "COMPLETED", age: float = 0, **fields: Any) -> dict[str, Any]:
    created = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=age)
    shop.headers["Date"] = format_datetime(datetime.now(UTC), usegmt=True)
    return {
        "id": "gid://shopify/BulkOperation/720918",
        "status": status,
        "errorCode": None,
        "createdAt": created.isoformat().replace("+00:00", "Z"),
        "fileSize": str(len(shop.file)),
        "url": f"{shop.url}/bulk/720918.jsonl?signature=s" if status == "COMPLETED" else None,
        **fields,
    }


STARTED = {"bulkOperation": {"id": "gid://shopify/BulkOperation/720918"}, "userErrors": []}
REFUSED = {"bulkOperation": None, "userErrors": [{"code": "OPERATION_IN_PROGRESS", "field": None, "message": "busy"}]}


def jsonl(*lines: dict[str, Any]) -> bytes:
    return b"\n".join(json.dumps(line).encode() for line in lines)


def level_line(number: int, available: int, location: str = LOCATION, **more: Any) -> dict[str, Any]:
    parent = f"gid://shopify/Location/{location}"
    identity = f"gid://shopify/InventoryLevel/{number}?inventory_item_id={number}"
    return level(available, id=identity, item={**item(str(number), f"S-{number}"), **more}, __parentId=parent)


def rows_of(pages: Any) -> list[tuple[str, str, int | None]]:
    return [(row.uid, row.location, row.available) for page in pages for row in page.rows]


ADJUSTED = {"inventoryAdjustmentGroup": {"id": "gid://shopify/InventoryAdjustmentGroup/3"}, "userErrors": []}


def adjusted(*codes: str) -> dict[str, Any]:
    errors = [{"code": code, "field": ["input", "changes", "0"], "message": "no"} for code in codes]
    return {"inventoryAdjustmentGroup": None, "userErrors": errors}
