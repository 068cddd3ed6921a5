"""What upstreams do to their clients: one small class each, its fields are its parameters.

To add one: subclass the base class of the moment it acts at (`Fault` before the request takes effect, `Distortion` on
the numbers reported, `PageFault` on the rows of a page, `Spoiler` on the finished answer, `Rule` in the decision of a
sale), give it a name and defaults, and list it in `BEHAVIOURS`.
"""

import dataclasses
import fnmatch
import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, ClassVar

from .draws import draw, lognormal
from .messages import ENDPOINTS, Call, Fate, Reply, error_reply

JsonRow = dict[str, Any]
MAINTENANCE_PAGE = b"<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>"


@dataclass(kw_only=True, eq=False)
class Behaviour:
    """p: share of the matching requests it strikes.  endpoints, skus (a glob): which match.  times: at most so often.

    A request that names no SKU (a page of the list) matches every glob; rows are matched one by one.
    """

    name: ClassVar[str]
    words: ClassVar[Mapping[str, Sequence[str]]] = {}  # parameter → what it may be
    p: float = 1.0
    endpoints: Sequence[str] = ENDPOINTS
    skus: str = "*"
    times: int | None = None
    _left: int | None = field(init=False, repr=False, default=None)
    _guard: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ValueError(f"{self.name}.p is a share from 0 to 1")
        if unknown := set(self.endpoints) - set(ENDPOINTS):
            raise ValueError(f"{self.name}.endpoints: unknown {sorted(unknown)}")
        for parameter, words in self.words.items():
            if getattr(self, parameter) not in words:
                raise ValueError(f"{self.name}.{parameter} is one of {list(words)}")
        self._left = self.times

    def applies(self, call: Call) -> bool:
        return call.endpoint in self.endpoints and (not call.skus or any(map(self.covers, call.skus)))

    def covers(self, sku: str) -> bool:
        return self.skus == "*" or fnmatch.fnmatchcase(sku, self.skus)

    def strikes(self, call: Call) -> bool:
        """Whether it acts on this request; if so, the answer will say it did."""
        if not self.applies(call) or call.draw(self.name) >= self.p or not self._take():
            return False
        call.acted.append(self.name)
        return True

    def _take(self) -> bool:
        if self._left is None:
            return True
        with self._guard:
            self._left -= 1
            return self._left >= 0


class Fault(Behaviour):
    def before(self, call: Call) -> Reply | None:
        """Delay the request, or answer in its place: then it has no effect."""
        raise NotImplementedError


class Distortion(Behaviour):
    def age(self, uid: str, seed: int) -> float:  # noqa: ARG002 - what subclasses decide by
        """By how many seconds the report of this row lies behind."""
        return 0.0

    def number(self, units: int) -> int:
        """What is reported for this many units."""
        return units


class PageFault(Behaviour):
    def page(self, call: Call, rows: list[JsonRow]) -> list[JsonRow]:
        """The rows that a page shows instead of its own."""
        raise NotImplementedError


class Spoiler(Behaviour):
    def after(self, call: Call, reply: Reply) -> Reply:
        """What the client gets of an answer whose effect stands."""
        raise NotImplementedError


class Rule(Behaviour):
    """Asked about by the endpoint itself, which then acts accordingly."""


# --- Before the request takes effect ----------------------------------------------------------------------------------
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
class EmptyBlip(Rule):
    """A list that is empty for once, and says so with 200 and a total of 0."""

    name = "empty_blip"
    endpoints: Sequence[str] = ("list",)


@dataclass(kw_only=True, eq=False)
class Reject(Fault):
    """Orders are refused although there is stock: what phantom stock looks like from outside."""

    name = "reject"
    endpoints: Sequence[str] = ("confirm",)
    status: int = 409
    code: str = "NO_STOCK"

    def before(self, call: Call) -> Reply | None:
        return error_reply(self.status, self.code, "the order was rejected") if self.strikes(call) else None


