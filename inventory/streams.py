"""Streams of stock: one thread of each web process looks at the log of changes, for all who listen.

A stream costs its process a thread of the server and nothing else: no connection to the database, and no query of its
own after the first.
"""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from django.conf import settings
from django.db import connection
from prometheus_client import Gauge

from inventory import availability, change_log
from inventory.availability import Availability
from inventory.change_log import Cursor, ExpiredError
from inventory.ending import ending
from storefronts import keys
from storefronts.keys import Principal
from storefronts.models import Scope

log = structlog.get_logger(__name__)

OPEN = Gauge("holdfast_streams_open", "Streams of stock in this process.", multiprocess_mode="livesum")

LOOK_SECONDS = 0.25  # how late a change may be told
CHECK_SECONDS = 2.0  # how late a revoked key is noticed
HEARTBEAT_SECONDS = 5.0  # how late a listener who went away is noticed


class TooManyStreamsError(Exception):
    """As many streams are open as may be; poll, or try again later."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What a listener knows of a SKU.  due: when time alone will have changed it."""

    words: tuple[object, ...]
    due: datetime | None


@dataclass(eq=False)
class Stream:
    """One listener.  Guarded by its hub's lock.

    pending: SKU → what it is to be told next, None: the SKU is not sold any more.  place: in the log, with that told;
    None: it just came, and is told everything.
    """

    principal: Principal
    codes: frozenset[str]
    place: Cursor | None = None
    pending: dict[str, Availability | None] = field(default_factory=dict)
    told: dict[str, _Told] = field(default_factory=dict)
    ended: bool = False

    def due(self, now: datetime) -> set[str]:
        """What time alone has changed."""
        return {code for code, known in self.told.items() if known.due and known.due <= now}

    def tell(self, code: str, found: Availability | None, now: datetime) -> None:
        """Note what it is to be told of a SKU, unless it knows that."""
        known = _told(found, now)
        if code not in self.told or self.told[code].words != known.words:
            self.pending[code] = found
        self.told[code] = known


class Hub:
    """The streams of one process."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._streams: set[Stream] = set()
        self._running = False
        self._cursor: Cursor | None = None
        self._checked_at = 0.0

    def open(self, stream: Stream) -> None:
        """Let it listen from now on.  Raises: TooManyStreamsError."""
        with self._lock:
            own = sum(other.principal.storefront_id == stream.principal.storefront_id for other in self._streams)
            if len(self._streams) >= settings.STREAMS_PER_PROCESS or own >= settings.STREAMS_PER_STOREFRONT:
                raise TooManyStreamsError(TooManyStreamsError.__doc__)
            self._streams.add(stream)
            self._lock.notify_all()
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="streams", daemon=True).start()
        OPEN.inc()

    def close(self, stream: Stream) -> None:
        """Let it listen no more.  A second time this does nothing."""
        with self._lock:
            if stream not in self._streams:
                return
            self._streams.remove(stream)
        OPEN.dec()

    def wait(self, stream: Stream, seconds: float) -> tuple[Mapping[str, Availability | None], Cursor | None]:
        """What is new for it, as soon as anything is, and its place in the log with that.

        Nothing: the time is over, or the stream has ended.
        """
        with self._lock:
            self._lock.wait_for(lambda: stream.pending or stream.ended, timeout=seconds)
            news, stream.pending = stream.pending, {}
            return news, stream.place

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._streams:
                    self._running, self._cursor = False, None
                    self._lock.notify_all()
                    return
                streams = list(self._streams)
            try:
                self._look(streams)
            except Exception:
                # Whatever it is: nobody may be left with numbers that are not kept up, or a key that is not checked.
                log.warning("streams_ended", streams=len(streams), exc_info=True)
                self._end(streams)
            finally:
                # Others need it more meanwhile.
                connection.close()
            with self._lock:
                self._lock.wait_for(lambda: any(stream.place is None for stream in self._streams), timeout=LOOK_SECONDS)

    def _look(self, streams: Sequence[Stream]) -> None:
        """Once: who has to end, what has changed, and who is to be told."""
        self._end(streams if ending.told() else self._revoked(streams))
        changed, self._cursor = _changed(self._cursor)
        now = datetime.now(UTC)
        wanted = {stream: _wanted(stream, changed, now) for stream in streams}
        codes = set[str]().union(*wanted.values())
        found = availability.read(sorted(codes), allow_cached=False) if codes else {}
        with self._lock:
            for stream, its_codes in wanted.items():
                for code in sorted(its_codes):
                    stream.tell(code, found.get(code), now)
                stream.place = self._cursor
            self._lock.notify_all()

    def _revoked(self, streams: Iterable[Stream]) -> list[Stream]:
        if time.monotonic() - self._checked_at < CHECK_SECONDS:
            return []
        self._checked_at = time.monotonic()
        living = keys.living({stream.principal.key_prefix for stream in streams}, Scope.STOCK_READ)
        return [stream for stream in streams if stream.principal.key_prefix not in living]

    def _end(self, streams: Iterable[Stream]) -> None:
        with self._lock:
            for stream in streams:
                stream.ended = True
            self._lock.notify_all()


hub = Hub()


def _changed(cursor: Cursor | None) -> tuple[set[str] | None, Cursor]:
    """SKUs that changed since, None: any may have; and the place in the log."""
    if cursor is not None:
        try:
            return change_log.changed(cursor)
        except ExpiredError:
            log.info("streams_start_anew")
    return None, change_log.start()


def _wanted(stream: Stream, changed: set[str] | None, now: datetime) -> set[str]:
    """What it must be told of, if it does not know that."""
    if stream.place is None or changed is None:
        return set(stream.codes)
    return stream.due(now) | stream.codes & changed


def _told(found: Availability | None, now: datetime) -> _Told:
    if found is None:
        return _Told((), None)
    stale = found.is_stale(now)
    times = (found.valid_until, None if stale else found.stale_at)
    words = (found.available, found.status, found.version, stale)
    return _Told(words, min((at for at in times if at is not None), default=None))
