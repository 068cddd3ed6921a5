"""How often a supplier is called: its rate over all processes, and the pauses it asked for."""

import math
import time
from functools import cache

import redis
from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from suppliers.adapters.limits import Limits
from suppliers.errors import Throttled
from suppliers.shared_state import SharedState, shared_state
from suppliers.transport import Deadline

LONGEST_PAUSE = 60.0  # seconds; an absurd Retry-After must not silence a supplier for a day
LONGEST_NAP = 0.25  # seconds; others may have taken the slot that we slept for


class Pace:
    """The budget of one supplier."""

    def __init__(self, name: str, limits: Limits) -> None:
        self._name = name
        # A window that holds `burst` calls is as long as `rate` takes to allow that many.
        seconds = max(1, round(limits.burst / limits.rate))
        self._item = RateLimitItemPerSecond(max(1, math.floor(limits.rate * seconds)), seconds)

    def wait(self, deadline: Deadline) -> None:
        """Return when a call may go out.  Raises: Throttled if that is not before the deadline."""
        while True:
            seconds = self._pause() or self._try_to_take()
            if not seconds:
                return
            if seconds >= deadline.remaining:
                raise Throttled("Our own limit for this supplier leaves no call in time.", seconds)
            time.sleep(min(seconds, LONGEST_NAP))

    def left(self) -> tuple[int, int]:
        """Calls that may still go out in the present window, and all that it holds; takes none."""
        state = shared_state()
        if self._pause():
            return 0, self._item.amount
        limiter = redis_limiter(state) if state.client() is not None else process_limiter
        try:
            return max(0, limiter.get_window_stats(self._item, self._name).remaining), self._item.amount
        except redis.RedisError:
            state.lost()
            return 0, self._item.amount  # who cannot see the budget leaves it to those who must call

    def pause(self, seconds: float) -> None:
        """The supplier asked for it: nobody calls until then."""
        seconds = min(seconds, LONGEST_PAUSE)
        pauses[self._name] = time.monotonic() + seconds
        client = shared_state().client()
        if client is not None:
            try:
                client.set(self._pause_key, b"1", px=max(1, int(seconds * 1000)))
            except redis.RedisError:
                shared_state().lost()

    @property
    def _pause_key(self) -> str:
        return f"supplier:{{{self._name}}}:pause"

    def _pause(self) -> float:
        own = max(0.0, pauses.get(self._name, 0.0) - time.monotonic())
        client = shared_state().client()
        if own or client is None:
            return own
        try:
            return max(0, int(client.pttl(self._pause_key))) / 1000
        except redis.RedisError:
            shared_state().lost()
            return 0.0

    def _try_to_take(self) -> float:
        """0 if a call may go out now, otherwise the seconds until one may."""
        state = shared_state()
        if state.client() is not None:
            try:
                return self._take_from(redis_limiter(state))
            except redis.RedisError:
                state.lost()
        return self._take_from(process_limiter)

    def _take_from(self, limiter: MovingWindowRateLimiter) -> float:
        if limiter.hit(self._item, self._name):
            return 0.0
        return max(0.01, limiter.get_window_stats(self._item, self._name).reset_time - time.time())


pauses: dict[str, float] = {}  # name → monotonic end, for when Redis is away
process_limiter = MovingWindowRateLimiter(MemoryStorage())


@cache
def redis_limiter(state: SharedState) -> MovingWindowRateLimiter:
    pool = state.redis.connection_pool
    storage = RedisStorage("redis://", connection_pool=pool, key_prefix="supplier-rate")
    return MovingWindowRateLimiter(storage)
