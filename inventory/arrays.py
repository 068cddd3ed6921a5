"""Long columns as one query parameter each."""

from collections.abc import Iterable
from datetime import datetime


def literal(values: Iterable[int | str | datetime | None]) -> str:
    """A PostgreSQL array, which the query casts: `%s::bigint[]`.

    The driver adapts a list element by element; for a chunk of ten thousand rows that takes longer than storing them.
    """
    # Nearly all are numbers, and there are millions.
    return "{" + ",".join([str(value) if type(value) is int else _element(value) for value in values]) + "}"


def _element(value: int | str | datetime | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)
