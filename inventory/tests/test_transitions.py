"""The decision per level, without a database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from inventory import transitions, trust
from inventory.inclusion import Promise
from inventory.transitions import Numbers, Proof, Standing

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LAG = timedelta(seconds=60)


def seconds(count: float) -> datetime:
    return NOON + timedelta(seconds=count)


def standing(reported: int | None = 10, allocated: int = 0, *, buffer: int = 0, **fields: Any) -> Standing:
    columns = {name: fields.pop(name) for name in ("rejection_cap", "rejections", "capped_until") if name in fields}
    numbers = Numbers(reported, max(0, (reported or 0) - buffer), allocated, NOON, **columns)
    return Standing(1, 1, 1, numbers, trust.Policy(buffer=buffer), LAG, **{"known_at": NOON, **fields})


def test_a_reading_becomes_sellable_less_the_buffer():
    read = transitions.by_reading(standing(buffer=2), 7, seconds(1))
    assert read is not None
    assert (read.numbers.reported, read.numbers.sellable, read.numbers.read_at) == (7, 5, seconds(1))


def test_not_counted_is_not_sold():
    read = transitions.by_reading(standing(), None, seconds(1))
    assert read is not None
    assert (read.numbers.reported, read.numbers.sellable) == (None, 0)


def test_an_older_reading_is_ignored():
    assert transitions.by_reading(standing(), 3, seconds(-1)) is None


def test_a_reading_as_old_as_the_stored_one_counts():
    assert transitions.by_reading(standing(), 3, NOON) is not None


@pytest.mark.parametrize(
    ("read_at", "left", "settled"),
    [(seconds(59.999), 4, []), (seconds(60), 0, [7])],
    ids=["one lag is not over", "one lag is over"],
)
def test_a_confirmed_order_leaves_allocated_one_lag_later(read_at: datetime, left: int, settled: list[int]):
    read = transitions.by_reading(standing(10, 4), 6, read_at, [Promise(7, 4, NOON)])
    assert read is not None
    assert (read.numbers.allocated, list(read.settled)) == (left, settled)


@pytest.mark.parametrize(("reported", "counts"), [(11, False), (10, True), (9, True), (None, True)])
def test_within_the_snapshot_that_a_row_inherits_from_a_reading_may_only_lower_it(reported: int | None, counts: bool):
    level = standing(10, known_at=NOON, inherited_until=seconds(30))
    assert (transitions.by_reading(level, reported, seconds(20)) is not None) is counts
    assert transitions.by_reading(level, reported, seconds(30)) is not None


def test_a_reading_clears_misses_and_an_absence_does_not():
    level = standing(10)
    gone = transitions.by_absence(level, 0, seconds(1))
    assert gone is not None
    assert (gone.numbers.sellable, gone.numbers.misses) == (0, 1)
    back = transitions.by_reading(level, 5, seconds(2))
    assert back is not None
    assert back.numbers.misses == 0


def test_a_refusal_leaves_what_is_still_promised():
    after = transitions.by_refusal(standing(10, 3), 1, NOON)
    assert (after.allocated, after.sellable, after.rejection_cap) == (2, 2, 2)
    assert after.capped_until == seconds(120)


def test_the_hold_doubles_with_each_refusal_up_to_a_day_and_is_forgiven():
    level = standing(10, 1, rejections=2, capped_until=NOON)
    assert transitions.by_refusal(level, 1, seconds(1)).capped_until == seconds(1 + 480)
    assert transitions.hold(LAG, 60) == timedelta(days=1)
    late = NOON + transitions.FORGIVEN_AFTER + timedelta(seconds=1)
    assert transitions.by_refusal(level, 1, late).rejections == 1


def capped(cap: int, floor: int) -> Standing:
    until = seconds(120)
    refused = {"rejected_at": seconds(1), "rejection_floor": floor, "rejection_cap": cap, "capped_until": until}
    return standing(10, cap, buffer=0, **refused)


@pytest.mark.parametrize(
    ("reported", "at", "sellable"),
    [(10, 60, 0), (12, 60, 0), (9, 60, 9), (9, 0.5, 0), (10, 120, 10)],
    ids=["equal", "higher", "lower", "lower, but of before the refusal", "equal, after the hold"],
)
def test_the_life_of_a_cap(reported: int, at: float, sellable: int):
    read = transitions.by_reading(capped(0, floor=10), reported, seconds(at))
    assert read is not None
    assert read.numbers.sellable == sellable


def test_a_drop_that_our_own_orders_explain_does_not_lift_the_cap():
    read = transitions.by_reading(capped(3, floor=7), 7, seconds(70), [Promise(1, 3, seconds(2))])
    assert read is not None
    assert (read.numbers.allocated, read.numbers.sellable) == (0, 0)


def test_what_settles_leaves_no_room_below_the_cap():
    read = transitions.by_reading(capped(3, floor=7), 10, seconds(70), [Promise(1, 3, seconds(2))])
    assert read is not None
    assert read.numbers.sellable - read.numbers.allocated == 0


def test_a_new_policy_counts_the_stored_number_anew():
    level = standing(10)
    stricter = Standing(1, 1, 1, level.numbers, trust.Policy(buffer=4), LAG)
    assert transitions.by_policy(stricter).sellable == 6
    assert transitions.is_moved(level.numbers, transitions.by_policy(stricter))
    assert not transitions.is_moved(level.numbers, transitions.by_policy(level))


SUSPICIOUS = trust.Policy(jump_ratio=Decimal(3), jump_units=5, hard_jump_ratio=Decimal(10))


def doubting(reported: int = 10, allocated: int = 0) -> Standing:
    return replace(standing(reported, allocated), policy=SUSPICIOUS)


def test_a_jump_is_not_believed_and_settles_nothing():
    level = doubting(10, 4)
    read = transitions.by_reading(level, 40, seconds(60), [Promise(7, 4, NOON)])
    assert read is not None
    quarantined = replace(level.numbers, quarantined_reported=40, quarantined_at=seconds(60))
    assert (read.numbers, list(read.settled)) == (quarantined, [])


def test_an_inflated_number_cannot_hide_behind_the_orders_that_it_would_settle():
    """Ten were there and eight are sold: an honest number is two."""
    read = transitions.by_reading(doubting(10, 8), 20, seconds(60), [Promise(7, 8, NOON)])
    assert read is not None
    assert (read.numbers.reported, read.numbers.allocated, read.numbers.quarantined_reported) == (10, 8, 20)


@pytest.mark.parametrize(
    ("again", "at", "believed"),
    [
        (40, 59.9, False),
        (40, 60, True),
        (12, 1, True),
        (99, 60, True),
        (100, 60, False),
    ],
    ids=["too soon", "one lag later", "plausible again", "still below the hard jump", "a hard jump"],
)
def test_only_a_repeat_one_lag_later_is_believed_of_a_jump(again: int, at: float, believed: bool):
    doubted = transitions.by_reading(doubting(10), 40, NOON)
    assert doubted is not None
    read = transitions.by_reading(replace(doubting(10), numbers=doubted.numbers), again, seconds(at))
    assert read is not None
    assert (read.numbers.reported, read.numbers.quarantined_at) == ((again, None) if believed else (10, NOON))


def test_another_jump_above_the_waiting_one_waits_anew():
    numbers = replace(doubting(10).numbers, quarantined_reported=31, quarantined_at=NOON)
    read = transitions.by_reading(replace(doubting(10), numbers=numbers), 99, seconds(60))
    assert read is not None
    assert (read.numbers.quarantined_reported, read.numbers.quarantined_at) == (99, seconds(60))


def test_a_person_lets_a_hard_jump_pass():
    numbers = replace(doubting(10, 3).numbers, quarantined_reported=400, quarantined_at=seconds(5))
    after = transitions.by_person(replace(doubting(10), numbers=numbers))
    assert after == Numbers(400, 400, 3, seconds(5))


def test_a_rise_within_the_lag_is_measured_against_all_that_was_promised():
    """Four were there and three are sold, not yet in upstream's number: ten is ten times one, not twice four."""
    read = transitions.by_reading(doubting(4, 3), 10, seconds(1), [Promise(7, 3, NOON)])
    assert read is not None
    assert (read.numbers.reported, read.numbers.quarantined_reported) == (4, 10)


