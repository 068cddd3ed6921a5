"""Movements and their levels: triggers refuse what a foreign key would, one look for each statement."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from inventory.models import StockLevel, StockMovement
from inventory.tests.test_settlement_concurrency import wait_until_somebody_waits

pytestmark = pytest.mark.django_db(transaction=True)

Work = Callable[[int], None]


def run(statement: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def append(*level_ids: int) -> None:
    run(
        "INSERT INTO inventory_stockmovement (level_id, version, cause, reference, actor, request_id, sellable_before,"
        " sellable_delta, sellable_after, allocated_before, allocated_delta, allocated_after)"
        " SELECT unnest(%s::bigint[]), 1, 'reading', '', '', '', 0, 0, 0, 0, 0, 0",
        list(level_ids),
    )


def delete(level_id: int) -> None:
    run("DELETE FROM inventory_stocklevel WHERE id = %s", level_id)


def renumber(level_id: int) -> None:
    run("UPDATE inventory_stocklevel SET id = -id WHERE id = %s", level_id)


@pytest.fixture
def bare(make_supplier) -> StockLevel:
    """A level without movements, as no service leaves one."""
    return StockLevel.objects.create(supplier=make_supplier(), external_id="bare")


def test_a_movement_needs_its_level(bare):
    missing = bare.pk + 1
    with pytest.raises(IntegrityError, match=f"movement_has_level: there is no stock level {missing};") as refused:
        append(bare.pk, missing)
    assert getattr(refused.value.__cause__, "sqlstate", "") == "23503"
    assert not StockMovement.objects.exists()
    StockLevel.objects.create(pk=missing, supplier=bare.supplier, external_id="missing")
    append(bare.pk, missing)
    assert StockMovement.objects.count() == 2


@pytest.mark.parametrize("change", [delete, renumber])
def test_a_level_with_movements_stays(bare, change):
    append(bare.pk)
    with pytest.raises(IntegrityError, match=f"level_keeps_movements: stock level {bare.pk} has") as refused:
        change(bare.pk)
    assert getattr(refused.value.__cause__, "sqlstate", "") == "23503"
    assert StockLevel.objects.filter(pk=bare.pk).exists()


@pytest.mark.parametrize("change", [delete, renumber])
def test_a_level_without_movements_may_go(bare, change):
    change(bare.pk)
    assert not StockLevel.objects.filter(pk=bare.pk).exists()


def test_levels_are_not_truncated_under_their_movements(bare):
    append(bare.pk)
    with pytest.raises(IntegrityError, match="levels_keep_movements"):
        run("TRUNCATE inventory_stocklevel CASCADE")
    assert StockLevel.objects.filter(pk=bare.pk).exists()
    run("TRUNCATE inventory_stocklevel, inventory_stockmovement CASCADE")
    assert not StockMovement.objects.exists()


@pytest.mark.parametrize(
    ("first", "second", "refusal"),
    [(append, delete, "level_keeps_movements"), (delete, append, "movement_has_level")],
)
def test_the_later_of_two_at_once_is_refused(bare, first: Work, second: Work, refusal: str):
    """Neither sees what the other has not committed, and no lock of the level is held."""

    def work() -> None:
        try:
            second(bare.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first(bare.pk)
            later = pool.submit(work)
            wait_until_somebody_waits()
        with pytest.raises(IntegrityError, match=refusal):
            later.result(10)
    assert StockMovement.objects.count() == StockLevel.objects.count()
