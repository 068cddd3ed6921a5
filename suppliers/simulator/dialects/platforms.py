"""What dialects of platforms have in common: forms, and numbers for rows where a platform has numbers."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson

from suppliers.simulator.asks import Ask, Told, bad
from suppliers.simulator.behaviours import JsonRow
from suppliers.simulator.ledger import Ledger
from suppliers.simulator.messages import Request

FIRST_ITEM, FIRST_SKU = 600_000_000_000, 4_000_000_000_000


def parameters_of(request: Request) -> dict[str, str]:
    """Of the query and of a form in the body."""
    form = request.body if "form" in request.headers.get("content-type", "") else b""
    return {**request.query, **dict(parse_qsl(form.decode("utf-8", "replace"), keep_blank_values=True))}


def row_of(ledger: Ledger, number: object, first: int = FIRST_ITEM) -> int | None:
    """Which row a platform's number stands for."""
    text = str(number)
    index = int(text) - first if text.isdecimal() else -1
    return index if 0 <= index < len(ledger.items) else None


def json_of(text: str, name: str) -> Any:
    """A parameter that is JSON in itself.  Raises Problem."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise bad(f"{name} is not JSON") from error


def basic_password(header: str) -> str:
    """The password of Basic authentication, or nothing."""
    scheme, _, given = header.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(given, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to a platform: its parameters, by name."""

    parameters: Mapping[str, str]
    ledger: Ledger

    def get(self, name: str) -> str:
        return self.parameters.get(name, "")

    def rows(self, numbers: Iterable[object], first: int = FIRST_ITEM) -> list[int]:
        found = [row_of(self.ledger, number, first) for number in numbers]
        return [index for index in found if index is not None]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is to be written into an answer."""

    ask: Ask
    told: Told
    ledger: Ledger

    @property
    def total(self) -> int:
        return self.told.window.total if self.told.window else 0

    @property
    def numbered(self) -> list[tuple[JsonRow, int]]:
        """Each row with its index, from which a platform's numbers are made."""
        return [(row, self.ledger.index_of(str(row["id"])) or 0) for row in self.told.rows]
