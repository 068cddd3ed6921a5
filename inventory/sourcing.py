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
    short: list[Shortage] = []
    for code, quantity in lines:
        shortage = _shortage(positions, code, quantity)
        if shortage:
            short.append(shortage)
        else:
            takes += _take(positions[code], quantity)
    if short:
        for take in takes:
            take.level.allocated -= take.quantity
        return Decision(shortages=short)
    return Decision(takes=takes)


def shortages(positions: Mapping[str, Position], lines: Sequence[tuple[str, int]]) -> list[Shortage]:
    """The lines that are short, each seen on its own; takes nothing."""
    return [short for code, quantity in lines if (short := _shortage(positions, code, quantity))]


def _shortage(positions: Mapping[str, Position], code: str, quantity: int) -> Shortage | None:
    position = positions.get(code)
    if position is None:
        return Shortage(code, quantity, 0, 0)
    available = position.available()
    return Shortage(code, quantity, available, position.version) if quantity > available else None


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
