"""What pushes do to stock: nothing that a reading would not do, in whatever order they come."""

import itertools
import random
from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now

from inventory import availability, lanes, snapshots
from inventory.models import Allocation, Discrepancy, Effect, Push, Snapshot, StockLevel, StockMovement
from inventory.snapshots import runs
from inventory.tests.promises import place
from inventory.tests.pushing import SECRET, post, push, pushing, signed
from inventory.tests.upstreams import connect
from suppliers import clocks
from suppliers.credentials import seal, unseal
from suppliers.models import Supplier
from suppliers.simulator.running import running_chaos_supplier

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("conserved")]
numbers = itertools.count(1)
LAG = 60


@pytest.fixture
def supplier(make_supplier):
    return make_supplier(f"pushing-{next(numbers)}", settlement_lag_seconds=LAG, **pushing())


@pytest.fixture
def level(supplier, make_level):
    """10 lamps, read five minutes ago."""
    lamps = make_level("LAMP", 10, supplier=supplier, external_id="r1")
    StockLevel.objects.update(read_at=Now() - timedelta(seconds=300))
    return lamps


def ago(seconds: float) -> float:
    """Unix time, by the database's clock."""
    return runs.clock().timestamp() - seconds


def said(units: object, seconds_ago: float, **more: object) -> dict[str, object]:
    """An event about the lamps."""
    return {"id": "r1", "location": "", "available": units, "at": ago(seconds_ago), **more}


def take_in(supplier: Supplier, *events: dict[str, object]) -> Push:
    """Push these events and take them in."""
    assert push(supplier, f"e-{next(numbers)}", *events).status_code == 202
    snapshots.take_in_due(supplier.pk)
    return Push.objects.latest("id")


def lamps() -> int:
    return availability.read(["LAMP"])["LAMP"].available


def reads() -> list[str]:
    return list(Effect.objects.filter(kind="sync", done_at=None).values_list("target", flat=True))


def confirm_order(units: int, seconds_ago: float) -> None:
    place("order-1", {"LAMP": units})
    Effect.objects.all().delete()
    confirmed_at = Now() - timedelta(seconds=seconds_ago)
    Allocation.objects.update(state="confirmed", confirmed_at=confirmed_at)


def test_a_number_is_taken_in_as_of_its_own_time(supplier, level):
    assert lamps() == 10  # into the cache
    taken = take_in(supplier, said(4, 30))
    assert (taken.verdict, taken.events, taken.taken, taken.reads) == ("applied", 1, 1, 0)
    level.refresh_from_db()
    assert level.reported == 4
    assert runs.clock() - level.read_at == pytest.approx(timedelta(seconds=30), abs=timedelta(seconds=5))
    assert lamps() == 4
    run = Snapshot.objects.get(kind="push")
    assert (run.status, run.seen, run.changed, run.evidence) == ("applied", 1, 1, {"pushes": [taken.pk]})
    assert StockMovement.objects.latest("id").request_id == f"snapshot-{run.pk}"
    assert not Effect.objects.filter(done_at=None).exists()


def test_the_time_of_receipt_settles_nothing(supplier, level):
    """The order was confirmed after the number that comes late; by its receipt it would seem to include the order."""
    confirm_order(3, seconds_ago=LAG + 20)
    take_in(supplier, said(10, LAG + 30))
    level.refresh_from_db()
    assert (level.reported, level.allocated, lamps()) == (10, 3, 7)
    take_in(supplier, said(7, 5))
    level.refresh_from_db()
    assert (level.reported, level.allocated, lamps()) == (7, 0, 7)


def test_a_fast_clock_that_is_known_settles_nothing(supplier, level):
    """Its "just now" is 900 s ahead, as its answers told: the number is that old."""
    supplier.config["push"].pop("clock_ahead_seconds")
    supplier.save()
    clocks.learn(supplier.slug, {"Date": "Tue, 14 Nov 2023 22:28:20 GMT"}, 1_700_000_000)
    assert clocks.ahead_of_ours(supplier.slug) == pytest.approx(901)
    confirm_order(3, seconds_ago=LAG + 20)
    take_in(supplier, said(10, LAG + 30 - 901))
    level.refresh_from_db()
    assert (level.reported, level.allocated, lamps()) == (10, 3, 7)


@pytest.mark.parametrize("declared", [0, None])
def test_a_clock_that_cannot_be_right_only_asks_for_a_read(supplier, level, declared):
    """A time in the future, or a clock that nobody knows."""
    if declared is None:
        supplier.config["push"].pop("clock_ahead_seconds")
        supplier.save()
    taken = take_in(supplier, said(4, -30 if declared == 0 else 30))
    assert (taken.verdict, taken.taken, taken.reads) == ("read", 0, 1)
    assert (lamps(), reads()) == (10, [str(level.pk)])


@pytest.mark.parametrize("event", [{"available": None}, {"available": "many"}, {"at": None}, {"at": "soon"}])
def test_a_delta_or_nothing_only_asks_for_a_read(supplier, level, event):
    taken = take_in(supplier, {**said(4, 30), **event})
    assert (taken.verdict, taken.taken, taken.reads) == ("read", 0, 1)
    assert (lamps(), reads()) == (10, [str(level.pk)])


def test_whatever_the_order_the_newest_number_stands(supplier, level):
    """Numbers of one row, each once more, shuffled: one by one and all at once."""
    history = [(said(units, 250 - 5 * units), units) for units in range(24, 38)]
    for seed in range(3):
        events = [event for event, _ in history] * 2
        random.Random(seed).shuffle(events)
        StockLevel.objects.update(read_at=Now() - timedelta(seconds=300))
        Supplier.objects.update(jump_ratio=None)
        for event in events:
            assert push(supplier, f"e-{next(numbers)}", event).status_code == 202
            if seed:
                snapshots.take_in_due(supplier.pk)
        snapshots.take_in_due(supplier.pk)
        level.refresh_from_db()
        assert level.reported == 37, seed


