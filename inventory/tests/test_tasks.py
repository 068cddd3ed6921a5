"""Messages may be lost, doubled or late: the rows decide."""

import os
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.db import connection
from django.db.models import F

from inventory import availability, bell, effects, lanes, tasks
from inventory.bell import PAUSE_SECONDS, Bell, unheard
from inventory.models import Allocation, Effect, StockLevel, StockMovement
from inventory.rung import MESSAGE_SECONDS
from inventory.tests import broker
from inventory.tests.ledgers import differences
from inventory.tests.promises import cancel, place
from suppliers.models import Supplier
from suppliers.signals import full_snapshot_requested, policy_changed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def messages() -> Callable[[], list[tuple[str, list[Any]]]]:
    """Takes the messages that wait in the broker: (task, arguments)."""

    def take() -> list[tuple[str, list[Any]]]:
        bell.join()
        return broker.take()

    return take


def run(messages: list[tuple[str, list[Any]]]) -> None:
    for name, arguments in messages:
        current_app.tasks[name](*arguments)


def test_the_bell_publishes_a_drain_for_each_lane(messages):
    bell.ring([("confirm", 7), ("invalidate", None)])
    assert messages() == [("inventory.tasks.drain", ["confirm", 7]), ("inventory.tasks.drain", ["invalidate", None])]


def test_a_message_that_was_thrown_away_is_made_good_by_the_sweep(make_level, messages):
    make_level("A", 5)
    assert availability.read(["A"])["A"].available == 5
    place("order-1", {"A": 5})
    released = cancel("order-1")
    bell.ring(released.lanes)
    assert ("inventory.tasks.drain", ["invalidate", None]) in messages()  # and nobody runs it
    tasks.sweep_effects()
    swept = messages()
    assert ("inventory.tasks.drain", ["invalidate", None]) in swept
    run([message for message in swept if message[1][0] == "invalidate"])
    assert not Effect.objects.filter(kind="invalidate", done_at=None).exists()


def test_a_wiped_cache_server_keeps_its_effects_open(make_level, settings):
    make_level("A", 5)
    place("order-1", {"A": 5})
    cancel("order-1")
    settings.CACHES = {
        "default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"},
    }
    tasks.drain("invalidate", None)
    effect = Effect.objects.get(kind="invalidate")
    assert (effect.done_at, effect.error) == (None, "the cache could not be reached")


def test_a_task_that_is_delivered_twice_works_once(make_level, messages):
    supplier = make_level("A", 10).supplier
    Supplier.objects.filter(pk=supplier.pk).update(buffer=4)
    policy_changed.send(sender=Supplier, supplier_id=supplier.pk)
    delivered = messages()
    assert sorted(delivered) == [("inventory.tasks.drain", [kind, supplier.pk]) for kind in ("learn", "retrust")]
    run(delivered * 3)
    assert StockLevel.objects.get().sellable == 6
    assert StockMovement.objects.filter(cause="policy").count() == 1
    assert not Effect.objects.filter(done_at=None).exists()
    assert differences() == []


def test_a_full_snapshot_asked_for_by_a_person_reaches_a_worker(messages):
    full_snapshot_requested.send(sender=Supplier, supplier_id=3, actor="ana")
    assert messages() == [("inventory.tasks.full_snapshot", [3, "ana"])]


def test_a_claim_whose_lease_ended_is_read_back_by_a_task_of_its_supplier(make_level, messages):
    level = make_level("A", 5)
    place("order-1", {"A": 5})
    tasks.resolve_expired_claims()
    assert messages() == []
    with connection.cursor() as cursor:
        cursor.execute("UPDATE inventory_allocation SET state = 'sending', lease_until = now() - interval '1 second'")
    tasks.resolve_expired_claims()
    assert messages() == [("inventory.tasks.read_back", [level.supplier_id])]


def test_expired_holds_free_their_units(make_level):
    level = make_level("A", 5)
    place("hold-1", {"A": 5})
    with connection.cursor() as cursor:
        cursor.execute("UPDATE inventory_allocation SET state = 'held', expires_at = now() - interval '1 second'")
    tasks.expire_holds()
    tasks.expire_holds()
    level.refresh_from_db()
    assert level.allocated == 0
    assert Allocation.objects.get().state == "released"
    assert differences() == []


