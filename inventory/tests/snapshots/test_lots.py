"""What upstream says of lots reaches the levels with a snapshot, and counts at once."""

from copy import deepcopy

import pytest

from inventory import availability, operations, policy
from inventory.models import LevelPolicy, Sku, StockLevel, StockMovement
from inventory.snapshots.incremental import sync_due
from inventory.tests.snapshots.catalogues import run
from suppliers.models import Supplier

pytestmark = pytest.mark.usefixtures("conserved")
CODE = "SKU-000003"


def say(supplier: Supplier, **lots: int) -> None:
    """Upstream says so of every row from now on, each with 7 units."""
    supplier.config = deepcopy(supplier.config)  # its map is that of every chaos supplier
    supplier.config["list"]["map"] |= {name: f"`{units}`" for name, units in lots.items()}
    supplier.save()
    run(supplier)


def told() -> tuple[int, int, int]:
    return StockLevel.objects.values_list("lot", "min_order", "sellable").get(code=CODE)


def available() -> int:
    return availability.read([CODE])[CODE].available


def test_lots_come_with_new_rows(supplier, make_sku):
    make_sku(CODE)
    say(supplier, lot=4)
    assert told() == (4, 1, 4)
    assert available() == 4


def test_other_lots_count_the_same_number_anew(supplier, make_sku):
    sku = make_sku(CODE)
    run(supplier)
    assert told() == (1, 1, 7)
    assert available() == 7
    say(supplier, lot=3)
    assert told() == (3, 1, 6)
    assert available() == 6
    before = Sku.objects.get(pk=sku.pk).version
    say(supplier, lot=1, min_order=5)
    assert (told(), available()) == ((1, 5, 7), 7)
    assert Sku.objects.get(pk=sku.pk).version > before
    assert StockMovement.objects.filter(level__code=CODE).count() == 3


def test_lots_that_come_with_another_number(supplier, chaos, make_sku):
    make_sku(CODE)
    run(supplier)
    chaos.set(inflation={"k": 2, "skus": CODE})
    Supplier.objects.update(jump_ratio=None)
    supplier.refresh_from_db()
    say(supplier, lot=5)
    assert told() == (5, 1, 10)


def test_a_direct_read_keeps_the_lots(supplier, make_sku):
    """The answer to a direct read need not name them."""
    make_sku(CODE)
    say(supplier, lot=3)
    supplier.config["fetch"]["map"] = {
        name: path for name, path in supplier.config["list"]["map"].items() if name != "lot"
    }
    supplier.save()
    operations.sync([StockLevel.objects.get(code=CODE).pk])
    assert sync_due(supplier.pk) == 1
    assert told()[0] == 3


def test_an_own_policy_outlives_snapshots(supplier, chaos, make_sku):
    make_sku(CODE)
    run(supplier)
    level = StockLevel.objects.get(code=CODE)
    LevelPolicy.objects.create(level=level, buffer=2, lot=4)
    policy.edited(supplier.pk, level.pk)
    assert policy.retrust_due(supplier.pk) == 1
    assert told() == (1, 1, 4)
    Supplier.objects.update(jump_ratio=None)
    chaos.set(inflation={"k": 2, "skus": CODE})
    run(supplier)
    assert told() == (1, 1, 12)
