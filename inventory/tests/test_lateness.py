"""What falls show of the age of upstream's data, without a database: a supplier whose truth is known."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory import lateness
from inventory.lateness import LATE, REPLICAS, Breach, Fall, Move, Order

START = datetime(2026, 1, 1, tzinfo=UTC)
LAG = timedelta(seconds=60)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def order(
    number: int, quantity: int, confirmed: float | None, settled: float | None = None, *, placed: int | None = None
) -> Order:
    known = None if confirmed is None else at(confirmed)
    return Order(number, f"order-{number}", quantity, known, None if settled is None else at(settled), placed or 1)


def move(version: int, before: int, after: int, seconds: float, since: float | None = None) -> Move:
    return Move(version, before, after, at(seconds), at(seconds - 1 if since is None else since))


def find(
    before: int, after: int, read: float, orders: Sequence[Order], moves: Sequence[Move] = (), known: float = 0
) -> Breach | None:
    return lateness.find(Fall(100, before, after, at(read), at(known)), moves, orders, LAG)


def test_a_fall_by_the_units_of_an_order_that_was_settled_before_is_late():
    late = order(1, 4, confirmed=0, settled=61)
    assert find(10, 6, 155, [late], known=140) == Breach(LATE, [late], 140, 155, certain=True)


def test_an_order_that_is_not_settled_yet_may_be_shown_at_any_time():
    assert find(10, 6, 50, [order(1, 4, confirmed=0)]) is None


def test_an_order_that_was_shown_before_it_was_settled_is_not_shown_again():
    shown = move(2, 10, 6, 20)
    assert find(6, 2, 200, [order(1, 4, confirmed=0, settled=61)], [shown]) is None


def test_an_order_that_the_settling_reading_showed_is_in_time():
    shown = move(2, 10, 6, 61.1, since=20)
    assert find(6, 2, 200, [order(1, 4, confirmed=0, settled=61)], [shown]) is None


def test_another_number_of_units_is_somebody_elses():
    assert find(10, 7, 155, [order(1, 4, confirmed=0, settled=61)]) is None


def test_orders_that_are_shown_together_are_as_late_as_the_oldest():
    late = [order(1, 4, confirmed=0, settled=61), order(2, 1, confirmed=30, settled=95)]
    assert find(10, 5, 155, late, known=140) == Breach(LATE, late, 140, 155, certain=True)


def test_a_fall_that_a_younger_order_explains_as_well_shows_nothing():
    assert find(10, 9, 155, [order(1, 1, confirmed=0, settled=61), order(2, 1, confirmed=140)]) is None


def test_after_such_a_fall_it_is_doubtful_which_order_comes_next():
    orders = [order(1, 1, confirmed=0, settled=61), order(2, 1, confirmed=2), order(3, 1, confirmed=3, settled=63)]
    breach = find(9, 8, 64, orders, [move(2, 10, 9, 62)])
    assert breach
    assert not breach.certain


def test_a_rise_may_have_hidden_the_order():
    hidden = move(2, 10, 16, 40)
    assert find(16, 12, 155, [order(1, 4, confirmed=0, settled=61)], [hidden]) is None


def test_a_fall_that_is_too_big_may_have_had_the_order_in_it():
    mixed = move(2, 10, 3, 100)
    assert find(3, 2, 155, [order(1, 1, confirmed=0, settled=61)], [mixed]) is None


@pytest.mark.parametrize(("seconds", "certain"), [(86_400 - 10, False), (86_400 + 10, True)])
def test_where_strangers_bought_that_day_nothing_is_certain(seconds, certain):
    stranger = move(2, 12, 10, 155 - seconds)
    breach = find(10, 6, 155, [order(1, 4, confirmed=0, settled=61, placed=3)], [stranger])
    assert breach
    assert breach.certain is certain


def test_an_order_that_upstream_may_have_taken_makes_it_doubtful():
    breach = find(10, 6, 155, [order(1, 4, confirmed=0, settled=61), order(2, 1, confirmed=None)])
    assert breach
    assert not breach.certain


def test_after_hours_it_is_somebody_elses():
    assert find(10, 6, 6 * 3600 + 1, [order(1, 4, confirmed=0, settled=61)]) is None


def test_a_rise_that_takes_an_order_back_and_falls_again_comes_from_copies():
    sold = order(1, 4, confirmed=0, settled=61)
    moves = [move(2, 10, 6, 10), move(4, 6, 10, 65)]
    assert find(10, 6, 90, [sold], moves) == Breach(REPLICAS, [sold], 55, 55, certain=True)
    assert find(10, 6, 65 + 121, [sold], moves) is None, "more than two lags later it is another order"


def test_copies_may_be_behind_by_several_orders_and_again_and_again():
    sold = [order(1, 4, confirmed=0), order(2, 1, confirmed=5, placed=2)]
    moves = [move(3, 10, 6, 10), move(4, 6, 5, 20), move(5, 5, 10, 30), move(6, 10, 5, 40), move(7, 5, 6, 50)]
    assert find(6, 5, 60, sold, moves) == Breach(REPLICAS, [sold[1]], 30, 30, certain=True)


def test_a_strangers_order_that_comes_and_goes_is_not_copies():
    moves = [move(2, 10, 9, 10), move(3, 9, 10, 20)]
    assert find(10, 9, 30, [order(1, 4, confirmed=0)], moves) is None


def test_the_suggestion_covers_what_was_measured_with_a_margin():
    assert [lateness.suggested(seconds) for seconds in (0.2, 5.3, 60, 155)] == [2, 7, 66, 171]


class Level:
    """A supplier's number, read now and then: what it shows is true_lag seconds old.

    orders, strangers: when upstream took how many units, of ours and of others.
    """

    def __init__(
        self,
        orders: Sequence[tuple[float, int]],
        true_lag: float,
        declared: float,
        every: float,
        strangers: Sequence[tuple[float, int]] = (),
    ) -> None:
        self.sales, self.strangers = list(orders), list(strangers)
        self.true_lag, self.declared, self.every = true_lag, declared, every
        self.breaches: list[Breach] = []

    def number(self, read: float) -> int:
        taken = [*self.sales, *self.strangers]
        return 1000 - sum(units for sold, units in taken if sold <= read - self.true_lag)

    def run(self, until: float) -> list[Breach]:
        settled: dict[int, float] = {}
        moves: list[Move] = []
        reported, version, read = 1000, len(self.sales), 0.0
        while (read := read + self.every) < until:
            now, version = self.number(read), version + 1
            if now < reported:
                orders = [
                    order(number, units, sold, settled.get(number), placed=0)
                    for number, (sold, units) in enumerate(self.sales)
                    if sold <= read
                ]
                fall = Fall(version, reported, now, at(read), at(read - self.every))
                found = lateness.find(fall, moves, orders, timedelta(seconds=self.declared))
                self.breaches += [found] if found else []
            for number, (sold, _) in enumerate(self.sales):
                if number not in settled and sold + self.declared <= read:
                    settled[number] = read
            if now != reported:
                moves.append(move(version, reported, now, read, since=read - self.every))
            reported = now
        return self.breaches


sales = st.lists(st.tuples(st.integers(0, 600), st.integers(1, 9)), min_size=1, max_size=8).map(sorted)


@settings(deadline=None)
@given(orders=sales, strangers=st.just([]) | sales, lag=st.integers(0, 60), every=st.sampled_from([1, 7, 30, 90]))
def test_a_supplier_that_keeps_what_it_declares_is_never_accused(orders, strangers, lag, every):
    assert Level(orders, lag, declared=60, every=every, strangers=strangers).run(until=1_000) == []


@settings(deadline=None)
@given(orders=sales, lag=st.integers(61, 300), every=st.sampled_from([1, 7, 30, 90]))
def test_what_is_certain_covers_the_truth_and_is_proved_by_it(orders, lag, every):
    for breach in Level(orders, lag, declared=60, every=every).run(until=2_000):
        assert breach.kind == LATE
        if not breach.certain:
            continue
        assert breach.at_least < lag <= breach.seconds
        if len(breach.orders) == 1:
            assert breach.seconds < lag + every


@settings(deadline=None)
@given(units=st.integers(1, 9), lag=st.integers(100, 300), every=st.sampled_from([1, 7, 30]))
def test_a_lone_order_at_a_supplier_that_is_later_is_always_found(units, lag, every):
    (breach,) = Level([(0, units)], lag, declared=60, every=every).run(until=1_000)
    assert breach.certain