def test_done_effects_are_kept_for_a_week(make_level):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inventory_effect (kind, target, done_at, attempts, error) VALUES"
            " ('invalidate', 'new', now() - interval '6 days', 0, ''),"
            " ('invalidate', 'old', now() - interval '8 days', 0, '')"
        )
    tasks.purge_effects()
    assert list(Effect.objects.values_list("target", flat=True)) == ["new"]


class Broken:
    """A task whose broker is away until `mended`."""

    name = "broken"

    def __init__(self) -> None:
        self.published: list[tuple[Any, ...]] = []
        self.down = True

    def apply_async(self, arguments: tuple[Any, ...]) -> None:
        if self.down:
            raise ConnectionError("no broker")
        self.published.append(arguments)


def count(reason: str) -> float:
    return float(unheard.labels(reason)._value.get())


def test_a_dead_broker_is_counted_and_the_bell_rings_on():
    own, task, before = Bell(10), Broken(), count("broker")
    own.post(task, 1)
    own.join()
    task.down = False
    own.post(task, 2)
    own.join()
    assert (task.published, count("broker") - before) == ([(2,)], 1)


class Slow(Broken):
    """A task whose broker answers when it is let."""

    def __init__(self, entered: threading.Event, leave: threading.Event) -> None:
        super().__init__()
        self.entered, self.leave = entered, leave

    def apply_async(self, arguments: tuple[Any, ...]) -> None:
        self.entered.set()
        self.leave.wait(10)
        self.published.append(arguments)


def test_a_slow_broker_holds_up_nobody_and_a_full_queue_is_counted():
    entered, leave = threading.Event(), threading.Event()
    own, task, before = Bell(2), Slow(entered, leave), count("full")
    own.post(task, 0)
    assert entered.wait(10)
    for lane in (1, 1, 2, 2, 3):
        own.post(task, lane)
    leave.set()
    own.join()
    assert (task.published, count("full") - before) == ([(0,), (1,), (2,)], 1)


def test_a_child_of_a_fork_has_a_bell_of_its_own():
    bell.ring([("confirm", 1)])
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        bell.ring([("confirm", 2)])
        bell.join()
        os.write(writer, b"rung")
        os._exit(0)
    os.close(writer)
    assert os.read(reader, 4) == b"rung"
    os.waitpid(child, 0)
    os.close(reader)
    bell.join()


def test_a_lane_occupies_no_more_workers_than_it_may(make_level):
    for number in range(4):
        Effect.objects.create(kind="invalidate", target=f"SKU-{number}")
    others = [effects.claim("invalidate", None, limit=1) for _ in range(lanes.DRAINS_AT_ONCE)]
    tasks.drain("invalidate", None)
    assert not Effect.objects.exclude(done_at=None).exists()
    effects.close([effect.id for effect in others.pop()])
    tasks.drain("invalidate", None)
    assert Effect.objects.filter(done_at=None).count() == 1  # the one that another worker still has


def test_claims_of_workers_that_are_gone_do_not_close_the_lane(make_level):
    for number in range(4):
        Effect.objects.create(kind="invalidate", target=f"SKU-{number}")
    for _ in range(lanes.DRAINS_AT_ONCE):
        effects.claim("invalidate", None, limit=1)
    Effect.objects.exclude(leased_until=None).update(leased_until=F("leased_until") - timedelta(seconds=10))
    tasks.drain("invalidate", None)
    assert Effect.objects.filter(done_at=None).count() == lanes.DRAINS_AT_ONCE  # theirs, until the leases end


def test_what_is_posted_all_the_time_is_published_a_few_times_a_second(messages):
    """Publishing costs as much as placing an order; the last post is never lost."""
    began = time.monotonic()
    posted = 0
    while time.monotonic() - began < 3.5 * PAUSE_SECONDS:
        bell.post(tasks.note_refusals, (("A", 1),))
        posted += 1
    published = messages()
    assert posted > 100
    assert 3 <= len(published) <= 6


@pytest.mark.parametrize("slot", [slot for slot in current_app.conf.beat_schedule.values() if slot["schedule"] <= 60])
def test_a_slot_leaves_nothing_for_workers_that_come_back_after_a_while(slot):
    """Its next message does the same, and an hour of them would keep a worker from what is due."""
    assert current_app.tasks[slot["task"]].expires == MESSAGE_SECONDS
