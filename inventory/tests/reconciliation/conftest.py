"""A chaos supplier that knows our orders, and whose hidden ledger agrees with ours after the test."""

from collections.abc import Callable, Iterator

import pytest
from cryptography.fernet import Fernet

from inventory.tests.ledgers import differences
from inventory.tests.reconciliation.sides import STOCK
from suppliers import credentials
from suppliers.models import Supplier
from suppliers.simulator.configuration import rest_config
from suppliers.simulator.running import RunningChaosSupplier, running_chaos_supplier


@pytest.fixture
def chaos() -> Iterator[RunningChaosSupplier]:
    with running_chaos_supplier(rows=2, stock=STOCK) as running:
        yield running
        assert running.audit()["duplicates"] == {}
        assert differences() == []


@pytest.fixture
def connect(make_supplier, make_level, settings) -> Callable[[RunningChaosSupplier], Supplier]:
    """A chaos supplier's rows, read and offered."""
    settings.SUPPLIER_PRIVATE_NETWORKS = True
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]

    def connected(chaos: RunningChaosSupplier) -> Supplier:
        config = rest_config(chaos.url, chaos.dialect)
        config["limits"] |= {"total_seconds": 2, "read_seconds": 2, "breaker_failures": 50}
        supplier: Supplier = make_supplier(config=config, credentials=credentials.seal({"token": chaos.token}))
        for number in (1, 2):
            make_level(f"SKU-00000{number}", STOCK, supplier=supplier, external_id=f"r000000{number}", location="main")
        return supplier

    return connected


@pytest.fixture
def supplier(chaos, connect):
    return connect(chaos)
