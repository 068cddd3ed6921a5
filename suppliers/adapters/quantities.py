"""From whatever upstream calls a quantity to whole units, or a refusal: never a guess."""

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from suppliers.adapters.expressions import Getter, compile_path
from suppliers.errors import Malformed

MOST = 2_147_483_647  # what the column holds
NUMERIC = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?")
AT_LEAST = re.compile(r"(?:>=?\s*([0-9]{1,15})|([0-9]{1,15})\s*\+)")
NO_FLAGS: frozenset[str] = frozenset()
NO_COMPONENTS: Mapping[str, Decimal] = {}


def exact(value: Any) -> tuple[Decimal | int | None, frozenset[str]]:
    """A number as reported, and flags on how it was written.  null is None: not counted.

    Raises: Malformed for everything that is not plainly a number.
    """
    if type(value) is int:
        return value, NO_FLAGS
    if value is None:
        return None, NO_FLAGS
    if type(value) is float and math.isfinite(value):
        return Decimal(str(value)), NO_FLAGS
    if type(value) is str:
        return _from_text(value.strip())
    raise Malformed(f"A quantity is {str(value)[:40]!r}, which is not a number.")


def _from_text(text: str) -> tuple[Decimal | int, frozenset[str]]:
    if NUMERIC.fullmatch(text):
        return Decimal(text), frozenset({"string"})
    at_least = AT_LEAST.fullmatch(text)
    if at_least:
        return int(at_least[1] or at_least[2]), frozenset({"string", "at_least"})
    raise Malformed(f"A quantity is {text[:40]!r}, which is not a number.")


def whole_units(value: Decimal | int) -> tuple[int, frozenset[str]]:
    """Units that can be sold: fractions rounded down, negative is 0; both are flagged.

    Raises: Malformed above what can be stored.
    """
    if type(value) is int and 0 <= value <= MOST:
        return value, NO_FLAGS
    units = math.floor(value)
    flags = {"fraction"} if units != value else set()
    if units < 0:
        return 0, frozenset(flags | {"negative"})
    if units > MOST:
        raise Malformed("A quantity is larger than any stock can be.")
    return units, frozenset(flags)


class Quantity:
    """One expression, or sums of several: `plus` less `minus`, because JMESPath has no arithmetic."""

    def __init__(self, config: Any) -> None:
        self.single: Getter | None = None
        self.parts: list[tuple[str, int, Getter]] = []
        if isinstance(config, str):
            self.single = compile_path(config)
            return
        for name, sign in (("plus", 1), ("minus", -1)):
            self.parts += [(text, sign, compile_path(text)) for text in config.get(name, [])]

    def read(self, item: Any) -> tuple[Decimal | int | None, Mapping[str, Decimal], frozenset[str]]:
        """A null anywhere makes the whole not counted.  Raises: Malformed for an absent or senseless part."""
        if self.single is not None:
            number, flags = exact(self.single(item))
            return number, NO_COMPONENTS, flags
        total, components, flags = Decimal(0), {}, NO_FLAGS
        known = True
        for text, sign, getter in self.parts:
            number, more = exact(getter(item))
            flags |= more
            if number is None:
                known = False
                continue
            components[text] = Decimal(number)
            total += sign * Decimal(number)
        return (total if known else None), components, flags
