"""Quantities that can be ordered where goods are sold in lots or from a minimum order on.  Pure functions."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

# Steps of one search.  Lots in use are answered in tens of steps; for lots that hardly have a common multiple the
# search ends with the best that it found, which errs to what can be ordered less of.
_STEPS = 5_000
_NEAR = 500  # quantities tried above one that cannot be ordered


# Named tuples: every decision makes some, and compares them.
class Lots(NamedTuple):
    """How a level is sold: whole multiples of `lot` units, at least `min_order` at once."""

    lot: int = 1
    min_order: int = 1

    def within(self, units: int) -> int:
        """The largest quantity of at most so many units that can be ordered; 0: none."""
        whole = units - units % self.lot
        return whole if whole >= self.min_order else 0

    @property
    def least(self) -> int:
        """The smallest quantity that can be ordered."""
        return -(-self.min_order // self.lot) * self.lot


SINGLY = Lots()


class Source(NamedTuple):
    """A level that an order may be served from.  free: units, within its lots."""

    free: int
    lots: Lots = SINGLY


def fill(sources: Sequence[Source], quantity: int) -> list[int]:
    """Units of each source, the first preferred, that come as near to the quantity as lots allow, never above it."""
    if all(source.lots == SINGLY for source in sources):
        parts = []
        for source in sources:
            parts.append(min(quantity, source.free))
            quantity -= parts[-1]
        return parts
    search = _Search(sources, quantity)
    search.run(0, quantity, [])
    return search.best


def below(sources: Sequence[Source], quantity: int) -> int:
    """The largest quantity up to this one that these sources can serve together."""
    return sum(fill(sources, quantity))


def above(sources: Sequence[Source], quantity: int, most: int) -> int | None:
    """The smallest quantity above this one and up to `most` that they can serve; None: none is near."""
    step = math.gcd(*[source.lots.lot for source in sources])
    first = max(quantity + step - quantity % step, min((source.lots.least for source in sources), default=0))
    tried = range(first, min(most, first + _NEAR * step) + 1, step)
    return next((units for units in tried if below(sources, units) == units), None)


class _Search:
    """Depth first, from the most that each source can give down: the first hit prefers the first sources."""

    def __init__(self, sources: Sequence[Source], quantity: int) -> None:
        self.sources = sources
        self.best = [0 for _ in sources]
        self._missing = quantity  # by the best so far
        self._steps = _STEPS
        # Of a source and those behind it: what they hold together, and the step that all their sums keep.
        self._rest, self._step = [0], [0]
        for source in reversed(sources):
            self._rest.insert(0, self._rest[0] + source.free)
            self._step.insert(0, math.gcd(self._step[0], source.lots.lot))

    def run(self, at: int, missing: int, parts: list[int]) -> bool:
        """Whether the quantity is met exactly.  missing: after `parts`, of the sources before `at`."""
        if missing < self._missing:
            self._missing, self.best = missing, [*parts, *[0] * (len(self.sources) - at)]
        if missing == 0 or at == len(self.sources):
            return missing == 0
        # No sum of what is left comes nearer than this.
        if max(missing - self._rest[at], missing % self._step[at]) >= self._missing:
            return False
        for units in self._amounts(at, missing):
            self._steps -= 1
            if self._steps < 0 or missing - units - self._rest[at + 1] >= self._missing:
                break
            if self.run(at + 1, missing - units, [*parts, units]):
                return True
        return False

    def _amounts(self, at: int, missing: int) -> Iterator[int]:
        source = self.sources[at]
        yield from range(source.lots.within(min(missing, source.free)), source.lots.least - 1, -source.lots.lot)
        yield 0
