"""429 in all the ways in which suppliers say "slow down"."""

import time
from dataclasses import dataclass, field
from email.utils import formatdate

from suppliers.simulator import errors
from suppliers.simulator.messages import Call, Problem, Reply

from .base import Fault

DAY = 86_400
FOREIGN = {"top": errors.top, "shopify": errors.shopify, "aop": errors.aop}


@dataclass(kw_only=True, eq=False)
class Throttle(Fault):
    """rate, burst: a token bucket in requests per second; without a rate, the share `p` is refused.

    daily: at most so many requests in a day of the supplier's clock (UTC).  ban: whoever was refused once is refused
    until retry_after seconds are over.  style: how the hint is written: "seconds", "date", "absent" or "absurd" (a
    day) as Retry-After, or as the body that "top" (ban text), "shopify" (cost) or "aop" (code) send with 200.
    """

    name = "throttle"
    words = {"style": ("seconds", "date", "absent", "absurd", *FOREIGN)}
    rate: float | None = None
    burst: float = 1.0
    daily: int | None = None
    ban: bool = False
    retry_after: int = 1
    style: str = "seconds"
    _tokens: float = field(init=False, repr=False, default=0.0)
    _filled_at: float = field(init=False, repr=False, default=0.0)
    _banned_until: float = field(init=False, repr=False, default=0.0)
    _today: tuple[int, int] = field(init=False, repr=False, default=(0, 0))  # day, requests

    def __post_init__(self) -> None:
        super().__post_init__()
        self._tokens = self.burst
        self._filled_at = time.monotonic()

    def before(self, call: Call) -> Reply | Problem | None:
        if not self.applies(call):
            return None
        wait = self._still_banned(call) or self._over_quota(call)
        if not wait:
            if self.rate is not None and self._admitted(self.rate):
                return None
            if self.rate is None and self.daily is not None:
                return None
        if not self.strikes(call):
            return None
        if self.ban and not wait:
            self._banned_until = call.now + self.retry_after
        return self._refusal(wait or self.retry_after)

    def _refusal(self, seconds: int) -> Reply | Problem:
        hints = {
            "seconds": str(seconds),
            "date": formatdate(time.time() + seconds, usegmt=True),
            "absurd": str(DAY),
        }
        hint = hints.get(self.style)
        headers = {"Retry-After": hint} if hint else {}
        problem = Problem(429, "TOO_MANY_REQUESTS", "Slow down", {"retry_after": seconds}, headers)
        return FOREIGN[self.style](problem) if self.style in FOREIGN else problem

    def _still_banned(self, call: Call) -> int:
        return max(0, -int(-(self._banned_until - call.now) // 1))

    def _over_quota(self, call: Call) -> int:
        """Seconds until the next day, if today's requests are used up."""
        if self.daily is None:
            return 0
        with self._guard:
            day, count = self._today
            today = int(call.now // DAY)
            self._today = (today, count + 1 if day == today else 1)
            return DAY - int(call.now % DAY) if self._today[1] > self.daily else 0

    def _admitted(self, rate: float) -> bool:
        with self._guard:
            now = time.monotonic()
            self._tokens = min(self.burst, self._tokens + (now - self._filled_at) * rate)
            self._filled_at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True
