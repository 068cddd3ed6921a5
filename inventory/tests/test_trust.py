"""What of a reported number counts, and the reason that people read."""

from decimal import Decimal

import pytest

from inventory import trust
from inventory.trust import Policy, Rise


@pytest.mark.parametrize(
    ("reported", "policy", "units", "reason"),
    [
        (12, Policy(), 12, "12 reported"),
        (12, Policy(buffer=2, haircut=Decimal("0.900")), 9, "12 reported − 2 buffer, haircut 0.9 → 9"),
        (1, Policy(buffer=2, haircut=Decimal("0.5")), 0, "1 reported − 2 buffer, haircut 0.5 → 0"),
        (
            9_999,
            Policy(buffer=2, haircut=Decimal("0.5"), sentinel_at=9_999, sentinel_cap=50),
            50,
            "9999 reported is declared, not counted: cap 50 → 50",
        ),
        (9_998, Policy(sentinel_at=9_999, sentinel_cap=50), 9_998, "9998 reported"),
        (None, Policy(buffer=2), 0, "not counted by the supplier"),
    ],
)
def test_sellable_units_come_with_their_reason(reported: int | None, policy: Policy, units: int, reason: str):
    assert trust.sellable(reported, policy) == trust.Sellable(units, reason)


def test_a_haircut_is_exact():
    """In floating point, 0.07 of 100 is a unit too many or too few."""
    assert [trust.sellable(100, Policy(haircut=Decimal(n) / 100)).units for n in range(1, 101)] == [*range(1, 101)]


def test_a_rejection_caps_what_is_left():
    told = trust.sellable(12, Policy(buffer=2), rejection_cap=3)
    assert told == trust.Sellable(3, "12 reported − 2 buffer, capped at 3 after a rejection → 3")


@pytest.mark.parametrize(
    ("expected", "reported", "rise"),
    [
        (10, 9, Rise.PLAUSIBLE),
        (10, 30, Rise.PLAUSIBLE),
        (10, 31, Rise.JUMP),
        (10, 99, Rise.JUMP),
        (10, 100, Rise.HARD),
        (1, 6, Rise.PLAUSIBLE),
        (1, 10, Rise.HARD),
        (0, 5, Rise.PLAUSIBLE),
        (0, 6, Rise.JUMP),
        (0, 100_000, Rise.JUMP),
        (9_999, 99_990, Rise.PLAUSIBLE),
    ],
)
def test_a_rise_is_measured_against_what_was_expected(expected: int, reported: int, rise: Rise):
    policy = Policy(jump_ratio=Decimal(3), jump_units=5, hard_jump_ratio=Decimal(10), sentinel_at=9_999)
    assert trust.rise(expected, reported, policy) is rise


def test_a_policy_without_a_ratio_doubts_nothing():
    assert trust.rise(1, 1_000_000, Policy(hard_jump_ratio=Decimal(10))) is Rise.PLAUSIBLE


def test_without_a_hard_ratio_a_repeat_is_enough():
    assert trust.rise(1, 1_000_000, Policy(jump_ratio=Decimal(3))) is Rise.JUMP
