"""One thing is made ahead of the caller, and never a second one."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from inventory.snapshots.ahead import ahead


def test_all_items_in_their_order():
    assert list(ahead(iter(range(1, 6)))) == [1, 2, 3, 4, 5]
    assert list(ahead(iter([]))) == []


def test_the_next_one_is_made_meanwhile_and_no_more():
    made: list[int] = []
    second, third = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        for number, event in enumerate((threading.Event(), second, third)):
            made.append(number)
            event.set()
            yield number

    coming = ahead(items())
    next(coming)
    assert second.wait(5), "while the first is being worked on"
    assert not third.is_set()
    assert made == [0, 1]


def test_nothing_is_asked_for_after_the_last():
    asked: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1, 4):
            asked.append(number)
            yield number

    assert list(ahead(items(), lambda number: number == 2)) == [1, 2]
    assert asked == [1, 2]


def test_what_fails_there_fails_here():
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    coming = ahead(items())
    assert next(coming) == 1
    with pytest.raises(ValueError, match="broken"):
        next(coming)


def taken() -> int:
    """Connections that threads of ours hold, this one's among them."""
    with connection.cursor():
        pool: Any = connection.pool  # type: ignore[attr-defined]  # of PostgreSQL's alone
    stats: dict[str, int] = pool.get_stats()
    return stats["pool_size"] - stats["pool_available"]


@pytest.mark.django_db(transaction=True)
def test_its_connection_goes_back_when_the_caller_stops():
    def items() -> Iterator[int]:
        for number in range(1, 4):
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            yield number

    before, threads = taken(), set(threading.enumerate())
    coming = ahead(items())
    next(coming)
    assert taken() == before + 1
    coming.close()  # type: ignore[attr-defined]  # a generator is
    for thread in set(threading.enumerate()) - threads:
        thread.join(5)
    assert taken() == before
