"""What is reported of a row: numbers that are late, too high, or not there at all."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from suppliers.simulator.draws import draw, lognormal
from suppliers.simulator.messages import Call

from .base import READS, Distortion, OfSomeRows


@dataclass(kw_only=True, eq=False)
class Lag(Distortion):
    """What is reported was true lag_s seconds ago.  jitter: sigma of a lognormal spread from row to row.

    replicas: requests are answered by any of so many, the first with this lag, each further one with as much more:
    reads go backwards.  cache_ttl_s: answers are made once in so many seconds and given out until the next time.
    """

    name = "lag"
    endpoints: Sequence[str] = READS
    lag_s: float = 60.0
    jitter: float = 0.0
    replicas: int = 1
    cache_ttl_s: float = 0.0

    def age(self, uid: str, call: Call) -> float:
        lag = lognormal(draw(call.seed, "lag", uid), self.lag_s, self.jitter) if self.jitter else self.lag_s
        if self.replicas > 1:
            lag *= 1 + int(call.draw("lag.replica") * self.replicas)
        return lag + (call.uptime % self.cache_ttl_s if self.cache_ttl_s else 0.0)


@dataclass(kw_only=True, eq=False)
class Inflation(Distortion):
    """More is reported than there is: floor(k × units) + add.

    from_s, until_s: only in this time, in seconds since the supplier opened; ramp_s: how long k takes to rise.
    """

    name = "inflation"
    endpoints: Sequence[str] = READS
    k: float = 1.5
    add: int = 0
    from_s: float = 0.0
    until_s: float | None = None
    ramp_s: float = 0.0

    def number(self, units: int, uid: str, call: Call) -> int:  # noqa: ARG002
        since = call.uptime - self.from_s
        if since < 0 or (self.until_s is not None and call.uptime >= self.until_s):
            return units
        risen = min(1.0, since / self.ramp_s) if self.ramp_s else 1.0
        return math.floor((1 + (self.k - 1) * risen) * units) + math.floor(self.add * risen)


@dataclass(kw_only=True, eq=False)
class Phantom(OfSomeRows, Distortion):
    """Stock that is not there, on a share of the rows.

    mode: "hollow" shows at least `show` units and rejects every order; "never_decrements" shows what there was at the
    start; "sentinel" shows `sentinel` for any number; "pool" shows for each of `pool` neighbouring rows what all of
    them have together, and sells it to whoever comes first.
    """

    name = "phantom"
    words = {"mode": ("hollow", "never_decrements", "sentinel", "pool")}
    endpoints: Sequence[str] = ("list", "fetch", "confirm")
    share: float = 0.02
    mode: str = "hollow"
    show: int = 5
    sentinel: int = 99_999
    pool: int = 3

    def is_hollow(self, uid: str, sku: str, call: Call) -> bool:
        return self.mode == "hollow" and self.covers(sku) and self.chooses(uid, call.seed)

    def age(self, uid: str, call: Call) -> float:
        return math.inf if self.mode == "never_decrements" and self.chooses(uid, call.seed) else 0.0

    def number(self, units: int, uid: str, call: Call) -> int:
        if not self.chooses(uid, call.seed):
            return units
        return {"hollow": max(units, self.show), "sentinel": self.sentinel}.get(self.mode, units)

    @property
    def pool_size(self) -> int:
        return self.pool if self.mode == "pool" else 1
