"""Catalogues in files: read, resumed, recognised, and never younger than they are."""

import os
from datetime import timedelta

import pytest

from inventory import availability, deadlines, snapshots
from inventory.models import Discrepancy, Effect, Feed, Snapshot, StockLevel
from inventory.snapshots import runs
from inventory.tests.promises import make_due, mark, open_effects, pass_time, place, states
from suppliers.adapters.files import adapter
from suppliers.models import Supplier

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("conserved")]
CONFIG = {
    "base_url": "folder:",
    "path": "stock.csv",
    "format": "csv",
    "map": {"uid": "Article", "sku": "Article", "available": "Stock"},
    "still_seconds": 0,
}


@pytest.fixture
def file(settings, tmp_path):
    settings.SUPPLIER_FILES_ROOT = str(tmp_path)
    return tmp_path / "stock.csv"


@pytest.fixture
def supplier(make_supplier, make_sku):
    make_sku("LAMP")
    return make_supplier(adapter="file", config=CONFIG)


def write(file, seconds_ago: float = 60, **units: int) -> None:
    lines = [f"{code},{number}" for code, number in units.items()]
    file.write_text("\n".join(["Article,Stock", *lines]))
    at = runs.clock().timestamp() - seconds_ago
    os.utime(file, (at, at))


def age_of(code: str) -> timedelta:
    own = StockLevel.objects.get(external_id=code).read_at
    whole = Feed.objects.get().complete_as_of
    assert own
    assert whole
    return runs.clock() - max(own, whole)


def sync_of(code: str, seconds_ago: float) -> Effect:
    """What an order of so long ago asked for."""
    level = StockLevel.objects.get(external_id=code)
    at = runs.clock() - timedelta(seconds=seconds_ago)
    return Effect.objects.create(kind="sync", supplier=level.supplier, target=str(level.pk), created_at=at)


def lamps() -> int:
    return availability.read(["LAMP"])["LAMP"].available


def test_a_number_is_as_old_as_its_file(supplier, file):
    write(file, seconds_ago=3_600, LAMP=5, BULB=2)
    assert snapshots.run_full(supplier.pk).status == "applied"
    assert lamps() == 5
    assert age_of("LAMP") == pytest.approx(timedelta(hours=1), abs=timedelta(seconds=20))


def test_a_file_that_did_not_change_makes_nothing_younger(supplier, file):
    """Not even if it was written again: its bytes are the same."""
    write(file, seconds_ago=3_600, LAMP=5)
    snapshots.run_full(supplier.pk)
    before = Feed.objects.get()
    write(file, seconds_ago=10, LAMP=5)
    again = snapshots.run_full(supplier.pk)
    assert (again.status, again.seen) == ("applied", 0)
    assert again.reason == "The file is the one that was applied before: its bytes are the same."
    after = Feed.objects.get()
    assert (after.complete_as_of, after.rows, after.mark) == (before.complete_as_of, 1, before.mark)
    assert age_of("LAMP") > timedelta(minutes=59)
    write(file, seconds_ago=10, LAMP=4)
    assert snapshots.run_full(supplier.pk).changed == 1
    assert (lamps(), age_of("LAMP") < timedelta(minutes=1)) == (4, True)


def test_a_file_that_was_refused_is_read_again(supplier, file):
    """Only what was applied is known: a person may have lowered the guard meanwhile."""
    write(file, **{f"A-{number}": 1 for number in range(10)})
    snapshots.run_full(supplier.pk)
    write(file, LAMP=1)
    assert [snapshots.run_full(supplier.pk).status for _ in range(2)] == ["refused", "refused"]
    Supplier.objects.update(min_row_ratio=0)
    assert snapshots.run_full(supplier.pk).status == "applied"
    assert lamps() == 1


def test_a_row_that_comes_twice_refuses_the_file(supplier, file):
    file.write_text("Article,Stock\nLAMP,1\nLAMP,2\n")
    run = snapshots.run_full(supplier.pk)
    assert (run.status, run.reason) == ("refused", "a row came twice")
    assert not StockLevel.objects.exists()


def test_a_run_that_was_stopped_goes_on_in_the_same_file(supplier, file, monkeypatch):
    monkeypatch.setattr(adapter, "PAGE_ROWS", 4)
    write(file, **{f"A-{number}": number for number in range(10)})
    stopped = snapshots.run_full(supplier.pk, seconds=0)
    assert (stopped.status, stopped.pages, stopped.seen) == ("running", 1, 4)
    done = snapshots.run_full(supplier.pk)
    assert (done.pk, done.status, done.seen, done.total) == (stopped.pk, "applied", 10, 10)
    assert done.evidence["resumed"] >= 1
    assert StockLevel.objects.count() == 10
    assert "sha256" in (Feed.objects.get().mark or {})


