"""Full snapshots end to end: the chaos supplier's HTTP API, the REST adapter, PostgreSQL."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import chain

import pytest
from cryptography.fernet import Fernet
from django.db import connection, transaction

from inventory import availability, settlement, snapshots
from inventory.ledger import Origin
from inventory.models import Discrepancy, Effect, Feed, Offer, Sku, Snapshot, StockLevel, StockMovement
from inventory.snapshots import mapping, runs, staging
from inventory.tests.ledgers import differences
from inventory.tests.test_settlement import promise
from inventory.tests.upstreams import connect
from suppliers.models import Supplier
from suppliers.simulator.ledger import Item
from suppliers.simulator.running import RunningChaosSupplier, running_chaos_supplier

pytestmark = pytest.mark.django_db(transaction=True)

Status = Snapshot.Status
Watch = Callable[[Snapshot], None]


@pytest.fixture(autouse=True)
def reachable(settings):
    settings.SUPPLIER_PRIVATE_NETWORKS = True
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]


@pytest.fixture(autouse=True)
def conserved(transactional_db) -> Iterator[None]:
    yield
    assert differences() == []


@pytest.fixture
def chaos() -> Iterator[RunningChaosSupplier]:
    with running_chaos_supplier(rows=25, stock=7) as running:
        yield running


@pytest.fixture
def supplier(chaos) -> Supplier:
    return connect(chaos)


def items(*numbers: int, code: str = "SKU-{:06d}") -> list[Item]:
    return [Item(f"r{number:07d}", code.format(number), "main", 7) for number in numbers]


def point_to(supplier: Supplier, chaos: RunningChaosSupplier) -> None:
    Supplier.objects.filter(pk=supplier.pk).update(config={**supplier.config, "base_url": chaos.url})


def run(supplier: Supplier, watch: Watch | None = None) -> Snapshot:
    return snapshots.run_full(supplier.pk, watch=watch)


def reported(supplier: Supplier) -> dict[str, int | None]:
    return dict(StockLevel.objects.filter(supplier=supplier).values_list("external_id", "reported"))


def tuples(supplier: Supplier) -> list[tuple[int, str]]:
    """Where each row lies: an update, even to the same values, moves it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, ctid::text FROM inventory_stocklevel WHERE supplier_id = %s", [supplier.pk])
        return sorted(cursor.fetchall())


def after_page(number: int, act: Callable[[], object]) -> Watch:
    """Act once, when that page is stored."""
    done: list[int] = []

    def watch(snapshot: Snapshot) -> None:
        if snapshot.pages == number and not done:
            done.append(number)
            act()

    return watch


# --- a whole snapshot -----------------------------------------------------------------------------


def test_a_catalogue_becomes_levels(supplier, chaos, make_sku):
    sku = make_sku("SKU-000003")
    snapshot = snapshots.run_full(supplier.pk, actor="somebody")
    assert (snapshot.status, snapshot.reason) == (Status.APPLIED, "")
    assert (snapshot.pages, snapshot.seen, snapshot.total, snapshot.changed) == (3, 25, 25, 25)
    assert set(reported(supplier).values()) == {7}
    assert (Offer.objects.get().sku, Offer.objects.get().level.external_id) == (sku, "r0000003")
    feed = Feed.objects.get(supplier=supplier)
    assert (feed.complete_as_of, feed.complete_until) == (snapshot.first_requested_at, snapshot.last_requested_at)
    assert feed.rows == 25
    opening = StockMovement.objects.filter(level__supplier=supplier)[0]
    assert (opening.version, opening.sellable_after, opening.actor) == (1, 7, "somebody")
    assert staging.count(snapshot.pk) == 0
    assert availability.read(["SKU-000003"])["SKU-000003"].available == 7


def test_an_unchanged_catalogue_writes_no_level_and_makes_every_row_younger(supplier, make_sku):
    make_sku("SKU-000003")
    run(supplier)
    before, movements = tuples(supplier), StockMovement.objects.count()
    second = run(supplier)
    assert (second.status, second.changed) == (Status.APPLIED, 0)
    assert (tuples(supplier), StockMovement.objects.count()) == (before, movements)
    assert availability.read(["SKU-000003"])["SKU-000003"].as_of == second.first_requested_at


