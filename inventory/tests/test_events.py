"""Sales events act by time alone, at decision and read, in every process, and go back by themselves."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from inventory import availability, events, settlement, sourcing, stock
from inventory.ledger import Origin
from inventory.models import Offer, SalesEvent, StockLevel
from inventory.settlement import Reading

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)
MakeEvent = Callable[..., SalesEvent]


@pytest.fixture(autouse=True)
def fresh_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every read looks at the policy epoch."""
    monkeypatch.setattr(availability, "_EPOCH_SECONDS", 0)


@pytest.fixture
def make_event(db: None) -> MakeEvent:
    """An event that runs since an hour and for another, not switched on."""

    def make(*, suppliers: Any = (), skus: Any = (), **fields: Any) -> SalesEvent:
        now = datetime.now(UTC)
        event = SalesEvent.objects.create(**{"name": "Sale", "starts_at": now - HOUR, "ends_at": now + HOUR, **fields})
        event.suppliers.set(suppliers)
        event.skus.set(skus)
        return event

    return make


def available(code: str = "TEA") -> int:
    return availability.read([code])[code].available


def takes(code: str, quantity: int) -> bool:
    """Whether the decision would sell so many, by what the rows say now."""
    with transaction.atomic():
        return bool(sourcing.decide(stock.lock([code])().positions, [(code, quantity)]).takes)