def test_a_run_whose_file_was_replaced_begins_anew(supplier, file, monkeypatch):
    monkeypatch.setattr(adapter, "PAGE_ROWS", 4)
    write(file, **{f"A-{number}": 1 for number in range(10)})
    snapshots.run_full(supplier.pk, seconds=0)
    write(file, **{f"A-{number}": 2 for number in range(10)})
    assert snapshots.run_full(supplier.pk).status == "refused"
    assert snapshots.run_full(supplier.pk).status == "applied"
    assert set(StockLevel.objects.values_list("reported", flat=True)) == {2}


def test_a_file_that_is_not_there_changes_nothing(supplier, file):
    write(file, LAMP=5)
    snapshots.run_full(supplier.pk)
    file.unlink()
    assert snapshots.run_full(supplier.pk).status == "failed"
    assert lamps() == 5


def test_what_was_sold_stays_subtracted(supplier, file):
    """Nobody there can be told; a later file proves nothing about our order."""
    write(file, LAMP=5)
    snapshots.run_full(supplier.pk)
    place("order-1", {"LAMP": 2})
    write(file, seconds_ago=0, LAMP=5)
    Effect.objects.filter(kind="sync").delete()
    snapshots.run_full(supplier.pk)
    write(file, seconds_ago=0, LAMP=4)
    snapshots.run_full(supplier.pk)
    assert (lamps(), states("order-1")) == (2, [("committed", 2)])
    assert Snapshot.objects.filter(status="applied").count() == 3
    assert open_effects("confirm") == 1


def test_an_unchanged_file_ends_the_wait_for_a_reading_and_settles_nothing(supplier, file):
    write(file, seconds_ago=3_600, LAMP=5)
    snapshots.run_full(supplier.pk)
    place("order-1", {"LAMP": 2})
    mark(supplier, "order-1", "ordered")
    sync = sync_of("LAMP", seconds_ago=30)
    assert snapshots.sync_due(supplier.pk) == 0, "it cannot be read directly"
    assert snapshots.run_full(supplier.pk).seen == 0
    sync.refresh_from_db()
    assert (sync.done_at is not None, sync.error, sync.reason) == (True, "", "There was nothing newer to read.")
    make_due("sync")
    assert snapshots.sync_due(supplier.pk) == 0
    assert (lamps(), states("order-1")) == (3, [("confirmed", 2)])


def test_a_sync_that_came_after_the_file_was_asked_for_waits_for_the_next(supplier, file, monkeypatch):
    """Also where a worker stopped in between: the pages that it left are older than the rest of the run."""
    monkeypatch.setattr(adapter, "PAGE_ROWS", 4)
    write(file, **{f"A-{number}": number for number in range(10)})
    stopped = snapshots.run_full(supplier.pk, seconds=0)
    began = runs.clock() - timedelta(seconds=60)
    stopped.cursor = {**(stopped.cursor or {}), "asked_since": began.isoformat()}
    stopped.save(update_fields=["cursor"])
    StockLevel.objects.create(supplier=supplier, external_id="A-1")
    before, meanwhile = sync_of("A-1", seconds_ago=80), sync_of("A-1", seconds_ago=30)
    assert snapshots.run_full(supplier.pk).pk == stopped.pk
    for sync, done in ((before, True), (meanwhile, False)):
        sync.refresh_from_db()
        assert (sync.done_at is not None, sync.reason) == (done, "")


def test_what_no_file_takes_in_becomes_a_discrepancy_and_the_next_change_settles_it(supplier, file):
    write(file, seconds_ago=3_600, LAMP=5)
    snapshots.run_full(supplier.pk)
    place("order-1", {"LAMP": 2})
    mark(supplier, "order-1", "ordered")
    pass_time("order-1", supplier.unsettled_after_seconds + 60)
    Effect.objects.filter(kind="confirm").delete()
    snapshots.run_full(supplier.pk)
    assert deadlines.review() == 1
    assert Discrepancy.objects.get(kind="unsettled", state="open").reference == "order-1"
    write(file, seconds_ago=0, LAMP=3)
    snapshots.run_full(supplier.pk)
    assert deadlines.review() == 0
    assert (lamps(), states("order-1")) == (3, [("settled", 2)])
    assert Discrepancy.objects.get(kind="unsettled").state == "resolved"
