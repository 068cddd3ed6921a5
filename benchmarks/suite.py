"""Runs the steps one after the other."""

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from benchmarks import box, catalogue, goods, proof, report
from benchmarks.registry import Figure, load_steps
from benchmarks.run import Run

FLUSH = "fdatasync after it"


def run(wanted: Sequence[str], folder: Path, *, small: bool, page: bool) -> list[str]:
    """Run these steps, or all; every wrong result.  page: the figures go into docs/performance.md, unless small."""
    steps = load_steps()
    if unknown := [name for name in wanted if name not in steps]:
        sys.exit(f"no such step: {', '.join(unknown)}; there are {', '.join(steps)}")
    about = box.description()
    for name, value in about.items():
        print(f"{name}: {value}")
    run = Run(small=small, key=goods.new_key(), folder=folder)
    figures: list[Figure] = []
    usage: dict[str, dict[str, float]] = {}
    for name in wanted or steps:
        print(f"\n{name}", flush=True)
        meter = box.Usage()
        try:
            for figure in steps[name](run):
                figures.append(figure)
                print(report.table([figure], judged=not small).splitlines()[-1], flush=True)
        except Exception as error:  # noqa: BLE001 - the others' figures must not go with it
            traceback.print_exc()
            run.wrong(f"{name} broke off: {type(error).__name__}: {error}")
        usage[name] = meter.shares() | {FLUSH: 1e3 * box.fdatasync_seconds()}
        prove(run, name)
        if not small:
            catalogue.settle()  # what this step left to the server's background would slow the next one
    print(f"\n{report.table(figures, judged=not small)}\n\n{report.usage_table(usage)}")
    report.save_json(figures, about, usage)
    if page and not small:
        report.save_page(figures, about, usage)
    return run.problems


def prove(run: Run, name: str) -> None:
    """Hold the books against what the answers promised."""
    found = proof.problems(run.sold)
    for problem in found:
        run.wrong(f"{name}: {problem}")
    if not found:
        run.say(f"books proved: {sum(run.sold.values()):,} units answered, ordered, moved and allocated alike")
