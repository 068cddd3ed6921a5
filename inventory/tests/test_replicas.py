"""Suppliers whose answers come from several copies, some of them older than declared: readings go backwards."""

import pytest

from inventory.models import Discrepancy, Effect
from inventory.tests.ledgers import differences
from inventory.tests.test_settlement import age, available, confirmed, read

pytestmark = pytest.mark.django_db


@pytest.fixture
def level(make_level, make_supplier):
    """Ten units, read long ago."""
    level = make_level("A", 10, supplier=make_supplier(replicas=True))
    age(level, seconds=300)
    yield level
    assert differences() == []


def state(allocation) -> str:
    allocation.refresh_from_db()
    return str(allocation.state)


def test_without_the_flag_an_old_copy_resurrects_what_was_sold(make_level):
    """Control: the answer is younger than the order by more than the declared lag, and does not show it."""
    level = make_level("A", 10)
    age(level, seconds=300)
    confirmed(level, 4, seconds_ago=200)
    read(level, 10, seconds_ago=100)
    assert available(level) == 10


def test_a_rise_waits_for_the_other_copies(level):
    order = confirmed(level, 4, seconds_ago=200)
    read(level, 10, seconds_ago=100)
    assert (available(level), state(order)) == (6, "confirmed")
    read(level, 6, seconds_ago=90)
    assert (available(level), state(order)) == (6, "settled")
    read(level, 10, seconds_ago=80)
    assert available(level) == 6
    read(level, 6, seconds_ago=30)
    level.refresh_from_db()
    assert (available(level), level.quarantined_at) == (6, None)


def test_a_rise_that_no_copy_contradicts_for_one_lag_is_believed_as_far_as_all_said_it(level):
    read(level, 14, seconds_ago=100)
    read(level, 12, seconds_ago=70)
    read(level, 14, seconds_ago=50)
    assert available(level) == 10
    read(level, 14, seconds_ago=40)
    assert available(level) == 12
    assert not Discrepancy.objects.exists(), "a rise that waits is nothing for a person"


def test_the_other_copies_are_asked_within_the_lag(level):
    read(level, 14)
    read(level, 15)
    due = [round((effect.due_at - effect.created_at).total_seconds()) for effect in Effect.objects.filter(kind="sync")]
    assert due == [21, 41, 61]


def test_a_jump_of_copies_is_shown_to_a_person(level):
    read(level, 80)
    assert Discrepancy.objects.get().kind == "quarantine"
