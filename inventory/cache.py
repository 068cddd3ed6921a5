"""Stock entries in Redis that no stale writer can put back.

An entry is a value or a tombstone.  A writer puts a tombstone before its COMMIT and its value after it; a reader that
misses takes a lease, reads the database and fills only while it still has that lease and nothing newer came.
Every function here says what happens when Redis is away: nothing, and the caller reads the database.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import redis
import structlog
from django.conf import settings
from django_redis import get_redis_connection
from prometheus_client import Counter

log = structlog.get_logger(__name__)

CACHE_AWAY = Counter(
    "holdfast_cache_away_total", "Cache calls that failed; reads then come from the database.", ["call"]
)

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


def _away(call: str, error: redis.RedisError) -> None:
    CACHE_AWAY.labels(call).inc()
    log.warning("cache_away", call=call, error=str(error))


def get(codes: Sequence[str]) -> tuple[dict[str, bytes], bool]:
    """Values by code, and whether the cache answered at all.  Tombstones and misses are left out."""
    try:
        entries = get_redis_connection("default").mget([_keys(code)[0] for code in codes])
    except redis.RedisError as error:
        _away("get", error)
        return {}, False
    return {
        code: entry.partition(b":")[2]
        for code, entry in zip(codes, entries, strict=True)
        if entry and not entry.startswith(_TOMBSTONE)
    }, True


def lease(codes: Iterable[str]) -> dict[str, str]:
    """Leases to fill these entries, for those that nobody else is filling."""
    wanted = {code: secrets.token_hex(8) for code in codes}
    try:
        pipe = get_redis_connection("default").pipeline(transaction=False)
        for code, token in wanted.items():
            pipe.set(_keys(code)[1], token, nx=True, ex=_LEASE_SECONDS)
        return {code: token for (code, token), granted in zip(wanted.items(), pipe.execute(), strict=True) if granted}
    except redis.RedisError as error:
        _away("lease", error)
        return {}


def fill(values: Mapping[str, tuple[int, bytes]], leases: Mapping[str, str]) -> None:
    """Store what was read under these leases.  values: code → (version, bytes).  A revoked lease stores nothing."""
    script = _scripts()[0]
    try:
        pipe = get_redis_connection("default").pipeline(transaction=False)
        for code, token in leases.items():
            if code in values:
                version, value = values[code]
                script(_keys(code), [token, version, value, settings.STOCK_CACHE_SECONDS], client=pipe)
        pipe.execute()
    except redis.RedisError as error:
        _away("fill", error)


def tombstone(codes: Iterable[str]) -> str:
    """Announce that these values are about to change; the token to publish the new ones with.

    Readers ask the database until then, and no fill that began before can land.
    """
    token = secrets.token_hex(8)
    try:
        pipe = get_redis_connection("default").pipeline(transaction=False)
        for code in codes:
            entry, lease_key = _keys(code)
            pipe.set(entry, _TOMBSTONE + token.encode(), ex=settings.STOCK_TOMBSTONE_SECONDS)
            pipe.delete(lease_key)
        pipe.execute()
    except redis.RedisError as error:
        _away("tombstone", error)
    return token


def publish(values: Mapping[str, tuple[int, bytes]], token: str) -> None:
    """Store what was just committed.  values: code → (version, bytes)."""
    script = _scripts()[1]
    try:
        pipe = get_redis_connection("default").pipeline(transaction=False)
        for code, (version, value) in values.items():
            script(_keys(code), [token, version, value, settings.STOCK_CACHE_SECONDS], client=pipe)
        pipe.execute()
    except redis.RedisError as error:
        _away("publish", error)


def drop(codes: Sequence[str]) -> bool:
    """Forget these entries and revoke every lease on them; False if Redis could not be reached."""
    if not codes:
        return True
    try:
        get_redis_connection("default").delete(*(key for code in codes for key in _keys(code)))
    except redis.RedisError as error:
        _away("drop", error)
        return False
    return True
