"""How a sale is decided, and what a read-back finds."""

from collections.abc import Sequence
from dataclasses import dataclass

from .base import Rule


@dataclass(kw_only=True, eq=False)
class Partial(Rule):
    """A short order is filled as far as it goes instead of refused."""

    name = "partial"
    endpoints: Sequence[str] = ("confirm",)


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
