"""Full snapshots end to end: the chaos supplier's HTTP API, the REST adapter, PostgreSQL."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from inventory import availability, settlement, snapshots
from inventory.ledger import Origin
from inventory.models import Effect, Feed, Offer, Sku, Snapshot, StockLevel, StockMovement
from inventory.snapshots import runs, staging
from inventory.tests.snapshots.catalogues import after_page, items, point_to, reported, run, tuples
from inventory.tests.test_settlement import promise
from inventory.tests.upstreams import connect
from suppliers.models import Supplier
from suppliers.simulator.running import running_chaos_supplier

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("conserved")]

Status = Snapshot.Status


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


def levels_read_one_by_one() -> int:
    """Rows of all sequential scans of the levels so far."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'inventory_stocklevel'")
        return int(cursor.fetchone()[0])


def test_a_large_catalogue_is_not_brought_in_with_plans_made_for_a_small_one(make_level):
    small = make_level("TEA", 10)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE inventory_stocklevel")
    for units in range(1, 12):  # until this connection keeps its plans
        with transaction.atomic():
            settlement.absorb([settlement.Reading(small.pk, units, runs.clock())], origin=Origin())
    with running_chaos_supplier(rows=3_000, stock=7) as chaos:
        supplier = connect(chaos, size=1_000)
        before = levels_read_one_by_one()
        assert run(supplier).changed == 3_000
    assert levels_read_one_by_one() - before < 100_000, "not three thousand rows for each of three thousand"


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
    assert refused.evidence["answer"].startswith('{"items"'), "the beginning of what upstream said is kept"
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
        with transaction.atomic():
            settlement.absorb([settlement.Reading(level.pk, 1, runs.clock())], origin=Origin())

    run(supplier, after_page(3, read_directly))  # the first page said 14, before
    level.refresh_from_db()
    assert level.reported == 1


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


# --- syncs that wait ------------------------------------------------------------------------------


def test_a_supplier_without_direct_reads_closes_its_syncs_with_a_snapshot_sent_after_them(supplier):
    config = {name: part for name, part in supplier.config.items() if name != "fetch"}
    Supplier.objects.filter(pk=supplier.pk).update(config=config)
    run(supplier)
    level = StockLevel.objects.get(external_id="r0000003")
    old, new = (Effect.objects.create(kind="sync", supplier=supplier, target=str(level.pk)) for _ in range(2))
    Effect.objects.filter(pk=old.pk).update(created_at=runs.clock() - timedelta(seconds=30))
    assert snapshots.sync_due(supplier.pk) == 0
    waiting = Effect.objects.get(pk=old.pk)
    assert "no direct reads" in waiting.error
    assert waiting.attempts == 0
    run(supplier)
    assert Effect.objects.get(pk=old.pk).done_at is not None
    assert Effect.objects.get(pk=new.pk).done_at is None
