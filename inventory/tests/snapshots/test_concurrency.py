"""Orders while snapshots merge: nothing deadlocks, nothing waits long, and the books stay right."""

import random
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from django.db import connection, transaction

from inventory import audit, snapshots, sourcing, stock
from inventory.ledger import Origin
from inventory.models import Allocation, StockMovement
from inventory.stock import Promise
from inventory.tests.upstreams import connect
from suppliers.models import Supplier
from suppliers.simulator.running import RunningChaosSupplier, running_chaos_supplier

pytestmark = pytest.mark.django_db(transaction=True)

SKUS = 60
BUYERS = 4
SNAPSHOTS = 6


@pytest.fixture
def chaos() -> Iterator[RunningChaosSupplier]:
    with running_chaos_supplier(rows=SKUS, stock=200) as running:
        yield running


@pytest.fixture
def supplier(chaos, make_sku) -> Supplier:
    for number in range(1, SKUS + 1):
        make_sku(f"SKU-{number:06d}")
    supplier = connect(chaos, size=100)
    assert snapshots.run_full(supplier.pk).status == "applied"
    return supplier


def buy(seed: int, stop: threading.Event, waits: list[float], failures: list[Exception]) -> None:
    """Order baskets of three SKUs, one after the other, until told to stop."""
    draw = random.Random(seed)
    try:
        for number in range(100_000):
            if stop.is_set():
                return
            codes = sorted(f"SKU-{one:06d}" for one in draw.sample(range(1, SKUS + 1), 3))
            began = time.monotonic()
            with transaction.atomic(durable=True):
                locked = stock.lock(codes)()
                waits.append(time.monotonic() - began)
                decision = sourcing.decide(locked.positions, [(code, 1) for code in codes])
                if decision.takes:
                    stock.allocate([Promise(f"order-{seed}-{number}", decision.takes, Origin())], locked)
    except Exception as error:  # noqa: BLE001 - a thread's failure is the test's
        failures.append(error)
    finally:
        connection.close()


def test_orders_and_snapshots_do_not_stand_in_each_others_way(supplier, chaos):
    stop, failures = threading.Event(), list[Exception]()
    waits: list[float] = []
    buyers = [threading.Thread(target=buy, args=(seed, stop, waits, failures)) for seed in range(BUYERS)]
    for buyer in buyers:
        buyer.start()
    try:
        for number in range(SNAPSHOTS):
            chaos.set(inflation={"k": 1 + number % 2})
            snapshot = snapshots.run_full(supplier.pk)
            assert (snapshot.status, snapshot.reason) == ("applied", "")
    finally:
        stop.set()
        for buyer in buyers:
            buyer.join()
    assert failures == []
    assert StockMovement.objects.filter(cause="allocate").count() > SNAPSHOTS
    assert Allocation.objects.filter(state="committed").exists()
    assert list(audit.differences()) == []
    sys.stdout.write(f"{len(waits)} orders, the slowest lock {max(waits) * 1000:.0f} ms\n")
    assert max(waits) < 2, "an order waits for a batch, not for a snapshot"
