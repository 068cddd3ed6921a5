"""Full snapshots end to end: the chaos supplier's HTTP API, the REST adapter, PostgreSQL."""

from collections.abc import Callable, Iterator

import pytest
from cryptography.fernet import Fernet
from django.db import connection

from inventory import snapshots, staging
from inventory.models import Feed, Offer, Snapshot, StockLevel, StockMovement
from suppliers import credentials
from suppliers.models import Supplier
from suppliers.simulator.configuration import rest_config
from suppliers.simulator.running import RunningChaosSupplier, running_chaos_supplier

pytestmark = pytest.mark.django_db(transaction=True)

Status = Snapshot.Status


@pytest.fixture(autouse=True)
def reachable(settings):
    settings.SUPPLIER_PRIVATE_NETWORKS = True
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]


@pytest.fixture
def chaos() -> Iterator[RunningChaosSupplier]:
    with running_chaos_supplier(rows=25, stock=7) as running:
        yield running


@pytest.fixture
def supplier(chaos, make_supplier) -> Supplier:
    return connect(make_supplier, chaos)


def connect(make_supplier: Callable[..., Supplier], chaos: RunningChaosSupplier, size: int = 10, **fields) -> Supplier:
    config = rest_config(chaos.url, chaos.dialect, size)
    return make_supplier(config=config, credentials=credentials.seal({"token": chaos.token}), **fields)


def levels_of(supplier: Supplier) -> dict[str, int | None]:
    return dict(StockLevel.objects.filter(supplier=supplier).values_list("external_id", "reported"))


def ctids(supplier: Supplier) -> dict[int, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, ctid::text FROM inventory_stocklevel WHERE supplier_id = %s", [supplier.pk])
        return dict(cursor.fetchall())


def test_a_catalogue_becomes_levels(supplier, make_sku, chaos):
    code = min(chaos.truth())
    sku = make_sku(code)
    snapshot = snapshots.run_full(supplier.pk, actor="somebody")
    assert (snapshot.status, snapshot.reason) == (Status.APPLIED, "")
    assert (snapshot.pages, snapshot.seen, snapshot.total, snapshot.changed) == (3, 25, 25, 25)
    assert set(levels_of(supplier).values()) == {7}
    assert Offer.objects.get().sku == sku
    feed = Feed.objects.get(supplier=supplier)
    assert (feed.complete_as_of, feed.complete_until) == (snapshot.first_requested_at, snapshot.last_requested_at)
    assert feed.rows == 25
    opening = StockMovement.objects.filter(level__supplier=supplier)[0]
    assert (opening.version, opening.sellable_after, opening.actor) == (1, 7, "somebody")
    assert staging.count(snapshot.pk) == 0


def test_an_unchanged_catalogue_writes_no_level(supplier):
    first = snapshots.run_full(supplier.pk)
    before = ctids(supplier)
    second = snapshots.run_full(supplier.pk)
    assert (second.status, second.changed) == (Status.APPLIED, 0)
    assert ctids(supplier) == before
    assert Feed.objects.get().complete_as_of == second.first_requested_at
    assert second.pk > first.pk
