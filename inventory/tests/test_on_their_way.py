"""What a number lost for orders that are on their way to a supplier of whom only we buy: by example and by machine."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from inventory import transitions
from inventory.inclusion import Promise
from inventory.tests.test_inclusion import LAG, by_hand, level, read, seconds, taken
from inventory.transitions import Standing


def sent(pk: int, quantity: int, created: float) -> Promise:
    return Promise(pk, quantity, None, seconds(created), taken=False, sending=True)


def test_where_others_buy_too_a_unit_is_subtracted_until_it_is_known_whose_it_is():
    """Control: 2 are refused that are there."""
    assert read(level(10, 2, exclusive=False), 8, 30, sent(1, 2, 0)) == ([], {}, 6)


def test_what_an_order_on_its_way_took_is_not_subtracted_twice():
    assert read(level(10, 2), 8, 30, sent(1, 2, 0)) == ([], {}, 8)


def test_it_settles_with_the_reading_after_it_was_confirmed():
    assert read(level(10, 2), 8, 30, taken(1, 2, 20)) == ([1], {1: 2}, 8)


def test_it_explains_no_more_than_its_units():
    assert read(level(10, 2), 5, 30, sent(1, 2, 0)) == ([], {}, 5)


def test_what_is_known_to_be_taken_comes_first():
    assert read(level(10, 4), 8, 30, sent(1, 2, 0), taken(2, 2, 20)) == ([2], {2: 2}, 6)
    assert read(level(10, 4), 8, 30, sent(1, 2, 0), by_hand(2, 2, -100)) == ([2], {2: 2}, 6)


def test_an_order_that_was_made_after_the_reading_was_asked_for_explains_nothing():
    assert read(level(10, 2), 8, 30, sent(1, 2, 31)) == ([], {}, 6)


def test_a_row_that_vanishes_is_no_order_of_ours():
    gone = transitions.by_absence(level(10, 2), 0, seconds(30), [sent(1, 2, 0)])
    assert gone is not None
    assert gone.numbers.sellable == 0


@dataclass
class Order:
    promise: Promise
    bought: bool = False
    settled: bool = False


@dataclass
class World:
    """An upstream where only we buy, through its API, whose data is up to one lag old, and our books."""

    standing: Standing = field(default_factory=lambda: level(10))
    now: float = 0.0
    truth: list[tuple[float, int]] = field(default_factory=lambda: [(0.0, 10)])
    data: float = 0.0
    orders: dict[int, Order] = field(default_factory=dict)
    made: int = 0

    @property
    def free(self) -> int:
        return self.standing.numbers.sellable - self.standing.numbers.allocated

    @property
    def left(self) -> int:
        """Units that nobody was promised."""
        return self.truth[-1][1] - sum(one.promise.quantity for one in self.orders.values() if not one.bought)

    def step(self, wait: int, act: str, number: int) -> None:
        self.now += wait
        getattr(self, act)(number)
        assert self.free <= self.left, "oversold"

    def _one(self, number: int, accept: Callable[[Order], bool]) -> Order | None:
        found = [one for one in self.orders.values() if accept(one)]
        return found[number % len(found)] if found else None

    def _allocate(self, units: int) -> None:
        numbers = self.standing.numbers
        self.standing = replace(self.standing, numbers=replace(numbers, allocated=numbers.allocated + units))

    def order(self, number: int) -> None:
        units = 1 + number % 3
        if units <= self.free:
            self._allocate(units)
            self.made += 1
            self.orders[self.made] = Order(Promise(self.made, units, None, seconds(self.now), taken=False))

    def send(self, number: int) -> None:
        if one := self._one(number, lambda one: not (one.promise.sending or one.bought)):
            one.promise = replace(one.promise, sending=True)

    def take(self, number: int) -> None:
        if one := self._one(number, lambda one: one.promise.sending and not one.bought):
            one.bought = True
            self.truth.append((self.now, self.truth[-1][1] - one.promise.quantity))

    def confirm(self, number: int) -> None:
        if one := self._one(number, lambda one: one.promise.sending and one.bought):
            one.promise = replace(one.promise, confirmed_at=seconds(self.now), taken=True, sending=False)

    def refuse(self, number: int) -> None:
        """Not for lack of stock."""
        if one := self._one(number, lambda one: one.promise.sending and not one.bought):
            self._allocate(-one.promise.quantity)
            del self.orders[one.promise.id]

    def stock(self, number: int) -> None:
        self.truth.append((self.now, self.truth[-1][1] + number))

    def read(self, number: int) -> None:
        self.data = max(self.data, self.now - number / 9 * LAG.total_seconds())
        reported = [units for at, units in self.truth if at <= self.data][-1]
        told = [one.promise for one in self.orders.values() if one.promise.sending or one.promise.taken]
        settled = {pk for pk, one in self.orders.items() if one.settled}
        result = transitions.by_reading(
            self.standing, reported, seconds(self.now), [one for one in told if one.id not in settled]
        )
        assert result is not None
        self.standing = replace(self.standing, numbers=result.numbers, known_at=seconds(self.now))
        for pk, units in result.observed.items():
            self.orders[pk].promise = replace(self.orders[pk].promise, observed=units)
        for pk in result.settled:
            self.orders[pk].settled = True


ACTS = ["order", "send", "take", "confirm", "refuse", "stock", "read"]


def steps(acts: list[str], numbers: st.SearchStrategy[int]) -> st.SearchStrategy[list[tuple[int, str, int]]]:
    return st.lists(st.tuples(st.integers(0, 40), st.sampled_from(acts), numbers), min_size=10, max_size=60)


@settings(max_examples=400, deadline=None)
@given(steps(ACTS, st.integers(0, 9)))
def test_whatever_happens_on_the_way_nothing_is_oversold(course: list[tuple[int, str, int]]):
    world = World()
    for step in course:
        world.step(*step)


@settings(max_examples=400, deadline=None)
@given(steps([act for act in ACTS if act != "stock"], st.integers(0, 9)))
def test_where_data_is_fresh_nothing_is_refused_that_is_there(course: list[tuple[int, str, int]]):
    world = World()
    for wait, act, number in course:
        world.step(wait, act, 0 if act == "read" else number)
        assert world.free == world.left
