"""How a sale is decided, and what a read-back finds."""

from collections.abc import Sequence
from dataclasses import dataclass

from suppliers.simulator.messages import Call

from .base import Rule


@dataclass(kw_only=True, eq=False)
class Partial(Rule):
    """A short order is filled as far as it goes instead of refused."""

    name = "partial"
    endpoints: Sequence[str] = ("confirm",)


@dataclass(kw_only=True, eq=False)
class Split(Rule):
    """One order becomes several, up to `parts`, each with a number of its own; the answer names no single one."""

    name = "split"
    endpoints: Sequence[str] = ("confirm",)
    parts: int = 2


@dataclass(kw_only=True, eq=False)
class AsyncAccept(Rule):
    """An order is first only "pending", for after_s; a share cancel_p is cancelled by the supplier cancel_after_s
    seconds after it was placed.  returns: whether the units can be sold again then.
    """

    name = "async_accept"
    endpoints: Sequence[str] = ("confirm",)
    after_s: float = 5.0
    cancel_p: float = 0.2
    cancel_after_s: float = 30.0
    returns: bool = False

    def cancels(self, call: Call) -> bool:
        return call.draw("async_accept.cancel") < self.cancel_p


@dataclass(kw_only=True, eq=False)
class OwnOversell(Rule):
    """The supplier looks at the stock, waits, and sells without looking again: it oversells by itself."""

    name = "own_oversell"
    endpoints: Sequence[str] = ("confirm",)
    race_window_ms: float = 50.0


@dataclass(kw_only=True, eq=False)
class LateReadback(Rule):
    """An order is found by its reference only lag_s seconds after it took effect."""

    name = "late_readback"
    endpoints: Sequence[str] = ("readback",)
    lag_s: float = 5.0
