"""Files that hold only what changed."""

from datetime import timedelta
from typing import Any

import pytest

from inventory import availability, snapshots
from inventory.models import Feed, Snapshot, StockLevel
from inventory.tests.snapshots.test_file import CONFIG, write

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("conserved")]


@pytest.fixture
def folder(settings, tmp_path):
    settings.SUPPLIER_FILES_ROOT = str(tmp_path)
    return tmp_path


@pytest.fixture
def supplier(make_supplier, make_sku, folder):
    make_sku("LAMP")
    make_sku("BULB")
    supplier = make_supplier(adapter="file", config={**CONFIG, "changes": {"path": "changes.csv"}})
    write(folder / "stock.csv", seconds_ago=3_600, LAMP=5, BULB=2)
    assert snapshots.run_full(supplier.pk).status == "applied"
    return supplier


def look(supplier: Any) -> Snapshot:
    """As a worker does, once it is time again."""
    Snapshot.objects.filter(kind="changes").update(started_at="2020-01-01T00:00Z")
    run = snapshots.run_changes(supplier.pk)
    assert run
    return run


def stock() -> tuple[int, int]:
    found = availability.read(["LAMP", "BULB"])
    return found["LAMP"].available, found["BULB"].available


def test_rows_that_are_there_are_read_and_others_stay(supplier, folder):
    before = Feed.objects.get()
    write(folder / "changes.csv", seconds_ago=60, LAMP=3)
    run = look(supplier)
    assert (run.status, run.seen, run.changed, stock()) == ("applied", 1, 1, (3, 2))
    lamp, bulb = (StockLevel.objects.get(external_id=code) for code in ("LAMP", "BULB"))
    assert (lamp.misses, bulb.misses) == (0, 0)
    assert lamp.read_at
    assert before.complete_as_of
    assert lamp.read_at - before.complete_as_of == pytest.approx(timedelta(minutes=59), abs=timedelta(seconds=20))
    after = Feed.objects.get()
    assert (after.complete_as_of, after.rows, after.mark) == (before.complete_as_of, 2, before.mark)


def test_the_same_file_again_does_nothing_even_if_it_was_written_anew(supplier, folder):
    write(folder / "changes.csv", seconds_ago=60, LAMP=3)
    look(supplier)
    write(folder / "changes.csv", seconds_ago=10, LAMP=3)
    run = look(supplier)
    assert (run.status, run.seen, stock()) == ("applied", 0, (3, 2))
    assert run.reason == "The file is the one that was applied before: its bytes are the same."


def test_an_older_file_changes_nothing(supplier, folder):
    write(folder / "changes.csv", seconds_ago=60, LAMP=3)
    look(supplier)
    write(folder / "changes.csv", seconds_ago=600, LAMP=9, BULB=9)
    run = look(supplier)
    assert (run.status, run.changed, stock()) == ("refused", 0, (3, 2))
    assert run.reason == "the file is older than the one that was applied before"


def test_a_file_older_than_the_whole_one_changes_nothing(supplier, folder):
    write(folder / "changes.csv", seconds_ago=7_200, LAMP=9)
    run = look(supplier)
    assert (run.changed, run.evidence, stock()) == (0, {"older": 1}, (5, 2))


def test_a_file_that_was_missed_is_made_up_for_by_the_next_whole_one(supplier, folder):
    write(folder / "changes.csv", seconds_ago=600, BULB=0)  # written over before anybody looked
    write(folder / "changes.csv", seconds_ago=300, LAMP=3)
    look(supplier)
    assert stock() == (3, 2)
    write(folder / "stock.csv", seconds_ago=200, LAMP=3, BULB=0)
    assert snapshots.run_full(supplier.pk).changed == 1
    assert stock() == (3, 0)


def test_a_whole_file_that_is_older_does_not_undo_it(supplier, folder):
    write(folder / "changes.csv", seconds_ago=60, LAMP=3)
    look(supplier)
    write(folder / "stock.csv", seconds_ago=1_800, LAMP=8, BULB=1)
    snapshots.run_full(supplier.pk)
    assert stock() == (3, 1)


def test_a_row_that_cannot_be_read_spoils_the_file(supplier, folder):
    write(folder / "changes.csv", seconds_ago=60, **{f"ROW{number}": 1 for number in range(6_000)}, LAMP=3)
    with (folder / "changes.csv").open("a") as file:
        file.write("\nBULB,many")
    run = look(supplier)
    assert (run.status, run.changed, stock()) == ("failed", 0, (5, 2))
    assert "Row 6003: A quantity is 'many'" in run.reason


def test_new_rows_wait_for_the_whole_file(supplier, folder):
    write(folder / "changes.csv", seconds_ago=60, LAMP=4, TORCH=9)
    run = look(supplier)
    assert (run.seen, run.changed, run.evidence) == (2, 1, {"unknown": 1})
    assert not StockLevel.objects.filter(external_id="TORCH").exists()


def test_it_is_looked_at_by_itself_and_not_too_often(supplier, folder):
    write(folder / "changes.csv", seconds_ago=60, LAMP=4)
    assert snapshots.changes_due() == [supplier.pk]
    assert snapshots.run_changes(supplier.pk)
    assert snapshots.changes_due() == []
    assert snapshots.run_changes(supplier.pk) is None


def test_a_file_that_is_not_there_fails_the_look_alone(supplier):
    run = look(supplier)
    assert run.status == "failed"
    assert "'changes.csv' cannot be opened" in run.reason
    assert stock() == (5, 2)
