"""Long columns as one query parameter each."""

from collections.abc import Iterable
from datetime import datetime

Element = int | float | str | bytes | datetime | None


def literal(values: Iterable[Element]) -> str:
    """A PostgreSQL array, which the query casts: `%s::bigint[]`.

    The driver adapts a list element by element; for a chunk of ten thousand rows that takes longer than storing them,
    and for a batch of orders as long as deciding on them.
    """
    # Nearly all are numbers, and there are millions.
    return "{" + ",".join([str(value) if type(value) is int else _element(value) for value in values]) + "}"


def _element(value: Element) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    return str(value)
