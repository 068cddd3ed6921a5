"""The race that Holdfast exists for: first shown, then closed, with every kind of lock and without."""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis_lock
from django.db import connection, transaction

from inventory import ledger, locks, positions, sql, stock
from inventory.models import Allocation, StockMovement
from orders.intents import Placed
from orders.models import Order
from orders.tests.buyers import buy, intent_of, place
from storefronts.models import Storefront

pytestmark = pytest.mark.django_db(transaction=True)

UNITS, BUYERS = 3, 8


@pytest.fixture
def storefront(make_storefront: Callable[..., Storefront]) -> Storefront:
    return make_storefront("shop")


def race(storefront: Storefront, baskets: Sequence[Sequence[tuple[str, int]]], key: str = "") -> Counter[str]:
    """All baskets at once, each by its own thread; how often each outcome came."""
    start = threading.Barrier(len(baskets))

    def run(number: int) -> str:
        start.wait()
        return buy(intent_of(storefront.pk, key or f"buyer-{number}", baskets[number]))

    with ThreadPoolExecutor(len(baskets)) as pool:
        return Counter(pool.map(run, range(len(baskets))))


def sold() -> int:
    return sum(Allocation.objects.values_list("quantity", flat=True))


@pytest.fixture
def unlocked_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody reads the stock before anybody writes it."""
    everybody_has_read = threading.Barrier(BUYERS)
    first = threading.local()

    def lock(codes: Sequence[str]) -> Callable[[], stock.Locked]:
        read = stock.Locked(positions.load(codes), positions.ask_sharing(codes)())
        if not hasattr(first, "done"):
            first.done = True
            everybody_has_read.wait()
        return lambda: read

    monkeypatch.setattr(redis_lock.Lock, "acquire", lambda *_, **__: True)
    monkeypatch.setattr(stock, "lock", lock)


@pytest.fixture
def no_guards() -> Iterator[None]:
    """Take away what the database refuses an oversell with."""
    guards = [
        each for each in StockMovement._meta.constraints if each.name in ("movement_version", "movement_no_oversell")
    ]
    with connection.schema_editor() as editor:
        for guard in guards:
            editor.remove_constraint(StockMovement, guard)
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE inventory_stockmovement")
    with connection.schema_editor() as editor:
        for guard in guards:
            editor.add_constraint(StockMovement, guard)


def test_without_locks_and_guards_we_oversell(make_level, storefront, unlocked_reads, no_guards):
    make_level("TEA", UNITS)
    assert race(storefront, [[("TEA", 1)]] * BUYERS) == {"placed": BUYERS}
    assert sold() == BUYERS > UNITS


def test_without_any_lock_the_ledger_refuses_to_oversell(make_level, storefront, unlocked_reads):
    make_level("TEA", UNITS)
    race(storefront, [[("TEA", 1)]] * BUYERS)
    assert 1 <= sold() <= UNITS


def with_redis(monkeypatch: pytest.MonkeyPatch, settings: object) -> None:
    pass


def without_redis(monkeypatch: pytest.MonkeyPatch, settings: object) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"  # type: ignore[attr-defined]


def with_a_lock_always_granted(monkeypatch: pytest.MonkeyPatch, settings: object) -> None:
    monkeypatch.setattr(redis_lock.Lock, "acquire", lambda *_, **__: True)


@pytest.mark.parametrize("lock", [with_redis, without_redis, with_a_lock_always_granted])
def test_exactly_the_stock_is_sold(make_level, storefront, monkeypatch, settings, lock):
    lock(monkeypatch, settings)
    level = make_level("TEA", UNITS)
    assert race(storefront, [[("TEA", 1)]] * BUYERS) == {"placed": UNITS, "refused": BUYERS - UNITS}
    level.refresh_from_db()
    assert (level.allocated, sold(), level.version) == (UNITS, UNITS, 1 + UNITS)


def test_a_required_lock_that_is_away_is_no_refusal(make_level, storefront, settings):
    settings.REDIS_URL, settings.ORDERS_REQUIRE_LOCK = "redis://127.0.0.1:1/0", True
    make_level("TEA", UNITS)
    with pytest.raises(locks.LockUnavailableError):
        place([intent_of(storefront.pk, "k", [("TEA", 1)])])
    assert not Order.objects.exists()


def test_a_lock_held_by_somebody_else_is_no_refusal(make_level, storefront, settings):
    settings.SKU_LOCK_ACQUIRE_SECONDS = 1
    make_level("TEA", UNITS)
    other = redis_lock.Lock(locks._client(settings.REDIS_URL), "{sku:TEA}", expire=30)
    assert other.acquire(blocking=False)
    with pytest.raises(locks.LockBusyError):
        place([intent_of(storefront.pk, "k", [("TEA", 1)])])
    other.release()
    assert isinstance(place([intent_of(storefront.pk, "k", [("TEA", 1)])])[0], Placed)


@pytest.mark.parametrize("lock", [with_redis, without_redis])
def test_baskets_in_opposite_order_do_not_deadlock(make_level, storefront, monkeypatch, settings, lock):
    lock(monkeypatch, settings)
    tea, cup = make_level("TEA", 20), make_level("CUP", 20)
    baskets = [[("TEA", 1), ("CUP", 1)], [("CUP", 1), ("TEA", 1)]] * 10
    assert race(storefront, baskets) == {"placed": 20}
    tea.refresh_from_db()
    cup.refresh_from_db()
    assert (tea.allocated, cup.allocated) == (20, 20)


def test_rows_are_locked_in_key_order_before_they_are_read(make_level, monkeypatch):
    """Deadlock tests are blind to a missing ORDER BY; the SQL is not."""
    make_level("TEA", 1)
    statements: list[str] = []
    send = sql.execute

    def record(text: str, values: object) -> object:
        statements.append(text.strip())
        return send(text, values)  # type: ignore[arg-type]

    monkeypatch.setattr(sql, "execute", record)
    with transaction.atomic():
        ledger.lock_codes(["TEA"])
    assert [sql.split(" FROM ")[1].split()[0] for sql in statements] == ["inventory_sku", "inventory_stocklevel"]
    assert all(sql.endswith("ORDER BY id FOR NO KEY UPDATE") for sql in statements)


def test_one_key_fifty_times_at_once_is_one_order(make_level, storefront):
    make_level("TEA", 100)
    assert race(storefront, [[("TEA", 1)]] * 50, key="same") == {"placed": 50}
    assert (Order.objects.count(), sold()) == (1, 1)


def test_a_hundred_buyers_in_two_processes_get_a_hundred_units(make_level, storefront):
    level = make_level("TEA", 100)
    environment = {**os.environ, "DATABASE_URL": _url_of_the_test_database()}
    command = [sys.executable, "-m", "orders.tests.buyers", str(storefront.pk), "TEA", "50"]
    processes = [
        subprocess.Popen([*command, f"process-{number}"], env=environment, stdout=subprocess.PIPE)
        for number in range(2)
    ]
    outcomes = Counter[str]()
    for process in processes:
        outcomes.update(json.loads(process.communicate(timeout=100)[0]))
        assert process.returncode == 0
    assert outcomes == {"placed": 100}
    level.refresh_from_db()
    assert (level.allocated, sold(), level.version) == (100, 100, 101)


def _url_of_the_test_database() -> str:
    head, _, _ = os.environ["DATABASE_URL"].rpartition("/")
    return f"{head}/{connection.settings_dict['NAME']}"