def end_now(event: SalesEvent) -> None:
    """Let the time pass that it still has, without anybody's doing: no save, no epoch."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE inventory_salesevent DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE inventory_salesevent SET starts_at = starts_at - interval '3 hours',"
            " ends_at = clock_timestamp() WHERE id = %s",
            [event.pk],
        )
        cursor.execute("ALTER TABLE inventory_salesevent ENABLE TRIGGER USER")


def test_a_draft_does_nothing_and_switching_it_on_acts_on_cached_answers(make_level, make_event):
    make_level("TEA", 10)
    event = make_event(buffer_units=3, buffer_share=Decimal("0.2"))
    assert (available(), takes("TEA", 10)) == (10, True)
    events.switch_on(event.pk)
    assert (available(), takes("TEA", 6), takes("TEA", 5)) == (5, False, True)
    events.switch_off(event.pk)
    assert (available(), takes("TEA", 10)) == (10, True)


def test_nothing_stored_changes(make_level, make_event):
    level = make_level("TEA", 10)
    events.switch_on(make_event(buffer_units=3).pk)
    again = StockLevel.objects.get(pk=level.pk)
    assert (again.sellable, again.version) == (level.sellable, level.version)


def test_it_starts_by_itself_also_for_cached_answers(make_level, make_event, time_machine):
    make_level("TEA", 10)
    start = datetime.now(UTC) + HOUR
    event = events.switch_on(make_event(buffer_units=3, starts_at=start, ends_at=start + HOUR).pk)
    assert event.phase == "planned"
    assert available() == 10
    with connection.cursor() as cursor:  # an hour passes for the rows, and for the process that serves the cache
        cursor.execute("ALTER TABLE inventory_salesevent DISABLE TRIGGER USER")
        cursor.execute("UPDATE inventory_salesevent SET starts_at = clock_timestamp() - interval '1 second'")
        cursor.execute("ALTER TABLE inventory_salesevent ENABLE TRIGGER USER")
    assert available() == 10  # the control: the cached answer, still in its time
    time_machine.move_to(start, tick=False)
    assert available() == 7
    assert not takes("TEA", 8)


def test_it_ends_by_itself_and_that_is_written_down(make_level, make_event):
    make_level("TEA", 10)
    event = events.switch_on(make_event(buffer_units=3).pk)
    assert available() == 7
    end_now(event)
    assert takes("TEA", 10)
    assert events.note_passed() == 1
    assert available() == 10  # by the epoch of the note, whatever the clock of this process says
    assert events.note_passed() == 0
    event.refresh_from_db()
    assert event.phase == "over"
    reasons = [row.history_change_reason for row in event.history.order_by("history_id")]
    assert reasons == [None, "Switched on; 1 SKUs: 10 → 7 available", "Ended by the clock"]


def test_only_levels_of_its_suppliers_that_serve_its_skus(make_level, make_event, make_sku, make_supplier):
    sku, near, far = make_sku("TEA"), make_supplier(), make_supplier()
    make_level(sku, 10, supplier=near)
    make_level(sku, 10, supplier=far)
    make_level("CUP", 10, supplier=near)
    events.switch_on(make_event(buffer_units=4, suppliers=[near], skus=[sku]).pk)
    assert (available("TEA"), available("CUP")) == (16, 10)


def test_what_is_sold_from_the_same_units_is_as_careful_whoever_asks(make_level, make_event, make_sku):
    sku, pack = make_sku("TEA"), make_sku("PACK")
    level = make_level(sku, 10)
    Offer.objects.create(sku=pack, level=level)
    events.switch_on(make_event(buffer_units=4, skus=[sku]).pk)
    assert (available("TEA"), available("PACK"), takes("PACK", 7)) == (6, 6, False)


def test_overlapping_events_are_as_careful_as_the_most_careful(make_level, make_event):
    make_level("TEA", 10)
    events.switch_on(make_event(buffer_units=1, buffer_share=Decimal("0.5")).pk)
    events.switch_on(make_event(buffer_units=3).pk)
    assert available() == 10 - 5 - 3


def test_a_stop_within_a_window_is_no_unknown_number(make_level, make_event):
    make_level("TEA", 10)
    events.switch_on(make_event(stop_selling=True).pk)
    answer = availability.read(["TEA"])["TEA"]
    assert (answer.available, answer.status) == (0, "out_of_stock")
    assert not takes("TEA", 1)


def test_a_sku_that_is_deleted_later_leaves_no_event_for_everything(make_level, make_event, make_sku):
    make_level("TEA", 10)
    gone = make_sku("GONE")
    events.switch_on(make_event(buffer_units=3, skus=[gone]).pk)
    gone.delete()
    assert available() == 10


def test_preview_tells_before_what_will_be(make_level, make_event):
    make_level("TEA", 10)
    make_level("CUP", 2)
    event = make_event(buffer_units=3)
    found = events.preview(event)
    assert [(line.code, line.before, line.during) for line in found.lines] == [("TEA", 10, 7), ("CUP", 2, 0)]
    assert str(found) == "2 SKUs: 12 → 7 available"
    events.switch_on(event.pk)
    assert (available("TEA"), available("CUP")) == (7, 0)


def test_switches_that_make_no_sense_say_so_and_change_nothing(make_event):
    past = make_event(starts_at=datetime.now(UTC) - 2 * HOUR, ends_at=datetime.now(UTC) - HOUR)
    with pytest.raises(events.EventError, match="another time"):
        events.switch_on(past.pk)
    event = make_event()
    with pytest.raises(events.EventError, match="not on"):
        events.switch_off(event.pk)
    events.switch_on(event.pk)
    with pytest.raises(events.EventError, match="already"):
        events.switch_on(event.pk)


def test_one_that_has_not_begun_becomes_a_draft_again(make_event):
    start = datetime.now(UTC) + HOUR
    event = events.switch_on(make_event(starts_at=start, ends_at=start + HOUR).pk)
    assert events.switch_off(event.pk).phase == "draft"


def read(level: StockLevel, reported: int) -> StockLevel:
    with transaction.atomic():
        settlement.absorb([Reading(level.pk, reported, datetime.now(UTC))], origin=Origin(actor="test"))
    level.refresh_from_db()
    return level


def test_readings_taken_within_it_are_believed_less(make_level, make_event):
    level = make_level("TEA", 10)
    assert read(level, 20).sellable == 20  # the control: the supplier's policy believes a doubling
    event = events.switch_on(make_event(jump_ratio=Decimal("1.1"), jump_units=0).pk)
    assert read(level, 30).sellable == 20
    assert read(level, 30).quarantined_reported == 30
    end_now(event)
    assert read(level, 30).sellable == 30


def test_a_reading_taken_within_it_is_judged_by_it_when_it_comes_late(make_level, make_event):
    level = make_level("TEA", 10)
    event = events.switch_on(make_event(jump_ratio=Decimal("1.1"), jump_units=0).pk)
    SalesEvent.objects.filter(pk=event.pk).update(starts_at=Now() - HOUR)
    taken = datetime.now(UTC)
    end_now(event)
    with transaction.atomic():
        settlement.absorb([Reading(level.pk, 20, taken)], origin=Origin(actor="test"))
    level.refresh_from_db()
    assert (level.sellable, level.quarantined_reported) == (10, 20)
