"""Direct reads of single levels: the chaos supplier's HTTP API, the REST adapter, PostgreSQL."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db.models import F

from inventory import availability, snapshots
from inventory.models import Effect, Snapshot, StockLevel
from inventory.snapshots import runs
from inventory.tests.test_settlement import promise
from inventory.tests.upstreams import connect
from suppliers.models import Supplier
from suppliers.simulator.running import RunningChaosSupplier, running_chaos_supplier

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("conserved")]


@pytest.fixture
def chaos() -> Iterator[RunningChaosSupplier]:
    with running_chaos_supplier(rows=4, stock=7) as running:
        yield running


@pytest.fixture
def supplier(chaos, make_sku) -> Supplier:
    make_sku("SKU-000001")
    supplier = connect(chaos)
    assert snapshots.run_full(supplier.pk).status == "applied"
    return supplier


def level(number: int) -> StockLevel:
    return StockLevel.objects.get(external_id=f"r{number:07d}")


def want(supplier: Supplier, *numbers: int) -> None:
    for number in numbers:
        Effect.objects.create(kind=Effect.Kind.SYNC, supplier=supplier, target=str(level(number).pk))


def let_pass(seconds: float) -> None:
    """Let that much time go by for every effect."""
    shift = timedelta(seconds=seconds)
    Effect.objects.update(due_at=F("due_at") - shift, done_at=F("done_at") - shift)


def fetches(chaos: RunningChaosSupplier) -> int:
    return int(chaos.chaos()["requests"].get("fetch", 0))


def latest() -> Snapshot:
    return Snapshot.objects.filter(kind="incremental").latest("id")


def test_many_effects_are_one_request(supplier, chaos):
    chaos.sell("SKU-000001", 2)
    availability.read(["SKU-000001"])  # into the cache
    want(supplier, *[1] * 30, *[2] * 20)
    assert snapshots.sync_due(supplier.pk) == 50
    assert fetches(chaos) == 1
    assert (level(1).reported, level(2).reported) == (5, 7)
    snapshot = latest()
    assert (snapshot.status, snapshot.total, snapshot.seen, snapshot.changed) == ("applied", 2, 2, 1)
    assert level(2).read_at == snapshot.first_requested_at, "unchanged, but younger now"
    assert availability.read(["SKU-000001"])["SKU-000001"].available == 5
    assert not Effect.objects.filter(done_at=None).exists()


def test_a_level_is_read_at_most_once_in_a_window_at_once_when_it_is_quiet(supplier, chaos, settings):
    reads = []
    for _ in range(10):  # ten seconds, an order each
        want(supplier, 1)
        snapshots.sync_due(supplier.pk)
        reads.append(fetches(chaos))
        let_pass(1)
    assert reads[0] == 1, "the leading edge waits for nothing"
    assert reads[-1] <= 10 / settings.SYNC_COALESCE_SECONDS
    let_pass(settings.SYNC_COALESCE_SECONDS)
    snapshots.sync_due(supplier.pk)
    assert not Effect.objects.filter(done_at=None).exists(), "the last order was read after all"


def test_a_level_that_waits_does_not_hold_up_another(supplier, chaos):
    want(supplier, 1)
    snapshots.sync_due(supplier.pk)
    want(supplier, 1, 2)
    assert snapshots.sync_due(supplier.pk) == 1
    waits = Effect.objects.filter(done_at=None).get()
    assert waits.target == str(level(1).pk)
    assert waits.attempts == 0, "to wait is no failure: it must not make the pause after a real one longer"


def test_nothing_to_do_asks_nothing(supplier, chaos):
    assert snapshots.sync_due(supplier.pk) == 0
    assert fetches(chaos) == 0
    assert not Snapshot.objects.filter(kind="incremental").exists()


def test_a_row_that_upstream_does_not_know_counts_as_zero_at_once(supplier):
    with running_chaos_supplier(rows=1, stock=7) as smaller:
        Supplier.objects.filter(pk=supplier.pk).update(config={**supplier.config, "base_url": smaller.url})
        want(supplier, 1, 2)
        assert snapshots.sync_due(supplier.pk) == 2
    gone = level(2)
    assert (gone.reported, gone.sellable, gone.misses) == (0, 0, 1)
    assert (level(1).reported, latest().missing) == (7, 1)


def test_rows_left_unanswered_are_asked_for_again_later(supplier):
    fetch = {name: part for name, part in supplier.config["fetch"].items() if name != "absent"}
    with running_chaos_supplier(rows=1, stock=7) as smaller:
        config = {**supplier.config, "base_url": smaller.url, "fetch": fetch}
        Supplier.objects.filter(pk=supplier.pk).update(config=config)
        want(supplier, 1, 2)
        assert snapshots.sync_due(supplier.pk) == 1
    waiting = Effect.objects.get(done_at=None)
    assert (waiting.target, waiting.leased_until, waiting.attempts) == (str(level(2).pk), None, 1)
    assert "did not answer" in waiting.error
    assert timedelta(0) < waiting.due_at - runs.clock() < timedelta(seconds=3)
    assert level(2).reported == 7


def test_a_failure_is_kept_with_its_reason_and_tried_ever_more_rarely(supplier, chaos):
    chaos.set(down={"mode": "503"})
    want(supplier, 1)
    waits = []
    for _ in range(3):
        assert snapshots.sync_due(supplier.pk) == 0
        effect = Effect.objects.get()
        waits.append(round((effect.due_at - runs.clock()).total_seconds()))
        let_pass(waits[-1] + 1)
    assert waits == [2, 4, 8]
    assert "503" in effect.error
    assert (latest().status, latest().reason) == ("failed", effect.error)
    chaos.set(profile="calm")
    assert snapshots.sync_due(supplier.pk) == 1


def test_a_supplier_that_asks_for_rest_gets_it(supplier, chaos):
    chaos.set(throttle={"p": 1, "retry_after": 40})
    want(supplier, 1)
    assert snapshots.sync_due(supplier.pk) == 0
    wait = Effect.objects.get().due_at - runs.clock()
    assert timedelta(seconds=35) < wait < timedelta(seconds=45)


def test_a_read_asked_for_before_an_order_was_confirmed_does_not_settle_it(supplier, chaos):
    Supplier.objects.update(settlement_lag_seconds=0)
    allocation = promise(level(1), 3, "confirmed", confirmed_at=runs.clock() + timedelta(seconds=30))
    want(supplier, 1)
    assert snapshots.sync_due(supplier.pk) == 1
    assert (level(1).allocated, level(1).reported) == (3, 7)
    type(allocation).objects.update(confirmed_at=runs.clock())
    chaos.sell("SKU-000001", 3)
    let_pass(6)
    want(supplier, 1)
    assert snapshots.sync_due(supplier.pk) == 1
    assert (level(1).allocated, level(1).reported) == (0, 4)


def test_an_answer_that_the_last_snapshot_may_have_outdated_is_asked_for_again(supplier, chaos):
    """The row inherits its age from a snapshot that read it some time up to its last request."""
    feed = supplier.feed
    feed.complete_as_of, feed.complete_until = runs.clock(), runs.clock() + timedelta(hours=1)
    feed.save()
    chaos.restock("SKU-000001", 5)
    want(supplier, 1)
    assert snapshots.sync_due(supplier.pk) == 0
    assert level(1).reported == 7
    assert "newer" in Effect.objects.get(done_at=None).error
    chaos.sell("SKU-000001", 10)
    let_pass(5)
    assert snapshots.sync_due(supplier.pk) == 1, "lower is believed"
    assert level(1).reported == 2


def test_an_effect_of_no_level_of_this_supplier_is_closed(supplier, make_level):
    other = make_level("OTHER")
    for target in (str(other.pk), "987654321", "nonsense"):
        Effect.objects.create(kind="sync", supplier=supplier, target=target)
    assert snapshots.sync_due(supplier.pk) == 3


def test_a_supplier_that_is_switched_off_is_not_read(supplier, chaos):
    Supplier.objects.update(enabled=False)
    want(supplier, 1)
    assert snapshots.sync_due(supplier.pk) == 0
    assert fetches(chaos) == 0
    assert "switched off" in Effect.objects.get(done_at=None).error
