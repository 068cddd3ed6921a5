"""Runs the machine from a seed until it has taken so many steps."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from benchmarks.model import clock, world
from benchmarks.model.machine import Merchant, Stage, Tally

RUNS = 10  # of one seed
LENGTH = 50  # steps of the machine in each run at most
SHRUNK = (Phase.generate, Phase.shrink)
FOUND = (Phase.generate,)  # the first failure as it came


@contextmanager
def stage() -> Iterator[Stage]:
    """A database whose clock stands still.  Requires one of one's own: it is emptied for every run."""
    with clock.standing() as standing:
        one = Stage(standing)
        with world.reachable(one.worlds, standing):
            yield one


def run(
    one: Stage,
    number: int,
    *,
    steps: int,
    watch: Callable[[Tally, int], bool] = lambda *_: False,
    phases: Sequence[Phase] = SHRUNK,
) -> Tally:
    """Run seeds from this one on until the steps are done, or `watch` has seen enough.

    Raises: Broken, with the seed and what happened in its notes.
    """
    begun = one.tally.steps
    while one.tally.steps - begun < steps:
        seeded(one, number, phases=phases)
        if watch(one.tally, number):
            break
        number += 1
    return one.tally


def seeded(one: Stage, number: int, *, runs: int = RUNS, phases: Sequence[Phase] = SHRUNK) -> None:
    """All runs of one seed; the same each time."""
    machine = type("Seeded", (Merchant,), {"stage": one})
    test = settings(
        max_examples=runs,
        stateful_step_count=LENGTH,
        deadline=None,
        database=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    try:
        run_state_machine_as_test(seed(number)(machine), settings=test)
    except BaseException as error:
        error.add_note(f"seed {number}")
        raise
