"""What quarantine costs in ordinary days and saves when all numbers rise tenfold.

`python -m benchmarks.oversell.doubts`: the suppliers' default policy, in the study's own days.  Prints the table that
docs/oversell-study.md shows.
"""

import argparse
import multiprocessing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from benchmarks.oversell import results
from benchmarks.oversell.results import Cell
from benchmarks.oversell.scenarios import SCENARIOS, Window
from benchmarks.oversell.shops import FIXED_BUFFER, Holdfast
from benchmarks.oversell.simulation import Tally, simulate
from inventory import trust
from inventory.transitions import Proof

CALM, REPLICAS = SCENARIOS[0], SCENARIOS[2]
BOASTING = replace(CALM, name="times ten", says="says ten times what it has for six hours", boast=Window(9, 15, 10))
SHARE = Decimal("0.5")  # the suppliers' default
JUMPS = trust.Policy(buffer=FIXED_BUFFER, jump_ratio=Decimal(3), jump_units=5)  # likewise


class Eager(Holdfast):
    """As (d), and what buyers want and do not get is read before its turn."""

    name, title = "eager", "no quarantine"
    reads_wanted = True


class Doubting(Eager):
    """With quarantine: a repeat is believed beside numbers that did not jump."""

    name, title = "beside others", "quarantine, a repeat beside others is believed"
    doubted = JUMPS

    def __init__(self, skus: int, declared_lag: float, *, replicas: bool = False) -> None:
        super().__init__(skus, declared_lag, replicas=replicas)
        self.policies = [self.doubted] * skus
        self.standings = [replace(standing, policy=self.doubted) for standing in self.standings]
        self.proof = Proof.NONE

    def beside(self, skus: Sequence[int]) -> Sequence[int]:
        if not any(self.standings[sku].numbers.quarantined_at for sku in skus):
            return ()
        return [sku for sku in range(len(self.standings)) if sku not in skus and self._tells(sku)]

    def hear(self, said: Mapping[int, int]) -> None:
        jumped = [sku for sku, units in said.items() if self._jumped(sku, units)]
        if len(said) == len(self.standings):
            in_stock = sum((standing.numbers.reported or 0) > 0 for standing in self.standings)
            told = not trust.boasts(in_stock, len(jumped), SHARE)
        else:
            kept = sum(sku not in jumped and units > 0 and self._tells(sku) for sku, units in said.items())
            told = trust.vouch(kept, len(jumped), SHARE)
        self.proof = Proof.OTHERS if told else Proof.NONE

    def read(self, sku: int, reported: int, read_at: float) -> bool:
        self.standings[sku] = replace(self.standings[sku], boasting=self.proof is Proof.NONE)
        return super().read(sku, reported, read_at)

    def _tells(self, sku: int) -> bool:
        """Whether an inflation would show in its number, undisturbed by orders of ours."""
        numbers = self.standings[sku].numbers
        return not numbers.allocated and not numbers.quarantined_at and 2 * (numbers.reported or 0) >= JUMPS.jump_units

    def _jumped(self, sku: int, units: int) -> bool:
        numbers = self.standings[sku].numbers
        if not numbers.reported or units <= numbers.reported:
            return False
        if trust.rise(units, numbers.quarantined_reported or 0, self.doubted) is not trust.Rise.PLAUSIBLE:
            return False  # it came down as far as it had jumped
        left = max(0, numbers.reported - numbers.allocated)
        return trust.rise(left, units, self.doubted) is not trust.Rise.PLAUSIBLE


class Repeating(Doubting):
    """As it was: whatever is said again is believed."""

    name, title = "any repeat", "quarantine, any repeat is believed"

    def hear(self, said: Mapping[int, int]) -> None:  # noqa: ARG002
        self.proof = Proof.OTHERS


class Hard(Doubting):
    name, title = "hard 10", "the same, and ten times or more waits for a person"
    doubted = replace(JUMPS, hard_jump_ratio=Decimal(10))


RUNS: Sequence[type[Holdfast]] = (Holdfast, Eager, Repeating, Doubting, Hard)


@dataclass(frozen=True, slots=True)
class Job:
    scenario: int
    shop: int
    seed: int


IN = (CALM, BOASTING, REPLICAS)


def _one(job: Job) -> Tally:
    return simulate(IN[job.scenario], RUNS[job.shop], job.seed)


def cells(days: int, processes: int) -> list[Cell]:
    jobs = [Job(i, j, seed) for i in range(len(IN)) for j in range(len(RUNS)) for seed in range(days)]
    with multiprocessing.Pool(processes) as pool:
        tallies = pool.map(_one, jobs, chunksize=1)
    found: dict[tuple[int, int], list[Tally]] = {}
    for job, tally in zip(jobs, tallies, strict=True):
        found.setdefault((job.scenario, job.shop), []).append(tally)
    return [results.cell(IN[i].name, RUNS[j].name, own) for (i, j), own in found.items()]


def markdown(found: Sequence[Cell]) -> str:
    titles = {shop.name: shop.title for shop in RUNS}
    lines = ["| scenario | (d) with | oversold | orders lost | wrongly refused |", "|---|---|--:|--:|--:|"]
    lines += [
        f"| {one.scenario} | {titles[one.strategy]} | {one.total.oversold:,} | {one.total.orders_lost:,} of"
        f" {one.total.orders:,} | {one.total.wrongly_refused:,} ({one.refused:.2%}) |"
        for one in found
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.oversell.doubts", description=__doc__)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args()
    print(markdown(cells(options.days, options.processes)))


if __name__ == "__main__":
    main()
