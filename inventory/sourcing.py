"""Which levels serve an order, or why none can.  The pure decision: placement and simulation call the same code."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from inventory.positions import Level, Position
from inventory.strategies import Strategy


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


def decide(positions: Mapping[str, Position], lines: Sequence[tuple[str, int]], destination: str = "") -> Decision:
    """Serve all lines or none, and count what was taken in `positions` so that the next order sees it.

    lines: (sku, whole units), each SKU once.  A SKU without a position has 0 available.
    destination: a country; only levels that may ship there serve.
    """
    takes: list[Take] = []
    short: list[Shortage] = []
    for code, quantity in lines:
        shortage = _shortage(positions, code, quantity, destination)
        if shortage:
            short.append(shortage)
        else:
            takes += _take(positions[code], quantity, destination)
    if short:
        for take in takes:
            take.level.allocated -= take.quantity
        return Decision(shortages=short)
    return Decision(takes=takes)


def shortages(
    positions: Mapping[str, Position], lines: Sequence[tuple[str, int]], destination: str = ""
) -> list[Shortage]:
    """The lines that are short, each seen on its own; takes nothing."""
    return [short for code, quantity in lines if (short := _shortage(positions, code, quantity, destination))]


def _shortage(positions: Mapping[str, Position], code: str, quantity: int, destination: str) -> Shortage | None:
    position = positions.get(code)
    if position is None:
        return Shortage(code, quantity, 0, 0)
    available = position.available(destination)
    return Shortage(code, quantity, available, position.version) if quantity > available else None


def _take(position: Position, quantity: int, destination: str) -> list[Take]:
    """Units from the best levels.  Requires: `available` covers the quantity."""
    levels = _ranked(position, position.reaching(destination))
    if not position.splittable:
        level = next(level for level in levels if level.free(position.now) >= quantity)
        level.allocated += quantity
        return [Take(position.code, level, quantity)]
    if position.strategy == Strategy.FEWEST_PARTS:
        levels = _fewest(levels, quantity, position)
    takes = []
    for level in levels:
        units = min(quantity, level.free(position.now))
        if units:
            level.allocated += units
            takes.append(Take(position.code, level, units))
            quantity -= units
    return takes


_NEVER: datetime = datetime.min.replace(tzinfo=UTC)
_Rank = Callable[[Position, Level], float]
# The smallest is taken first; sorting keeps what ties in the order of the position.
_RANKS: dict[str, _Rank] = {
    Strategy.MOST_AVAILABLE: lambda position, level: -level.free(position.now),
    Strategy.FRESHEST: lambda position, level: (position.now - (level.read_at or _NEVER)).total_seconds(),
    Strategy.FASTEST: lambda position, level: position.days(level),
}


def _ranked(position: Position, levels: Sequence[Level]) -> Sequence[Level]:
    """Levels in the order in which they are taken from."""
    rank = _RANKS.get(position.strategy)
    return sorted(levels, key=partial(rank, position)) if rank else levels


def _fewest(levels: Sequence[Level], quantity: int, position: Position) -> list[Level]:
    """As few levels as cover the quantity: the largest until one alone, the first that does, covers what is left."""
    left, chosen = list(levels), []
    while left:
        enough = (level for level in left if level.free(position.now) >= quantity)
        level = next(enough, None) or max(left, key=lambda level: level.free(position.now))
        chosen.append(level)
        left.remove(level)
        quantity -= level.free(position.now)
        if quantity <= 0:
            break
    return chosen