def test_two_numbers_of_one_instant_are_read_again(supplier, level):
    at = ago(30)
    first, second = {**said(4, 0), "at": at}, {**said(6, 0), "at": at}
    taken = take_in(supplier, first, second)
    assert taken.reads == 1
    level.refresh_from_db()
    assert level.reported == 4  # the lower one, until the read
    later = take_in(supplier, second)
    assert (later.verdict, lamps()) == ("read", 4)
    assert take_in(supplier, first).verdict == "applied"  # no news


def test_an_outdated_number_changes_nothing(supplier, level):
    taken = take_in(supplier, said(99, 3_600))
    assert (taken.verdict, taken.taken) == ("outdated", 0)
    assert (lamps(), reads()) == (10, [])


def test_a_number_that_just_seems_older_is_read(supplier, level):
    """The level was read a moment ago; within what is known of clocks the push may be the newer of the two."""
    StockLevel.objects.update(read_at=Now() - timedelta(seconds=1))
    taken = take_in(supplier, said(4, 2))
    assert (taken.verdict, taken.taken, reads()) == ("read", 0, [str(level.pk)])
    assert lamps() == 10


def test_a_jump_waits_in_quarantine(supplier, level):
    take_in(supplier, said(1_000, 30))
    level.refresh_from_db()
    assert (level.reported, level.quarantined_reported, lamps()) == (10, 1_000, 10)
    assert Discrepancy.objects.get().kind == "quarantine"


def test_a_row_that_is_not_ours_is_left_to_the_snapshot(supplier, level):
    taken = take_in(supplier, {**said(4, 30), "id": "r2"}, {**said(4, 30), "location": "elsewhere"})
    assert (taken.verdict, taken.taken, taken.reads) == ("ignored", 0, 0)
    assert taken.reason == "2 of its events name nothing that we have of this supplier"


def test_a_row_of_another_supplier_is_not_touched(supplier, level, make_level, make_supplier):
    foreign = make_level("BULB", 5, supplier=make_supplier(), external_id="r9")
    assert take_in(supplier, {**said(4, 30), "id": "r9"}).verdict == "ignored"
    foreign.refresh_from_db()
    assert foreign.reported == 5


def test_a_code_on_several_rows_is_read(supplier, level, make_level):
    supplier.config["push"]["map"] = {"sku": "sku", "available": "available", "updated_at": "at"}
    supplier.save()
    other = make_level(None, 5, supplier=supplier, code="LAMP")
    taken = take_in(supplier, {"sku": "LAMP", "available": 3, "at": "2026-01-01T00:00:00Z"})
    assert (taken.verdict, sorted(reads())) == ("read", sorted([str(level.pk), str(other.pk)]))


def test_what_is_malformed_says_so(supplier, level):
    for body in (b"id=r1&available=4", b'{"data": [', b"\xff"):
        post(supplier.slug, body, signed(body, f"e-{next(numbers)}"))
        snapshots.take_in_due(supplier.pk)
        pushed = Push.objects.latest("id")
        assert (pushed.verdict, pushed.reason) == ("malformed", "The push is not JSON.")
    assert lamps() == 10


def test_a_supplier_that_is_switched_off_changes_nothing(supplier, level):
    Supplier.objects.update(enabled=False)
    taken = take_in(supplier, said(4, 30))
    assert (taken.verdict, taken.reason) == ("ignored", "the supplier is switched off")
    level.refresh_from_db()
    assert level.reported == 10


def test_a_worker_that_dies_after_the_numbers_does_no_harm(supplier, level, monkeypatch):
    """The effect is still open: the next worker takes the same push in again."""
    push(supplier, "e-crash", said(4, 30))

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("inventory.snapshots.pushed._judge", die)
        with pytest.raises(KeyboardInterrupt):
            snapshots.take_in_due(supplier.pk)
    Effect.objects.update(leased_until=F("leased_until") - timedelta(hours=1))
    movements = StockMovement.objects.count()
    lanes.drain("push", supplier.pk)
    assert Push.objects.get().verdict == "applied"
    assert (StockMovement.objects.count(), lamps()) == (movements, 4)


def test_a_thousand_deltas_are_one_read_a_batch(supplier, level):
    Effect.objects.all().delete()
    for number in range(250):
        push(supplier, f"storm-{number}", said(None, 0))
    while snapshots.take_in_due(supplier.pk):
        pass
    assert len(reads()) == 2
    assert not Effect.objects.filter(kind="push", done_at=None).exists()


def test_lost_pushes_are_healed_by_the_next_snapshot(make_sku):
    make_sku("SKU-000001")
    with running_chaos_supplier(rows=2, stock=7) as chaos:
        supplier = connect(chaos)
        supplier.config["push"] = pushing()["config"]["push"]
        supplier.credentials = seal({**unseal(supplier.credentials), "push": SECRET})
        supplier.save()
        snapshots.run_full(supplier.pk)
        chaos.sell("SKU-000001", 2)  # its push is lost
        assert availability.read(["SKU-000001"])["SKU-000001"].available == 7
        snapshots.run_full(supplier.pk)
        assert availability.read(["SKU-000001"])["SKU-000001"].available == 5


def test_old_pushes_go(supplier, level):
    take_in(supplier, said(4, 30))
    Push.objects.update(received_at=Now() - timedelta(days=8))
    kept = take_in(supplier, said(3, 20))
    assert snapshots.purge_pushes() == 1
    assert Push.objects.get() == kept
