"""From the cells of a table to codes and whole units.  What a spreadsheet may have spoiled is flagged, never mended."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from suppliers.adapters.quantities import AT_LEAST, NO_FLAGS, exact, whole_units
from suppliers.errors import Malformed

Flags = frozenset[str]

EXPONENT = re.compile(r"[0-9]+([.,][0-9]+)?[eE][+-]?[0-9]{1,3}")
AS_TEXT = re.compile(r'="([^"]*)"')  # how exports keep Excel from eating zeros
SHORT = 9  # digits that always fit
STRING: Flags = frozenset({"string"})


class Codes:
    """Codes as a spreadsheet leaves them.  length: what every code of digits has; None: any."""

    def __init__(self, length: int | None = None) -> None:
        self._length = length

    def read(self, cell: Any) -> tuple[str, Flags]:
        """The text and flags: `exponent` (1E5 was 100000 or "1E5"), `lost_zeros` (shorter than the others),
        `numeric` (a number in a sheet has no leading zeros), `formula` (the text stood in one).
        """
        flags: Flags = NO_FLAGS
        if isinstance(cell, float) and cell.is_integer():
            cell, flags = f"{cell:.0f}", frozenset({"numeric"})
        text = "" if cell is None else str(cell).strip()
        if text.startswith("="):
            within = AS_TEXT.fullmatch(text)
            if within is None:
                raise Malformed(f"A code is the formula {text[:40]!r}; export values.")
            text, flags = within[1], flags | {"formula"}
        if EXPONENT.fullmatch(text):
            flags |= {"exponent"}
        if self._length is not None and text.isdecimal() and len(text) < self._length:
            flags |= {"lost_zeros"}
        return text, flags


class Quantities:
    """Quantities as people write them.  words: text → units, None = not counted."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._words = {_folded(word): units for word, units in config.get("words", {}).items()}
        decimal, thousands = config.get("decimal", "."), config.get("thousands", "")
        self._decimal, self._thousands = decimal, thousands
        groups = rf"[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+|" if thousands else ""
        self._number = re.compile(rf"([+-]?)({groups}[0-9]+)(?:{re.escape(decimal)}([0-9]+))?")

    def read(self, cell: Any) -> tuple[int | None, Flags]:
        """Whole units.  An empty cell is not counted.  Raises: Malformed for what is neither number nor known word."""
        if type(cell) is str:
            if len(cell) <= SHORT and cell.isascii() and cell.isdigit():
                return int(cell), NO_FLAGS
            return self._of_text(_folded(cell))
        if cell is None:
            return None, frozenset({"empty"})
        number, flags = exact(cell)
        if number is None:
            return None, flags
        units, more = whole_units(number)
        return units, flags | more

    def _of_text(self, text: str) -> tuple[int | None, Flags]:
        if not text:
            return None, frozenset({"empty"})
        if text in self._words:
            units = self._words[text]
            return units, frozenset({"word"})
        if text.startswith("="):
            raise Malformed(f"A quantity is the formula {text[:40]!r}; export values.")
        match = self._number.fullmatch(text)
        if match:
            whole = match[2].replace(self._thousands, "") if self._thousands else match[2]
            text = f"{match[1]}{whole}.{match[3] or 0}"
        elif not AT_LEAST.fullmatch(text):
            # Not left to `exact`, for which a point is a decimal one whatever is configured.
            raise Malformed(f"A quantity is {text[:40]!r}, which is neither a number nor one of `words`.")
        number, flags = exact(text)
        units, more = whole_units(number or 0)
        return units, (flags - STRING) | more


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split()).casefold()