def test_only_what_differs_is_written(supplier, chaos, make_sku):
    make_sku("SKU-000003")
    run(supplier)
    before = dict(tuples(supplier))
    availability.read(["SKU-000003"])  # into the cache
    chaos.sell("SKU-000003", 2)
    second = run(supplier)
    level = StockLevel.objects.get(external_id="r0000003")
    assert (second.changed, level.reported, level.version) == (1, 5, 2)
    assert [pk for pk, place in tuples(supplier) if before[pk] != place] == [level.pk]
    assert availability.read(["SKU-000003"])["SKU-000003"].available == 5


def test_not_counted_is_not_zero(supplier):
    config = {**supplier.config, "list": {**supplier.config["list"]}}
    config["list"]["map"] = {**config["list"]["map"], "unknown_when": "sku == 'SKU-000002'"}
    Supplier.objects.filter(pk=supplier.pk).update(config=config)
    snapshot = run(supplier)
    level = StockLevel.objects.get(external_id="r0000002")
    assert (level.reported, level.sellable) == (None, 0)
    assert (snapshot.seen, snapshot.rejected) == (25, 1)
    before = tuples(supplier)
    run(supplier)
    assert tuples(supplier) == before


def test_the_buffer_is_held_back_of_new_rows(chaos):
    supplier = connect(chaos, buffer=5)
    run(supplier)
    assert set(StockLevel.objects.values_list("reported", "sellable")) == {(7, 2)}


# --- refused --------------------------------------------------------------------------------------


def test_a_row_that_comes_twice_is_refused_and_changes_nothing(supplier, chaos):
    run(supplier)
    before, feed = tuples(supplier), Feed.objects.values().get()
    chaos.set(inflation={"k": 3}, unstable_paging={"dup_p": 0.2, "drop_p": 0.0})
    refused = run(supplier)
    assert (refused.status, refused.reason) == (Status.REFUSED, "a row came twice")
    assert "r00000" in refused.evidence["detail"]
    assert (tuples(supplier), Feed.objects.values().get()) == (before, feed)
    assert staging.count(refused.pk) == 0
    chaos.set(profile="calm")
    assert run(supplier).status == Status.APPLIED


def test_a_short_listing_changes_nothing_and_is_begun_anew(supplier, chaos):
    run(supplier)
    before, feed = tuples(supplier), Feed.objects.values().get()
    chaos.set(inflation={"k": 3}, unstable_paging={"dup_p": 0.0, "drop_p": 0.2})
    endings = [run(supplier).status, run(supplier).status]
    assert endings == [Status.FAILED, Status.REFUSED]
    assert (tuples(supplier), Feed.objects.values().get()) == (before, feed)
    chaos.set(profile="calm")
    assert run(supplier).status == Status.APPLIED


@pytest.mark.parametrize("fault", ["empty_blip", "html_200", "error_in_200", "truncated"])
def test_a_broken_answer_changes_nothing(supplier, chaos, fault):
    run(supplier)
    before, feed = tuples(supplier), Feed.objects.values().get()
    chaos.set(inflation={"k": 3}, **{fault: True})
    broken = run(supplier)
    assert broken.status in {Status.REFUSED, Status.FAILED}
    assert broken.reason
    assert (tuples(supplier), Feed.objects.values().get()) == (before, feed)


def test_a_collapsed_catalogue_is_refused(supplier):
    run(supplier)
    before = tuples(supplier)
    with running_chaos_supplier(items=items(*range(1, 20))) as smaller:  # 19 of 25 are less than 80 %
        point_to(supplier, smaller)
        refused = run(supplier)
        assert (refused.status, refused.evidence["rows"]) == (Status.REFUSED, 19)
        assert tuples(supplier) == before
        Supplier.objects.filter(pk=supplier.pk).update(min_row_ratio="0.700")
        assert run(supplier).status == Status.APPLIED


# --- missing rows ---------------------------------------------------------------------------------


