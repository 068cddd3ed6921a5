"""Levels with nothing to settle are stored in bulk; what becomes of them is what settlement makes of them."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from inventory import ledger, settlement
from inventory.ledger import Origin
from inventory.models import SalesEvent, StockLevel, StockMovement
from inventory.snapshots import copying, runs, staging
from inventory.snapshots.staging import Different, Window
from inventory.tests.test_settlement import promise
from suppliers.readings import StockRow

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("conserved")]

ORIGIN = Origin("snapshot", "snapshot-1")
UNITS = {(None, 1, 1): 0, (3, 1, 1): 2, (7, 1, 1): 6}  # as a buffer of one unit has it


@pytest.fixture
def levels(make_level, make_supplier) -> list[StockLevel]:
    supplier = make_supplier()
    return [make_level(code, 9, supplier=supplier) for code in ("A-1", "A-2")]


def compared(level: StockLevel, available: int | None) -> Different:
    """How the comparison sees a level of which a snapshot shows another number."""
    read_at = runs.clock()
    row = StockRow(level.external_id, level.code, level.code, level.location, available)
    staging.store(1, copying.lines([row]), read_at)
    found = staging.different(Window(1, level.supplier_id, staging.START, ("~", "~")))
    staging.clear(1)
    return next(row for row in found if row.level_id == level.pk)


def store_idle(row: Different) -> set[int]:
    with transaction.atomic():
        ledger.lock_levels([row.level_id or 0])
        stored = staging.store_idle([row], UNITS, ORIGIN)
        ledger.bump_versions_of_levels(list(stored))
    return stored


def written(model: Any, level: StockLevel, *left_out: str) -> list[dict[str, Any]]:
    key = "pk" if model is StockLevel else "level_id"
    rows = model.objects.filter(**{key: level.pk}).order_by("version").values()
    return [{name: value for name, value in row.items() if name not in left_out} for row in rows]


@pytest.mark.parametrize("available", [3, None])
def test_both_ways_write_the_same(levels, available):
    one, other = levels
    one.supplier.buffer = 1
    one.supplier.save()
    row = compared(one, available)
    assert row.idle
    assert store_idle(row) == {one.pk}
    with transaction.atomic():
        settlement.absorb([settlement.Reading(other.pk, available, row.read_at)], origin=ORIGIN)
    own = ("id", "external_id", "code", "level_id", "at")
    assert written(StockLevel, one, *own) == written(StockLevel, other, *own)
    assert written(StockMovement, one, *own) == written(StockMovement, other, *own)


def test_a_level_that_was_ordered_from_since_the_comparison_is_left_to_settlement(levels):
    row = compared(levels[0], 3)
    promise(levels[0], 1, "committed")
    assert store_idle(row) == set()


def test_a_level_that_was_read_directly_since_the_comparison_is_left_to_settlement(levels):
    row = compared(levels[0], 3)
    StockLevel.objects.filter(pk=levels[0].pk).update(read_at=runs.clock())
    assert store_idle(row) == set()


def test_a_level_with_promises_is_not_idle(levels):
    promise(levels[0], 1, "committed")
    assert not compared(levels[0], 3).idle


def test_a_level_in_an_event_is_left_to_settlement(levels):
    now = runs.clock()
    event = SalesEvent.objects.create(
        name="Sale", starts_at=now, ends_at=now + timedelta(hours=1), switched_on=True, every_sku=True
    )
    event.suppliers.set([levels[0].supplier])
    assert not compared(levels[0], 13).idle
