"""Rows that a file gets wrong: so few that the others are believed, and each of them counted as nothing."""

from array import array
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import msgspec

from suppliers.errors import Malformed
from suppliers.readings import Json, StockRow

BAD, REPEATED = "bad_quantities", "repeated_rows"
FLAGS = {BAD: "bad_quantity", REPEATED: "repeated"}
SHOWN = 20  # of each kind, for a person
EVIDENCE_CHARACTERS = 500
Read = Callable[[Any], StockRow]


class Doubts:
    """The doubtful rows of one file, up to the shares that `tolerate` allows; 0 unless configured."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._shares: Mapping[str, float] = config.get("tolerate", {})
        self._rows = 0
        self._found: dict[str, int] = dict.fromkeys(FLAGS, 0)
        self._shown: dict[str, list[str]] = {kind: [] for kind in FLAGS}

    def row(self, place: str, item: Any, read: Read, read_uncounted: Read) -> StockRow:
        """The row, "not counted" if nothing but its number is bad.  Raises: Malformed with the place."""
        self._rows += 1
        try:
            return read(item)
        except Malformed as error:
            fault = Malformed(f"{place}: {error}", repr(item)[:EVIDENCE_CHARACTERS])
        if not self._shares.get(BAD):
            raise fault
        try:
            row = read_uncounted(item)
        except Malformed:
            raise fault from None
        return self._doubt(BAD, row, str(fault))

    def once(self, rows: Callable[["Doubts"], Iterator[StockRow]]) -> Iterator[StockRow]:
        """The rows; of those that come again one, "not counted".  They are read twice where that is tolerated."""
        if not self._shares.get(REPEATED):
            yield from rows(self)
            return
        repeated = _repeated(rows(Doubts({"tolerate": self._shares})))
        seen: set[int] = set()
        for row in rows(self):
            key = _key(row)
            if key in seen:
                continue
            if key in repeated:
                seen.add(key)
                yield self._doubt(REPEATED, row, f"{row.uid} {row.location}".strip())
            else:
                yield row

    def check(self) -> None:
        """Raises: Malformed if it is more than is tolerated.  Ask at the end of the file."""
        for kind, found in self._found.items():
            share = self._shares.get(kind, 0)
            if found > share * self._rows:
                said = kind.replace("_", " ")
                raise Malformed(
                    f"{found:,} {said} in {self._rows:,} rows, and {share:.2%} are tolerated.",
                    " · ".join(self._shown[kind])[:EVIDENCE_CHARACTERS],
                )

    def evidence(self) -> Json:
        """What was found and is tolerated, for a person; None if nothing."""
        return {kind: {"rows": found, "as": self._shown[kind]} for kind, found in self._found.items() if found} or None

    def _doubt(self, kind: str, row: StockRow, what: str) -> StockRow:
        self._found[kind] += 1
        if len(self._shown[kind]) < SHOWN:
            self._shown[kind].append(what[:EVIDENCE_CHARACTERS])
        return msgspec.structs.replace(row, available=None, components={}, flags=row.flags | {FLAGS[kind]})


def _repeated(rows: Iterator[StockRow]) -> set[int]:
    """Keys of rows that come more than once.  By hash, for memory: two rows that share one are not counted, no more."""
    return {one for one, next_one in pairwise(sorted(array("q", map(_key, rows)))) if one == next_one}


def _key(row: StockRow) -> int:
    return hash((row.uid, row.location))
