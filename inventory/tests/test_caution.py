"""What events hold back, and how readings are judged in their time."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from inventory import transitions
from inventory.caution import Caution, Window, tightened
from inventory.transitions import Numbers, Standing
from inventory.trust import Policy

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
LAG = timedelta(seconds=60)


@pytest.mark.parametrize(
    ("caution", "held_back"),
    [
        (Caution(), 0),
        (Caution(units=3), 3),
        (Caution(share=Decimal("0.25")), 3),  # a fourth of 10, rounded up
        (Caution(units=2, share=Decimal("0.5")), 7),
        (Caution(stop_selling=True), 10),
    ],
)
def test_units_and_share_are_held_back_together(caution, held_back):
    assert caution.held_back(10) == held_back


def test_events_combine_to_the_most_careful():
    together = Caution(units=5, hold_seconds=600).with_event(Caution(units=1, share=Decimal("0.1"), hold_seconds=60))
    assert (together.units, together.share, together.hold_seconds) == (5, Decimal("0.1"), 60)
    assert together.with_event(Caution(stop_selling=True)).stop_selling


def test_windows_only_tighten():
    policy = Policy(jump_ratio=Decimal(3), jump_units=5)
    assert tightened(policy, [Window(NOON, NOON, Decimal("1.5"), 2), Window(NOON, NOON, Decimal(4), 9)]) == Policy(
        jump_ratio=Decimal("1.5"), jump_units=2
    )
    assert tightened(Policy(), [Window(NOON, NOON, Decimal(2))]).jump_ratio == 2  # where no number ever waited


def standing(*windows: Window) -> Standing:
    numbers = Numbers(reported=20, sellable=20, allocated=0, read_at=NOON - LAG)
    policy = Policy(jump_ratio=Decimal(3), jump_units=5)
    return Standing(1, 1, 1, numbers, policy, LAG, known_at=numbers.read_at, windows=windows)


def after(level: Standing, reported: int, read_at: datetime) -> Standing:
    read = transitions.by_reading(level, reported, read_at)
    assert read
    numbers = read.numbers
    return Standing(1, 1, 1, numbers, level.policy, LAG, known_at=numbers.read_at, windows=level.windows)


EVENT = Window(NOON, NOON + timedelta(hours=1), Decimal("1.2"), 0)


def test_a_rise_within_the_event_waits_where_it_would_have_been_believed():
    assert after(standing(), 30, NOON).numbers.sellable == 30  # the control
    level = after(standing(EVENT), 30, NOON)
    assert (level.numbers.sellable, level.numbers.quarantined_reported) == (20, 30)


def test_what_counts_is_how_new_the_reading_is_not_when_it_came():
    assert after(standing(EVENT), 30, NOON - timedelta(seconds=1)).numbers.sellable == 30
    assert after(standing(EVENT), 30, EVENT.ends_at).numbers.sellable == 30


def test_a_repeat_proves_nothing_before_the_event_is_over():
    level = after(standing(EVENT), 30, NOON)
    for minutes in (5, 30, 59):
        level = after(level, 30, NOON + timedelta(minutes=minutes))
        assert level.numbers.sellable == 20
    assert after(level, 30, EVENT.ends_at).numbers.sellable == 30


def test_a_repeat_proves_it_where_the_event_allows_that():
    level = after(standing(Window(NOON, EVENT.ends_at, Decimal("1.2"), 0, repeats_prove=True)), 30, NOON)
    assert after(level, 30, NOON + LAG).numbers.sellable == 30


def test_a_fall_is_believed_at_once():
    assert after(standing(EVENT), 3, NOON).numbers.sellable == 3
