"""What the ledger shows of a supplier's numbers, movement by movement, written by the service itself."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from inventory import experience, settlement
from inventory.ledger import Origin
from inventory.models import Allocation, LevelPolicy, Snapshot, StockLevel
from inventory.settlement import Reading
from inventory.tests.ledgers import differences
from inventory.tests.promises import place
from suppliers.models import Supplier

pytestmark = pytest.mark.django_db(transaction=True)
ORIGIN = Origin(actor="test")


@pytest.fixture
def supplier(make_supplier) -> Supplier:
    made: Supplier = make_supplier(settlement_lag_seconds=0, jump_ratio=None, buffer=2)
    return made


@pytest.fixture
def level(supplier, make_level) -> StockLevel:
    made: StockLevel = make_level("TEA", 10, supplier=supplier, reported=12)
    return made


@pytest.fixture(autouse=True)
def balanced(transactional_db):
    yield
    assert differences() == []


def read(level: StockLevel, reported: int | None) -> None:
    with transaction.atomic():
        settlement.absorb([Reading(level.pk, reported, _now())], origin=ORIGIN)


def _now() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def confirm(reference: str) -> None:
    Allocation.objects.filter(reference=reference).update(state="confirmed", confirmed_at=Now())


def refuse(reference: str) -> None:
    ids = list(Allocation.objects.filter(reference=reference).values_list("pk", flat=True))
    with transaction.atomic():
        settlement.reject(ids, detail="sold out", origin=ORIGIN)


def seen(level: StockLevel) -> experience.Experience:
    return experience.of(level.supplier_id, at_most=20)


def errors(level: StockLevel) -> list[int]:
    return sorted(one.overstated for one in seen(level).comparisons for _ in range(one.times))


def test_a_confirmed_order_is_a_promise_with_its_slack(level):
    place("A", {"TEA": 3})
    assert seen(level).promises == [], "upstream has not answered yet"
    confirm("A")
    (promise,) = seen(level).promises
    assert (promise.slack, promise.buffer, promise.refused, promise.times) == (9, 2, 0, 1)


def test_a_refused_order_says_how_many_units_were_missing(level):
    place("A", {"TEA": 3})
    refuse("A")
    (promise,) = seen(level).promises
    assert (promise.sku, promise.slack, promise.refused) == (str(level.pk), 9, 3)


def test_what_was_cancelled_or_got_lost_for_another_reason_is_no_promise(level):
    place("A", {"TEA": 3})
    ids = list(Allocation.objects.filter(reference="A").values_list("pk", flat=True))
    with transaction.atomic():
        settlement.lose(ids, detail="discontinued", origin=ORIGIN)
    place("B", {"TEA": 3})
    Allocation.objects.filter(reference="B").update(state="released")
    assert seen(level).promises == []
    Allocation.objects.filter(reference="B").update(state="committed")


def test_orders_explain_a_drop_and_what_they_do_not_explain_was_an_error(level):
    place("A", {"TEA": 3})
    confirm("A")
    read(level, 9)
    assert errors(level) == [0]
    place("B", {"TEA": 2})
    confirm("B")
    read(level, 3)
    assert errors(level) == [0, 4]


def test_while_something_is_promised_nothing_is_compared(level):
    place("A", {"TEA": 3})
    read(level, 7)
    assert errors(level) == []
    confirm("A")
    read(level, 6)
    assert errors(level) == [3], "from 12, of which 3 are ours, to 6"


def test_what_was_refused_took_nothing(level):
    place("A", {"TEA": 3})
    refuse("A")
    read(level, 1)
    assert errors(level) == [11]


def test_across_a_loss_nothing_is_compared(level):
    place("A", {"TEA": 3})
    confirm("A")
    ids = list(Allocation.objects.filter(reference="A").values_list("pk", flat=True))
    with transaction.atomic():
        settlement.lose(ids, detail="damaged", origin=ORIGIN)
    place("B", {"TEA": 1})
    confirm("B")
    read(level, 8)
    assert errors(level) == []
    read(level, 7)
    assert errors(level) == [1]


def test_a_delivery_is_no_error_and_believing_a_number_no_reading(level):
    place("A", {"TEA": 1})
    confirm("A")
    read(level, 40)
    assert errors(level) == [0]
    StockLevel.objects.update(quarantined_reported=90, quarantined_at=Now())
    with transaction.atomic():
        settlement.believe([level.pk], reason="counted", origin=ORIGIN)
    assert errors(level) == [0]
    read(level, 85)
    assert errors(level) == [0, 5], "from the believed number on"


@pytest.mark.parametrize("own", [False, True])
def test_a_declared_number_says_nothing(level, own):
    place("A", {"TEA": 1})
    confirm("A")
    read(level, 11)
    if own:
        LevelPolicy.objects.create(level=level, sentinel_at=8)
    else:
        Supplier.objects.update(sentinel_at=8)
    assert seen(level).promises == []
    assert errors(level) == []


def test_goods_that_nobody_buys_prove_nothing(supplier, level, make_level):
    idle = make_level("MINT", 10, supplier=supplier)
    read(idle, 9)
    read(idle, 8)
    assert errors(level) == []


def snapshot(supplier: Supplier, asked: Any, ended: Any) -> None:
    Snapshot.objects.create(
        supplier=supplier, kind="full", status="applied", first_requested_at=asked, finished_at=ended
    )


def test_snapshots_that_showed_it_unchanged_count(supplier, level):
    place("A", {"TEA": 3})
    confirm("A")
    read(level, 9)
    base = timezone.now()
    minutes = [timedelta(minutes=number) for number in range(5)]
    for ago in minutes[1:4]:  # before the reading that settled the order: something was promised then
        snapshot(supplier, base - ago, base - ago + timedelta(seconds=5))
    assert errors(level) == [0]
    for ahead in minutes[1:4]:
        snapshot(supplier, base + ahead, base + ahead + timedelta(seconds=5))
    assert errors(level) == [0, 0, 0, 0]
    StockLevel.objects.update(misses=1)
    assert errors(level) == [0], "a row that they did not show was not confirmed by them"


def test_readings_count_as_orders_have_it(supplier, level, make_level):
    """A good that sells once and is read twelve times proves no more than one that sells twelve times."""
    other = make_level("MINT", 40, supplier=supplier, reported=42)
    place("A", {"TEA": 1})
    confirm("A")
    read(level, 11)
    for reported in range(11, 0, -1):
        read(level, reported - 1)
    for number in range(12):
        place(f"B{number}", {"MINT": 1})
        confirm(f"B{number}")
        read(other, 41 - number)
    comparisons = seen(level).comparisons
    weights = {one.overstated: one.times * one.weight for one in comparisons}
    assert sum(one.times for one in comparisons) == 24
    assert sum(weights.values()) == pytest.approx(13)
    assert weights[1] == pytest.approx(11 / 12)
