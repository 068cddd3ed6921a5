from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction

from inventory import ledger, positions, settlement, sql
from inventory.ledger import Origin
from inventory.models import Allocation, Discrepancy, Feed, Sku, StockLevel, StockMovement
from inventory.settlement import Reading
from inventory.tests.ledgers import differences

pytestmark = pytest.mark.django_db
ORIGIN = Origin(actor="test")


@pytest.fixture(autouse=True)
def conserved(db: None) -> Iterator[None]:
    yield
    assert differences() == []


def database_time() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now


def promise(
    level: StockLevel, quantity: int, state: str = "committed", reference: str = "order-1", **fields: Any
) -> Allocation:
    """An open allocation with the movement that took it."""
    level.refresh_from_db()
    sku = level.offers.get().sku
    with transaction.atomic():
        ledger.append(
            [
                ledger.Movement(
                    level.pk,
                    level.version + 1,
                    "allocate",
                    reference,
                    (level.sellable, level.sellable),
                    (level.allocated, level.allocated + quantity),
                    level.reported,
                )
            ],
            ORIGIN,
        )
        StockLevel.objects.filter(pk=level.pk).update(allocated=level.allocated + quantity, version=level.version + 1)
    return Allocation.objects.create(
        level=level, sku=sku, reference=reference, quantity=quantity, state=state, **fields
    )


def confirmed(level: StockLevel, quantity: int, seconds_ago: float, reference: str = "order-1") -> Allocation:
    at = database_time() - timedelta(seconds=seconds_ago)
    return promise(level, quantity, "confirmed", reference, confirmed_at=at)


def read(level: StockLevel, reported: int | None, seconds_ago: float = 0) -> settlement.Absorbed:
    at = database_time() - timedelta(seconds=seconds_ago)
    with transaction.atomic():
        return settlement.absorb([Reading(level.pk, reported, at)], origin=ORIGIN)


def available(level: StockLevel) -> int:
    code = level.offers.get().sku.code
    return positions.load([code])[code].available()


def age(level: StockLevel, **fields: float) -> None:
    """Make what is stored older."""
    StockLevel.objects.filter(pk=level.pk).update(read_at=database_time() - timedelta(**fields))


@contextmanager
def in_another_transaction(statement: str) -> Iterator[None]:
    """Run a statement on a second connection and keep its transaction open."""
    wanted = ("host", "port", "user", "password", "dbname")
    parameters = {name: value for name, value in connection.get_connection_params().items() if name in wanted}
    with psycopg.connect(**parameters) as other:
        other.execute(statement)
        yield
        other.rollback()


def test_a_changed_number_is_stored_with_one_movement_and_a_new_version(make_level):
    level = make_level("A", 10)
    before = Sku.objects.get(code="A").version
    assert read(level, 7) == settlement.Absorbed(changed=[level.pk], codes=["A"])
    level.refresh_from_db()
    assert (level.reported, level.sellable, level.version) == (7, 7, 2)
    movement = StockMovement.objects.filter(level=level).latest("version")
    assert (movement.cause, movement.sellable_delta, movement.reported_after, movement.actor) == (
        "reading",
        -3,
        7,
        "test",
    )
    assert Sku.objects.get(code="A").version == before + 1


def test_the_same_number_only_becomes_younger(make_level):
    level = make_level("A", 10, misses=2)
    before = level.read_at
    assert read(level, 10) == settlement.Absorbed()
    level.refresh_from_db()
    assert level.read_at > before
    assert (level.version, level.misses) == (1, 0)


def test_a_stale_reading_changes_nothing(make_level):
    level = make_level("A", 10)
    assert read(level, 3, seconds_ago=30) == settlement.Absorbed(stale=[level.pk])
    level.refresh_from_db()
    assert (level.reported, level.version) == (10, 1)


def test_a_reading_older_than_the_snapshot_that_the_row_inherits_from_is_stale(make_level):
    level = make_level("A", 10)
    age(level, seconds=600)
    now = database_time()
    Feed.objects.create(
        supplier=level.supplier,
        complete_as_of=now - timedelta(seconds=60),
        complete_until=now - timedelta(seconds=20),
    )
    assert read(level, 3, seconds_ago=90).stale == [level.pk]
    assert read(level, 12, seconds_ago=40).stale == [level.pk]
    assert read(level, 4, seconds_ago=40).changed == [level.pk]
    assert read(level, 12, seconds_ago=10).changed == [level.pk]


def test_a_clock_that_runs_ahead_settles_nothing_early(make_level):
    level = make_level("A", 10)
    confirmed(level, 2, seconds_ago=5)
    read(level, 10, seconds_ago=-3600)
    level.refresh_from_db()
    assert level.allocated == 2
    assert level.read_at <= database_time()


