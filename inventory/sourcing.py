"""Which levels serve an order, or why none can.  The pure decision: placement and simulation call the same code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inventory.positions import Level, Position


@dataclass(frozen=True, slots=True)
class Take:
    """Units of one level for one SKU."""

    sku: str
    level: Level
    quantity: int


@dataclass(frozen=True, slots=True)
class Shortage:
    """A line that cannot be filled, with what could be sold instead and the SKU's version that says so."""

    sku: str
    requested: int
    available: int
    version: int


@dataclass(frozen=True, slots=True)
class Decision:
    """Takes for every line, or the shortages of the short ones; never both."""

    takes: Sequence[Take] = ()
    shortages: Sequence[Shortage] = ()


def decide(positions: Mapping[str, Position], lines: Sequence[tuple[str, int]]) -> Decision:
    """Serve all lines or none, and count what was taken in `positions` so that the next order sees it.

    lines: (sku, whole units), each SKU once.  A SKU without a position has 0 available.
    """
    takes: list[Take] = []
    shortages: list[Shortage] = []
    for code, quantity in lines:
        position = positions.get(code)
        available = position.available() if position else 0
        if position is None or quantity > available:
            shortages.append(Shortage(code, quantity, available, position.version if position else 0))
        else:
            takes += _take(position, quantity)
    if shortages:
        for take in takes:
            take.level.allocated -= take.quantity
        return Decision(shortages=shortages)
    return Decision(takes=takes)


def _take(position: Position, quantity: int) -> list[Take]:
    """Units from the best levels.  Requires: `available` covers the quantity."""
    if not position.splittable:
        level = next(level for level in position.levels if level.free(position.now) >= quantity)
        level.allocated += quantity
        return [Take(position.code, level, quantity)]
    takes = []
    for level in position.levels:
        units = min(quantity, level.free(position.now))
        if units:
            level.allocated += units
            takes.append(Take(position.code, level, units))
            quantity -= units
    return takes
