"""Full snapshots that are interrupted, resumed, competing, and started when it is time."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import chain

import pytest
from django.db import connection

from inventory import experience, snapshots
from inventory.models import Snapshot, StockLevel
from inventory.snapshots import runs, staging
from inventory.tests.snapshots.catalogues import after_page, items, point_to, run
from inventory.tests.upstreams import connect
from suppliers.models import Supplier
from suppliers.simulator.running import running_chaos_supplier

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("conserved")]

Status = Snapshot.Status


# --- interrupted, resumed, competing --------------------------------------------------------------


@pytest.fixture
def by_fives(chaos) -> Supplier:
    """Five pages of five rows.  When one of them is stored, the next may be read already; the one after is not."""
    return connect(chaos, size=5)


def test_a_failed_snapshot_goes_on_where_it_stopped(by_fives, chaos):
    failed = run(by_fives, after_page(2, lambda: chaos.set(down={"mode": "503"})))
    assert (failed.status, StockLevel.objects.count()) == (Status.FAILED, 0)
    assert failed.pages in (2, 3)
    assert failed.reason
    chaos.set(profile="calm")
    asked = chaos.chaos()["requests"]["list"]
    resumed = run(by_fives)
    assert (resumed.pk, resumed.status, resumed.pages, resumed.seen) == (failed.pk, Status.APPLIED, 5, 25)
    assert chaos.chaos()["requests"]["list"] == asked + 5 - failed.pages
    assert StockLevel.objects.count() == 25


def test_a_resumed_snapshot_first_proves_that_its_rows_are_still_there(by_fives, chaos):
    run(by_fives, after_page(2, lambda: chaos.set(down={"mode": "503"})))
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE inventory_staging")  # what a crash of the server does to an unlogged table
    chaos.set(profile="calm")
    again = run(by_fives)
    assert (again.status, again.pages, StockLevel.objects.count()) == (Status.APPLIED, 5, 25)


def test_a_failed_snapshot_that_is_too_old_is_not_resumed(by_fives, chaos):
    failed = run(by_fives, after_page(2, lambda: chaos.set(down={"mode": "503"})))
    Snapshot.objects.update(last_requested_at=runs.clock() - timedelta(hours=2))
    chaos.set(profile="calm")
    assert run(by_fives).pk != failed.pk
    assert staging.count(failed.pk) == 0


def test_an_interrupted_snapshot_is_resumable(supplier):
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(supplier, after_page(2, interrupt))
    assert Snapshot.objects.get().status == Status.FAILED
    assert run(supplier).status == Status.APPLIED
    assert Snapshot.objects.get().evidence["resumed"] == 1


def test_two_snapshots_of_one_supplier_at_once(supplier):
    def second() -> None:
        with pytest.raises(runs.SnapshotUnavailable):
            run(supplier)

    assert run(supplier, after_page(1, second)).status == Status.APPLIED
    assert Snapshot.objects.count() == 1


def test_a_worker_that_was_frozen_past_its_lease_stops(supplier):
    def taken_over() -> None:
        Snapshot.objects.update(lease_until=runs.clock() - timedelta(seconds=1))
        assert run(supplier).status == Status.APPLIED

    with pytest.raises(runs.LeaseLost):
        run(supplier, after_page(2, taken_over))
    snapshot = Snapshot.objects.get()
    assert (snapshot.status, snapshot.seen, StockLevel.objects.count()) == (Status.APPLIED, 25, 25)


def test_a_merge_that_was_interrupted_goes_on_and_counts_a_miss_once(supplier, monkeypatch):
    run(supplier)
    monkeypatch.setattr("inventory.snapshots.merging.MISSING_AT_ONCE", 2)

    def interrupt(snapshot: Snapshot) -> None:
        if snapshot.missing == 2:
            raise KeyboardInterrupt

    with running_chaos_supplier(items=items(*range(1, 22))) as without:
        point_to(supplier, without)
        with pytest.raises(KeyboardInterrupt):
            run(supplier, interrupt)
        assert sorted(StockLevel.objects.values_list("misses", flat=True))[-4:] == [0, 0, 1, 1]
        snapshot = run(supplier)
    assert (snapshot.status, snapshot.missing) == (Status.APPLIED, 4)
    assert sorted(StockLevel.objects.values_list("misses", flat=True))[-5:] == [0, 1, 1, 1, 1]


def test_a_worker_whose_time_is_up_hands_over_after_each_page_and_chunk(supplier):
    legs = 0
    while (snapshot := snapshots.run_full(supplier.pk, seconds=0)).status == Status.RUNNING:
        legs += 1
        assert sorted(chain(*in_threads(3, snapshots.start_due))) == [supplier.pk], "announced at once, and once"
    assert (snapshot.status, snapshot.seen, snapshot.evidence["failures"]) == (Status.APPLIED, 25, 0)
    assert legs == 3, "two pages and the chunk of the merge"
    assert Snapshot.objects.count() == 1


def test_ended_runs_are_forgotten_but_for_the_last(supplier):
    for _ in range(3):
        run(supplier)
    Snapshot.objects.update(finished_at=runs.clock() - timedelta(days=8))
    assert runs.purge() == 0, "buffers are learned from them"
    Snapshot.objects.update(finished_at=runs.clock() - timedelta(days=experience.DAYS + 1))
    assert runs.purge() == 2
    assert Snapshot.objects.count() == 1
    assert snapshots.start_due() == [], "its start still counts"


# --- when it is time ------------------------------------------------------------------------------


def in_threads(count: int, work: Callable[[], list[int]]) -> list[list[int]]:
    barrier = threading.Barrier(count)

    def one() -> list[int]:
        try:
            barrier.wait(10)
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(one) for _ in range(count)]]


def past(**fields: float) -> None:
    """Let that much time go by for every snapshot."""
    shift = timedelta(**fields)
    for snapshot in Snapshot.objects.all():
        for name in ("started_at", "finished_at", "lease_until"):
            if value := getattr(snapshot, name):
                Snapshot.objects.filter(pk=snapshot.pk).update(**{name: value - shift})


def test_three_beats_start_one_snapshot(supplier):
    for _ in range(3):
        announced = in_threads(3, snapshots.start_due)
        assert sorted(chain(*announced)) == [supplier.pk]
        run(supplier)
        assert in_threads(3, snapshots.start_due) == [[], [], []]
        past(seconds=901)
    assert Snapshot.objects.count() == 3


def test_a_queued_snapshot_whose_message_was_lost_is_announced_again(supplier):
    assert snapshots.start_due() == [supplier.pk]
    assert snapshots.start_due() == []
    past(seconds=61)
    assert sorted(chain(*in_threads(3, snapshots.start_due))) == [supplier.pk]


def test_a_snapshot_whose_worker_died_is_announced_again(supplier, chaos):
    def die() -> None:
        past(seconds=121)
        assert snapshots.start_due() == [supplier.pk]
        assert run(supplier).status == Status.APPLIED

    with pytest.raises(runs.LeaseLost):
        run(supplier, after_page(1, die))


def test_failures_are_tried_again_ever_more_rarely(supplier, chaos):
    chaos.set(down={"mode": "503"})
    for wait in (15, 30, 60):
        assert snapshots.start_due() == ([supplier.pk] if wait == 15 else [])
        if wait > 15:
            past(seconds=wait / 2 + 1)
            assert snapshots.start_due() == [supplier.pk]
        assert run(supplier).status == Status.FAILED
    assert Snapshot.objects.latest("id").evidence["failures"] == 3


def test_a_supplier_that_is_switched_off_is_not_read(supplier):
    Supplier.objects.filter(pk=supplier.pk).update(enabled=False)
    assert snapshots.start_due() == []
    with pytest.raises(runs.SnapshotUnavailable):
        run(supplier)
