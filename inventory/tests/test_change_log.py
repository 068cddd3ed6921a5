"""The log of versions: whoever follows it skips no commit, in whatever order transactions begin and end."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction

from inventory import change_log, events
from inventory.change_log import Change, Cursor, ExpiredError
from inventory.models import Offer, SalesEvent, Sku
from inventory.tests.promises import place
from suppliers.models import Switchboard

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS, ROUNDS = 6, 40


@pytest.fixture(autouse=True)
def empty_log() -> None:
    """It is no model's table, so nobody else empties it."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE inventory_stockchange")


def bump(code: str) -> None:
    Sku.objects.filter(code=code).update(low_stock_threshold=random.randint(0, 10_000))


def follow(cursor: Cursor, limit: int = 100) -> tuple[dict[str, Change], Cursor]:
    """Everything until nothing is new."""
    told: dict[str, Change] = {}
    while True:
        changes, cursor = change_log.read(cursor, limit)
        told |= {change.sku: change for change in changes}
        if not changes and not cursor.sweep:
            return told, cursor


@contextmanager
def open_change(code: str) -> Iterator[None]:
    """Another connection has changed the SKU and not yet committed, while the block lasts."""
    written, end = threading.Event(), threading.Event()

    def work() -> None:
        try:
            with transaction.atomic():
                bump(code)
                written.set()
                assert end.wait(10)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(work)
        assert written.wait(10)
        try:
            yield
        finally:
            end.set()
        done.result(10)


def rows_after(column: str, seen: Any) -> list[tuple[Any, str]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column}, sku FROM inventory_stockchange WHERE {column} > %s ORDER BY 1", [seen])
        return list(cursor.fetchall())


@pytest.mark.parametrize(("column", "start"), [("id", 0), ("at", "-infinity")])
def test_who_remembers_the_highest_number_or_time_seen_skips_a_commit(make_sku, column, start):
    """The control."""
    make_sku("EARLY")
    make_sku("LATE")
    seen = rows_after(column, start)[-1][0]
    with open_change("EARLY"):
        bump("LATE")
        found = rows_after(column, seen)
        assert [sku for _, sku in found] == ["LATE"]
        seen = found[-1][0]
    assert rows_after(column, seen) == []  # EARLY was changed, and nobody will ever be told


def test_a_commit_that_comes_late_is_told_nevertheless(make_sku):
    make_sku("EARLY")
    make_sku("LATE")
    cursor = change_log.start()
    with open_change("EARLY"):
        bump("LATE")
        held, cursor = follow(cursor)
        assert held == {}
    told, cursor = follow(cursor)
    assert set(told) == {"EARLY", "LATE"}
    assert follow(cursor)[0] == {}


def test_a_cursor_taken_while_a_commit_is_under_way_does_not_skip_it(make_sku):
    make_sku("EARLY")
    with open_change("EARLY"):
        cursor = change_log.start()
    assert set(follow(cursor)[0]) == {"EARLY"}


def test_a_rollback_is_not_told_and_holds_nobody_up(make_sku):
    make_sku("A")
    cursor = change_log.start()
    with transaction.atomic():
        bump("A")
        transaction.set_rollback(True)
    assert follow(cursor)[0] == {}


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_under_many_writers_the_last_version_of_every_sku_is_told(make_sku, limit):
    codes = [make_sku(f"S-{number}").code for number in range(8)]
    cursor, told = change_log.start(), dict[str, int]()
    start = threading.Barrier(WRITERS)

    def write(seed: int) -> None:
        dice = random.Random(seed)
        try:
            start.wait(10)
            for _ in range(ROUNDS):
                with transaction.atomic():
                    for code in sorted(dice.sample(codes, 2)):
                        bump(code)
        finally:
            connection.close()

    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(write, seed) for seed in range(WRITERS)]
        while True:
            over = all(writer.done() for writer in writers)
            changes, cursor = change_log.read(cursor, limit)
            assert len(changes) <= limit
            for change in changes:
                assert change.version >= told.get(change.sku, 0)
                told[change.sku] = change.version
            change_log.compact()
            if over and not changes:
                break
        for writer in writers:
            writer.result()
    assert told == dict(Sku.objects.values_list("code", "version"))


