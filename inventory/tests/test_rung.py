"""One message of a lane waits in the broker, and nobody who committed is left without one."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from celery import current_app, shared_task
from celery.contrib.testing.worker import start_worker
from celery.signals import setup_logging
from django.conf import settings as django_settings
from django.db import connection, transaction

from inventory import bell, tasks
from inventory.bell import PAUSE_SECONDS, Bell, unheard
from inventory.models import Effect
from inventory.rung import MESSAGE_SECONDS, Publishable, WakeUp
from inventory.tests.broker import take

pytestmark = pytest.mark.django_db(transaction=True)

LANE = ("invalidate", None)
DRAIN = ("inventory.tasks.drain", list(LANE))
MARK = 'rung:inventory.tasks.drain:["invalidate", null]'
PROCESSES = 4


class Unmarked:
    """The same task, published as if nothing waited."""

    name = "unmarked"

    def apply_async(self, arguments: tuple[Any, ...]) -> None:
        tasks.drain.apply_async(arguments)


@pytest.fixture
def broker() -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(django_settings.REDIS_URL) as client:
        yield client


@contextmanager
def worker() -> Iterator[None]:
    def leave(**_: object) -> None:
        """Somebody else sets up logging: else Celery would, for all tests after this one."""

    setup_logging.connect(leave)
    try:
        with start_worker(current_app, pool="solo", perform_ping_check=False):
            yield
    finally:
        setup_logging.disconnect(leave)


def wait_for(condition: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.01)


def is_done() -> bool:
    return not Effect.objects.filter(done_at=None).exists()


def commit(number: int) -> None:
    Effect.objects.create(kind=LANE[0], target=f"SKU-{number}")


def ring() -> None:
    bell.ring([LANE])
    bell.join()


def ring_for_a_while(task: Publishable) -> None:
    """As so many processes, two lanes each."""
    bells = [Bell(10) for _ in range(PROCESSES)]
    end = time.monotonic() + 3.5 * PAUSE_SECONDS
    while time.monotonic() < end:
        for one in bells:
            one.post(task, *LANE)
            one.post(task, "confirm", 7)
    for one in bells:
        one.join()


def test_without_marks_messages_pile_up():
    """The control."""
    ring_for_a_while(Unmarked())
    assert take().count(DRAIN) >= 2 * PROCESSES  # of each process its first post and its last


def test_one_message_of_each_lane_waits_for_all_processes():
    ring_for_a_while(tasks.drain)
    assert sorted(take()) == [("inventory.tasks.drain", ["confirm", 7]), DRAIN]


def test_refusals_are_counted_each_though_they_are_the_same():
    for one in (Bell(10), Bell(10)):
        one.post(tasks.note_refusals, (("A", 1),))
        one.join()
    assert take() == [("inventory.tasks.note_refusals", [[["A", 1]]])] * 2


def test_the_message_that_waits_stands_for_what_was_committed_meanwhile(broker):
    for number in range(3):
        commit(number)
        ring()
    assert broker.llen("effects") == 1
    with worker():
        wait_for(is_done)


def test_whoever_rings_after_the_work_began_has_a_message_of_its_own(broker):
    with worker():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE inventory_effect IN ACCESS EXCLUSIVE MODE")  # the drain waits before its look
            ring()
            wait_for(lambda: not broker.exists(MARK))
            commit(1)
            for _ in range(3):
                ring()
            assert (broker.llen("effects"), broker.exists(MARK)) == (1, 1)
        wait_for(lambda: is_done() and not broker.exists(MARK))


def test_what_is_committed_after_the_last_look_of_a_drain_is_looked_for_again():
    looked, leave, seen = threading.Event(), threading.Event(), []

    @shared_task(base=WakeUp, name="inventory.tests.look")
    def look() -> None:
        seen.append(Effect.objects.count())
        looked.set()
        leave.wait(10)

    with worker():
        bell.post(look)
        assert looked.wait(10)
        commit(1)
        bell.post(look)
        bell.join()
        leave.set()
        wait_for(lambda: seen == [0, 1])


def test_a_message_that_could_not_be_published_leaves_no_mark(broker):
    before = unheard.labels("broker")._value.get()
    broker.set("effects", "not a queue")
    ring()
    assert unheard.labels("broker")._value.get() - before == 1
    broker.delete("effects")
    ring()
    assert take() == [DRAIN]


def test_a_mark_without_a_message_ends_with_the_time_of_its_message(broker):
    ring()
    assert take() == [DRAIN]  # and nobody runs it
    ring()
    assert take() == []
    assert 0 < broker.pttl(MARK) <= MESSAGE_SECONDS * 1000 == tasks.drain.expires * 1000
    broker.pexpire(MARK, 1)
    wait_for(lambda: not broker.exists(MARK))
    ring()
    assert take() == [DRAIN]


def test_the_sweep_asks_no_marks_and_wakes_the_lane_again(broker):
    commit(1)
    ring()
    assert take() == [DRAIN]  # and nobody runs it
    tasks.sweep_effects()
    with worker():
        wait_for(is_done)
    assert not broker.exists(MARK)
    ring()
    assert take() == [DRAIN]


def test_with_marks_out_of_reach_every_message_is_published(settings):
    """Of the marks alone: Celery keeps its broker."""
    reachable = settings.REDIS_URL
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    ring()
    ring()
    settings.REDIS_URL = reachable
    assert take() == [DRAIN] * 2
