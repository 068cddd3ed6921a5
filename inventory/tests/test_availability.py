"""What a storefront is told, and that no stale value gets into the cache or out of it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_redis import get_redis_connection

from inventory import availability, cache, positions
from inventory.availability import Availability
from inventory.models import Feed, Offer, Sku, StockLevel
from suppliers.models import Supplier, Switchboard

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fresh_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every read looks at the policy epoch."""
    monkeypatch.setattr(availability, "_EPOCH_SECONDS", 0)


def read(code: str = "TEA") -> Availability:
    """What both ways to read one SKU say."""
    alone = availability.read_one(code)
    assert alone is not None
    assert availability.read([code])[code] == alone
    return alone


def queries_of(call: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        call()
    return [query["sql"] for query in queries.captured_queries if "inventory_sku" in query["sql"]]


def test_the_second_read_is_served_from_redis(make_level):
    make_level("TEA", 10)
    first = read()
    assert queries_of(lambda: read() == first) == []
    assert read() == first
    assert (first.available, first.status) == (10, "in_stock")


def test_unknown_and_inactive_skus_are_left_out(make_level, make_sku):
    make_level(make_sku("OLD", active=False), 5)
    assert availability.read(["OLD", "NONE"]) == {}
    assert [availability.read_one(code) for code in ("OLD", "NONE")] == [None, None]


@pytest.mark.parametrize(("units", "status"), [(6, "in_stock"), (5, "low_stock"), (0, "out_of_stock")])
def test_status_follows_the_threshold(make_level, units, status):
    make_level("TEA", units)
    assert read().status == status


def test_a_sku_that_nobody_counted_is_unknown_and_not_zero_by_accident(make_level, make_sku):
    make_sku("LONELY")
    make_level("TEA", 0, reported=None)
    assert (read("LONELY").status, read("LONELY").as_of) == ("unknown", None)
    assert (read().status, read().available) == ("unknown", 0)


def test_as_of_is_the_oldest_contributing_level(make_level, make_sku):
    sku = make_sku("TEA")
    old = datetime.now(UTC) - timedelta(hours=1)
    make_level(sku, 1, read_at=old)
    make_level(sku, 1)
    answer = read()
    assert answer.as_of == old
    assert answer.is_stale(datetime.now(UTC))


def test_an_unchanged_row_is_as_new_as_the_last_complete_snapshot(make_level):
    level = make_level("TEA", 1, read_at=datetime.now(UTC) - timedelta(hours=1))
    at = datetime.now(UTC)
    Feed.objects.create(supplier=level.supplier, complete_as_of=at, complete_until=at, rows=1)
    assert read().as_of == at


def test_a_row_that_the_last_snapshot_missed_is_not(make_level):
    old = datetime.now(UTC) - timedelta(hours=1)
    level = make_level("TEA", 1, read_at=old, misses=1)
    at = datetime.now(UTC)
    Feed.objects.create(supplier=level.supplier, complete_as_of=at, complete_until=at, rows=1)
    assert read().as_of == old


def test_a_number_that_expired_counts_as_zero_also_out_of_the_cache(make_level, make_supplier):
    supplier = make_supplier(stale_after_seconds=1, expire_after_seconds=3600)
    level = make_level("TEA", 10, supplier=supplier)
    assert read().available == 10
    Supplier.objects.filter(pk=supplier.pk).update(expire_after_seconds=1)
    StockLevel.objects.filter(pk=level.pk).update(read_at=datetime.now(UTC) - timedelta(seconds=2))
    assert (read().available, read().status) == (0, "unknown")


def test_a_cached_value_does_not_outlive_its_validity(make_level, make_supplier, time_machine):
    supplier = make_supplier(stale_after_seconds=1, expire_after_seconds=3600)
    level = make_level("TEA", 10, supplier=supplier)
    read()
    StockLevel.objects.filter(pk=level.pk).update(read_at=datetime.now(UTC) - timedelta(hours=2))
    assert read().available == 10  # from the cache
    time_machine.move_to(datetime.now(UTC) + timedelta(hours=1, minutes=1), tick=False)
    assert read().available == 0


def test_switches_act_on_cached_answers_without_touching_a_row(make_level):
    level = make_level("TEA", 10)
    read()
    Supplier.objects.filter(pk=level.supplier_id).update(stop_selling=True)
    assert read().available == 0
    Supplier.objects.filter(pk=level.supplier_id).update(stop_selling=False)
    assert read().available == 10
    Switchboard.objects.update_or_create(pk=1, defaults={"stop_selling": True})
    assert (read().available, read().status) == (0, "out_of_stock")


def test_every_edit_that_changes_available_makes_a_new_version(make_level, make_sku):
    level = make_level("TEA", 10)
    versions = [Sku.objects.get().version]
    for edit in (
        lambda: Sku.objects.update(safety_stock=3),
        lambda: Offer.objects.update(priority=7),
        lambda: Offer.objects.all().delete(),
        lambda: Offer.objects.create(sku=Sku.objects.get(), level=level),
    ):
        edit()
        versions.append(Sku.objects.get().version)
    assert versions == sorted(set(versions))


def test_saving_a_form_that_is_minutes_old_does_not_turn_the_version_back(make_level):
    make_level("TEA", 10)
    form = Sku.objects.get()
    Sku.objects.update(safety_stock=1)
    version = Sku.objects.get().version
    form.name = "Tea"
    form.save()
    assert Sku.objects.get().version >= version


def test_without_redis_reads_come_from_the_database(make_level, monkeypatch):
    make_level("TEA", 10)
    away = get_redis_connection("default").__class__.from_url("redis://127.0.0.1:1/0")
    monkeypatch.setattr(cache, "get_redis_connection", lambda _: away)
    assert read().available == 10
    assert availability.invalidate(["TEA"]) is False
    assert cache.away


# --- Races of the cache.  Each interleaving is written out: no threads, no luck.


def entry(version: int) -> dict[str, tuple[int, bytes]]:
    return {"TEA": (version, b"v%d" % version)}


def cached() -> bytes | None:
    return cache.get(["TEA"]).get("TEA")


def test_a_fill_without_the_lease_would_put_a_sold_number_back():
    """The control: what a plain SET after a miss does."""
    cache.publish(entry(2), cache.tombstone(["TEA"]))
    get_redis_connection("default").set("stock:{TEA}", b"1:v1")
    assert cached() == b"v1"


def test_a_stale_fill_loses_against_an_invalidation():
    leases = cache.lease(["TEA"])
    assert cache.drop(["TEA"])
    cache.fill(entry(1), leases)
    assert cached() is None


def test_a_stale_fill_loses_against_a_commit_under_way_and_against_a_finished_one():
    leases = cache.lease(["TEA"])
    token = cache.tombstone(["TEA"])
    cache.fill(entry(1), leases)
    assert cached() is None
    cache.publish(entry(2), token)
    cache.fill(entry(1), leases)
    assert cached() == b"v2"


def late_publish() -> None:
    """Two writers at once; the one that committed first publishes last."""
    first, second = cache.tombstone(["TEA"]), cache.tombstone(["TEA"])
    cache.publish(entry(2), second)
    cache.publish(entry(1), first)


def late_fill() -> None:
    """A reader that read before the COMMIT fills after it, and Redis has evicted what was published."""
    leases = cache.lease(["TEA"])
    cache.publish(entry(2), cache.tombstone(["TEA"]))
    get_redis_connection("default").delete("stock:{TEA}")
    cache.fill(entry(1), leases)


def older_fill() -> None:
    """A reader still has its lease, but a newer value is there."""
    leases = cache.lease(["TEA"])
    get_redis_connection("default").set("stock:{TEA}", b"2:v2")
    cache.fill(entry(1), leases)


@pytest.mark.parametrize(
    ("race", "script", "guard"),
    [
        (late_publish, "_PUBLISH", "tonumber(string.match(entry, '^(%d+):')) >= tonumber(ARGV[2])"),
        (late_fill, "_FILL", "redis.call('GET', KEYS[2]) ~= ARGV[1]"),
        (older_fill, "_FILL", "tonumber(string.match(entry, '^(%d+):')) > tonumber(ARGV[2])"),
    ],
    ids=["version of a publish", "lease", "version of a fill"],
)
def test_without_its_guard_an_older_number_comes_back(race, script, guard, monkeypatch):
    race()
    assert cached() != b"v1"
    cache.drop(["TEA"])
    real = getattr(cache, script)
    assert real.count(guard) == 1
    monkeypatch.setattr(cache, script, real.replace(guard, "false"))
    # Without what is compiled already.
    monkeypatch.setattr(cache, "_scripts", cache._scripts.__wrapped__)
    race()
    assert cached() == b"v1"


def test_only_one_reader_at_a_time_fills():
    first, second = cache.lease(["TEA"]), cache.lease(["TEA"])
    assert (list(first), second) == (["TEA"], {})
    cache.fill(entry(1), first)
    assert cached() == b"v1"


def test_an_older_value_never_replaces_a_newer_one():
    cache.publish(entry(5), cache.tombstone(["TEA"]))
    get_redis_connection("default").set("stock-lease:{TEA}", "mine")
    cache.fill(entry(4), {"TEA": "mine"})
    cache.publish(entry(3), "whatever")
    assert cached() == b"v5"


def test_a_writer_leaves_the_tombstone_of_the_next_writer_alone():
    first = cache.tombstone(["TEA"])
    second = cache.tombstone(["TEA"])
    cache.publish(entry(2), first)
    assert cached() is None
    cache.publish(entry(3), second)
    assert cached() == b"v3"


def test_entries_end_by_themselves(settings):
    cache.publish(entry(1), cache.tombstone(["TEA"]))
    assert 0 < get_redis_connection("default").ttl("stock:{TEA}") <= settings.STOCK_CACHE_SECONDS
    cache.tombstone(["TEA"])
    assert 0 < get_redis_connection("default").ttl("stock:{TEA}") <= settings.STOCK_TOMBSTONE_SECONDS


def test_a_page_of_all_skus_is_in_ascending_order(make_level):
    for code in ("B", "A", "C"):
        make_level(code, 1)
    assert [answer.sku for answer in availability.read_page("", 2)] == ["A", "B"]
    assert [answer.sku for answer in availability.read_page("B", 2)] == ["C"]
    assert set(positions.sharing(["A"])) == {"A"}