def test_a_missing_row_keeps_its_number_and_its_age_until_it_was_missing_often_enough(supplier, make_sku):
    sku = make_sku("SKU-000025")
    run(supplier)
    last = run(supplier)
    with running_chaos_supplier(items=items(*range(1, 25))) as without:
        point_to(supplier, without)
        run(supplier)
        level = StockLevel.objects.get(external_id="r0000025")
        assert (level.misses, level.reported, level.read_at) == (1, 7, last.first_requested_at)
        assert run(supplier).missing == 1
        version = Sku.objects.get(pk=sku.pk).version
        run(supplier)
        level.refresh_from_db()
        assert (level.misses, level.reported, level.sellable) == (3, 0, 0)
        assert Sku.objects.get(pk=sku.pk).version == version + 1
        before = tuples(supplier)
        run(supplier)
        assert tuples(supplier) == before, "what is long gone is left alone"


def test_a_row_that_comes_back_is_believed_again(supplier, chaos):
    run(supplier)
    with running_chaos_supplier(items=items(*range(1, 25))) as without:
        point_to(supplier, without)
        run(supplier)
    point_to(supplier, chaos)
    run(supplier)
    level = StockLevel.objects.get(external_id="r0000025")
    assert (level.misses, level.reported) == (0, 7)


# --- together with orders -------------------------------------------------------------------------


def test_a_snapshot_asked_for_before_an_order_and_applied_after_it_does_not_resurrect_it(supplier, chaos, make_sku):
    make_sku("SKU-000003")
    run(supplier)
    level = StockLevel.objects.get(external_id="r0000003")

    def order() -> None:
        chaos.sell("SKU-000003", 3)
        promise(level, 3, "confirmed", confirmed_at=runs.clock())

    Supplier.objects.filter(pk=supplier.pk).update(settlement_lag_seconds=0)
    run(supplier, after_page(3, order))  # every page says 7, and the order is confirmed before the merge
    level.refresh_from_db()
    assert (level.reported, level.allocated) == (7, 3)
    assert availability.read(["SKU-000003"])["SKU-000003"].available == 4
    run(supplier)  # asked for after it
    level.refresh_from_db()
    assert (level.reported, level.allocated, level.sellable) == (4, 0, 4)
    assert availability.read(["SKU-000003"])["SKU-000003"].available == 4


def test_a_number_read_directly_while_the_snapshot_ran_is_not_overwritten(supplier, chaos, make_sku):
    make_sku("SKU-000003")
    run(supplier)
    level = StockLevel.objects.get(external_id="r0000003")
    chaos.set(inflation={"k": 2})

    def read_directly() -> None:
        settlement_reading(level, 1)

    run(supplier, after_page(3, read_directly))  # the first page said 14, before
    level.refresh_from_db()
    assert level.reported == 1


def settlement_reading(level: StockLevel, number: int) -> None:

    with transaction.atomic():
        settlement.absorb([settlement.Reading(level.pk, number, runs.clock())], origin=Origin())


def test_a_row_that_an_order_holds_is_merged_once_it_lets_go(supplier, chaos, make_sku):
    make_sku("SKU-000003")
    run(supplier)
    chaos.set(inflation={"k": 2})
    held, merging = threading.Event(), threading.Event()

    def hold() -> None:

        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM inventory_sku WHERE code = 'SKU-000003' FOR NO KEY UPDATE")
            held.set()
            merging.wait(10)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    timer = threading.Timer(0.5, merging.set)
    timer.start()
    snapshot = run(supplier)
    holder.join()
    timer.join()
    assert (snapshot.status, snapshot.changed) == (Status.APPLIED, 25)
    assert set(reported(supplier).values()) == {14}


# --- interrupted, resumed, competing --------------------------------------------------------------


def test_a_failed_snapshot_goes_on_where_it_stopped(supplier, chaos):
    failed = run(supplier, after_page(2, lambda: chaos.set(down={"mode": "503"})))
    assert (failed.status, failed.pages, StockLevel.objects.count()) == (Status.FAILED, 2, 0)
    assert failed.reason
    chaos.set(profile="calm")
    asked = chaos.chaos()["requests"]["list"]
    resumed = run(supplier)
    assert (resumed.pk, resumed.status, resumed.pages, resumed.seen) == (failed.pk, Status.APPLIED, 3, 25)
    assert chaos.chaos()["requests"]["list"] == asked + 1
    assert StockLevel.objects.count() == 25


def test_a_resumed_snapshot_first_proves_that_its_rows_are_still_there(supplier, chaos):
    run(supplier, after_page(2, lambda: chaos.set(down={"mode": "503"})))
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE inventory_staging")  # what a crash of the server does to an unlogged table
    chaos.set(profile="calm")
    again = run(supplier)
    assert (again.status, again.pages, StockLevel.objects.count()) == (Status.APPLIED, 3, 25)


