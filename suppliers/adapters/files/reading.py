"""What only a process of its own may read, so that this one stays small and alive."""

import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from suppliers.errors import Malformed

PROGRAM = Path(__file__).with_name("reader.py")
SECONDS = 90.0  # below the time that a task may take
MEMORY_BYTES = 1_000_000_000  # of its address space; a sheet of a million rows takes a third
REASON_CHARACTERS = 300


def read_apart(file: BinaryIO, kind: str, which: str) -> Iterator[Any]:
    """Rows of a `sheet` or `items` of a document, as `reader.py` gives them.  Raises: Malformed."""
    file.seek(0)
    command = [sys.executable, "-I", "-X", "utf8", str(PROGRAM), kind, which, str(MEMORY_BYTES)]
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, stderr=complaints) as reader,  # noqa: S603
    ):
        watch = threading.Timer(SECONDS, reader.kill)
        watch.daemon = True
        watch.start()
        try:
            for line in reader.stdout or ():
                yield _value(line)
            _require_success(reader.wait(), complaints)
        finally:
            watch.cancel()
            reader.kill()


def _value(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except ValueError:
        raise Malformed("The file holds what is no text or number.", line[:REASON_CHARACTERS].decode()) from None


def _require_success(status: int, complaints: BinaryIO) -> None:
    if status == 0:
        return
    complaints.seek(0)
    last = complaints.read()[-REASON_CHARACTERS:].decode("utf-8", "replace").strip().splitlines()[-1:]
    raise Malformed(f"The file cannot be read: {last[0] if last else f'its reader ended with {status}'}")
