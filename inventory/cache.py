"""Stock entries in Redis that no stale writer can put back.

An entry is a value or a tombstone.  A writer puts a tombstone before its COMMIT and its value after it; a reader that
misses takes a lease, reads the database and fills only while it still has that lease and nothing newer came.
Every function here says what happens when Redis is away: nothing, and the caller reads the database.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import redis
from django.conf import settings
from django_redis import get_redis_connection
from prometheus_client import Counter

from inventory.away import Away
from inventory.together import Together

T = TypeVar("T")

CACHE_AWAY = Counter(
    "holdfast_cache_away_total", "Cache calls that failed; reads then come from the database.", ["call"]
)

away = Away("cache_away")

_LEASE_SECONDS = 5
_TOMBSTONE = b"T:"

# KEYS: entry, lease.  ARGV: lease token, version, value, seconds.  A value is "<version>:<bytes>".
_FILL = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
local entry = redis.call('GET', KEYS[1])
if entry then
    if string.sub(entry, 1, 2) == 'T:' then return 0 end
    -- The same version is replaced: it may have been computed under another policy, or before a number expired.
    if tonumber(string.match(entry, '^(%d+):')) > tonumber(ARGV[2]) then return 0 end
end
redis.call('SET', KEYS[1], ARGV[2] .. ':' .. ARGV[3], 'EX', ARGV[4])
return 1
"""
# KEYS: entry, lease.  ARGV: tombstone token, version, value, seconds.  Another writer's tombstone stands:
# its COMMIT is under way, and its value will be newer than ours.
_PUBLISH = """
redis.call('DEL', KEYS[2])
local entry = redis.call('GET', KEYS[1])
if entry then
    if string.sub(entry, 1, 2) == 'T:' then
        if entry ~= 'T:' .. ARGV[1] then return 0 end
    elseif tonumber(string.match(entry, '^(%d+):')) >= tonumber(ARGV[2]) then
        return 0
    end
end
redis.call('SET', KEYS[1], ARGV[2] .. ':' .. ARGV[3], 'EX', ARGV[4])
return 1
"""


@lru_cache(maxsize=1)
def _scripts() -> tuple[Any, Any]:
    client = get_redis_connection("default")
    return client.register_script(_FILL), client.register_script(_PUBLISH)


def _keys(code: str) -> list[str]:
    return [f"stock:{{{code}}}", f"stock-lease:{{{code}}}"]


def _attempt(call: str, work: Callable[["redis.Redis"], T]) -> T | None:
    """What `work` returns, or None if Redis is away."""
    if not away:
        try:
            return work(get_redis_connection("default"))
        except redis.RedisError as error:
            away.mark(error)
    CACHE_AWAY.labels(call).inc()
    return None


def get_one(code: str) -> bytes | None:
    """The value; None for a tombstone or a miss."""
    # A call costs this process more than the answer's way: single reads of a busy moment share one.
    return _single.get(code)


def get(wanted: Iterable[str]) -> dict[str, bytes]:
    """Values by code.  Tombstones and misses are left out."""
    codes = list(wanted)
    entries: list[Any] | None = _attempt("get", lambda client: client.mget([_keys(code)[0] for code in codes]))
    return {
        code: entry.partition(b":")[2]
        for code, entry in zip(codes, entries or [None] * len(codes), strict=True)
        if entry and not entry.startswith(_TOMBSTONE)
    }


_single = Together(get)


def lease(codes: Iterable[str]) -> dict[str, str]:
    """Leases to fill these entries, for those that nobody else is filling."""
    wanted = {code: secrets.token_hex(8) for code in codes}

    def ask(client: "redis.Redis") -> list[Any]:
        pipe = client.pipeline(transaction=False)
        for code, token in wanted.items():
            pipe.set(_keys(code)[1], token, nx=True, ex=_LEASE_SECONDS)
        return pipe.execute()

    granted = _attempt("lease", ask) or [None] * len(wanted)
    return {code: token for (code, token), grant in zip(wanted.items(), granted, strict=True) if grant}


def fill(values: Mapping[str, tuple[int, bytes]], leases: Mapping[str, str]) -> None:
    """Store what was read under these leases.  values: code → (version, bytes).  A revoked lease stores nothing."""
    _store("fill", 0, {code: (leases[code], *values[code]) for code in leases if code in values})


def tombstone(codes: Iterable[str]) -> str:
    """Announce that these values are about to change; the token to publish the new ones with.

    Readers ask the database until then, and no fill that began before can land.
    """
    token = secrets.token_hex(8)

    def announce(client: "redis.Redis") -> list[Any]:
        pipe = client.pipeline(transaction=False)
        for code in codes:
            entry, lease_key = _keys(code)
            pipe.set(entry, _TOMBSTONE + token.encode(), ex=settings.STOCK_TOMBSTONE_SECONDS)
            pipe.delete(lease_key)
        return pipe.execute()

    _attempt("tombstone", announce)
    return token


def publish(values: Mapping[str, tuple[int, bytes]], token: str) -> None:
    """Store what was just committed.  values: code → (version, bytes)."""
    _store("publish", 1, {code: (token, *value) for code, value in values.items()})


def drop(codes: Sequence[str]) -> bool:
    """Forget these entries and revoke every lease on them; False if Redis could not be reached."""
    keys = [key for code in codes for key in _keys(code)]
    return not keys or _attempt("drop", lambda client: client.delete(*keys)) is not None


def _store(call: str, script: int, values: Mapping[str, tuple[str, int, bytes]]) -> None:
    """Run one of the scripts for each code.  values: code → (token, version, bytes)."""

    def send(client: "redis.Redis") -> list[Any]:
        pipe = client.pipeline(transaction=False)
        for code, arguments in values.items():
            _scripts()[script](_keys(code), [*arguments, settings.STOCK_CACHE_SECONDS], client=pipe)
        return pipe.execute()

    if values:
        _attempt(call, send)