def test_a_late_number_is_no_rise():
    read = transitions.by_reading(doubting(40, 30), 40, seconds(1), [Promise(7, 30, NOON)])
    assert read is not None
    assert (read.numbers.allocated, read.numbers.quarantined_at) == (30, None)


@pytest.mark.parametrize(("boasting", "reported"), [(False, 220), (True, 0)])
def test_no_repeat_is_believed_while_the_supplier_boasts(boasting: bool, reported: int):
    numbers = replace(doubting(0).numbers, quarantined_reported=220, quarantined_at=NOON)
    level = replace(doubting(0), numbers=numbers, boasting=boasting)
    read = transitions.by_reading(level, 220, seconds(60))
    assert read is not None
    assert read.numbers.reported == reported


@pytest.mark.parametrize(("reported", "believed"), [(7, True), (8, True), (9, False)], ids=["less", "equal", "more"])
def test_what_is_no_more_than_was_trusted_never_needs_a_person(reported: int, believed: bool):
    """Eight were there and seven are sold: as many as eight may be our own orders that it does not show."""
    level = replace(doubting(8, 7), policy=replace(SUSPICIOUS, hard_jump_ratio=Decimal(3)))
    sold = [Promise(7, 7, NOON)]
    doubted = transitions.by_reading(level, reported, seconds(60), sold)
    assert doubted is not None
    assert (doubted.numbers.reported, doubted.numbers.quarantined_reported) == (8, reported)
    read = transitions.by_reading(replace(level, numbers=doubted.numbers), reported, seconds(120), sold)
    assert read is not None
    assert (read.numbers.reported, read.numbers.quarantined_at is None) == (
        (reported, True) if believed else (8, False)
    )