def test_whatever_changes_the_number_is_told(make_level, make_sku):
    level = make_level("A", 5)
    cursor = change_log.start()

    def changed(act: Callable[[], object]) -> dict[str, int]:
        nonlocal cursor
        act()
        told, cursor = follow(cursor)
        return {code: change.available for code, change in told.items()}

    assert changed(lambda: place("order-1", {"A": 2})) == {"A": 3}
    assert changed(lambda: Sku.objects.filter(code="A").update(safety_stock=1)) == {"A": 2}
    assert changed(lambda: Sku.objects.filter(code="A").update(active=False)) == {"A": 0}
    assert changed(lambda: Sku.objects.filter(code="A").update(active=True, safety_stock=0)) == {"A": 3}
    assert changed(lambda: Offer.objects.create(sku=make_sku("B"), level=level)) == {"B": 3}
    # What shares a level is told with it.
    assert changed(lambda: place("order-2", {"B": 1})) == {"A": 2, "B": 2}
    assert changed(lambda: Sku.objects.create(code="NEW")) == {"NEW": 0}
    assert changed(lambda: Sku.objects.get(code="NEW").delete()) == {"NEW": 0}
    assert changed(lambda: None) == {}


def test_the_newest_number_is_told_once(make_level):
    make_level("A", 50)
    cursor = change_log.start()
    for number in range(5):
        place(f"order-{number}", {"A": 1})
    changes, cursor = change_log.read(cursor, 1)
    assert [(change.sku, change.available, change.version) for change in changes] == [
        ("A", 45, Sku.objects.get(code="A").version)
    ]
    assert change_log.read(cursor, 1)[0] == []


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_a_switch_for_everything_tells_every_sku_and_no_change_is_lost_meanwhile(make_level, limit):
    for code in ("A", "B", "C"):
        make_level(code, 7)
    cursor = change_log.start()
    Switchboard.objects.update_or_create(pk=1, defaults={"stop_selling": True})
    first, cursor = change_log.read(cursor, limit)
    bump("A")
    rest, cursor = follow(cursor, limit)
    told = {change.sku: change for change in first} | rest
    assert {code: change.available for code, change in told.items()} == {"A": 0, "B": 0, "C": 0}
    assert told["A"].version == Sku.objects.get(code="A").version
    assert follow(cursor)[0] == {}


def test_a_supplier_switched_off_and_an_event_are_told_too(make_level, make_supplier):
    supplier = make_supplier()
    make_level("A", 7, supplier=supplier)
    cursor = change_log.start()
    supplier.stop_selling = True
    supplier.save()
    told, cursor = follow(cursor)
    assert told["A"].available == 0
    supplier.stop_selling = False
    supplier.save()
    with connection.cursor() as one:
        one.execute("SELECT now() - interval '1 second', now() + interval '1 hour'")
        starts, ends = one.fetchone()
    event = SalesEvent.objects.create(name="sale", starts_at=starts, ends_at=ends, buffer_units=3)
    events.switch_on(event.pk)
    told, cursor = follow(cursor)
    assert (told["A"].available, told["A"].valid_until) == (4, ends)


def test_what_time_alone_changes_is_announced(make_level, make_supplier):
    level = make_level("A", 7, supplier=make_supplier(stale_after_seconds=30, expire_after_seconds=60))
    cursor = change_log.start()
    bump("A")
    told, _ = follow(cursor)
    assert (told["A"].valid_until - level.read_at).total_seconds() == 60


def test_the_log_forgets_what_is_superseded_and_old_cursors_live_on(make_level):
    make_level("A", 50)
    make_level("B", 50)
    old = change_log.start()
    for number in range(5):
        place(f"order-{number}", {"A": 1, "B": 1})
    assert change_log.compact(at_once=3) > 0
    assert change_log.compact() == 0
    told, _ = follow(old)
    assert {code: change.available for code, change in told.items()} == {"A": 45, "B": 45}
    with connection.cursor() as cursor:
        cursor.execute("SELECT sku, count(*) FROM inventory_stockchange WHERE sku IN ('A', 'B') GROUP BY 1 ORDER BY 1")
        assert cursor.fetchall() == [("A", 1), ("B", 1)]


def test_forgetting_leaves_what_is_not_to_be_seen_yet(make_sku):
    make_sku("A")
    make_sku("B")
    with open_change("A"):
        bump("B")
        bump("B")
        cursor = change_log.start()
        bump("B")
        change_log.compact()
    assert set(follow(cursor)[0]) == {"A", "B"}


def test_a_cursor_of_another_history_is_expired(make_sku):
    make_sku("A")
    cursor = change_log.start()
    cluster = cursor.history.rpartition("-")[0]
    for history in (f"{cluster}-00000002", "1-00000001"):
        with pytest.raises(ExpiredError):
            change_log.read(Cursor(history, cursor.xid, cursor.id, cursor.epoch), 10)
    # A file system that was put back without a new timeline: numbers of transactions will come again.
    with pytest.raises(ExpiredError):
        change_log.read(Cursor(cursor.history, cursor.xid + 1_000_000, 0, cursor.epoch), 10)
