"""How many can be sold: computed from the ledger's positions, served from the cache; writes neither side of stock."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock as Mutex

import msgspec
import structlog
from django.db import connection
from django.db.utils import DatabaseError

from inventory import cache, positions, trust
from inventory.positions import Position

log = structlog.get_logger(__name__)

_EPOCH_SECONDS = 0.5  # a policy switch acts on cached answers within a second


@dataclass(frozen=True, slots=True)
class Availability:
    """What a storefront is told of one SKU.

    as_of: the oldest contributing reading.  stale_at: from when it is to be called stale.  valid_until: when time alone
    changes `available`.  All aware UTC.  epoch: the policy epoch it was computed under.
    """

    sku: str
    available: int
    status: str
    as_of: datetime | None
    stale_at: datetime | None
    valid_until: datetime | None
    version: int
    epoch: int

    def is_stale(self, now: datetime) -> bool:
        """Whether the number is older than its supplier's policy allows without a mark."""
        return self.stale_at is None or now >= self.stale_at


def of(position: Position, destination: str = "") -> Availability:
    """The answer for one position, as of its own instant.

    destination: a country; only levels that may ship there count.  Where none may, the others tell how old that is.
    """
    believed = [
        level
        for level in position.reaching(destination) or position.levels
        if level.selling and trust.is_believed(level.reported, level.read_at, level.policy, now=position.now)
    ]
    available = position.available(destination)
    read = [(level.read_at, level.policy) for level in believed if level.read_at is not None]
    ends = [trust.changes_at(read_at, policy, now=position.now) for read_at, policy in read]
    ends += [level.caution.changes_at for level in believed]
    return Availability(
        sku=position.code,
        available=available,
        status=_status(position, available, known=bool(believed)),
        as_of=min((read_at for read_at, _ in read), default=None),
        stale_at=min((trust.stale_at(read_at, policy) for read_at, policy in read), default=None),
        valid_until=min((end for end in ends if end is not None), default=None),
        version=position.version,
        epoch=position.epoch,
    )


def _status(position: Position, available: int, *, known: bool) -> str:
    if not known and not position.stop_selling:
        return "unknown"
    if available == 0:
        return "out_of_stock"
    return "low_stock" if available <= position.low_stock_threshold else "in_stock"


def read(codes: Sequence[str], *, allow_cached: bool = True, min_version: int = 0) -> dict[str, Availability]:
    """Answers by code; unknown and inactive SKUs are left out.

    allow_cached: the answer may come from the cache.  min_version: at least as new as this
    version, for reading one's own write.  With Redis away everything is read from PostgreSQL.
    """
    wanted = list(dict.fromkeys(codes))
    answers: dict[str, Availability] = {}
    if allow_cached:
        entries = cache.get(wanted) if wanted else {}
        found = [_decode(code, value) for code, value in entries.items()]
        answers = {answer.sku: answer for answer in _standing(found, min_version)}
    missing = [code for code in wanted if code not in answers]
    if missing:
        answers |= _read_through(missing) if allow_cached else _load(missing)
    return answers


def read_one(code: str, *, min_version: int = 0) -> Availability | None:
    """The answer for one SKU, as `read` gives it; None if it is unknown or inactive."""
    value = cache.get_one(code)
    standing = _standing([_decode(code, value)], min_version) if value else ()
    return standing[0] if standing else _read_through([code]).get(code)


def _standing(cached: Iterable[Availability], min_version: int) -> Sequence[Availability]:
    """Those of the cached answers that may still be given."""
    epoch, now = current_epoch(), datetime.now(UTC)
    return [
        answer
        for answer in cached
        if answer.epoch == epoch
        and answer.version >= min_version
        and (answer.valid_until is None or now < answer.valid_until)
    ]


def read_for(destination: str, codes: Sequence[str]) -> dict[str, Availability]:
    """Answers by code for what is to be sent to this country, as `read` gives them; always from PostgreSQL."""
    return {code: of(position, destination) for code, position in positions.load(codes).items()}


def read_page(after: str, limit: int, destination: str = "") -> list[Availability]:
    """The next `limit` active SKUs in ascending order of code, after the code `after`.  destination: as for `of`."""
    return [of(position, destination) for position in positions.load_page(after, limit)]


def tombstone(codes: Iterable[str]) -> str:
    """Call before the COMMIT that changes these SKUs; the token for `publish`."""
    return cache.tombstone(codes)


def publish(changed: Iterable[Position], token: str) -> None:
    """Call after the COMMIT, with the positions as committed."""
    cache.publish({p.code: (p.version, _encode(of(p))) for p in changed}, token)


def invalidate(codes: Sequence[str]) -> bool:
    """Forget cached answers, so that the next read asks the database; False if Redis could not be reached."""
    return cache.drop(codes)


def _load(codes: Sequence[str]) -> dict[str, Availability]:
    return {code: of(position) for code, position in positions.load(codes).items()}


def _read_through(codes: Sequence[str]) -> dict[str, Availability]:
    # The lease comes before the SELECT: whoever commits after that revokes it, so this fill cannot land.
    leases = cache.lease(codes)
    answers = _load(codes)
    if leases:
        cache.fill({code: (answer.version, _encode(answer)) for code, answer in answers.items()}, leases)
    return answers


class _Epoch:
    """The policy epoch as this process last saw it, and when."""

    def __init__(self) -> None:
        self.value = 0
        self.read_at = float("-inf")
        self.mutex = Mutex()


_epoch = _Epoch()


def current_epoch() -> int:
    """The policy epoch, at most half a second old; the last one known while the database is away."""
    now = time.monotonic()
    if now - _epoch.read_at < _EPOCH_SECONDS or not _epoch.mutex.acquire(blocking=False):
        return _epoch.value
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT epoch FROM suppliers_switchboard WHERE id = 1")
            row = cursor.fetchone()
        _epoch.value, _epoch.read_at = (row[0] if row else 1), now
    except DatabaseError as error:
        log.warning("policy_epoch_unread", error=str(error))
    finally:
        _epoch.mutex.release()
    return _epoch.value


def _timestamp(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _moment(timestamp: float | None) -> datetime | None:
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC)


def _encode(answer: Availability) -> bytes:
    return msgspec.json.encode(
        [
            answer.available,
            answer.status,
            _timestamp(answer.as_of),
            _timestamp(answer.stale_at),
            _timestamp(answer.valid_until),
            answer.version,
            answer.epoch,
        ]
    )


def _decode(code: str, value: bytes) -> Availability:
    available, status, as_of, stale_at, valid_until, version, epoch = msgspec.json.decode(value)
    return Availability(
        code, available, status, _moment(as_of), _moment(stale_at), _moment(valid_until), version, epoch
    )