def test_a_reading_before_the_lag_is_over_does_not_resurrect_sold_units(make_level):
    level = make_level("A", 5)
    allocation = confirmed(level, 5, seconds_ago=30)
    read(level, 5)
    assert available(level) == 0
    allocation.refresh_from_db()
    assert allocation.state == "confirmed"


def test_a_reading_after_the_lag_includes_the_order(make_level):
    level = make_level("A", 5)
    age(level, seconds=90)
    allocation = confirmed(level, 3, seconds_ago=61)
    read(level, 2)
    assert available(level) == 2
    allocation.refresh_from_db()
    level.refresh_from_db()
    assert (allocation.state, level.allocated) == ("settled", 0)
    assert allocation.closed_at is not None


def test_without_the_rule_sold_units_come_back(make_level, monkeypatch):
    """Control: the same late number with a lag of 0 sells the units a second time."""
    level = make_level("A", 5)
    type(level.supplier).objects.filter(pk=level.supplier_id).update(settlement_lag_seconds=0)
    confirmed(level, 5, seconds_ago=30)
    read(level, 5)
    assert available(level) == 5


@pytest.mark.parametrize("state", ["held", "committed", "sending"])
def test_a_snapshot_requested_before_an_order_and_applied_after_it_resurrects_nothing(make_level, state):
    level = make_level("A", 5)
    requested_at = database_time()
    moment = database_time() + timedelta(seconds=60)
    promise(level, 4, state, expires_at=moment, lease_until=moment)
    with transaction.atomic():
        settlement.absorb([Reading(level.pk, 5, requested_at)], origin=ORIGIN)
    assert available(level) == 1


def test_readings_of_one_level_in_one_call_count_by_age(make_level):
    level = make_level("A", 5)
    now = database_time()
    with transaction.atomic():
        settlement.absorb(
            [Reading(level.pk, 3, now), Reading(level.pk, 9, now - timedelta(microseconds=1))], origin=ORIGIN
        )
    level.refresh_from_db()
    assert level.reported == 3


@pytest.mark.django_db(transaction=True)
def test_a_level_that_somebody_holds_is_skipped(make_level):
    busy, free = make_level("A", 5), make_level("B", 5)
    with in_another_transaction("SELECT 1 FROM inventory_sku WHERE code = 'A' FOR UPDATE"), transaction.atomic():
        now = database_time()
        done = settlement.absorb([Reading(busy.pk, 1, now), Reading(free.pk, 1, now)], origin=ORIGIN, skip_locked=True)
    assert (done.changed, done.skipped, done.codes) == ([free.pk], [busy.pk], ["B"])


def test_a_shortfall_names_holds_before_orders_newest_first_and_ends_by_itself(make_level):
    level = make_level("A", 10)
    moment = database_time() + timedelta(seconds=60)
    promise(level, 2, "held", "hold-1", expires_at=moment)
    promise(level, 3, "committed", "order-1")
    promise(level, 2, "held", "hold-2", expires_at=moment)
    promise(level, 3, "committed", "order-2")
    read(level, 3)
    discrepancy = Discrepancy.objects.get(kind="shortfall")
    assert discrepancy.evidence["short"] == 7
    assert [(one["reference"], one["lacks"]) for one in discrepancy.evidence["affected"]] == [
        ("hold-2", 2),
        ("hold-1", 2),
        ("order-2", 3),
    ]
    read(level, 4)
    discrepancy.refresh_from_db()
    assert (discrepancy.times, discrepancy.evidence["short"], discrepancy.state) == (2, 6, "open")
    read(level, 10)
    discrepancy.refresh_from_db()
    assert discrepancy.state == "resolved"


def test_what_upstream_has_accepted_is_no_shortfall(make_level):
    level = make_level("A", 3)
    confirmed(level, 3, seconds_ago=1)
    read(level, 0)  # within the lag: it may count our order already
    level.refresh_from_db()
    assert (level.sellable, level.allocated) == (0, 3)
    assert not Discrepancy.objects.filter(kind="shortfall").exists()


def test_a_shortfall_is_of_what_upstream_has_not_accepted(make_level):
    level = make_level("A", 5)
    confirmed(level, 3, seconds_ago=1)
    promise(level, 2, "committed", "order-2")
    read(level, 1)
    discrepancy = Discrepancy.objects.get(kind="shortfall")
    assert discrepancy.evidence["short"] == 1
    assert [(one["reference"], one["lacks"]) for one in discrepancy.evidence["affected"]] == [("order-2", 1)]


