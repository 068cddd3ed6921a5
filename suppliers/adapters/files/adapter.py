"""The adapter `file`: a whole catalogue in one file.  Such suppliers cannot be told of orders."""

import hashlib
import json
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, BinaryIO, NoReturn
from urllib.parse import urlsplit

from suppliers.adapters.calls import Connect, RequestForm
from suppliers.adapters.files.configuration import faults_of
from suppliers.adapters.files.doubts import Doubts
from suppliers.adapters.files.parsing import rows_of
from suppliers.adapters.files.sources import Fetched, FolderSource, Source, sha256_of, tags_of
from suppliers.adapters.files.web import WebSource
from suppliers.adapters.kinds import Kind
from suppliers.adapters.limits import Limits
from suppliers.adapters.validation import secrets_of
from suppliers.errors import Malformed, NotConfigured, SupplierError, Unchanged
from suppliers.readings import (
    Capability,
    ConfirmRequest,
    ConfirmResult,
    FetchResult,
    Json,
    Page,
    ProbeReport,
    Ref,
    StockRow,
)
from suppliers.transport import Deadline

PAGE_ROWS = 5_000
SHOWN_ROWS = 3
TOTAL_SECONDS = 60.0  # to copy a file: a task takes at most twice as long
MOST_BYTES, MOST_UNPACKED = 100_000_000, 500_000_000


class FileAdapter:
    """Implements `suppliers.readings.RecognisingAdapter`."""

    capabilities = Capability.SNAPSHOT
    idempotent_seconds: float = 0

    def __init__(self, config: Mapping[str, Any], secrets: Mapping[str, str], connect: Connect) -> None:
        """Requires: a configuration without faults."""
        self._whole = _File(config, secrets, connect)
        self._changes: _File | None = None
        if "changes" in config:
            # Where else it lies is all that is different; a marker of the whole file says nothing of this one.
            common = {name: part for name, part in config.items() if name not in ("done", "params")}
            self._changes = _File({**common, **config["changes"]}, secrets, connect)
            self.capabilities |= Capability.CHANGES
        if "push" in config:
            self.capabilities |= Capability.PUSH

    def probe(self) -> ProbeReport:
        try:
            page = next(self.snapshot())
        except SupplierError as error:
            return ProbeReport(ok=False, messages=[f"{type(error).__name__}: {error}"])
        messages = [f"The first {len(page.rows):,} rows can be read; the file is {page.age:,.0f} s old."]
        messages += [f"{row.sku or 'no SKU'}: {row.available} ({row.uid})" for row in page.rows[:SHOWN_ROWS]]
        flags = sorted({flag for row in page.rows for flag in row.flags})
        messages.append(f"Flags in these rows: {', '.join(flags) or 'none'}.")
        return ProbeReport(ok=True, messages=messages, page=page)

    def snapshot(self, cursor: Json = None) -> Iterator[Page]:
        return self.snapshot_unless(None, cursor)

    def snapshot_unless(self, mark: Json, cursor: Json = None) -> Iterator[Page]:
        return self._whole.pages(mark, cursor)

    def changes_unless(self, mark: Json) -> Iterator[Page]:
        if self._changes is None:
            _cannot("be asked for changes: `changes` is not configured")
        return self._changes.pages(mark, proven=True)

    def fetch(self, refs: Sequence[Ref]) -> FetchResult:
        _cannot("read single rows", refs)

    def confirm(self, order: ConfirmRequest) -> ConfirmResult:
        _cannot("be told of orders", order)

    def readback(self, order: ConfirmRequest) -> ConfirmResult:
        _cannot("be asked for orders", order)

    def cancel(self, order: ConfirmRequest, upstream_order: str) -> ConfirmResult:
        _cannot("be told of cancellations", order, upstream_order)


class _File:
    """A file at one place, in one form."""

    def __init__(self, config: Mapping[str, Any], secrets: Mapping[str, str], connect: Connect) -> None:
        self._config = config
        limits = {**config.get("limits", {})}
        self._unpacked = limits.pop("max_unpacked_bytes", MOST_UNPACKED)
        self._limits = Limits(**{"max_bytes": MOST_BYTES, "total_seconds": TOTAL_SECONDS, **limits})
        self._source = _source(config, secrets, connect, self._limits)
        # What a file means depends on how it is read: after an edit the same file is news.
        self._reading = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()

    def pages(self, mark: Json, cursor: Json = None, *, proven: bool = False) -> Iterator[Page]:
        """proven: give nothing before all of it was read once without a fault."""
        known = mark if isinstance(mark, dict) and mark.get("reading") == self._reading else {}
        with tempfile.TemporaryFile() as spool:
            fetched = self._source.copy(spool, tags_of(known), Deadline(self._limits.total_seconds))
            digest = sha256_of(spool)
            if known.get("sha256") == digest:
                raise Unchanged("its bytes are the same")
            seal: Json = {"sha256": digest, "reading": self._reading, "tags": dict(fetched.tags)}
            if proven:
                deque(rows_of(spool, self._config, self._unpacked, Doubts(self._config)), maxlen=0)
            yield from self._pages(spool, _Pages(fetched, seal, digest, _place(cursor, digest), Doubts(self._config)))

    def _pages(self, spool: BinaryIO, pages: "_Pages") -> Iterator[Page]:
        rows = rows_of(spool, self._config, self._unpacked, pages.doubts)
        for _ in range(pages.done):
            if next(rows, None) is None:
                raise Malformed("The file has fewer rows than were read of it.")
        batch: list[StockRow] = []
        asked_at = time.time()
        for row in rows:
            if len(batch) == PAGE_ROWS:
                yield pages.next(batch, asked_at, last=False)
                batch, asked_at = [], time.time()
            batch.append(row)
        yield pages.next(batch, asked_at, last=True)


@dataclass(slots=True)
class _Pages:
    """Makes the pages of one file.  done: rows that earlier pages held."""

    fetched: Fetched
    mark: Json
    digest: str
    done: int
    doubts: Doubts

    def next(self, rows: list[StockRow], asked_at: float, *, last: bool) -> Page:
        self.done += len(rows)
        return Page(
            rows=rows,
            cursor=None if last else {"sha256": self.digest, "rows": self.done},
            total=self.done if last else None,
            # However late a page is asked for, its rows are no younger than the file.
            age=max(0.0, asked_at - self.fetched.as_of),
            mark=self.mark,
            doubts=self.doubts.evidence() if last else None,
        )


def _place(cursor: Json, digest: str) -> int:
    """The rows to skip.  Raises: Malformed if it is another file by now."""
    if not isinstance(cursor, dict):
        return 0
    if cursor.get("sha256") != digest:
        raise Malformed("The file is another one than the one whose first rows were read; it is read anew.")
    return int(cursor["rows"])


def _cannot(what: str, *_: object) -> NoReturn:
    raise NotConfigured(f"A supplier that sends files cannot {what}.")


def _source(config: Mapping[str, Any], secrets: Mapping[str, str], connect: Connect, limits: Limits) -> Source:
    scheme = urlsplit(config["base_url"]).scheme
    if scheme == "folder":
        return FolderSource(config, limits.max_bytes)
    if scheme == "sftp":
        # Its library is large, and most processes never need it.
        sftp = import_module("suppliers.adapters.files.sftp")
        source: Source = sftp.SftpSource(config, secrets, limits.max_bytes)
        return source
    return WebSource(config, RequestForm(config, secrets), connect(limits))


KIND = Kind(name="a file by HTTPS, SFTP or in a folder", make=FileAdapter, faults=faults_of, secrets=secrets_of)
