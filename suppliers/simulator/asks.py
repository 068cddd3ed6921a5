"""What a client asks for and what it is told, in no dialect."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from .behaviours.base import JsonRow, Window
from .ledger import Change, Ledger
from .messages import Problem

MAX_LINES, MAX_REFERENCE = 1_000, 255
MAX_QUANTITY = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Ask:
    """endpoint: which of ENDPOINTS, and with it which of the fields count.  identity: what makes it the same request.

    start, size, issued_at: a part of the list, and when its cursor was given out.  indexes: rows to fetch.
    reference, lines (uid → units): an order; dry: only tried.  changes: stock that is written instead; key: a repeat of
    it changes nothing.  order_ids: to find or to cancel.  form, query: what the dialect answers by.
    """

    endpoint: str
    identity: str
    start: int = 0
    size: int = 0
    issued_at: float | None = None
    indexes: Sequence[int] = ()
    reference: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)
    dry: bool = False
    changes: Sequence[Change] = ()
    key: str = ""
    order_ids: Sequence[str] = ()
    query: Mapping[str, str] = field(default_factory=dict)
    form: Any = None


@dataclass(frozen=True, slots=True)
class Told:
    """What the dialect puts into its answer.

    rows in their window, or orders {"order_id", "ref", "status", "at", "lines": [{"id", "sku", "quantity",
    "requested"}]}, or a token for so many seconds.  now: the supplier's time.
    """

    now: float
    rows: Sequence[JsonRow] = ()
    window: Window | None = None
    orders: Sequence[Mapping[str, Any]] = ()
    token: str = ""
    ttl: float = 0.0


def bad(message: str) -> Problem:
    return Problem(400, "BAD_REQUEST", message)


def parse_object(body: bytes) -> dict[str, Any]:
    """A JSON object.  Raises Problem."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise bad("the body is an object")
    return document


def reference_of(value: Any) -> str:
    """Raises Problem."""
    if not isinstance(value, str) or not value or len(value) > MAX_REFERENCE:
        raise bad(f"ref is a text of 1 to {MAX_REFERENCE} characters")
    return value


def lines_of(ledger: Ledger, lines: Any) -> dict[str, int]:
    """Uid → units, repeated lines merged.  Raises Problem."""
    if not isinstance(lines, list) or not 1 <= len(lines) <= MAX_LINES:
        raise bad(f"lines is a list of 1 to {MAX_LINES}")
    merged: Counter[str] = Counter()
    for line in lines:
        uid, quantity = line_of(ledger, line)
        merged[uid] += quantity
    return dict(merged)


def line_of(ledger: Ledger, line: Any) -> tuple[str, int]:
    """Which row (its uid) and how many units; of several rows with one SKU, the first.  Raises Problem."""
    if not isinstance(line, dict):
        raise bad("a line is an object")
    uid, sku, quantity = line.get("id"), line.get("sku"), line.get("quantity")
    if type(quantity) is not int or not 1 <= quantity <= MAX_QUANTITY:
        raise bad("quantity is a whole number from 1")
    by_sku = ledger.indexes_of_sku(sku) if isinstance(sku, str) else ()
    index = ledger.index_of(str(uid)) if uid is not None else next(iter(by_sku), None)
    if index is None:
        raise bad(f"no such item: {uid if uid is not None else sku!r}")
    return ledger.items[index].uid, quantity
