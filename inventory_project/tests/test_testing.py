"""The plugin itself: what other tests take for granted."""

import threading

import pytest
import requests
from django.core.cache import cache
from django.db import connection

from inventory.models import Sku, StockMovement


def test_the_database_is_a_durable_postgresql(db):
    with connection.cursor() as cursor:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            cursor.execute(f"SHOW {setting}")
            assert cursor.fetchone() == ("on",)


@pytest.mark.parametrize("turn", [1, 2])
def test_every_test_begins_with_empty_redis(turn, own_redis):
    assert cache.get("left-over") is None
    assert [client.dbsize() for client in own_redis] == [0, 0]
    cache.set("left-over", turn)
    own_redis[0].set("left-over", turn)


def test_a_made_level_adds_up(make_level):
    level = make_level("A", 7)
    movement = StockMovement.objects.get(level=level)
    assert (level.sellable, level.reported, level.version) == (7, 7, 1)
    assert (movement.version, movement.sellable_after, movement.cause) == (1, 7, "reading")
    assert level.offers.get().sku.code == "A"
    assert level.read_at is not None


@pytest.mark.django_db(transaction=True)
def test_threads_have_connections_of_their_own(make_sku):
    make_sku("A")
    seen, together = [], threading.Barrier(40)

    def look() -> None:
        found = Sku.objects.filter(code="A").count()
        together.wait(10)  # all hold a connection at once
        connection.close()
        seen.append(found)

    threads = [threading.Thread(target=look) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 40


@pytest.mark.django_db(transaction=True)
def test_transactional_tests_leave_nothing_behind():
    assert not Sku.objects.exists()


def test_no_test_leaves_this_machine():
    with pytest.raises(UserWarning, match="tried to use socket"):
        requests.get("http://192.0.2.1/", timeout=1)


def test_a_key_opens_a_storefront(api_key, api_client):
    assert api_key in api_client.defaults["HTTP_AUTHORIZATION"]