def test_restocking_what_our_orders_sold_out_never_needs_a_person():
    level, sold = doubting(8, 8), [Promise(7, 8, NOON)]
    doubted = transitions.by_reading(level, 90, seconds(60), sold)
    assert doubted is not None
    read = transitions.by_reading(replace(level, numbers=doubted.numbers), 90, seconds(120), sold)
    assert read is not None
    assert (read.numbers.reported, read.numbers.allocated) == (90, 0)


def test_a_number_that_sinks_with_our_orders_was_not_said_before():
    """A hundred waits for a person; when it has come down to what was trusted, that is another claim, not a repeat."""
    numbers = replace(doubting(10, 9).numbers, quarantined_reported=100, quarantined_at=NOON)
    read = transitions.by_reading(replace(doubting(10, 9), numbers=numbers), 10, seconds(90), [Promise(7, 9, NOON)])
    assert read is not None
    assert (read.numbers.reported, read.numbers.quarantined_reported) == (10, 10)
    assert read.numbers.quarantined_at == seconds(90)


def test_a_number_cannot_hide_behind_orders_that_are_on_their_way():
    """Four were there and three are being sent: ten may be ten times the one that is left."""
    read = transitions.by_reading(doubting(4, 3), 10, seconds(1), [Promise(7, 3, None, taken=False, sending=True)])
    assert read is not None
    assert (read.numbers.reported, read.numbers.quarantined_reported, list(read.settled)) == (4, 10, [])


@pytest.mark.parametrize(
    ("proof", "reported"), [(Proof.NONE, 10), (Proof.OTHERS, 40), (Proof.PERSON, 40)], ids=["none", "others", "person"]
)
def test_a_repeat_is_believed_if_something_else_shows_that_not_all_is_inflated(proof: Proof, reported: int):
    numbers = replace(doubting().numbers, quarantined_reported=40, quarantined_at=NOON)
    level = transitions.proven(replace(doubting(), numbers=numbers), proof)
    read = transitions.by_reading(level, 40, seconds(60))
    assert read is not None
    assert read.numbers.reported == reported


def test_a_person_spares_even_the_first_reading():
    read = transitions.by_reading(transitions.proven(doubting(), Proof.PERSON), 400, seconds(1))
    assert read is not None
    assert (read.numbers.reported, read.numbers.quarantined_at) == (400, None)


def test_a_number_that_came_down_alone_leaves_what_waits_for_those_that_can_prove_it():
    numbers = replace(doubting(10).numbers, quarantined_reported=400, quarantined_at=NOON)
    level = replace(doubting(10), policy=replace(SUSPICIOUS, hard_jump_ratio=None), numbers=numbers)
    alone = transitions.by_reading(transitions.proven(level, Proof.NONE), 40, seconds(60))
    assert alone is not None
    assert alone.numbers == numbers
    beside = transitions.by_reading(replace(level, numbers=alone.numbers), 40, seconds(90))
    assert beside is not None
    assert (beside.numbers.reported, beside.numbers.quarantined_at) == (40, None)
