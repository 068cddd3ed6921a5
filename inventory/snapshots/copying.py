"""A page's rows as PostgreSQL's COPY reads them.  Pure functions."""

import re
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import orjson

from inventory.snapshots import guards
from suppliers.readings import StockRow

_NULL = "\\N"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_SPECIAL = re.compile(r"[\\\t\n\r]")


class Lines(NamedTuple):
    """Rows as COPY reads them, without what all rows of a page share.  uncounted: rows without a number."""

    columns: Sequence[str]
    texts: Sequence[str]
    uncounted: int


def lines(rows: Sequence[StockRow]) -> Lines:
    """A page's rows, ready to be stored."""
    columns, uncounted = _columns(rows)
    # Column by column, in COPY's own format: tuples row by row would keep the garbage collector busy.
    return Lines(list(columns), list(map("\t".join, zip(*columns.values(), strict=True))), uncounted)


def _columns(rows: Sequence[StockRow]) -> tuple[dict[str, list[str]], int]:
    """The rows' own columns of the staging table, and how many rows are not counted.

    Without those that all rows leave at the table's defaults, which are most: the server need not read them.
    """
    numbers, flags = list(map(attrgetter("available"), rows)), list(map(attrgetter("flags"), rows))
    if max(map(abs, filter(None, numbers)), default=0) > guards.LARGEST:
        numbers, flags = map(list, zip(*map(guards.whole_units, rows), strict=True))
    columns = {
        "uid": _escaped(list(map(attrgetter("uid"), rows))),
        "location": _escaped(list(map(attrgetter("location"), rows))),
        "code": _escaped(list(map(attrgetter("sku"), rows))),
        "available": [_NULL if number is None else str(number) for number in numbers],
    }
    for name in ("lot", "min_order"):
        values = list(map(attrgetter(name), rows))
        if set(values) != {1}:
            columns[name] = list(map(str, values))
    components = list(map(attrgetter("components"), rows))
    if any(components):
        columns["components"] = _escaped(list(map(_json, components)))
    if any(flags):
        columns["flags"] = _escaped(list(map(_json, flags)))
    return columns, numbers.count(None)


def _escaped(texts: list[str]) -> list[str]:
    """Hardly a page has anything to escape: that is found at once for all of it."""
    return [text.translate(_ESCAPES) for text in texts] if _SPECIAL.search("".join(texts)) else texts


def _json(value: Mapping[str, Any] | frozenset[str]) -> str:
    if isinstance(value, frozenset):
        return orjson.dumps(sorted(value)).decode() if value else "[]"
    return orjson.dumps(dict(value), default=str).decode() if value else "{}"
