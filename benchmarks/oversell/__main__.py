"""`make study`: every strategy in every scenario, over many days."""

import argparse
import multiprocessing
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from benchmarks.oversell import results
from benchmarks.oversell.results import Cell
from benchmarks.oversell.scenarios import SCENARIOS
from benchmarks.oversell.shops import STRATEGIES
from benchmarks.oversell.simulation import Tally, simulate

Job = tuple[int, int, int]  # scenario, strategy, seed


def _one(job: Job) -> tuple[Job, Tally]:
    scenario, strategy, seed = job
    return job, simulate(SCENARIOS[scenario], STRATEGIES[strategy], seed)


def study(days: int, processes: int) -> list[Cell]:
    jobs = [(i, j, seed) for i in range(len(SCENARIOS)) for j in range(len(STRATEGIES)) for seed in range(days)]
    found: dict[tuple[int, int], list[Tally]] = defaultdict(list)
    with multiprocessing.Pool(processes) as pool:
        for done, ((scenario, strategy, _), tally) in enumerate(pool.imap(_one, jobs), 1):
            found[scenario, strategy].append(tally)
            if done % 20 == 0 and sys.stderr.isatty():
                print(f"\r{done} of {len(jobs)} days", end="", file=sys.stderr)
    return [results.cell(SCENARIOS[i].name, STRATEGIES[j].name, tallies) for (i, j), tallies in found.items()]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.oversell", description=__doc__)
    parser.add_argument("--days", type=int, default=10, help="simulated days, each from a seed of its own")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="where table and plots go")
    parser.add_argument("--json", type=Path, default=Path("var/study.json"))
    options = parser.parse_args(arguments)
    # Only here: the simulation itself needs no plots.
    from benchmarks.oversell import report  # noqa: PLC0415

    began = time.monotonic()
    cells = study(options.days, options.processes)
    verdicts = results.verdicts(cells)
    report.write_json(options.json, cells)
    report.write_document(options.docs / "oversell-study.md", cells, verdicts)
    report.draw(options.docs / "images", cells)
    print(report.markdown(cells, verdicts))
    print(f"{time.monotonic() - began:.0f} s → {options.docs}/oversell-study.md, {options.json}")
    # The last goal is reported, not demanded: see the document.
    return 0 if all(verdict.met for verdict in verdicts[:-1]) else 1


if __name__ == "__main__":
    sys.exit(main())
