"""What the processes of one installation know together about a supplier: its pace, its pauses, its breaker.

Redis holds it.  Without Redis each process keeps its own account: the limits then hold per process, and no call waits
for a Redis that does not answer more than once in RETRY_SECONDS.
"""

import threading
import time
from functools import cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

RETRY_SECONDS = 5.0
SOCKET_SECONDS = 1.0


class SharedState:
    """The Redis client, or None while Redis is away."""

    def __init__(self, url: str) -> None:
        self.redis = redis.Redis.from_url(
            url,
            socket_timeout=SOCKET_SECONDS,
            socket_connect_timeout=SOCKET_SECONDS,
            retry=Retry(NoBackoff(), 0),
            decode_responses=False,  # pybreaker decodes by itself
        )
        self._away_until = 0.0
        self._lock = threading.Lock()

    def client(self) -> redis.Redis | None:
        """Asks Redis at most once in RETRY_SECONDS whether it is back."""
        with self._lock:
            if time.monotonic() < self._away_until:
                return None
        try:
            self.redis.ping()
        except redis.RedisError:
            self.lost()
            return None
        return self.redis

    def lost(self) -> None:
        """A command failed: leave Redis alone for a while."""
        with self._lock:
            self._away_until = time.monotonic() + RETRY_SECONDS


@cache
def shared_state_at(url: str) -> SharedState:
    return SharedState(url)


def shared_state() -> SharedState:
    return shared_state_at(settings.REDIS_URL)
