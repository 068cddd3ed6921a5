"""From the rows of a table to rows of stock, by the names or numbers of its columns."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from suppliers.adapters.files.cells import Codes, Flags, Quantities
from suppliers.adapters.files.doubts import Doubts
from suppliers.adapters.mapping import LOCATION_LENGTH, UID_LENGTH, Moment, identifier, normalise_sku
from suppliers.adapters.quantities import NO_FLAGS
from suppliers.errors import Malformed
from suppliers.readings import StockRow

SHOWN_COLUMNS = 20
BLANK = ("", None)
Row = Sequence[Any]


class TableMapping:
    """Reads the rows below a header.  config: of the adapter."""

    def __init__(self, config: Mapping[str, Any], header: Sequence[str] | None) -> None:
        """header: None if the table has none.  Raises: Malformed if a column is not there, or is there twice."""
        self._width = None if header is None else len(header)
        columns = {name: _column(value, header) for name, value in config["map"].items() if name != "updated_at"}
        self._uid, self._available = columns["uid"], columns["available"]
        self._sku, self._location = columns.get("sku"), columns.get("location")
        self._codes = Codes(config.get("code_length"))
        self._quantities = Quantities(config)
        self._moment, self._moment_column = None, 0
        if "updated_at" in config["map"]:
            settings = config["map"]["updated_at"]
            settings = settings if isinstance(settings, dict) else {"column": settings}
            self._moment_column = _column(settings["column"], header)
            self._moment = Moment({**{key: value for key, value in settings.items() if key != "column"}, "path": "at"})
        self._needed = max([*columns.values(), self._moment_column]) + 1

    def row(self, cells: Row) -> StockRow:
        """Raises: Malformed if the row is not of this table; then nothing of the file may be used."""
        self._check_width(cells)
        return self._row(cells, *self._quantities.read(cells[self._available]))

    def uncounted(self, cells: Row) -> StockRow:
        """The same whatever its quantity is."""
        self._check_width(cells)
        return self._row(cells, None, NO_FLAGS)

    def _row(self, cells: Row, units: int | None, of_units: Flags) -> StockRow:
        uid, flags = self._codes.read(cells[self._uid])
        uid = identifier(uid, "uid", UID_LENGTH)
        flags |= of_units
        sku, raw_sku = "", ""
        if self._sku is not None:
            raw_sku, more = self._codes.read(cells[self._sku])
            sku, raw_sku, strange = normalise_sku(raw_sku)
            flags |= more | strange
        location = ""
        if self._location is not None:
            location = identifier(self._codes.read(cells[self._location])[0], "location", LOCATION_LENGTH)
        moment, more = (None, NO_FLAGS)
        if self._moment is not None:
            moment, more = self._moment.read({"at": cells[self._moment_column]})
        return StockRow(uid, sku, raw_sku, location, units, {}, moment, flags=flags | more)

    def _check_width(self, cells: Row) -> None:
        if self._width is None:
            if len(cells) < self._needed:
                raise Malformed(f"It has {len(cells)} cells; column {self._needed} is mapped.")
        # Cells beyond the header are an unquoted separator as often as a note: then every number is another's.
        elif len(cells) < self._width or any(cell not in BLANK for cell in cells[self._width :]):
            raise Malformed(f"It has {len(cells)} cells below {self._width} columns.")


def _column(value: str | int, header: Sequence[str] | None) -> int:
    if isinstance(value, int):
        return value - 1
    names = [] if header is None else [name.strip() for name in header]
    if names.count(value) != 1:
        there = ", ".join(repr(name[:40]) for name in names[:SHOWN_COLUMNS]) or "no header"
        raise Malformed(f"The column {value[:40]!r} is there {names.count(value)} times; there is {there}.")
    return names.index(value)


class Trailer:
    """The last row of a file that tells how many there were: a file without it was cut."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._text, self._column = config["text"], config["column"] - 1

    def count(self, cells: Row) -> int | None:
        """What it says; None: this is no trailer.  Raises: Malformed if it says nothing."""
        if not cells or str(cells[0]).strip() != self._text:
            return None
        text = str(cells[self._column]).strip() if len(cells) > self._column else ""
        text = text.removesuffix(".0")
        if not (text.isascii() and text.isdigit()):
            raise Malformed(f"The trailer {self._text!r} does not tell the number of rows.")
        return int(text)


class Counted:
    """Rows with their numbers, as a person counts them, up to the trailer; blank ones are left out."""

    def __init__(self, rows: Iterator[Row], trailer: Trailer | None) -> None:
        self._rows = enumerate(rows, 1)
        self._trailer = trailer

    def next_row(self) -> Row:
        """Whatever comes next; nothing at the end."""
        return next(self._rows, (0, ()))[1]

    def __iter__(self) -> Iterator[tuple[int, Row]]:
        """Raises: Malformed if the trailer is absent, is not last, or counts differently."""
        found, announced = 0, None
        for number, cells in self._rows:
            if not any(cell not in BLANK for cell in cells):
                continue
            if announced is not None:
                raise Malformed(f"Row {number} comes after the trailer.")
            announced = self._trailer.count(cells) if self._trailer else None
            if announced is None:
                found += 1
                yield number, cells
        if self._trailer and announced is None:
            raise Malformed("The file has no trailer: it was cut, or is still being written.")
        if announced is not None and announced != found:
            raise Malformed(f"The file has {found:,} rows, and its trailer says {announced:,}.")


def stock_rows(rows: Iterator[Row], config: Mapping[str, Any], doubts: Doubts) -> Iterator[StockRow]:
    """Row by row.  Raises: Malformed with the number of the row."""
    counted = Counted(rows, Trailer(config["trailer"]) if "trailer" in config else None)
    for _ in range(config.get("skip_rows", 0)):
        counted.next_row()
    header = None
    if config.get("header", True):
        header = [str(cell or "") for cell in _without_tail(counted.next_row())]
    mapping = TableMapping(config, header)
    for number, cells in counted:
        yield doubts.row(f"Row {number}", cells, mapping.row, mapping.uncounted)


def _without_tail(cells: Row) -> Row:
    """Exports end rows with separators."""
    end = len(cells)
    while end and cells[end - 1] in BLANK:
        end -= 1
    return cells[:end]
