"""A CSV file of marks: read whole and checked whole, so that a file with a fault changes nothing."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from inventory import marks
from inventory.marks import Mark, Said
from suppliers.models import Supplier

MOST_BYTES = 20_000_000
MOST_LINES = 100_000
REQUIRED, OPTIONAL = {"order", "supplier", "said"}, {"upstream_order", "at"}
_LENGTH = 100
_ORDER = re.compile(r"[A-Za-z0-9-]{1,64}(\.[1-9][0-9]{0,3})?")


@dataclass(frozen=True, slots=True)
class Line:
    """A mark and the line of the file that it stands in."""

    number: int
    mark: Mark


class Faulty(Exception):
    """The file cannot be taken in.  faults: each with its line and what to do."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = faults


def read(content: bytes, *, source: str, reason: str = "") -> list[Line]:
    """The marks of a file, none of which is refused just now.

    source: its name, for the reason that is kept with each order unless one is given.
    Raises: Faulty.
    """
    suppliers = dict(Supplier.objects.values_list("slug", "pk"))
    lines: list[Line] = []
    faults: list[str] = []
    seen: set[tuple[int, str]] = set()
    for number, row in _rows(content):
        try:
            mark = _mark(row, suppliers, reason or f"{source}, line {number}")
            _check_new(mark, seen)
            marks.check(mark)
            lines.append(Line(number, mark))
        except (ValueError, marks.Refused) as error:
            faults.append(f"line {number}: {row.get('order') or 'no order'}: {error}")
    if faults or not lines:
        raise Faulty(faults or ["no line below the header: nothing to do"])
    return lines


def _rows(content: bytes) -> Iterator[tuple[int, Mapping[str, str]]]:
    if len(content) > MOST_BYTES:
        raise Faulty([f"longer than {MOST_BYTES:,} bytes: split it"])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Faulty(["not UTF-8: export it again as CSV in UTF-8"]) from None
    if "\0" in text:
        raise Faulty(["not a text: export it as CSV"])
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        _check_header(reader.fieldnames or [])
        for count, row in enumerate(reader, 1):
            if count > MOST_LINES:
                raise Faulty([f"more than {MOST_LINES:,} lines: split it"])
            if None in row or None in row.values():
                raise Faulty([f"line {reader.line_num}: not as many cells as the header has"])
            yield reader.line_num, {name: (cell or "").strip() for name, cell in row.items()}
    except csv.Error as error:
        raise Faulty([f"line {reader.line_num}: {error}"]) from None


def _check_header(names: Sequence[str]) -> None:
    given = set(names)
    if len(given) != len(names) or not given >= REQUIRED or given - REQUIRED - OPTIONAL:
        raise Faulty([f"the header must be {', '.join(sorted(REQUIRED))} and may add {', '.join(sorted(OPTIONAL))}"])


def _mark(row: Mapping[str, str], suppliers: Mapping[str, int], reason: str) -> Mark:
    """Raises: ValueError."""
    if row["supplier"] not in suppliers:
        raise ValueError(f"no supplier {row['supplier']!r}; there are {', '.join(sorted(suppliers)) or 'none'}")
    if row["said"] not in set(Said):
        raise ValueError(f"{row['said']!r} is not one of {', '.join(Said)}")
    if not _ORDER.fullmatch(row["order"]):
        raise ValueError("not an order number as the supplier was told it")
    number = row.get("upstream_order", "")
    if number[:1] in {"=", "+", "@", "-"} or len(number) > _LENGTH or not number.isprintable():
        raise ValueError("the supplier's order number is a formula, too long or not plain text")
    return Mark(suppliers[row["supplier"]], row["order"], Said(row["said"]), reason, number, _moment(row.get("at", "")))


def _check_new(mark: Mark, seen: set[tuple[int, str]]) -> None:
    """Raises: ValueError."""
    identity = mark.supplier_id, mark.reference
    if identity in seen:
        raise ValueError("this order at this supplier came in a line before: keep one")
    seen.add(identity)


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset: write it as 2026-01-31T18:00:00+08:00")
    return moment
