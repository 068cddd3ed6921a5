"""Packed files as what is in them, bounded: a small file must not become a large one."""

import gzip
import io
import zipfile
from typing import Any, BinaryIO

from suppliers.errors import Malformed

GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
BUFFER_BYTES = 262_144


class Bounded(io.RawIOBase):
    """The bytes of `source`, up to so many."""

    def __init__(self, source: Any, most: int) -> None:
        self._source, self._left, self._most = source, most, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._source.read(len(buffer))
        self._left -= len(chunk)
        if self._left < 0:
            raise Malformed(f"The file unpacks to more than {self._most:,} bytes; it was not read further.")
        buffer[: len(chunk)] = chunk
        return len(chunk)


def unpacked(file: BinaryIO, most: int) -> io.BufferedReader:
    """The file from its beginning, without gzip or a ZIP archive of one file around it.

    most: bytes.  Raises: Malformed, while reading too; and what gzip and zipfile raise for broken archives.
    """
    file.seek(0)
    head = file.read(len(ZIP))
    file.seek(0)
    if head.startswith(GZIP):
        source: Any = gzip.GzipFile(fileobj=file)
    elif head == ZIP:
        source = _only_member(zipfile.ZipFile(file))
    else:
        source = file
    return io.BufferedReader(Bounded(source, most), BUFFER_BYTES)


def check_archive(file: BinaryIO, most: int) -> None:
    """Raises: Malformed if what an archive says of its size is too much."""
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        announced = sum(member.file_size for member in archive.infolist())
    if announced > most:
        raise Malformed(f"The file unpacks to {announced:,} bytes, and {most:,} may.")
    file.seek(0)


def _only_member(archive: zipfile.ZipFile) -> Any:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1:
        raise Malformed(f"The archive holds {len(members)} files, and one is expected.")
    return archive.open(members[0])
