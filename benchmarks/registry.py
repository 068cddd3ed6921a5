"""What a benchmark's step is, and which there are.

A step is a function in `benchmarks/steps/` that measures and yields figures:

    @step("P6")
    def cached_reads(run: Run) -> Iterator[Figure]:
        ...
        yield Figure("P6", "cached single reads/s against an empty view", at_least(0.6), measured, baseline)
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # Run knows the servers, they know Django; figures know nothing
    from benchmarks.run import Run


@dataclass(frozen=True, slots=True)
class Target:
    """A bound of the ratio.  text: as people read it."""

    text: str
    holds: Callable[[float], bool]


def at_least(bound: float) -> Target:
    """The ratio is to be this or more."""
    return Target(f"≥ {bound:g}×", lambda ratio: ratio >= bound)


def at_most(bound: float, unit: str = "×") -> Target:
    """The ratio, or with another unit the figure itself, is to be this or less."""
    return Target(f"≤ {bound:g}{unit}", lambda ratio: ratio <= bound)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    measured, baseline: in `unit`; without a baseline the target is one of `measured` itself.  also: what must hold
    beside the target.  notes: what a reader needs to judge it.
    """

    id: str
    what: str
    target: Target
    measured: float
    baseline: float | None = None
    unit: str = "/s"
    also: bool = True
    notes: list[str] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """What the target is about."""
        if self.baseline is None:
            return self.measured
        return self.measured / self.baseline if self.baseline else float("nan")

    @property
    def ok(self) -> bool:
        return self.also and self.target.holds(self.ratio)

    def as_json(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "target": self.target.text,
            "measured": round(self.measured, 3),
            "baseline": None if self.baseline is None else round(self.baseline, 3),
            "ratio": round(self.ratio, 3),
            "ok": self.ok,
            "unit": self.unit,
            "notes": self.notes,
        }


StepFunction = Callable[["Run"], Iterator[Figure]]
STEPS: dict[str, StepFunction] = {}


def step(name: str) -> Callable[[StepFunction], StepFunction]:
    """Register a step under the name that the command line selects it by."""

    def register(function: StepFunction) -> StepFunction:
        if name in STEPS:
            msg = f"two steps are called {name}"
            raise ValueError(msg)
        STEPS[name] = function
        return function

    return register


def load_steps() -> dict[str, StepFunction]:
    """Every step, in the order of their names' numbers."""
    package = importlib.import_module("benchmarks.steps")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"benchmarks.steps.{module.name}")
    return dict(sorted(STEPS.items(), key=lambda item: (int("".join(filter(str.isdigit, item[0])) or 99), item[0])))