def reject(*allocations: Allocation) -> list[str]:
    with transaction.atomic():
        return settlement.reject([one.pk for one in allocations], detail="sold out", origin=ORIGIN)


def test_a_refused_order_is_lost_and_its_level_sells_no_more(make_level):
    level = make_level("A", 10)
    promise(level, 2, reference="order-1")
    refused = promise(level, 1, reference="order-2")
    assert reject(refused) == ["A"]
    refused.refresh_from_db()
    level.refresh_from_db()
    assert (refused.state, refused.detail) == ("lost", "sold out")
    assert (level.allocated, level.sellable, level.rejection_cap, level.rejections) == (2, 2, 2, 1)
    movement = StockMovement.objects.filter(level=level).latest("version")
    assert (movement.cause, movement.reference, movement.sellable_delta) == ("rejection", "order-2", -8)


def test_a_repeated_refusal_of_the_same_order_does_nothing(make_level):
    level = make_level("A", 10)
    refused = promise(level, 1)
    reject(refused)
    assert reject(refused) == []
    level.refresh_from_db()
    assert level.rejections == 1


def test_the_cap_outlives_equal_numbers_and_falls_with_a_lower_one(make_level):
    level = make_level("A", 10)
    reject(promise(level, 1))
    read(level, 10)
    assert available(level) == 0
    read(level, 11)
    assert available(level) == 0
    read(level, 9)
    assert available(level) == 9


def test_the_cap_ends_with_its_hold(make_level):
    level = make_level("A", 10)
    reject(promise(level, 1))
    StockLevel.objects.filter(pk=level.pk).update(capped_until=database_time())
    read(level, 10)
    level.refresh_from_db()
    assert (level.rejection_cap, level.sellable) == (None, 10)


def test_the_second_refusal_holds_twice_as_long(make_level):
    level = make_level("A", 10)
    reject(promise(level, 1))
    StockLevel.objects.filter(pk=level.pk).update(capped_until=database_time())
    read(level, 10)
    reject(promise(level, 1, reference="order-2"))
    level.refresh_from_db()
    assert level.rejections == 2
    assert timedelta(seconds=239) < level.capped_until - database_time() <= timedelta(seconds=240)


def test_a_loss_gives_the_units_back_to_the_level(make_level):
    level = make_level("A", 10)
    allocation = promise(level, 4)
    with transaction.atomic():
        assert settlement.lose([allocation.pk], detail="no such address", origin=ORIGIN) == ["A"]
    level.refresh_from_db()
    assert (level.allocated, level.sellable, level.rejection_cap) == (0, 10, None)
    assert StockMovement.objects.filter(level=level).latest("version").cause == "loss"


def test_a_raised_buffer_counts_stored_numbers_anew(make_level):
    level = make_level("A", 10)
    type(level.supplier).objects.filter(pk=level.supplier_id).update(buffer=4)
    with transaction.atomic():
        assert settlement.retrust([level.pk], origin=ORIGIN).codes == ["A"]
        assert settlement.retrust([level.pk], origin=ORIGIN).changed == []
    level.refresh_from_db()
    assert (level.sellable, level.read_at.tzinfo is not None) == (6, True)
    assert StockMovement.objects.filter(level=level).latest("version").cause == "policy"


def test_a_row_that_is_gone_counts_as_nothing_until_it_is_read_again(make_level):
    level = make_level("A", 10, misses=3)
    with transaction.atomic():
        settlement.missing([level.pk], read_at=database_time(), origin=ORIGIN)
    level.refresh_from_db()
    assert (level.reported, level.sellable, level.misses) == (0, 0, 3)
    read(level, 5)
    level.refresh_from_db()
    assert (level.sellable, level.misses) == (5, 0)


@pytest.mark.parametrize(("reported", "through_django", "beside"), [(10, 6, 1), (12, 6, 3), (5, 7, 3)])
def test_a_chunk_takes_as_many_statements_as_a_row(
    make_level, django_assert_num_queries, monkeypatch, reported, through_django, beside
):
    levels = [make_level(None, 10) for _ in range(20)]
    readings = [Reading(level.pk, reported, database_time()) for level in levels]
    sent, send = [], sql.execute

    def noted(text: str, values: Any) -> Any:
        sent.append(text)
        return send(text, values)

    monkeypatch.setattr(sql, "execute", noted)
    # policies, levels, clock, events, store, shortfalls, and of a fall the orders that were settled lately; beside them
    # the locks, and of a change movements and versions
    with transaction.atomic(), django_assert_num_queries(through_django):
        settlement.absorb(readings, origin=ORIGIN)
    assert len(sent) == beside
