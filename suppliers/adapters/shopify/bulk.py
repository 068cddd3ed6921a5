"""The whole catalogue by a bulk operation: started, polled, and its JSONL read in pieces.

Each line of a level carries its item, and its location as `__parentId`, so that no line needs another one: the order of
the lines does not matter, and neither does how many there are.  A piece is a byte range, so memory is bounded and a
stored position resumes in another process; a host without ranges answers the whole file, which must then fit.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import orjson

from suppliers.adapters.answers import Answer
from suppliers.adapters.calls import Caller
from suppliers.adapters.listing import NextDeadline
from suppliers.adapters.shopify.client import Client, number_of, part
from suppliers.adapters.shopify.reading import ITEM, QUANTITIES, row_of
from suppliers.errors import BlockedAddress, Malformed, Transient
from suppliers.readings import Page, StockRow
from suppliers.transport import Deadline, Request, Response

POLL_SECONDS = 5.0
LONGEST_SECONDS = 6 * 3_600  # Shopify allows ten days; stock of this morning is of no use
PIECE_BYTES = 2_000_000
RESULT_HOSTS = ("storage.googleapis.com",)
UNDER_WAY = {"CREATED", "RUNNING"}
EXPORT = (
    "{ locations(includeLegacy: true, includeInactive: true) { edges { node { id inventoryLevels { edges { node"
    f" {{ id item {{ {ITEM} }} quantities{QUANTITIES} }} }} }} }} }} }}"
)
START = (
    "mutation ($query: String!) { bulkOperationRunQuery(query: $query)"
    " { bulkOperation { id } userErrors { code field message } } }"
)
POLL = "query ($id: ID!) { node(id: $id) { ... on BulkOperation { id status errorCode createdAt fileSize url } } }"
Cursor = dict[str, Any]  # operation, and the offset of the next piece once there is a file


@dataclass(frozen=True, slots=True)
class Operation:
    """A bulk operation.

    created: by our monotonic clock, the earliest moment that its data can be from.  size: of the file, in bytes.
    """

    status: str
    error: str
    created: float
    size: int
    url: str | None


class BulkListing:
    """Pages of a shop's levels out of one bulk operation."""

    def __init__(self, client: Client, call: Caller, config: Mapping[str, Any], max_bytes: int) -> None:
        self._client = client
        self._call = call
        self._hosts = set(config.get("result_hosts", RESULT_HOSTS))
        self._locations = set(config["locations"])
        self._poll_seconds: float = config.get("poll_seconds", POLL_SECONDS)
        self._piece = min(PIECE_BYTES, max_bytes)

    def start(self, deadline: Deadline) -> Cursor | None:
        """A new operation; None if Shopify takes none now, as with too many under way."""
        answer = self._client.run(START, {"query": EXPORT}, deadline, safe=False)
        started = part(answer.document, "data", "bulkOperationRunQuery", of=dict)
        operation = started.get("bulkOperation")
        if part(started, "userErrors", of=list) or operation is None:
            return None
        return {"operation": part(operation, "id", of=str)}

    def pages(self, cursor: Cursor, next_deadline: NextDeadline) -> Iterator[Page]:
        """Pages without rows while the operation runs, then its lines.  Raises: any SupplierError."""
        asked_at = time.monotonic()
        operation = self._poll(cursor, next_deadline())
        while operation.status in UNDER_WAY:
            age = max(0.0, asked_at - operation.created)
            if age > LONGEST_SECONDS:
                raise Malformed(f"The bulk operation is still {operation.status} after {age / 3_600:.0f} hours.")
            yield Page([], cursor, None, age=age, pending=True)
            time.sleep(self._poll_seconds)
            asked_at = time.monotonic()
            operation = self._poll(cursor, next_deadline())
        if operation.status != "COMPLETED":
            raise Malformed(f"The bulk operation ended as {operation.status} ({operation.error}); it is started anew.")
        yield from self._lines(cursor, operation, next_deadline)

    def _poll(self, cursor: Cursor, deadline: Deadline) -> Operation:
        sent = time.monotonic()
        answer = self._client.run(POLL, {"id": cursor["operation"]}, deadline)
        node = part(answer.document, "data", "node", of=dict)
        age = (_now(answer) - datetime.fromisoformat(part(node, "createdAt", of=str))).total_seconds()
        return Operation(
            status=part(node, "status", of=str),
            error=str(node.get("errorCode")),
            # A second, because Date is cut to whole ones.
            created=sent - max(0.0, age) - 1.0,
            size=int(node.get("fileSize") or 0),
            url=node.get("url"),
        )

    def _lines(self, cursor: Cursor, operation: Operation, next_deadline: NextDeadline) -> Iterator[Page]:
        if operation.url is None:  # it found nothing
            yield Page([], None, None)
            return
        offset = cursor.get("offset", 0)
        while offset < operation.size:
            asked_at = time.monotonic()
            piece = self._fetch(operation, offset, next_deadline())
            # A line that the range cut in two belongs to the next piece.
            text = piece if offset + len(piece) == operation.size else piece[: piece.rfind(b"\n") + 1]
            if not text:
                raise Malformed("The bulk file holds a line that is longer than a piece.")
            offset += len(text)
            following = {"operation": cursor["operation"], "offset": offset} if offset < operation.size else None
            rows = [row for line in text.split(b"\n") if line for row in self._rows(line)]
            yield Page(rows, following, None, age=max(0.0, asked_at - operation.created))

    def _fetch(self, operation: Operation, offset: int, deadline: Deadline) -> bytes:
        """A piece of the file, or the rest of it from a host that has no ranges.  No token goes to that host."""
        host = urlsplit(operation.url or "").hostname
        if host not in self._hosts:
            raise BlockedAddress(f"{host} is not among the result_hosts of this supplier.")
        end = min(offset + self._piece, operation.size)

        def read(response: Response) -> bytes:
            if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise Transient(f"The host of the bulk file failed ({response.status}).", sent=True)
            if response.status == HTTPStatus.PARTIAL_CONTENT and len(response.body) == end - offset:
                return response.body
            if response.status == HTTPStatus.OK and len(response.body) == operation.size:
                return response.body[offset:]
            raise Malformed(f"The bulk file has another size than announced, or is gone ({response.status}).")

        headers = {"Range": f"bytes={offset}-{end - 1}", "Accept-Encoding": "identity"}
        return self._call(Request("GET", operation.url or "", headers=headers), read, safe=True, deadline=deadline)

    def _rows(self, line: bytes) -> Iterator[StockRow]:
        try:
            document = orjson.loads(line)
        except ValueError:
            raise Malformed("A line of the bulk file is not JSON.", line[:200].decode("utf-8", "replace")) from None
        if not isinstance(document, dict) or "/InventoryLevel/" not in str(document.get("id")):
            return  # the line of a location
        location = number_of(document.get("__parentId"))
        if location in self._locations:
            yield row_of(part(document, "item", of=dict), document, location)


def _now(answer: Answer) -> datetime:
    """Shopify's clock, against which its createdAt counts."""
    try:
        return parsedate_to_datetime(answer.headers.get("Date", ""))
    except (TypeError, ValueError, IndexError):
        return datetime.now(UTC)
