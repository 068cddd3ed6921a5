"""Which levels serve an order, or why none can.  The pure decision: placement and simulation call the same code."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice

from inventory import lots
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
class Unorderable:
    """A line that there is stock for, in no such quantity.  below, above: the nearest ones that can be ordered now."""

    sku: str
    requested: int
    below: int | None
    above: int | None
    version: int


@dataclass(frozen=True, slots=True)
class Decision:
    """Takes for every line, or the shortages of the short ones, or the lines in the way of lots; one of the three."""

    takes: Sequence[Take] = ()
    shortages: Sequence[Shortage] = ()
    unorderable: Sequence[Unorderable] = ()


def decide(positions: Mapping[str, Position], lines: Sequence[tuple[str, int]], destination: str = "") -> Decision:
    """Serve all lines or none, and count what was taken in `positions` so that the next order sees it.

    lines: (sku, whole units), each SKU once.  A SKU without a position has 0 available.
    destination: a country; only levels that may ship there serve.
    """
    takes: list[Take] = []
    refused: list[Shortage | Unorderable] = []
    for code, quantity in lines:
        served = _serve(positions.get(code), code, quantity, destination)
        if isinstance(served, Shortage | Unorderable):
            refused.append(served)
            continue
        for level, units in served:
            level.allocated += units
            takes.append(Take(code, level, units))
    if refused:
        for take in takes:
            take.level.allocated -= take.quantity
        return _refusal(refused)
    return Decision(takes=takes)


def refusal(
    positions: Mapping[str, Position], lines: Sequence[tuple[str, int]], destination: str = ""
) -> Decision | None:
    """Why these lines cannot be served, each seen on its own; None: perhaps they can.  Takes nothing."""
    served = [_serve(positions.get(code), code, quantity, destination) for code, quantity in lines]
    refused = [one for one in served if isinstance(one, Shortage | Unorderable)]
    return _refusal(refused) if refused else None


def _refusal(refused: Sequence[Shortage | Unorderable]) -> Decision:
    # Who is told of a shortage need not know yet that less must come in lots, too.
    short = [one for one in refused if isinstance(one, Shortage)]
    return (
        Decision(shortages=short)
        if short
        else Decision(unorderable=[one for one in refused if isinstance(one, Unorderable)])
    )


_Parts = list[tuple[Level, int]]


def _serve(position: Position | None, code: str, quantity: int, destination: str) -> _Parts | Shortage | Unorderable:
    """Units of the best levels, or why there are none."""
    if position is None:
        return Shortage(code, quantity, 0, 0)
    available = position.available(destination)
    if quantity > available:
        return Shortage(code, quantity, available, position.version)
    parts = _parts(position, quantity, destination)
    if sum(units for _, units in parts) == quantity:
        return parts
    below, above = position.orderable(quantity, destination), position.orderable_above(quantity, destination)
    return Unorderable(code, quantity, below or None, above, position.version)


def _parts(position: Position, quantity: int, destination: str) -> _Parts:
    """Units of the best levels, as near to the quantity as lots allow.  Requires: `available` covers it."""
    levels = _ranked(position, position.reaching(destination))
    if not position.splittable:
        sources = zip(levels, position.sources(levels), strict=True)
        fitting = (level for level, one in sources if one.free >= quantity == one.lots.within(quantity))
        return [(level, quantity) for level in islice(fitting, 1)]
    if position.strategy == Strategy.FEWEST_PARTS:
        fewest = _fewest(levels, quantity, position)
        levels = [*fewest, *(level for level in levels if level not in fewest)]
    units = lots.fill(position.sources(levels), quantity)
    return [(level, taken) for level, taken in zip(levels, units, strict=True) if taken]


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
