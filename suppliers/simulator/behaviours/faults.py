"""Before the request takes effect: late, or answered otherwise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from suppliers.simulator.draws import draw, lognormal
from suppliers.simulator.messages import BROKEN, Call, Fate, Problem, Reply

from .base import Fault

AWAY = ("503", *BROKEN)
HTML = {
    "maintenance": b"<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>",
    "login": b'<!doctype html><title>Log in</title><form method="post"><input name="user"></form>',
    "firewall": b"<!doctype html><title>Access denied</title><p>Request blocked. Ray ID: 7f3a9c",
}


def away(mode: str) -> Reply | Problem:
    if mode in BROKEN:
        return Reply(0, fate=BROKEN[mode])
    return Problem(503, "UNAVAILABLE", "Service Unavailable")


@dataclass(kw_only=True, eq=False)
class Down(Fault):
    """The whole API is away.  mode: "503" answers so, the others end each connection without an answer."""

    name = "down"
    words = {"mode": AWAY}
    mode: str = "503"

    def before(self, call: Call) -> Reply | Problem | None:
        return away(self.mode) if self.strikes(call) else None


@dataclass(kw_only=True, eq=False)
class Bursts(Fault):
    """Outages that come and go: up for some mtbf_s seconds, down for some mttr_s, both exponential."""

    name = "bursts"
    words = {"mode": AWAY}
    mode: str = "503"
    mtbf_s: float = 600.0
    mttr_s: float = 45.0
    _ends: list[float] = field(init=False, repr=False, default_factory=list)  # of up, down, up, down …

    def before(self, call: Call) -> Reply | Problem | None:
        return away(self.mode) if self.is_down(call) and self.strikes(call) else None

    def is_down(self, call: Call) -> bool:
        with self._guard:
            while not self._ends or self._ends[-1] <= call.uptime:
                at = len(self._ends)
                mean = self.mttr_s if at % 2 else self.mtbf_s
                length = -math.log(draw(call.seed, self.name, at)) * mean
                self._ends.append((self._ends[-1] if self._ends else 0.0) + length)
            return next(at for at, end in enumerate(self._ends) if end > call.uptime) % 2 == 1


@dataclass(kw_only=True, eq=False)
class Broken(Fault):
    """The connection ends without an answer, and without an effect."""

    name = "broken"
    words = {"modes": tuple(BROKEN)}
    modes: Sequence[str] = ("closed", "reset", "garbage")

    def before(self, call: Call) -> Reply | Problem | None:
        return Reply(0, fate=BROKEN[self.one_of(self.modes, call)]) if self.strikes(call) else None


@dataclass(kw_only=True, eq=False)
class Latency(Fault):
    """Response times as they are: lognormal.  hang_p: share that is never answered."""

    name = "latency"
    median_ms: float = 800.0
    sigma: float = 0.7
    max_ms: float = 60_000.0
    hang_p: float = 0.0

    def before(self, call: Call) -> Reply | Problem | None:
        if not self.strikes(call):
            return None
        if call.draw("latency.hang") < self.hang_p:
            return Reply(0, fate=Fate.HANG)
        milliseconds = min(self.max_ms, lognormal(call.draw("latency.time"), self.median_ms, self.sigma))
        call.acted[-1] = f"latency={milliseconds:.0f}ms"
        # A server that stops must not let go what waits: it would take effect after the end.
        return Reply(0, fate=Fate.CLOSE) if call.pause(milliseconds / 1000) else None


@dataclass(kw_only=True, eq=False)
class ServerError(Fault):
    name = "server_error"
    statuses: Sequence[int] = (500, 502, 503, 504)

    def before(self, call: Call) -> Reply | Problem | None:
        if not self.strikes(call):
            return None
        status = self.statuses[int(call.draw("server_error.status") * len(self.statuses))]
        return Problem(status, "SERVER_ERROR", "Something went wrong")


@dataclass(kw_only=True, eq=False)
class ErrorIn200(Fault):
    """An error that the status line denies."""

    name = "error_in_200"
    code: str = "SYSTEM_BUSY"

    def before(self, call: Call) -> Reply | Problem | None:
        return Problem(200, self.code, "system busy, try again later") if self.strikes(call) else None


@dataclass(kw_only=True, eq=False)
class Html200(Fault):
    """A page for people where JSON was asked for."""

    name = "html_200"
    words = {"pages": tuple(HTML)}
    pages: Sequence[str] = tuple(HTML)

    def before(self, call: Call) -> Reply | Problem | None:
        if not self.strikes(call):
            return None
        return Reply(200, HTML[self.one_of(self.pages, call)], content_type="text/html; charset=utf-8")


@dataclass(kw_only=True, eq=False)
class Reject(Fault):
    """Orders are refused although there is stock.

    code: NO_STOCK, BELOW_MINIMUM, WRONG_LOT, PRICE_CHANGED or DELISTED, or one that no client knows.
    """

    name = "reject"
    endpoints: Sequence[str] = ("confirm",)
    status: int = 409
    code: str = "NO_STOCK"

    def before(self, call: Call) -> Reply | Problem | None:
        return Problem(self.status, self.code, "the order was rejected") if self.strikes(call) else None


@dataclass(kw_only=True, eq=False)
class Sunset(Fault):
    """The version of the API has ended.  after_s: seconds since the supplier opened."""

    name = "sunset"
    after_s: float = 0.0

    def before(self, call: Call) -> Reply | Problem | None:
        if call.uptime < self.after_s or not self.strikes(call):
            return None
        return Problem(410, "API_VERSION_SUNSET", "this version has ended; use the next one")
