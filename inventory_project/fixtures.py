"""Fixtures that every app shares.  Loaded by `inventory_project.testing` once Django is set up."""

import itertools
from collections.abc import Callable, Iterator

import pytest
import redis
from django.contrib.auth.models import Group, User
from django.db.models.functions import Now
from django.test import Client

from inventory import cache, locks
from inventory.models import Offer, Sku, StockLevel, StockMovement
from inventory_project.localstack import LocalStack
from inventory_project.testing import STACK
from storefronts.models import ApiKey, Storefront
from storefronts.throttling import leases
from suppliers.models import Supplier

numbers = itertools.count(1)

MakeSupplier = Callable[..., Supplier]
MakeSku = Callable[..., Sku]
MakeLevel = Callable[..., StockLevel]
MakeStorefront = Callable[..., Storefront]


@pytest.fixture(scope="session")
def local_stack(request: pytest.FixtureRequest) -> LocalStack:
    """The servers of this run.  `.servers` has only those that we started: nothing else may be killed or flushed."""
    stack: LocalStack = request.config.stash[STACK]
    return stack


@pytest.fixture(scope="session")
def own_redis(local_stack: LocalStack) -> Iterator[list["redis.Redis"]]:
    """A client for each Redis that we started."""
    clients = [
        redis.Redis.from_url(server.url)
        for variable, server in local_stack.servers.items()
        if variable in ("REDIS_URL", "CACHE_URL")
    ]
    yield clients
    for client in clients:
        client.close()


@pytest.fixture(autouse=True)
def flush_redis(own_redis: list["redis.Redis"]) -> None:
    """Every test begins with an empty cache, no locks and no messages, and with servers that are there."""
    for client in own_redis:
        client.flushall()
    # What one test did to the servers is over.
    cache.away.clear()
    locks.away.clear()
    leases.forget()


@pytest.fixture
def make_supplier(db: None) -> MakeSupplier:
    """A supplier; any field may be given."""

    def make(slug: str = "", **fields: object) -> Supplier:
        slug = slug or f"supplier-{next(numbers)}"
        return Supplier.objects.create(**{"slug": slug, "name": slug.title(), **fields})

    return make


@pytest.fixture
def make_sku(db: None) -> MakeSku:
    """A SKU without an offer: nothing of it can be sold; any field may be given."""

    def make(code: str = "", **fields: object) -> Sku:
        return Sku.objects.create(code=code or f"SKU-{next(numbers)}", **fields)

    return make


@pytest.fixture
def make_level(make_supplier: MakeSupplier, make_sku: MakeSku) -> MakeLevel:
    """A level read just now, offered for `sku` (made if it is a code), with the movement that brought its units.

    sku: None leaves the level without an offer.  sellable: whole units; reported: the same unless given.
    """

    def make(
        sku: Sku | str | None = "",
        sellable: int = 10,
        *,
        supplier: Supplier | None = None,
        priority: int = 100,
        **fields: object,
    ) -> StockLevel:
        if isinstance(sku, str):
            sku = Sku.objects.filter(code=sku).first() or make_sku(sku)
        code = sku.code if sku else f"row-{next(numbers)}"
        values = {
            "external_id": f"{code}-{next(numbers)}",
            "code": code,
            "reported": sellable,
            "read_at": Now(),
            **fields,
        }
        level = StockLevel.objects.create(supplier=supplier or make_supplier(), sellable=sellable, version=1, **values)
        level.refresh_from_db()
        StockMovement.objects.create(
            level=level,
            version=1,
            cause=StockMovement.Cause.READING,
            sellable_before=0,
            sellable_delta=sellable,
            sellable_after=sellable,
            allocated_before=0,
            allocated_delta=0,
            allocated_after=0,
            reported_after=level.reported,
        )
        if sku:
            Offer.objects.create(sku=sku, level=level, priority=priority)
            sku.refresh_from_db()  # the offer made a new version of it
        return level

    return make


@pytest.fixture
def make_storefront(db: None) -> MakeStorefront:
    """A storefront; any field may be given."""

    def make(slug: str = "", **fields: object) -> Storefront:
        slug = slug or f"storefront-{next(numbers)}"
        return Storefront.objects.create(**{"slug": slug, "name": slug.title(), **fields})

    return make


@pytest.fixture
def make_api_key(make_storefront: MakeStorefront) -> Callable[..., str]:
    """An API key with every scope unless `scopes` says less."""

    def make(storefront: Storefront | None = None, **fields: object) -> str:
        _, key = ApiKey.objects.create_key(name="test", storefront=storefront or make_storefront(), **fields)
        return str(key)

    return make


@pytest.fixture
def api_key(make_api_key: Callable[..., str]) -> str:
    """An API key with every scope."""
    return make_api_key()


@pytest.fixture
def api_client(api_key: str) -> Client:
    """An HTTP client of a storefront that may do everything."""
    return Client(headers={"authorization": f"Api-Key {api_key}"})


@pytest.fixture
def sign_in(db: None) -> Callable[[str], Client]:
    """Sign a person into the admin: a superuser, one of a role, or one of none."""

    def client_of(role: str) -> Client:
        person = User.objects.create_user(role, is_staff=True, is_superuser=role == "superuser")
        person.groups.set(Group.objects.filter(name=role))
        client = Client()
        client.force_login(person)
        return client

    return client_of
