"""What a number lost for orders that are on their way to a supplier of whom only we buy: by example and by machine."""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from inventory import transitions
from inventory.inclusion import Promise
from inventory.tests.worlds import Order, World, by_hand, level, read, seconds, taken


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


class Told(World):
    """Orders go there through its API."""

    def promised(self, pk: int, units: int) -> Promise:
        return Promise(pk, units, None, seconds(self.now), taken=False)

    def told(self) -> list[Promise]:
        return [one for one in super().told() if one.sending or one.taken]

    def _one(self, number: int, accept: Callable[[Order], bool]) -> Order | None:
        found = self.open(accept)
        return found[number % len(found)] if found else None

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
            self.allocate(-one.promise.quantity)
            self.forget(one)


ACTS = ["order", "send", "take", "confirm", "refuse", "stock", "read"]


def steps(acts: list[str], numbers: st.SearchStrategy[int]) -> st.SearchStrategy[list[tuple[int, str, int]]]:
    return st.lists(st.tuples(st.integers(0, 40), st.sampled_from(acts), numbers), min_size=10, max_size=60)


@settings(max_examples=400, deadline=None)
@given(steps(ACTS, st.integers(0, 9)))
def test_whatever_happens_on_the_way_nothing_is_oversold(course: list[tuple[int, str, int]]):
    world = Told()
    for step in course:
        world.step(*step)


@settings(max_examples=400, deadline=None)
@given(steps([act for act in ACTS if act != "stock"], st.integers(0, 9)))
def test_where_data_is_fresh_nothing_is_refused_that_is_there(course: list[tuple[int, str, int]]):
    world = Told()
    for wait, act, number in course:
        world.step(wait, act, 0 if act == "read" else number)
        assert world.free == world.left
