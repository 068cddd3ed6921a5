"""How old upstream's data was: measured with the reading that shows it."""

import pytest
from django.db import DatabaseError, transaction

from inventory import settlement
from inventory.models import LagBreach
from inventory.tests.test_settlement import ORIGIN, age, available, confirmed, database_time, read

pytestmark = pytest.mark.django_db


@pytest.fixture
def level(make_level):
    """Ten units, read long ago."""
    level = make_level("A", 10)
    age(level, seconds=300)
    return level


@pytest.fixture
def late(level):
    """An order that its settling reading did not show, and the next one did."""
    order = confirmed(level, 4, seconds_ago=200)
    read(level, 10, seconds_ago=100)
    assert (available(level), LagBreach.objects.count()) == (10, 0)
    read(level, 6, seconds_ago=50)
    return order


def test_an_order_that_the_number_shows_after_it_was_settled_is_measured(level, late):
    breach = LagBreach.objects.get()
    assert (breach.kind, breach.certain, breach.level, breach.supplier) == ("late", True, level, level.supplier)
    assert breach.seconds == pytest.approx(150, abs=1)
    assert breach.evidence["at_least_seconds"] == pytest.approx(100, abs=1)
    assert breach.evidence["orders"] == [late.reference]


def test_it_is_counted_once_it_is_stored(level, client, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        confirmed(level, 4, seconds_ago=200)
        read(level, 10, seconds_ago=100)
        read(level, 6, seconds_ago=50)
    line = f'holdfast_supplier_lag_breaches_total{{kind="late",supplier="{level.supplier.slug}"}} 1.0'
    assert line.encode() in client.get("/metrics").content


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("change", [{"seconds": 1}, None])
def test_what_was_measured_stays(change):
    rows = LagBreach.objects.all()
    with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
        rows.update(**change) if change else rows.delete()
    assert LagBreach.objects.get().seconds > 1


def test_measuring_settles_and_gives_back_nothing(level, late):
    level.refresh_from_db()
    late.refresh_from_db()
    assert (level.reported, level.allocated, late.state) == (6, 0, "settled")


def test_a_number_that_comes_back_and_falls_again_comes_from_copies(level):
    confirmed(level, 2, seconds_ago=200)
    for reported, seconds_ago in ((8, 190), (10, 100), (8, 90)):
        read(level, reported, seconds_ago=seconds_ago)
    assert list(LagBreach.objects.values_list("kind", "certain")) == [("replicas", True)]


def test_a_declared_number_and_a_row_that_vanishes_show_nothing(level, make_level):
    confirmed(level, 10, seconds_ago=200)
    read(level, 10, seconds_ago=100)
    with transaction.atomic():
        settlement.missing([level.pk], read_at=database_time(), origin=ORIGIN)
    declared = make_level("B", 10, reported=10_000)
    confirmed(declared, 4, seconds_ago=200)
    age(declared, seconds=300)
    read(declared, 10_000, seconds_ago=100)
    read(declared, 9_996, seconds_ago=50)
    assert not LagBreach.objects.exists()
