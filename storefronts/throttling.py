"""So many requests per storefront and window, counted once for all processes.

The counter is one atomic script in the cache's Redis.  A busy process takes many requests from it at once, a thousandth
of the limit at most, and spends them within a second.  While Redis is away each process counts for itself: the limit
then holds per process, and no request fails or waits for it.
"""

import time
from dataclasses import dataclass
from functools import cache
from threading import Lock

import structlog
from django.conf import settings
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from storefronts.authentication import caller

# After a failure Redis is left alone this long: a black hole must not cost every request its timeout.
PAUSE_SECONDS = 5.0
LEASE_SECONDS = 1.0
LEASE_SHARE = 1_000  # of the limit; what processes hold at the end of a window may exceed it by so little

logger = structlog.get_logger(__name__)


@cache
def rate_limit() -> RateLimitItem:
    return parse(settings.API_THROTTLE)


@cache
def shared_counter() -> FixedWindowRateLimiter:
    storage = RedisStorage(
        settings.CACHE_URL,
        key_prefix="throttle",
        socket_connect_timeout=0.25,
        socket_timeout=0.25,
        retry=Retry(NoBackoff(), 0),  # type: ignore[arg-type]  # handed through to redis.Redis
    )
    return FixedWindowRateLimiter(storage)


@cache
def own_counter() -> FixedWindowRateLimiter:
    return FixedWindowRateLimiter(MemoryStorage())


def hit(limit: RateLimitItem, *names: str) -> tuple[FixedWindowRateLimiter, bool]:
    """Count one; the counter that did, in Redis or while that is away in this process, and whether it is allowed."""
    if time.monotonic() >= StorefrontThrottle.redis_paused_until:
        try:
            return shared_counter(), shared_counter().hit(limit, *names)
        except RedisError as error:
            StorefrontThrottle.pause(error)
    return own_counter(), own_counter().hit(limit, *names)


@dataclass(slots=True)
class Lease:
    """Requests already counted in Redis that this process may still serve.  size: how many were taken at once."""

    size: int = 1
    left: int = 0
    until: float = 0.0  # time.monotonic()


class Leases:
    """The leases of this process, by storefront."""

    def __init__(self) -> None:
        self._mutex = Lock()
        self._leases: dict[str, Lease] = {}

    def spend(self, storefront: str) -> bool:
        """Serve one request from the lease, if there is one."""
        with self._mutex:
            lease = self._leases.get(storefront)
            if lease is None or not lease.left or time.monotonic() >= lease.until:
                return False
            lease.left -= 1
            return True

    def next_size(self, storefront: str, most: int) -> int:
        """How many to take now: twice as many as last time if those were all spent in time, else one."""
        with self._mutex:
            lease = self._leases.setdefault(storefront, Lease())
            spent = lease.left == 0 and time.monotonic() < lease.until
            return max(1, min(most, lease.size * 2 if spent else 1))

    def take(self, storefront: str, size: int) -> None:
        """Note that `size` requests were counted, of which one is served right now."""
        with self._mutex:
            self._leases[storefront] = Lease(size, size - 1, time.monotonic() + LEASE_SECONDS)

    def forget(self) -> None:
        with self._mutex:
            self._leases.clear()


leases = Leases()


class StorefrontThrottle(BaseThrottle):
    """One window per storefront: the keys of a storefront share it."""

    redis_paused_until = 0.0  # time.monotonic(), shared by all instances
    window_ends: float | None = None

    def allow_request(self, request: Request, view: object) -> bool:  # noqa: ARG002
        principal = caller(request)
        if principal is None:
            return True
        storefront = str(principal.storefront_id)
        if leases.spend(storefront):
            return True
        if time.monotonic() >= StorefrontThrottle.redis_paused_until:
            try:
                return self._take(storefront)
            except RedisError as error:
                self.pause(error)
        return self._hit(own_counter(), storefront)

    @staticmethod
    def pause(error: RedisError) -> None:
        """Leave Redis alone for a while."""
        StorefrontThrottle.redis_paused_until = time.monotonic() + PAUSE_SECONDS
        logger.warning("throttle counts in memory", error=str(error))

    def wait(self) -> float | None:
        """Seconds until the window ends."""
        return None if self.window_ends is None else max(1.0, self.window_ends - time.time())

    def _take(self, storefront: str) -> bool:
        """Count a lease, or at the end of the limit the one request."""
        size = leases.next_size(storefront, rate_limit().amount // LEASE_SHARE)
        if size > 1 and shared_counter().hit(rate_limit(), storefront, cost=size):
            leases.take(storefront, size)
            return True
        if not self._hit(shared_counter(), storefront):
            return False
        leases.take(storefront, 1)
        return True

    def _hit(self, counter: FixedWindowRateLimiter, storefront: str) -> bool:
        if counter.hit(rate_limit(), storefront):
            return True
        self.window_ends = counter.get_window_stats(rate_limit(), storefront).reset_time
        return False
