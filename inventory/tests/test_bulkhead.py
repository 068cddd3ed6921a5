"""A supplier that hangs keeps its own work waiting and nobody else's."""

import base64
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from cryptography.fernet import Fernet
from django.db import connections

from inventory import bulkhead, effects, tasks
from inventory.effects import Due
from inventory.models import Effect, Snapshot
from inventory.tests.ledgers import differences
from inventory.tests.promises import place, states
from inventory.tests.upstreams import connect
from suppliers.adapters.limits import Limits
from suppliers.breaker import Breaker
from suppliers.errors import Transient
from suppliers.models import Supplier
from suppliers.places import Places
from suppliers.simulator.running import RunningChaosSupplier, running_chaos_supplier
from suppliers.tests.upstream import Upstream, running_upstream

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS = 4
ORDERS = 3
PATIENCE = 20  # seconds; far less is needed
UNLIMITED = 1_000

Send = Callable[..., Future[None]]


@pytest.fixture
def healthy(chaos: RunningChaosSupplier, make_level) -> Supplier:
    return supplied(connect(chaos), "GOOD", make_level)


@pytest.fixture
def chaos(settings) -> Iterator[RunningChaosSupplier]:
    settings.SUPPLIER_PRIVATE_NETWORKS = True
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    with running_chaos_supplier(rows=2, stock=50) as running:
        yield running
        assert running.audit()["duplicates"] == {}
        assert differences() == []


def supplied(supplier: Supplier, code: str, make_level: Callable[..., Any]) -> Supplier:
    """Orders that wait to be told, and a level that waits to be read."""
    level = make_level(code, 50, supplier=supplier, external_id="r0000001", location="main")
    for number in range(ORDERS):
        place(f"{code}-{number}", {code: 1})
    effects.record([Due(Effect.Kind.SYNC, str(level.pk), supplier.pk)])
    return supplier


@contextmanager
def hanging(chaos: RunningChaosSupplier, make_level: Callable[..., Any]) -> Iterator[tuple[Supplier, Upstream]]:
    """The same supplier, but at an address that never answers; it may be waited for as long as the test goes on."""
    with running_upstream(lambda _: upstream.hang) as upstream:
        supplier = connect(chaos)
        limits = {**supplier.config["limits"], "total_seconds": 60, "read_seconds": 60}
        supplier.config = {**supplier.config, "base_url": upstream.url, "limits": limits}
        supplier.save()
        try:
            yield supplied(supplier, "BAD", make_level), upstream
        finally:
            upstream.closing.set()


def work(task: Callable[..., Any], *arguments: Any) -> None:
    """One message, as a worker takes it."""
    try:
        task(*arguments)
    finally:
        connections.close_all()


@contextmanager
def workers() -> Iterator[Send]:
    with ThreadPoolExecutor(WORKERS) as pool:
        yield lambda task, *arguments: pool.submit(work, task, *arguments)


def ring(send: Send, supplier: Supplier) -> list[Future[None]]:
    """What beat and bell send for a supplier with orders to tell and levels to read."""
    lanes = [("confirm", supplier.pk), ("sync", supplier.pk)] * 2
    return [
        send(tasks.full_snapshot, supplier.pk),
        *(send(tasks.drain, *lane) for lane in lanes),
        send(tasks.read_back, supplier.pk),
    ]


def wait_until_seen(upstream: Upstream, calls: int) -> None:
    for _ in range(PATIENCE * 50):
        if len(upstream.seen) >= calls or upstream.closing.wait(0.02):
            return


def told(supplier: Supplier) -> int:
    return Effect.objects.filter(supplier=supplier, kind="confirm").exclude(done_at=None).count()


def test_without_bulkheads_one_that_hangs_takes_every_worker(chaos, healthy, make_level, settings):
    """The control."""
    settings.WORKERS_PER_SUPPLIER = UNLIMITED
    with workers() as send, hanging(chaos, make_level) as (bad, upstream):
        ring(send, bad)
        wait_until_seen(upstream, WORKERS)
        assert len(upstream.seen) == WORKERS
        waiting = send(tasks.drain, "confirm", healthy.pk)
        assert not wait([waiting], timeout=2).done
        assert told(healthy) == 0
        upstream.closing.set()
    assert told(healthy) == ORDERS


def test_the_others_keep_their_pace(chaos, healthy, make_level):
    with workers() as send, hanging(chaos, make_level) as (bad, upstream):
        stuck = ring(send, bad)
        good = ring(send, healthy)
        assert not wait(good, timeout=PATIENCE).not_done
        assert told(healthy) == ORDERS
        assert states("GOOD-0") == [("confirmed", 1)]
        assert Effect.objects.filter(supplier=healthy, kind="sync").exclude(done_at=None).exists()
        assert not all(future.done() for future in stuck)  # it hangs all the while
        assert len(upstream.seen) < WORKERS
        upstream.closing.set()


def test_reading_leaves_a_place_for_orders(make_supplier, settings):
    settings.WORKERS_PER_SUPPLIER = 2
    supplier = make_supplier("roomy")
    places = [bulkhead.admitted(supplier.pk, for_orders=for_orders) for for_orders in (False, False, True)]
    with places[0] as first, places[1] as second, places[2] as third:
        assert (first, second, third) == (True, False, True)
    assert Places(f"workers:{supplier.pk}", 2).taken() == 0


def test_one_worker_alone_tries_a_supplier_that_fails(make_supplier):
    supplier = make_supplier("failing")
    circuit = Breaker(supplier.slug, Limits())
    circuit.failed(Transient("no answer"))
    with bulkhead.admitted(supplier.pk) as first, bulkhead.admitted(supplier.pk, for_orders=True) as second:
        assert (first, second) == (True, False)
    circuit.answered()
    places = [bulkhead.admitted(supplier.pk, for_orders=True) for _ in range(2)]
    with places[0] as first, places[1] as second:
        assert (first, second) == (True, True)


def test_a_snapshot_that_finds_no_place_asks_again(make_supplier, settings):
    """A person's wish is in its message alone."""
    settings.WORKERS_PER_SUPPLIER = 1
    supplier = make_supplier("wanted")
    broker = redis.Redis.from_url(settings.REDIS_URL)
    broker.delete("celery")
    with bulkhead.admitted(supplier.pk):
        tasks.full_snapshot(supplier.pk, "anna")
    (message,) = broker.lrange("celery", 0, -1)
    broker.delete("celery")
    broker.close()
    assert json.loads(base64.b64decode(json.loads(message)["body"]))[0] == [supplier.pk, "anna"]
    assert not Snapshot.objects.filter(supplier=supplier).exists()
