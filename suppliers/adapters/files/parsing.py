"""Files as rows, one after the other: no format is ever in memory as a whole."""

import csv
import gzip
import io
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, BinaryIO, cast

import orjson

from suppliers.adapters.files.doubts import Doubts
from suppliers.adapters.files.encodings import Open, encoding_of
from suppliers.adapters.files.reading import read_apart
from suppliers.adapters.files.tables import Row, stock_rows
from suppliers.adapters.files.unpacking import check_archive, unpacked
from suppliers.adapters.mapping import RowMapping
from suppliers.errors import Malformed
from suppliers.readings import StockRow

NOTHING = "`null`"  # the expression
SEPARATORS = (",", ";", "\t", "|")
LONGEST_LINE = 1_000_000  # bytes of one line of JSON, characters of the lines before and with a header
BROKEN = (csv.Error, zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error, NotImplementedError)


def rows_of(file: BinaryIO, config: Mapping[str, Any], most: int, doubts: Doubts) -> Iterator[StockRow]:
    """file: seekable.  most: bytes that it may unpack to.  doubts: takes note of rows.  Raises: Malformed."""
    try:
        yield from doubts.once(partial(_rows, file, config, most))
        doubts.check()
    except UnicodeError as error:
        raise Malformed(f"The file is not in the encoding it should be in: {str(error)[:200]}") from None
    except BROKEN as error:
        raise Malformed(f"The file cannot be read as {config['format']}: {str(error)[:200]}") from None


def _rows(file: BinaryIO, config: Mapping[str, Any], most: int, doubts: Doubts) -> Iterator[StockRow]:
    if config["format"] == "xlsx":
        check_archive(file, most)
        return stock_rows(read_apart(file, "sheet", str(config.get("sheet", 0))), config, doubts)
    open_file = partial(unpacked, file, most)
    if config["format"] in ("csv", "tsv"):
        return stock_rows(_csv_rows(open_file, config), config, doubts)
    items = _json_items(open_file, config) if config["format"] == "json" else _json_lines(open_file)
    return _mapped(items, config["map"], doubts)


def _csv_rows(open_file: Open, config: Mapping[str, Any]) -> Iterator[Row]:
    encoding = encoding_of(open_file, config.get("encoding"))
    separator = config.get("separator") or ("\t" if config["format"] == "tsv" else "")
    if not separator:
        with io.TextIOWrapper(open_file(), encoding=encoding, newline="") as text:
            separator = _likely_separator(text, config)
    text = io.TextIOWrapper(open_file(), encoding=encoding, newline="")
    return cast("Iterator[Row]", csv.reader(text, delimiter=separator, strict=True))


def _likely_separator(text: io.TextIOWrapper, config: Mapping[str, Any]) -> str:
    """The one that cuts the header into most columns."""
    line = ""
    for _ in range(config.get("skip_rows", 0) + 1):
        line = text.readline(LONGEST_LINE)
    return max(SEPARATORS, key=lambda separator: len(next(csv.reader([line], delimiter=separator), [])))


def _json_items(open_file: Open, config: Mapping[str, Any]) -> Iterator[Any]:
    with tempfile.TemporaryFile() as plain:
        with open_file() as packed:
            shutil.copyfileobj(packed, plain)
        plain.flush()
        yield from read_apart(plain, "items", config.get("items", ""))


def _json_lines(open_file: Open) -> Iterator[Any]:
    with open_file() as plain:
        _skip_mark(plain)
        while line := plain.readline(LONGEST_LINE):
            if len(line) == LONGEST_LINE:
                raise Malformed(f"A line is longer than {LONGEST_LINE:,} bytes.")
            try:
                if line.strip():
                    yield orjson.loads(line)
            except ValueError:
                raise Malformed("A line is not JSON.", line[:500].decode("utf-8", "replace")) from None


def _skip_mark(plain: io.BufferedReader) -> None:
    if plain.peek(3)[:3] == b"\xef\xbb\xbf":
        plain.read(3)


def _mapped(items: Iterator[Any], config: Mapping[str, Any], doubts: Doubts) -> Iterator[StockRow]:
    read, read_uncounted = RowMapping(config).row, RowMapping({**config, "available": NOTHING}).row
    for number, item in enumerate(items, 1):
        yield doubts.row(f"Item {number}", item, read, read_uncounted)
