"""Both sides of our orders: what our workers do, and what upstream holds."""

from inventory import positions, reconciliation, snapshots
from inventory.tests.promises import make_due
from suppliers.models import Supplier
from suppliers.simulator.running import RunningChaosSupplier

SKU = "SKU-000001"
STOCK = 10


def without(supplier: Supplier, part: str) -> None:
    """Take a capability from the supplier."""
    del supplier.config[part]
    supplier.save()


def sold(chaos: RunningChaosSupplier) -> int:
    return chaos.truth(SKU)[SKU]["sold"]


def available() -> int:
    return positions.load([SKU])[SKU].available()


def confirm(supplier: Supplier) -> None:
    make_due("confirm")
    reconciliation.confirm_due(supplier.pk)


def sync(supplier: Supplier) -> None:
    make_due("sync")
    snapshots.sync_due(supplier.pk)
