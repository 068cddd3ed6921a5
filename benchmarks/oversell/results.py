"""Many days put together: sums with confidence intervals, and what they say about the goals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist, fmean, stdev
from typing import Any

from benchmarks.oversell.simulation import Tally
from inventory.buffers import Goal
from inventory.proportions import upper_limit

MEASURED = ("oversold", "oversold_knowable", "wrongly_refused", "orders_lost", "stale_reads")
CONFIDENCE = 0.95
TARGET = Goal().target
CALM_REFUSES = 0.01  # at most, of what is demanded in a calm scenario
OVERWRITING_OVERSELLS_IN = 3  # scenarios at least, or they are toys


@dataclass(frozen=True, slots=True)
class Cell:
    """One strategy in one scenario: the sums of all days.  interval: measure → low, high, of the same sums."""

    scenario: str
    strategy: str
    days: int
    total: Tally
    interval: Mapping[str, tuple[float, float]]

    @property
    def stays_under(self) -> bool:
        """Whether the share of accepted orders that upstream refused is below the target, its whole interval."""
        return self.interval["orders_lost"][1] <= TARGET * self.total.orders

    @property
    def refused(self) -> float:
        """The share of demanded units that were wrongly refused."""
        return self.total.wrongly_refused / max(1, self.total.demanded)

    def as_json(self) -> dict[str, Any]:
        intervals = {measure: [round(low, 1), round(high, 1)] for measure, (low, high) in self.interval.items()}
        head = {"scenario": self.scenario, "strategy": self.strategy, "days": self.days}
        return {**head, **asdict(self.total), "ci95": intervals}


def cell(scenario: str, strategy: str, days: Sequence[Tally]) -> Cell:
    """Sum up.  A day is one observation: what happens within it hangs together."""
    rows = [asdict(day) for day in days]
    total = Tally(**{measure: sum(row[measure] for row in rows) for measure in rows[0]})
    interval = {measure: _interval([row[measure] for row in rows], _trials(total, measure)) for measure in MEASURED}
    return Cell(scenario, strategy, len(days), total, interval)


def _trials(total: Tally, measure: str) -> int:
    return {"stale_reads": total.reads, "orders_lost": total.orders}.get(measure, total.demanded)


def _interval(values: Sequence[int], trials: int) -> tuple[float, float]:
    """Of their sum: Student's t over the days; where nothing ever happened, what that leaves plausible."""
    if not any(values):
        return 0.0, upper_limit(0, trials, (1 + CONFIDENCE) / 2) * trials
    count = len(values)
    if count == 1:
        return 0.0, math.inf
    reach = _student(count - 1) * stdev(values) * math.sqrt(count)
    middle = fmean(values) * count
    return max(0.0, middle - reach), middle + reach


def _student(freedom: int) -> float:
    """The two-sided quantile.  Source: Abramowitz and Stegun 26.7.5."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal, whether it was met, and the figures that say so."""

    goal: str
    met: bool
    figures: str


def verdicts(cells: Sequence[Cell]) -> list[Verdict]:
    return [_knowable(cells), _calm(cells), _no_toys(cells), _fewest_overall(cells), _fewest_in_each(cells)]


def _of(cells: Sequence[Cell], strategy: str) -> list[Cell]:
    return [one for one in cells if one.strategy == strategy]


def _ours(cells: Sequence[Cell]) -> list[Cell]:
    return _of(cells, "d_fixed") + _of(cells, "e_learned")


def _knowable(cells: Sequence[Cell]) -> Verdict:
    wrong = {f"{one.strategy} in {one.scenario}": one.total.oversold_knowable for one in _ours(cells)}
    bad = {name: units for name, units in wrong.items() if units}
    sold = sum(one.total.sold for one in _ours(cells))
    figures = f"{sum(bad.values())} of {sold:,} units" + (f": {bad}" if bad else "")
    return Verdict("(d) and (e) oversell nothing wherever the truth could be known", not bad, figures)


def _calm(cells: Sequence[Cell]) -> Verdict:
    calm = [one for one in _ours(cells) if one.scenario == "calm"]
    figures = ", ".join(f"{one.strategy} {one.refused:.2%}" for one in calm)
    met = all(one.total.sold and one.refused <= CALM_REFUSES for one in calm)
    return Verdict(f"Calm: (d) and (e) wrongly refuse at most {CALM_REFUSES:.0%}", met, figures)


def _no_toys(cells: Sequence[Cell]) -> Verdict:
    # Oversold for certain: the interval does not reach down to nothing.
    sure = [one for one in _of(cells, "c_overwrite") if one.interval["oversold"][0] > 0]
    figures = ", ".join(f"{one.scenario} {one.total.oversold}" for one in sure)
    goal = f"(c) oversells in at least {OVERWRITING_OVERSELLS_IN} scenarios"
    return Verdict(goal, len(sure) >= OVERWRITING_OVERSELLS_IN, figures or "none")


def _fewest_overall(cells: Sequence[Cell]) -> Verdict:
    sums = {}
    for strategy in dict.fromkeys(one.strategy for one in cells):
        own = _of(cells, strategy)
        lost = sum(one.total.orders_lost for one in own) / max(1, sum(one.total.orders for one in own))
        sums[strategy] = (lost, sum(one.total.wrongly_refused for one in own))
    under = {strategy: refused for strategy, (lost, refused) in sums.items() if lost <= TARGET}
    met = "e_learned" in under and under["e_learned"] == min(under.values())
    figures = ", ".join(
        f"{strategy} {lost:.3%} unfillable, {refused} refused" for strategy, (lost, refused) in sums.items()
    )
    return Verdict(f"(e) refuses the fewest of all that stay under {TARGET:.1%}, all scenarios together", met, figures)


def _fewest_in_each(cells: Sequence[Cell]) -> Verdict:
    missed = []
    for scenario in dict.fromkeys(one.scenario for one in cells):
        own = [one for one in cells if one.scenario == scenario]
        under = {one.strategy: one.total.wrongly_refused for one in own if one.stays_under}
        learned = under.get("e_learned")
        if learned is None:
            missed.append(f"{scenario}: (e) is not under it")
        elif learned > min(under.values()):
            best = min(under, key=lambda strategy: under[strategy])
            missed.append(f"{scenario}: {best} {under[best]}, e_learned {learned}")
    goal = f"(e) refuses the fewest of all that stay under {TARGET:.1%}, in each scenario"
    return Verdict(goal, not missed, "; ".join(missed) or "in each")
