"""What upstream lists, and what became of it here."""

from collections.abc import Callable

from django.db import connection

from inventory import snapshots
from inventory.models import Snapshot, StockLevel
from inventory.snapshots.merging import Watch
from suppliers.models import Supplier
from suppliers.simulator.ledger import Item
from suppliers.simulator.running import RunningChaosSupplier


def items(*numbers: int, code: str = "SKU-{:06d}") -> list[Item]:
    return [Item(f"r{number:07d}", code.format(number), "main", 7) for number in numbers]


def point_to(supplier: Supplier, chaos: RunningChaosSupplier) -> None:
    Supplier.objects.filter(pk=supplier.pk).update(config={**supplier.config, "base_url": chaos.url})


def run(supplier: Supplier, watch: Watch | None = None) -> Snapshot:
    return snapshots.run_full(supplier.pk, watch=watch)


def reported(supplier: Supplier) -> dict[str, int | None]:
    return dict(StockLevel.objects.filter(supplier=supplier).values_list("external_id", "reported"))


def tuples(supplier: Supplier) -> list[tuple[int, str]]:
    """Where each row lies: an update, even to the same values, moves it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, ctid::text FROM inventory_stocklevel WHERE supplier_id = %s", [supplier.pk])
        return sorted(cursor.fetchall())


def after_page(number: int, act: Callable[[], object]) -> Watch:
    """Act once, when that page is stored."""
    done: list[int] = []

    def watch(snapshot: Snapshot) -> None:
        if snapshot.pages == number and not done:
            done.append(number)
            act()

    return watch
