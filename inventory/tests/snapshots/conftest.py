"""A chaos supplier on this machine, and books that are right after the test too."""

from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet

from inventory.tests.ledgers import differences
from inventory.tests.upstreams import connect
from suppliers.models import Supplier
from suppliers.simulator.running import RunningChaosSupplier, running_chaos_supplier


@pytest.fixture(autouse=True)
def reachable(settings):
    settings.SUPPLIER_PRIVATE_NETWORKS = True
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]


@pytest.fixture
def conserved(transactional_db) -> Iterator[None]:
    yield
    assert differences() == []


@pytest.fixture
def chaos() -> Iterator[RunningChaosSupplier]:
    with running_chaos_supplier(rows=25, stock=7) as running:
        yield running


@pytest.fixture
def supplier(chaos) -> Supplier:
    return connect(chaos)
