"""Quantities that lots and minimum orders allow, against trying everything."""

import itertools
import random

import pytest

from inventory import lots
from inventory.lots import Lots, Source


def quantities(source: Source) -> list[int]:
    allowed = range(source.lots.lot, source.free + 1, source.lots.lot)
    return [0, *(units for units in allowed if units >= source.lots.min_order)]


def sums(sources: list[Source]) -> set[int]:
    return {sum(parts) for parts in itertools.product(*map(quantities, sources))}


@pytest.mark.parametrize(
    ("how", "units", "within"),
    [
        (Lots(), 7, 7),
        (Lots(6), 17, 12),
        (Lots(6), 5, 0),
        (Lots(1, 10), 9, 0),
        (Lots(1, 10), 11, 11),
        (Lots(6, 10), 11, 0),
        (Lots(6, 10), 12, 12),
    ],
)
def test_the_largest_quantity_within(how: Lots, units: int, within: int):
    assert how.within(units) == within


@pytest.mark.parametrize("seed", range(40))
def test_what_can_be_ordered_is_what_trying_everything_finds(seed: int):
    chance = random.Random(seed)
    kinds = [Lots(), Lots(4), Lots(6), Lots(1, 5), Lots(10, 20), Lots(3, 8)]
    sources = []
    for _ in range(chance.randint(1, 3)):
        how = chance.choice(kinds)
        sources.append(Source(how.within(chance.randint(0, 40)), how))
    possible = sums(sources)
    for quantity in range(1, max(possible) + 1):
        parts = lots.fill(sources, quantity)
        assert sum(parts) == max(units for units in possible if units <= quantity)
        assert all(units in quantities(source) for units, source in zip(parts, sources, strict=True))
        higher = [units for units in possible if units > quantity]
        assert lots.above(sources, quantity, max(possible)) == min(higher, default=None)


def test_the_first_source_gives_what_it_can():
    assert lots.fill([Source(12, Lots(6)), Source(9)], 10) == [6, 4]
    assert lots.fill([Source(12, Lots(6)), Source(12, Lots(4))], 8) == [0, 8]
    assert lots.fill([Source(5), Source(9)], 8) == [5, 3]


def test_lots_without_a_common_measure_end_in_time():
    sources = [Source(10**9, Lots(prime, 10**6)) for prime in (99_991, 99_989, 99_971, 99_961)]
    assert 0 < lots.below(sources, 10**9 - 1) < 10**9
