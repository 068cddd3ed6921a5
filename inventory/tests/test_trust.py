"""What of a reported number counts, and the reason that people read."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from inventory import trust
from inventory.lots import Lots
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


@pytest.mark.parametrize(
    ("policy", "units", "reason"),
    [
        (Policy(lots=Lots(6)), 12, "13 reported, in lots of 6 → 12"),
        (
            Policy(buffer=2, haircut=Decimal("0.9"), lots=Lots(6)),
            6,
            "13 reported − 2 buffer, haircut 0.9, in lots of 6 → 6",
        ),
        (Policy(lots=Lots(1, 14)), 0, "13 reported, below the minimum order of 14 → 0"),
        (Policy(lots=Lots(1, 13)), 13, "13 reported"),
        (Policy(lots=Lots(6, 13)), 0, "13 reported, in lots of 6, below the minimum order of 13 → 0"),
        (
            Policy(sentinel_at=13, sentinel_cap=50, lots=Lots(12)),
            48,
            "13 reported is declared, not counted: cap 50, in lots of 12 → 48",
        ),
    ],
)
def test_only_what_lots_allow_is_sellable(policy: Policy, units: int, reason: str):
    assert trust.sellable(13, policy) == trust.Sellable(units, reason)


def test_a_cap_below_the_lots_leaves_what_is_promised():
    """The cap is what stays promised: rounded down, it would call the promises themselves a shortfall."""
    assert trust.sellable(13, Policy(lots=Lots(6)), rejection_cap=7).units == 7


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("age", "units", "reason"),
    [
        (59, 9, "9 reported"),
        (60, 4, "9 reported, older than 60 s: at most 4"),
        (99, 4, "9 reported, older than 60 s: at most 4"),
        (100, 0, "9 reported, older than 100 s: 0"),
        (None, 0, "9 reported, never read → 0"),
    ],
)
def test_an_old_number_is_worth_less_and_then_nothing(age: int | None, units: int, reason: str):
    policy = Policy(stale_after=60, expire_after=100, stale_cap=4)
    read_at = None if age is None else NOON - timedelta(seconds=age)
    told = trust.aged(trust.sellable(9, policy), read_at, policy, now=NOON)
    assert told == trust.Sellable(units, reason)
    assert trust.worth(9, read_at, policy, now=NOON) == units


def test_a_stale_number_may_be_worth_nothing_at_once():
    policy = Policy(stale_after=60, stale_cap=0)
    told = trust.aged(trust.sellable(9, policy), NOON - timedelta(hours=1), policy, now=NOON)
    assert told == trust.Sellable(0, "9 reported, older than 60 s: 0")


@pytest.mark.parametrize(("age", "seconds"), [(0, 60), (60, 40), (30, 30)])
def test_when_age_changes_it_next(age: int, seconds: int):
    policy = Policy(stale_after=60, expire_after=100, stale_cap=4)
    changes = trust.changes_at(NOON - timedelta(seconds=age), policy, now=NOON)
    assert changes == NOON + timedelta(seconds=seconds)


def test_without_a_limit_age_changes_nothing():
    assert trust.changes_at(NOON, Policy(), now=NOON) is None
    assert trust.worth(9, NOON - timedelta(days=9), Policy(), now=NOON) == 9
