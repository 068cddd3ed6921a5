"""A sheet's rows, or a document's items, as JSON lines.  Runs as a process of its own, with memory and time of its own:
a sheet is held as a whole, and a document may be nested so deeply that no memory is enough.

Called with `sheet` or `items`, which of them, and a limit of memory in bytes; the file is standard input.  It imports
nothing of ours.
"""

import json
import resource
import sys
from collections.abc import Iterable
from typing import Any, BinaryIO

import ijson
import python_calamine

CPU_SECONDS = 90
MARK = b"\xef\xbb\xbf"


def rows(file: BinaryIO, sheet: str) -> Any:
    """sheet: a name, or a number from 0."""
    book = python_calamine.CalamineWorkbook.from_filelike(file)
    found = book.get_sheet_by_index(int(sheet)) if sheet.isdecimal() else book.get_sheet_by_name(sheet)
    return found.iter_rows()


def items(file: BinaryIO, path: str) -> Iterable[Any]:
    """path: keys with dots between them; empty: the document itself is the list."""
    number = -1
    skip_mark(file)
    for number, item in enumerate(ijson.items(file, f"{path}.item" if path else "item", use_float=True)):  # noqa: B007
        yield item
    if number < 0:
        skip_mark(file)
        if not any(place == path and event == "start_array" for place, event, _ in ijson.parse(file)):
            sys.exit(f"There is no list at {path!r}." if path else "The document is no list.")


def skip_mark(file: BinaryIO) -> None:
    """Go to the beginning, past a byte order mark."""
    file.seek(0)
    file.seek(len(MARK) if file.read(len(MARK)) == MARK else 0)


def main(kind: str, which: str, memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode
    with open(0, "rb") as file:
        for one in rows(file, which) if kind == "sheet" else items(file, which):
            sys.stdout.write(encode(one) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
