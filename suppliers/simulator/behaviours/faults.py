"""Before the request takes effect: late, or answered otherwise."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.utils import formatdate

from suppliers.simulator.draws import lognormal
from suppliers.simulator.messages import Call, Fate, Reply, error_reply

from .base import Fault

MAINTENANCE_PAGE = b"<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>"


@dataclass(kw_only=True, eq=False)
class Down(Fault):
    """The whole API is away.  mode: "503" answers so, "closed" closes each connection."""

    name = "down"
    words = {"mode": ("503", "closed")}
    mode: str = "503"

    def before(self, call: Call) -> Reply | None:
        if not self.strikes(call):
            return None
        if self.mode == "closed":
            return Reply(0, fate=Fate.CLOSE)
        return error_reply(503, "UNAVAILABLE", "Service Unavailable")


@dataclass(kw_only=True, eq=False)
class Latency(Fault):
    """Response times as they are: lognormal.  hang_p: share that is never answered."""

    name = "latency"
    median_ms: float = 800.0
    sigma: float = 0.7
    max_ms: float = 60_000.0
    hang_p: float = 0.0

    def before(self, call: Call) -> Reply | None:
        if not self.strikes(call):
            return None
        if call.draw("latency.hang") < self.hang_p:
            return Reply(0, fate=Fate.HANG)
        milliseconds = min(self.max_ms, lognormal(call.draw("latency.time"), self.median_ms, self.sigma))
        call.acted[-1] = f"latency={milliseconds:.0f}ms"
        # A server that stops must not let go what waits: it would take effect after the end.
        return Reply(0, fate=Fate.CLOSE) if call.pause(milliseconds / 1000) else None


@dataclass(kw_only=True, eq=False)
class Throttle(Fault):
    """429.  rate, burst: a token bucket in requests per second; without a rate, the share `p` is refused.

    style: how Retry-After is written: "seconds", "date", "absent" or "absurd" (a day).
    """

    name = "throttle"
    words = {"style": ("seconds", "date", "absent", "absurd")}
    rate: float | None = None
    burst: float = 1.0
    retry_after: int = 1
    style: str = "seconds"
    _tokens: float = field(init=False, repr=False, default=0.0)
    _filled_at: float = field(init=False, repr=False, default=0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._tokens = self.burst
        self._filled_at = time.monotonic()

    def before(self, call: Call) -> Reply | None:
        if not self.applies(call) or (self.rate is not None and self._admitted(self.rate)) or not self.strikes(call):
            return None
        reply = error_reply(429, "TOO_MANY_REQUESTS", "Slow down")
        hints = {
            "seconds": str(self.retry_after),
            "date": formatdate(time.time() + self.retry_after, usegmt=True),
            "absurd": "86400",
        }
        if hint := hints.get(self.style):
            reply.headers["Retry-After"] = hint
        return reply

    def _admitted(self, rate: float) -> bool:
        with self._guard:
            now = time.monotonic()
            self._tokens = min(self.burst, self._tokens + (now - self._filled_at) * rate)
            self._filled_at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


@dataclass(kw_only=True, eq=False)
class ServerError(Fault):
    name = "server_error"
    statuses: Sequence[int] = (500, 502, 503, 504)

    def before(self, call: Call) -> Reply | None:
        if not self.strikes(call):
            return None
        status = self.statuses[int(call.draw("server_error.status") * len(self.statuses))]
        return error_reply(status, "SERVER_ERROR", "Something went wrong")


@dataclass(kw_only=True, eq=False)
class ErrorIn200(Fault):
    """An error that the status line denies."""

    name = "error_in_200"
    code: str = "SYSTEM_BUSY"

    def before(self, call: Call) -> Reply | None:
        return error_reply(200, self.code, "system busy, try again later") if self.strikes(call) else None


@dataclass(kw_only=True, eq=False)
class Html200(Fault):
    """A maintenance or log-in page where JSON was asked for."""

    name = "html_200"

    def before(self, call: Call) -> Reply | None:
        return Reply(200, MAINTENANCE_PAGE, content_type="text/html; charset=utf-8") if self.strikes(call) else None


@dataclass(kw_only=True, eq=False)
class Reject(Fault):
    """Orders are refused although there is stock: what phantom stock looks like from outside."""

    name = "reject"
    endpoints: Sequence[str] = ("confirm",)
    status: int = 409
    code: str = "NO_STOCK"

    def before(self, call: Call) -> Reply | None:
        return error_reply(self.status, self.code, "the order was rejected") if self.strikes(call) else None
