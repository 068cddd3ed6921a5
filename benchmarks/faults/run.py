"""One run: buyers at work, fault after fault, then the books."""

import argparse
import json
import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from django.db import DatabaseError, connection

from benchmarks.faults.buyers import NO_ANSWER, PLACED, REFUSED, UNDECIDED, Crowd
from benchmarks.faults.catalogue import next_order
from benchmarks.faults.plan import Fault, drawn
from benchmarks.faults.strikes import Scene, restock
from benchmarks.faults.verdict import Line, examine, note
from benchmarks.faults.wiring import Wiring
from benchmarks.faults.world import World
from benchmarks.polling import came_true
from inventory.models import Allocation, Effect
from inventory_project.demo.books import UNTOLD
from inventory_project.demo.children import coloured, say
from inventory_project.demo.proof import GREEN, RED, Findings

PROGRESS_SECONDS = 10.0  # after a fault has healed, every web process sells again within this
# After the last fault nothing is left to do within this: what a killed worker had claimed is free after 60.
EFFECTS_SECONDS = 90.0
PAUSE_SECONDS = 0.2  # between two orders of a buyer


@dataclass(frozen=True, slots=True)
class Struck:
    """One fault that was.  seconds: how long it lasted.  progress: seconds until every web process sold again."""

    number: str
    name: str
    seconds: float
    progress: float


def run(wiring: Wiring, options: argparse.Namespace) -> int:
    """0 if every claim held."""
    say(f"seed {options.seed}; every process is starting …")
    began = time.monotonic()
    findings = Findings()
    with World(wiring, options.webs, options.seed) as world:
        crowd = Crowd(wiring.wire, world.ports, world.api_key, options.seed)
        scene = Scene(world, crowd, Random(options.seed), options.length)
        crowd.start(options.buyers, next_order, PAUSE_SECONDS)
        plan = drawn(scene.chance, options.rounds, options.only, small=options.small)
        struck = [strike(fault, scene) for fault in plan]
        crowd.stop()
        drained = drain(world, EFFECTS_SECONDS)
        lines = [
            *examine(crowd.record, world.outages, world.supplier),
            Line("", f"faults after which a web process did not sell within {PROGRESS_SECONDS:.0f} s", late(struck)),
            Line("G13", f"effects and orders not done {EFFECTS_SECONDS:.0f} s after the last fault", drained),
            Line("", "what only the fault itself could see", scene.complaints),
            Line("", "web processes that ended by themselves", [name for name in world.ended if "web" in name]),
        ]
    note(lines, findings)
    say(summary(struck, crowd, world, time.monotonic() - began) + "\n" + findings.table())
    write(wiring.stack.folder.with_suffix(".json"), options, struck, crowd, lines, time.monotonic() - began)
    verdict = coloured("Everything held.", GREEN) if findings.hold else coloured("NOT everything held.", RED)
    say(f"{verdict}  Again: python -m benchmarks.faults {again(options)}")
    return 0 if findings.hold else 1


def again(options: argparse.Namespace) -> str:
    """The same run, as arguments."""
    given = {name: value for name, value in vars(options).items() if value not in ("", False)}
    return " ".join(f"--{name}" if value is True else f"--{name} {value}" for name, value in given.items())


def strike(fault: Fault, scene: Scene) -> Struck:
    """Let it happen, and measure how soon all is well again."""
    restock(scene)
    before, began = Counter(scene.crowd.record.statuses), time.monotonic()
    fault.strike(scene)
    seconds = time.monotonic() - began
    progress = wait_for_progress(scene)
    during = scene.crowd.record.statuses - before
    say(
        f"{datetime.now(UTC):%H:%M:%S}  {fault.number} {fault.name:<45} {seconds:5.1f} s, selling again after"
        f" {progress:4.1f} s · {during[PLACED]} placed, {during[REFUSED]} refused, {during[UNDECIDED]} undecided,"
        f" {during[NO_ANSWER]} unanswered"
    )
    return Struck(fault.number, fault.name, seconds, progress)


def wait_for_progress(scene: Scene) -> float:
    """Seconds from now until every web process has placed an order that was asked for after now."""
    healed, last = time.time(), scene.crowd.record.last_placed

    def all_sold() -> bool:
        scene.world.supervise()
        return all(last.get(web, 0.0) > healed for web in range(len(scene.world.ports)))

    came_true(all_sold, 2 * PROGRESS_SECONDS, pause=0.02)
    return time.time() - healed


def late(struck: list[Struck]) -> list[str]:
    return [
        f"{fault.number} {fault.name}: {fault.progress:.1f} s" for fault in struck if fault.progress > PROGRESS_SECONDS
    ]


def drain(world: World, patience: float) -> list[str]:
    """Wait until every effect is done and every order told upstream; what is left after that."""
    began, left = time.monotonic(), ["?"]

    def is_done() -> bool:
        nonlocal left
        world.supervise()
        try:
            left = undone()
        except DatabaseError:
            connection.close()
        return not left

    came_true(is_done, patience, pause=0.5)
    seconds = time.monotonic() - began
    if left:
        world.ask_for_stacks("worker")
    say(f"{datetime.now(UTC):%H:%M:%S}  {len(left)} things left to do {seconds:.1f} s after the last buyer went")
    return left


def undone() -> list[str]:
    effects = Effect.objects.filter(done_at=None).values_list("kind", "target", "attempts", "error")
    untold = Allocation.objects.filter(state__in=UNTOLD).values_list("reference", "state")
    return [str(row) for row in (*effects, *untold)]


def summary(struck: list[Struck], crowd: Crowd, world: World, seconds: float) -> str:
    """Per fault: how often, and the longest until all was well again."""
    statuses = crowd.record.statuses
    rows = [f"{statuses.total()} requests in {seconds:.0f} s: " + ", ".join(f"{n} × {s}" for s, n in statuses.items())]
    for name in sorted({(fault.number, fault.name) for fault in struck}):
        times = [fault.progress for fault in struck if (fault.number, fault.name) == name]
        rows.append(f"  {name[0]} {name[1]:<46} {len(times)} ×, selling again after {max(times):.1f} s at most")
    for ended, count in Counter(world.ended).items():
        rows.append(f"  {ended} ended by itself and was started again: {count} ×")
    return "\n".join(rows)


def write(
    path: Path, options: argparse.Namespace, struck: list[Struck], crowd: Crowd, lines: list[Line], seconds: float
) -> None:
    record = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": options.seed,
        "rounds": options.rounds,
        "web_processes": options.webs,
        "buyers": options.buyers,
        "seconds": round(seconds),
        "requests": {str(status): times for status, times in sorted(crowd.record.statuses.items())},
        "slowest_seconds": round(max((attempt.seconds for attempt in crowd.record.attempts), default=0.0), 2),
        "faults": [asdict(fault) for fault in struck],
        "claims": [asdict(line) for line in lines],
    }
    path.write_text(json.dumps(record, indent=1) + "\n")
