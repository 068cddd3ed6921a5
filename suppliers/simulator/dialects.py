"""How the list is cut into pages: one entry per dialect.

rest_page: ?page=&size= → {"items", "total"} · rest_offset: ?offset=&limit= → {"items", "total"} ·
rest_cursor: ?cursor=&limit= → {"items", "next"} · rest_link: ?page=&size= → a bare list, Link and X-Total-Count headers
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from .messages import Reply, json_reply

DEFAULT_SIZE, MAX_SIZE, MAX_DIGITS = 100, 1_000, 12
Query = Mapping[str, str]


class BadQuery(ValueError):
    """A paging parameter is not a number in range."""


@dataclass(frozen=True, slots=True)
class Window:
    """Rows `start` to `stop` of `total`, out of which a dialect makes its page."""

    start: int
    stop: int
    total: int
    query: Query


@dataclass(frozen=True, slots=True)
class Dialect:
    window: Callable[[Query, int], Window]
    page: Callable[[list[dict[str, Any]], Window], Reply]


def _number(query: Query, name: str, default: int, least: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS and int(text) >= least):
        raise BadQuery(f"{name} is a whole number from {least}")
    return int(text)


def _from(start: int, size: int, total: int, query: Query) -> Window:
    return Window(min(start, total), min(start + min(size, MAX_SIZE), total), total, query)


def _by_page(query: Query, total: int) -> Window:
    size = min(_number(query, "size", DEFAULT_SIZE, 1), MAX_SIZE)
    return _from((_number(query, "page", 1, 1) - 1) * size, size, total, query)


def _by_offset(query: Query, total: int) -> Window:
    return _from(_number(query, "offset", 0, 0), _number(query, "limit", DEFAULT_SIZE, 1), total, query)


def _by_cursor(query: Query, total: int) -> Window:
    cursor = query.get("cursor") or "c0"
    if not cursor.startswith("c"):
        raise BadQuery("cursor is one of ours")
    start = _number({"cursor": cursor[1:]}, "cursor", 0, 0)
    return _from(start, _number(query, "limit", DEFAULT_SIZE, 1), total, query)


def _with_total(rows: list[dict[str, Any]], window: Window) -> Reply:
    return json_reply(200, {"items": rows, "total": window.total})


def _with_next(rows: list[dict[str, Any]], window: Window) -> Reply:
    return json_reply(200, {"items": rows, "next": f"c{window.stop}" if window.stop < window.total else None})


def _with_link(rows: list[dict[str, Any]], window: Window) -> Reply:
    headers = {"X-Total-Count": str(window.total)}
    if window.stop < window.total:
        following = {**window.query, "page": str(_number(window.query, "page", 1, 1) + 1)}
        headers["Link"] = f'</stock?{urlencode(following)}>; rel="next"'
    return json_reply(200, rows, headers)


DIALECTS: dict[str, Dialect] = {
    "rest_page": Dialect(_by_page, _with_total),
    "rest_offset": Dialect(_by_offset, _with_total),
    "rest_cursor": Dialect(_by_cursor, _with_next),
    "rest_link": Dialect(_by_page, _with_link),
}