def test_a_failed_snapshot_that_is_too_old_is_not_resumed(supplier, chaos):
    failed = run(supplier, after_page(2, lambda: chaos.set(down={"mode": "503"})))
    Snapshot.objects.update(last_requested_at=runs.clock() - timedelta(hours=2))
    chaos.set(profile="calm")
    assert run(supplier).pk != failed.pk
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


# --- offers ---------------------------------------------------------------------------------------


def test_a_code_on_two_rows_is_offered_from_neither(make_sku):
    make_sku("SAME")
    with running_chaos_supplier(items=[*items(1, 2, code="SAME"), *items(3)]) as chaos:
        supplier = connect(chaos)
        run(supplier)
        run(supplier)
    assert Offer.objects.count() == 0
    collision = Discrepancy.objects.get(kind="collision")
    assert (collision.reference, collision.evidence["uids"]) == ("SAME", ["r0000001", "r0000002"])
    assert (collision.state, collision.times) == ("open", 2)


def test_a_collision_ends_when_a_person_has_mapped_every_row(make_sku):
    sku = make_sku("SAME")
    with running_chaos_supplier(items=items(1, 2, code="SAME")) as chaos:
        supplier = connect(chaos)
        run(supplier)
        for level in StockLevel.objects.all():
            Offer.objects.create(sku=sku, level=level)
        run(supplier)
    assert Discrepancy.objects.get(kind="collision").state == "resolved"


def test_a_collision_that_a_person_resolved_is_reported_again_only_with_other_rows(make_sku):
    make_sku("SAME")
    with running_chaos_supplier(items=items(1, 2, code="SAME")) as chaos:
        supplier = connect(chaos)
        run(supplier)
        Discrepancy.objects.update(state="resolved", resolution="the second one is a sample")
        run(supplier)
    assert not Discrepancy.objects.filter(state="open").exists()
    with running_chaos_supplier(items=items(1, 2, 3, code="SAME")) as chaos:
        point_to(supplier, chaos)
        run(supplier)
    assert Discrepancy.objects.get(state="open").evidence["rows"] == 3


def test_one_row_in_several_places_is_offered_from_all_of_them(supplier, make_sku, make_level):
    make_sku("SAME")
    for place in ("east", "west"):
        make_level(None, supplier=supplier, external_id="r1", code="SAME", location=place)
    assert mapping.offer_unambiguous(supplier) == 2
    assert sorted(Offer.objects.values_list("level__location", flat=True)) == ["east", "west"]


def test_an_offer_that_a_person_took_away_stays_away(supplier, make_sku):
    make_sku("SKU-000003")
    run(supplier)
    Offer.objects.get().delete()
    run(supplier)
    assert Offer.objects.count() == 0


def test_a_sku_made_later_is_offered_by_the_next_snapshot(supplier, make_sku):
    run(supplier)
    make_sku("SKU-000003")
    run(supplier)
    assert Offer.objects.get().level.external_id == "r0000003"


def test_nothing_is_offered_unless_the_supplier_allows_it(chaos, make_sku):
    make_sku("SKU-000003")
    run(connect(chaos, auto_offer=False))
    assert Offer.objects.count() == 0


# --- syncs that wait ------------------------------------------------------------------------------


def test_a_supplier_without_direct_reads_closes_its_syncs_with_a_snapshot_sent_after_them(supplier):
    config = {name: part for name, part in supplier.config.items() if name != "fetch"}
    Supplier.objects.filter(pk=supplier.pk).update(config=config)
    run(supplier)
    level = StockLevel.objects.get(external_id="r0000003")
    old, new = (Effect.objects.create(kind="sync", supplier=supplier, target=str(level.pk)) for _ in range(2))
    Effect.objects.filter(pk=old.pk).update(created_at=runs.clock() - timedelta(seconds=30))
    assert snapshots.sync_due(supplier.pk) == 0
    assert "no direct reads" in Effect.objects.get(pk=old.pk).error
    run(supplier)
    assert Effect.objects.get(pk=old.pk).done_at is not None
    assert Effect.objects.get(pk=new.pk).done_at is None
