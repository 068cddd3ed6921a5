"""How many may be busy with something at once, over all processes: so many places, each leased.

A place is given back at the end; one whose holder died is free when its lease ends.  Without Redis each process has
the places to itself.
"""

import threading
import time
import uuid
from collections import defaultdict

import redis

from suppliers.shared_state import shared_state

PREFERENCE_SECONDS = 3.0  # for which a place is kept for who goes first and was turned away: a sweep comes every 2

# KEYS: holders, preference.  ARGV: who, places, lease and preference in ms, whether it goes first.
# Redis' own clock: those of the processes may differ.
_TAKE = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local first = ARGV[5] == '1'
local free = redis.call('ZCARD', KEYS[1]) < tonumber(ARGV[2])
if not free and first then redis.call('SET', KEYS[2], '1', 'PX', ARGV[4]) end
if not free or (not first and redis.call('EXISTS', KEYS[2]) == 1) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.max(tonumber(ARGV[3]), redis.call('PTTL', KEYS[1])))
if first then redis.call('DEL', KEYS[2]) end
return 1
"""
# Only who still holds it may hold it for longer.
_RENEW = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.max(tonumber(ARGV[2]), redis.call('PTTL', KEYS[1])))
return 1
"""


class Places:
    """name: what there is a limited number of.  most: how many."""

    def __init__(self, name: str, most: int) -> None:
        self._name, self._most = name, most
        self._keys = [f"places:{{{name}}}", f"places:{{{name}}}:preferred"]

    def take(self, lease_seconds: float, *, first: bool = False) -> str:
        """A holder's mark to give back, "" if no place is free now.  first: before those who are not."""
        mark = uuid.uuid4().hex
        client = shared_state().client()
        if client is not None:
            lease, preference = max(1, int(lease_seconds * 1000)), int(PREFERENCE_SECONDS * 1000)
            arguments: list[str | int] = [mark, self._most, lease, preference, int(first)]
            try:
                return mark if client.eval(_TAKE, 2, *self._keys, *arguments) else ""
            except redis.RedisError:
                shared_state().lost()
        return mark if own.take(self._name, self._most, mark, lease_seconds) else ""

    def renew(self, mark: str, lease_seconds: float) -> None:
        """Hold it for so long from now on; nothing if it is held no more."""
        client = shared_state().client()
        if client is not None:
            try:
                client.eval(_RENEW, 1, self._keys[0], mark, max(1, int(lease_seconds * 1000)))
            except redis.RedisError:
                shared_state().lost()

    def give_back(self, mark: str) -> None:
        own.give_back(self._name, mark)
        client = shared_state().client()
        if client is not None:
            try:
                client.zrem(self._keys[0], mark)
            except redis.RedisError:
                shared_state().lost()  # its lease ends by itself

    def preferred(self) -> bool:
        """Is the next free place kept for somebody who goes first?"""
        client = shared_state().client()
        return client is not None and bool(client.exists(self._keys[1]))

    def taken(self) -> int:
        """How many are taken now."""
        client = shared_state().client()
        if client is None:
            return own.taken(self._name)
        try:
            seconds, microseconds = client.time()
            return int(client.zcount(self._keys[0], seconds * 1000 + microseconds // 1000, "+inf"))
        except redis.RedisError:
            shared_state().lost()
            return own.taken(self._name)


class OwnPlaces:
    """Those of this process, for when Redis is away."""

    def __init__(self) -> None:
        self._held: dict[str, dict[str, float]] = defaultdict(dict)  # name → mark → monotonic end
        self._lock = threading.Lock()

    def take(self, name: str, most: int, mark: str, seconds: float) -> bool:
        with self._lock:
            if self._taken(name) >= most:
                return False
            self._held[name][mark] = time.monotonic() + seconds
            return True

    def give_back(self, name: str, mark: str) -> None:
        with self._lock:
            self._held[name].pop(mark, None)

    def taken(self, name: str) -> int:
        with self._lock:
            return self._taken(name)

    def _taken(self, name: str) -> int:
        now = time.monotonic()
        self._held[name] = {mark: end for mark, end in self._held[name].items() if end > now}
        return len(self._held[name])


own = OwnPlaces()
