"""The supplier: a hidden ledger that is the truth, and what is reported of it."""

import random
from bisect import bisect_right

from benchmarks.oversell.scenarios import Scenario, Script

PHANTOM_UNITS = 12


class Upstream:
    """Counts each unit once, for whoever asks first."""

    def __init__(self, scenario: Scenario, script: Script, seed: str) -> None:
        self.scenario = scenario
        self.chance = random.Random(f"{seed} {scenario.name} upstream")
        skus = range(scenario.skus)
        # The last ones, so that the flash sale's good exists.
        self.phantoms = set(skus[scenario.skus - scenario.phantoms :])
        self._units = [[0 if sku in self.phantoms else script.stock[sku]] for sku in skus]
        self._delivery = list(script.stock)
        self._times = [[float("-inf")] for _ in skus]
        self._ours_at: list[list[float]] = [[] for _ in skus]
        self._ours: list[list[int]] = [[] for _ in skus]

    def truth(self, sku: int) -> int:
        return self._units[sku][-1]

    def take(self, sku: int, units: int, now: float, *, ours: bool) -> bool:
        """All of these units or none."""
        if units > self.truth(sku):
            return False
        self._set(sku, self.truth(sku) - units, now)
        if ours:
            self._ours_at[sku].append(now)
            self._ours[sku].append(units)
        return True

    def deliver(self, sku: int, units: int, now: float) -> None:
        if sku not in self.phantoms:
            self._delivery[sku] = units
            self._set(sku, self.truth(sku) + units, now)

    def reported(self, sku: int, as_of: float) -> int:
        if sku in self.phantoms:
            return PHANTOM_UNITS
        units = self._units[sku][bisect_right(self._times[sku], as_of) - 1]
        inflation = self.scenario.inflation
        if inflation and inflation.covers(as_of):
            units += int(inflation.factor * self._delivery[sku])
        boast = self.scenario.boast
        return int(boast.factor * units) if boast and boast.covers(as_of) else units

    def ours_since(self, sku: int, as_of: float) -> int:
        """Units that we bought and that data of that time does not show."""
        return sum(self._ours[sku][bisect_right(self._ours_at[sku], as_of) :])

    def latency(self) -> float:
        median, sigma = self.scenario.latency
        return median * self.chance.lognormvariate(0.0, sigma)

    def data_age(self) -> float:
        return self.chance.choice(self.scenario.data_age)

    def _set(self, sku: int, units: int, now: float) -> None:
        self._times[sku].append(now)
        self._units[sku].append(units)
