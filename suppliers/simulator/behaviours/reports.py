"""What is reported: numbers that are late or too high, rows twice or not at all."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from suppliers.simulator.draws import draw, lognormal
from suppliers.simulator.messages import Call

from .base import Distortion, JsonRow, PageFault, Rule


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


@dataclass(kw_only=True, eq=False)
class EmptyBlip(Rule):
    """A list that is empty for once, and says so with 200 and a total of 0."""

    name = "empty_blip"
    endpoints: Sequence[str] = ("list",)
