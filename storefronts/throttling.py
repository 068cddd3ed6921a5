"""So many requests per storefront and window, counted once for all processes.

The counter is one atomic script in the cache's Redis.  While that is away each process counts for itself: the limit
then holds per process, and no request fails or waits for it.
"""

import time
from functools import cache

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


class StorefrontThrottle(BaseThrottle):
    """One window per storefront: the keys of a storefront share it."""

    redis_paused_until = 0.0  # time.monotonic(), shared by all instances
    window_ends: float | None = None

    def allow_request(self, request: Request, view: object) -> bool:  # noqa: ARG002
        principal = caller(request)
        if principal is None:
            return True
        storefront = str(principal.storefront_id)
        if time.monotonic() >= StorefrontThrottle.redis_paused_until:
            try:
                return self._hit(shared_counter(), storefront)
            except RedisError as error:
                StorefrontThrottle.redis_paused_until = time.monotonic() + PAUSE_SECONDS
                logger.warning("throttle counts in memory", error=str(error))
        return self._hit(own_counter(), storefront)

    def wait(self) -> float | None:
        """Seconds until the window ends."""
        return None if self.window_ends is None else max(1.0, self.window_ends - time.time())

    def _hit(self, counter: FixedWindowRateLimiter, storefront: str) -> bool:
        if counter.hit(rate_limit(), storefront):
            return True
        self.window_ends = counter.get_window_stats(rate_limit(), storefront).reset_time
        return False
