"""Which orders a reading includes, without a database: by example, and against an upstream whose truth is known."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory import inclusion, transitions, trust
from inventory.inclusion import Promise
from inventory.tests.worlds import LAG, NOON, World, by_hand, level, read, seconds, taken


def test_where_others_buy_too_a_drop_says_nothing_of_our_orders():
    assert read(level(10, 3, exclusive=False), 7, 100, by_hand(1, 3, 0)) == ([], {}, 4)


def test_a_drop_settles_what_was_ordered_by_hand_long_enough_ago():
    assert read(level(10, 3), 7, 60, by_hand(1, 3, 0)) == ([1], {1: 3}, 7)


def test_a_drop_before_the_lag_is_over_is_remembered_and_settles_later():
    assert read(level(10, 3), 7, 59, by_hand(1, 3, 0)) == ([], {1: 3}, 4)
    assert read(level(7, 3), 7, 60, by_hand(1, 3, 0, observed=3)) == ([1], {}, 7)


def test_each_unit_is_counted_once_and_the_oldest_first():
    promises = by_hand(2, 2, 5), by_hand(1, 2, 0), by_hand(3, 2, 10)
    assert read(level(10, 6), 7, 100, *promises) == ([1], {1: 2, 2: 1}, 3)
    assert read(level(7, 4), 6, 100, by_hand(2, 2, 5, observed=1), by_hand(3, 2, 10)) == ([2], {2: 2}, 4)


def test_what_upstream_is_known_to_have_taken_comes_first_and_at_once():
    assert read(level(10, 3), 8, 31, by_hand(1, 1, -500), taken(2, 2, 30)) == ([2], {2: 2}, 7)


def test_an_order_that_was_made_after_the_reading_was_asked_for_is_not_in_it():
    assert read(level(10, 3), 7, 60, by_hand(1, 3, 61)) == ([], {}, 4)


def test_a_drop_that_nothing_explains_is_no_credit_for_later_orders():
    assert read(level(10, 0), 8, 10) == ([], {}, 8)
    assert read(level(8, 1), 8, 100, by_hand(1, 1, 20)) == ([], {}, 7)


def test_units_that_time_settles_are_not_counted_a_second_time():
    promises = taken(1, 2, 0), by_hand(2, 2, 0)
    assert read(level(10, 4), 8, 60, *promises) == ([1], {}, 6)


def test_a_restock_settles_nothing():
    assert read(level(10, 3), 12, 100, by_hand(1, 3, 0)) == ([], {}, 9)


def test_a_row_that_vanishes_settles_nothing():
    gone = transitions.by_absence(level(10, 3), 0, seconds(100), [by_hand(1, 3, 0)])
    assert gone is not None
    assert (list(gone.settled), gone.numbers.allocated) == ([], 3)


def test_a_declared_number_that_becomes_a_count_settles_nothing():
    declared = replace(level(9_999, 3), policy=trust.Policy(sentinel_at=9_999, sentinel_cap=50))
    assert read(declared, 20, 100, by_hand(1, 3, 0))[0] == []


def test_time_settles_nothing_while_something_settled_is_unproven():
    """Order 1 was settled by the drop of order 2, which is marked now: it stands in for order 1."""
    assert read(level(9, 1), 9, 100, taken(2, 1, 30))[0] == [2]
    assert read(level(9, 1, unproven=1), 9, 100, taken(2, 1, 30))[0] == []
    assert read(level(9, 1, unproven=1), 8, 100, taken(2, 1, 30)) == ([2], {2: 1}, 8)


def test_a_lag_that_is_declared_too_short_lends_its_drop_to_another_order():
    """Control, of what a wrong declaration costs: order 1 was settled by time before the number showed it.

    Its drop, when it comes, settles order 2, whose own is still to come: a unit too many is sold.  Such a fall is what
    `breaches` measures, and at an exclusive supplier one is enough for a discrepancy.
    """
    late = level(10, 2)
    assert read(late, 10, 60, taken(1, 1, 0), by_hand(2, 1, 0)) == ([1], {}, 9)
    assert read(level(10, 1), 9, 120, by_hand(2, 1, 0)) == ([2], {2: 1}, 9)
    true = replace(late, lag=2 * LAG)
    assert read(true, 10, 60, taken(1, 1, 0), by_hand(2, 1, 0)) == ([], {}, 8)
    assert read(true, 9, 120, taken(1, 1, 0), by_hand(2, 1, 0)) == ([1], {}, 8)


# What people do, in seconds and units: each step waits, then acts.
STEPS = st.lists(
    st.tuples(
        st.integers(0, 40), st.sampled_from(["order", "buy", "say", "stock", "read", "cancel"]), st.integers(0, 9)
    ),
    min_size=10,
    max_size=60,
)


@settings(max_examples=400, deadline=None)
@given(STEPS)
def test_whatever_people_do_nothing_is_oversold(steps: list[tuple[int, str, int]]):
    world = World()
    for step in steps:
        world.step(*step)


def test_without_the_rule_of_the_unproven_an_order_is_counted_twice():
    """Control: the same world notices."""
    steps = [
        (0, "order", 0),
        (1, "order", 0),
        (80, "buy", 1),
        (1, "read", 0),
        (1, "say", 0),
        (80, "read", 0),
    ]
    for guarded in (True, False):
        world = World(guarded=guarded)
        for step in steps[:-1]:
            world.step(*step)
        if guarded:
            world.step(*steps[-1])
        else:
            with pytest.raises(AssertionError, match="oversold"):
                world.step(*steps[-1])


def test_a_promise_of_unknown_age_is_left_alone():
    assert inclusion.by_drop([Promise(1, 2, None)], 2, NOON, LAG).settled == []
