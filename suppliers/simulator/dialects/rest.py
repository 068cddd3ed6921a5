"""Plain JSON over HTTP, in four ways to page.

rest_page: ?page=&size= → {"items", "total"} · rest_offset: ?offset=&limit= → {"items", "total"} ·
rest_cursor: ?cursor=&limit= → {"items", "next"} · rest_link: ?page=&size= → a bare list, Link and X-Total-Count headers
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from suppliers.simulator import errors
from suppliers.simulator.asks import Ask, Told, lines_of, parse_object, reference_of
from suppliers.simulator.ledger import Ledger
from suppliers.simulator.messages import Problem, Reply, Request, json_reply

from .base import DEFAULT_SIZE, MAX_SIZE, Query, at_cursor, cursor, identity, nowhere, number, rows_named, words

Start = tuple[int, int, float | None]  # first row, size, when the cursor was given out


class RestDialect:
    def __init__(self, start: Callable[[Query], Start], page: Callable[[Ask, Told], Reply]) -> None:
        self._start = start
        self._page = page

    def credential(self, request: Request, secret: str, now: float) -> str:  # noqa: ARG002
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        return bearer if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")

    def understand(self, request: Request, ledger: Ledger) -> Ask:
        query = request.query
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["stock"] if "sku" in query or "id" in query:
                indexes = rows_named(ledger, words(query.get("sku")), words(query.get("id")))
                return Ask("fetch", identity(query), indexes=indexes)
            case "GET", ["stock"]:
                start, size, issued_at = self._start(query)
                return Ask("list", identity(query), start, size, issued_at, query=query)
            case "POST", ["orders"]:
                document = parse_object(request.body)
                reference = reference_of(document.get("ref"))
                return Ask("confirm", reference, reference=reference, lines=lines_of(ledger, document.get("lines")))
            case "GET", ["orders"]:
                return Ask("readback", query.get("ref", ""), reference=query.get("ref", ""))
            case "POST", ["orders", order_ids, "cancel"]:
                return Ask("cancel", order_ids, order_ids=words(order_ids))
            case "POST", ["token"]:
                return Ask("login", "token")
        raise nowhere()

    def answer(self, ask: Ask, told: Told, ledger: Ledger) -> Reply:  # noqa: ARG002
        match ask.endpoint:
            case "list":
                return self._page(ask, told)
            case "fetch":
                return json_reply(200, {"items": told.rows, "total": len(told.rows)})
            case "confirm":
                return json_reply(202 if told.orders[0]["status"] == "pending" else 201, _placed(told))
            case "readback":
                return json_reply(200, {"items": told.orders})
            case "cancel":
                return json_reply(200, told.orders[0])
        return json_reply(200, {"access_token": told.token, "expires_in": int(told.ttl)})

    def problem(self, problem: Problem) -> Reply:
        return errors.rest(problem)


def _placed(told: Told) -> Any:
    if len(told.orders) == 1:
        return told.orders[0]
    return {"order_id": None, "ref": told.orders[0]["ref"], "orders": told.orders}


def _by_page(query: Query) -> Start:
    size = min(number(query, "size", DEFAULT_SIZE, 1), MAX_SIZE)
    return (number(query, "page", 1, 1) - 1) * size, size, None


def _limit(query: Query) -> int:
    return min(number(query, "limit", DEFAULT_SIZE, 1), MAX_SIZE)


def _by_offset(query: Query) -> Start:
    return number(query, "offset", 0, 0), _limit(query), None


def _by_cursor(query: Query) -> Start:
    start, issued_at = at_cursor(query.get("cursor") or "c0")
    return start, _limit(query), issued_at


def _with_total(_ask: Ask, told: Told) -> Reply:
    return json_reply(200, {"items": told.rows, "total": told.window.total if told.window else 0})


def _with_next(_ask: Ask, told: Told) -> Reply:
    window = told.window
    more = window is not None and window.stop < window.total
    return json_reply(200, {"items": told.rows, "next": cursor(window.stop, told.now) if window and more else None})


def _with_link(ask: Ask, told: Told) -> Reply:
    window = told.window
    headers = {"X-Total-Count": str(window.total if window else 0)}
    if window is not None and window.stop < window.total:
        following = {**ask.query, "page": str(number(ask.query, "page", 1, 1) + 1)}
        headers["Link"] = f'</stock?{urlencode(following)}>; rel="next"'
    return json_reply(200, told.rows, headers)


REST = {
    "rest_page": RestDialect(_by_page, _with_total),
    "rest_offset": RestDialect(_by_offset, _with_total),
    "rest_cursor": RestDialect(_by_cursor, _with_next),
    "rest_link": RestDialect(_by_page, _with_link),
}