# --- The numbers reported ---------------------------------------------------------------------------------------------
@dataclass(kw_only=True, eq=False)
class Lag(Distortion):
    """What is reported was true lag_s seconds ago.  jitter: sigma of a lognormal spread from SKU to SKU."""

    name = "lag"
    endpoints: Sequence[str] = ("list", "fetch")
    lag_s: float = 60.0
    jitter: float = 0.0

    def age(self, uid: str, seed: int) -> float:
        return lognormal(draw(seed, "lag", uid), self.lag_s, self.jitter) if self.jitter else self.lag_s


@dataclass(kw_only=True, eq=False)
class Inflation(Distortion):
    """More is reported than there is: floor(k × units) + add."""

    name = "inflation"
    endpoints: Sequence[str] = ("list", "fetch")
    k: float = 1.5
    add: int = 0

    def number(self, units: int) -> int:
        return math.floor(self.k * units) + self.add


# --- The rows of a page -----------------------------------------------------------------------------------------------
@dataclass(kw_only=True, eq=False)
class UnstablePaging(PageFault):
    """Rows shown twice (dup_p) or not at all (drop_p), others in each reading; the total stays as it is."""

    name = "unstable_paging"
    endpoints: Sequence[str] = ("list",)
    dup_p: float = 0.02
    drop_p: float = 0.02

    def page(self, call: Call, rows: list[JsonRow]) -> list[JsonRow]:
        if not self.strikes(call):
            return rows
        shown: list[JsonRow] = []
        for row in rows:
            chance = call.draw("unstable_paging.row", row["id"]) if self.covers(row["sku"]) else 1.0
            if chance < self.drop_p:
                continue
            shown += [row, row] if chance < self.drop_p + self.dup_p else [row]
        return shown


# --- The finished answer ----------------------------------------------------------------------------------------------
@dataclass(kw_only=True, eq=False)
class LostReply(Spoiler):
    """The effect stands, the client never learns of it.  mode: "closed" or "hang"."""

    name = "lost_reply"
    words = {"mode": ("closed", "hang")}
    endpoints: Sequence[str] = ("confirm",)
    mode: str = "closed"

    def after(self, call: Call, reply: Reply) -> Reply:
        if reply.status >= HTTPStatus.MULTIPLE_CHOICES or not self.strikes(call):
            return reply
        return Reply(0, fate=Fate.HANG if self.mode == "hang" else Fate.CLOSE)


@dataclass(kw_only=True, eq=False)
class Truncated(Spoiler):
    """JSON that ends too early.  mode: "short" with a matching Content-Length, "cut" with the full one."""

    name = "truncated"
    words = {"mode": ("short", "cut")}
    endpoints: Sequence[str] = ("list", "fetch", "readback")
    keep: float = 0.6
    mode: str = "short"

    def after(self, call: Call, reply: Reply) -> Reply:
        if not reply.body or not self.strikes(call):
            return reply
        if self.mode == "cut":
            return dataclasses.replace(reply, fate=Fate.CUT)
        return dataclasses.replace(reply, body=reply.body[: int(len(reply.body) * self.keep)])


# --- The decision of a sale, and what a read-back finds ---------------------------------------------------------------
@dataclass(kw_only=True, eq=False)
class Partial(Rule):
    """A short order is filled as far as it goes instead of refused."""

    name = "partial"
    endpoints: Sequence[str] = ("confirm",)


@dataclass(kw_only=True, eq=False)
class OwnOversell(Rule):
    """The supplier looks at the stock, waits, and sells without looking again: it oversells by itself."""

    name = "own_oversell"
    endpoints: Sequence[str] = ("confirm",)
    race_window_ms: float = 50.0


@dataclass(kw_only=True, eq=False)
class LateReadback(Rule):
    """An order is found by its reference only lag_s seconds after it took effect."""

    name = "late_readback"
    endpoints: Sequence[str] = ("readback",)
    lag_s: float = 5.0


# The order in which they act.
BEHAVIOURS: dict[str, type[Behaviour]] = {
    kind.name: kind
    for kind in (
        Down,
        Latency,
        Throttle,
        ServerError,
        ErrorIn200,
        Html200,
        EmptyBlip,
        Reject,
        Lag,
        Inflation,
        UnstablePaging,
        Partial,
        OwnOversell,
        LateReadback,
        LostReply,
        Truncated,
    )
}
