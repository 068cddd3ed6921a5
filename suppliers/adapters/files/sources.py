"""Where files come from.  Each source copies the whole file to disk first: what is read must not change meanwhile."""

import hashlib
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from django.conf import settings

from suppliers.errors import BlockedAddress, Malformed, NotConfigured, Transient
from suppliers.readings import Json
from suppliers.transport import Deadline

CHUNK_BYTES = 1_048_576
STILL_SECONDS = 5.0  # nobody has written to a file for so long: it is whole, or its writer is slow beyond hope


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that was copied.  as_of: Unix time by our clock, when its content was written at the latest.

    tags: what the source recognises it by.
    """

    as_of: float
    tags: Mapping[str, str] = field(default_factory=dict)


class Source(Protocol):
    """Raises: any SupplierError; Unchanged if it can tell that the file is the one with these tags."""

    def copy(self, into: BinaryIO, tags: Mapping[str, str], deadline: Deadline) -> Fetched: ...


class Limiter:
    """Writes to a file what comes, up to so many bytes before the deadline."""

    def __init__(self, into: BinaryIO, most: int, deadline: Deadline) -> None:
        self._into, self._most, self._deadline = into, most, deadline
        self.size = 0

    def write(self, chunk: bytes) -> None:
        """Raises: Malformed, Transient."""
        self.size += len(chunk)
        if self.size > self._most:
            raise Malformed(f"The file is larger than {self._most:,} bytes; it was not read further.")
        if not self._deadline.remaining:
            raise Transient("The deadline passed while the file was read.")
        self._into.write(chunk)


def sha256_of(file: BinaryIO) -> str:
    """Of the whole file."""
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


class FolderSource:
    """A file below SUPPLIER_FILES_ROOT."""

    def __init__(self, config: Mapping[str, Any], most: int) -> None:
        self._path: str = config["path"]
        self._done: str = config.get("done", "")
        self._still: float = config.get("still_seconds", STILL_SECONDS)
        self._most = most

    def copy(self, into: BinaryIO, tags: Mapping[str, str], deadline: Deadline) -> Fetched:  # noqa: ARG002
        if self._done:
            with _opened(self._done.replace("{path}", self._path)):
                pass
        with _opened(self._path) as file:
            before = os.fstat(file.fileno())
            check_still(before.st_mtime, self._still)
            limiter = Limiter(into, self._most, deadline)
            while chunk := file.read(CHUNK_BYTES):
                limiter.write(chunk)
            after = os.fstat(file.fileno())
            check_same((before.st_size, before.st_mtime), (after.st_size, after.st_mtime), limiter.size)
        return Fetched(before.st_mtime)


def check_still(modified: float, still: float) -> None:
    """Raises: Transient if the file was written to just now, or will have been: clocks differ."""
    age = time.time() - modified
    if abs(age) < still:
        raise Transient(f"The file was written {age:.0f} s ago; it is read when {still:.0f} s have passed.")


def check_same(before: tuple[int, float], after: tuple[int, float], size: int) -> None:
    """(size, modified) around the copy of so many bytes.  Raises: Transient if somebody wrote meanwhile."""
    if before != after or size != before[0]:
        raise Transient("The file changed while it was read.")


@contextmanager
def _opened(relative: str) -> Iterator[BinaryIO]:
    """Raises: NotConfigured without a root, BlockedAddress for what is not below it, Transient if it is not there."""
    path = _below_root(relative)
    try:
        # Not to wait for the writer of a pipe, nor to follow a link that was put here after the path was checked.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError as error:
        raise Transient(f"{relative[:200]!r} cannot be opened: {error.strerror}.") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BlockedAddress(f"{relative[:200]!r} is no file.")
    with os.fdopen(descriptor, "rb") as file:
        yield file


def _below_root(relative: str) -> Path:
    if not settings.SUPPLIER_FILES_ROOT:
        raise NotConfigured("SUPPLIER_FILES_ROOT is not set: without it no file of this machine is read.")
    root = Path(settings.SUPPLIER_FILES_ROOT).resolve()
    path = (root / relative).resolve()
    if not path.is_relative_to(root) or path == root:
        raise BlockedAddress(f"{relative[:200]!r} is not below SUPPLIER_FILES_ROOT.")
    return path


def tags_of(mark: Json) -> Mapping[str, str]:
    """The source's tags in a mark."""
    tags = mark.get("tags", {}) if isinstance(mark, dict) else {}
    return tags if isinstance(tags, dict) else {}
