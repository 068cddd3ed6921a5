"""The audit, against books that somebody cooked behind the triggers' back."""

import json
from collections.abc import Sequence
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection

from inventory import audit, availability
from inventory.models import Allocation, Sku, StockLevel, StockMovement
from inventory.tests.test_settlement import confirmed, promise, read

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def level(make_level) -> StockLevel:
    """A level with five movements, one promise open and one settled."""
    level: StockLevel = make_level("A", 10)
    make_level("UNTOUCHED", 3)
    read(level, 12, seconds_ago=0)
    promise(level, 2)
    confirmed(level, 3, seconds_ago=3_600, reference="order-2")
    read(level, 9)
    level.refresh_from_db()
    assert (level.version, level.sellable, level.allocated) == (5, 9, 2)
    return level


def tamper(statement: str, parameters: Sequence[Any] = ()) -> None:
    """Write to the ledger as only the owner of the database can."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE inventory_stockmovement DISABLE TRIGGER USER")
        cursor.execute("ALTER TABLE inventory_stockmovement DROP CONSTRAINT IF EXISTS movement_adds_up")
        try:
            cursor.execute(statement, parameters)
        finally:
            cursor.execute("ALTER TABLE inventory_stockmovement ENABLE TRIGGER USER")


@pytest.fixture
def constraint_back():
    """Dropping a constraint outlives the test: put it back as the migration made it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'movement_adds_up'")
        definition = cursor.fetchone()[0]
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE inventory_stockmovement")
        cursor.execute(
            "ALTER TABLE inventory_stockmovement DROP CONSTRAINT IF EXISTS movement_adds_up,"
            f" ADD CONSTRAINT movement_adds_up {definition}"
        )


def rules() -> list[str]:
    return [difference.rule for difference in audit.differences()]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE inventory_stockmovement SET sellable_after = 99 WHERE version = 3",
        "DELETE FROM inventory_stockmovement WHERE version = 3",
        # Whoever can change what a movement says could hide what was sold.
        "UPDATE inventory_stockmovement SET reference = 'nobody'",
    ],
)
def test_the_database_refuses_to_change_a_movement(level, statement):
    written = list(StockMovement.objects.values().order_by("id"))
    with pytest.raises(DatabaseError, match="append_only"), connection.cursor() as cursor:
        cursor.execute(statement)
    assert list(StockMovement.objects.values().order_by("id")) == written


def test_a_version_is_written_once(level):
    movement = StockMovement.objects.get(level=level, version=3)
    movement.pk = None
    with pytest.raises(IntegrityError, match="movement_version"):
        movement.save(force_insert=True)


def test_units_that_were_not_there_cannot_be_taken_from(level):
    """Whoever gives one hold's units to two orders has less than none of them in between."""
    before = StockMovement.objects.filter(level=level).latest("version")
    changes = {"allocated_before": -1, "allocated_delta": before.allocated_after + 1}
    movement = StockMovement(**{**before_values(before), **changes, "version": before.version + 1})
    with pytest.raises(IntegrityError, match="movement_begins_not_negative"):
        movement.save(force_insert=True)


def before_values(movement: StockMovement) -> dict[str, object]:
    names = [field.attname for field in StockMovement._meta.concrete_fields if field.attname not in ("id", "at")]
    return {name: getattr(movement, name) for name in names}


def test_no_more_is_seen_of_a_promise_than_it_has(level):
    promise = Allocation(
        level=level, sku=level.offers.get().sku, reference="N-1", quantity=2, observed=3, state="confirmed"
    )
    with pytest.raises(IntegrityError, match="allocation_observed"):
        promise.save(force_insert=True)


def test_honest_books_have_no_differences(level):
    assert rules() == []
    out = StringIO()
    call_command("audit_stock", stdout=out)
    assert "2 levels, 6 movements: 0 differences" in out.getvalue()


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE inventory_stockmovement SET version = 9 WHERE version = 5", ["gapless", "is that of the last"]),
        ("DELETE FROM inventory_stockmovement WHERE version = 3", ["gapless", "allocated goes on from version 3"]),
        (
            "UPDATE inventory_stockmovement SET sellable_delta = 1 WHERE version = 2",
            ["sellable adds up in version 2"],
        ),
        (
            "UPDATE inventory_stockmovement SET allocated_after = 7 WHERE version = 3",
            ["allocated adds up in version 3", "allocated goes on from version 3"],
        ),
        ("UPDATE inventory_stockmovement SET reported_after = 1 WHERE version = 5", ["reported is that of the last"]),
        ("UPDATE inventory_stockmovement SET level_id = 0 WHERE sellable_after = 3", ["the level of the movements is"]),
    ],
)
def test_a_changed_ledger_is_found(level, constraint_back, statement, expected):
    tamper(statement)
    found = rules()
    assert found
    for part in expected:
        assert any(part in rule for rule in found), found
    with pytest.raises(CommandError) as error:
        call_command("audit_stock", stdout=StringIO())
    assert error.value.returncode == 1


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("sellable", 50, "sellable is that of the last movement"),
        ("allocated", 0, "allocated is the sum of the open promises"),
        ("version", 17, "version is that of the last movement"),
        ("reported", None, "reported is that of the last movement"),
    ],
)
def test_changed_columns_are_found_named_and_repaired(level, column, value, rule):
    before = StockLevel.objects.values().get(pk=level.pk)
    StockLevel.objects.filter(pk=level.pk).update(**{column: value})
    assert rule in rules()
    availability.read(["A"])  # a wrong answer in the cache
    version = Sku.objects.get(code="A").version
    out = StringIO()
    call_command("audit_stock", "--repair", stdout=out)
    assert f"level {level.pk} (" in out.getvalue()
    assert "1 levels repaired" in out.getvalue()
    after = StockLevel.objects.values().get(pk=level.pk)
    assert after == {**before, "version": 6}
    movement = StockMovement.objects.get(level=level, version=6)
    assert (movement.cause, movement.actor) == ("repair", "audit_stock --repair")
    assert Sku.objects.get(code="A").version == version + 1
    assert availability.read(["A"])["A"].available == 7
    assert rules() == []


def test_a_promise_closed_behind_our_back_is_repaired_to_the_promises(level):
    level.allocations.filter(state="committed").update(state="released")
    assert rules() == ["allocated is the sum of the open promises"]
    call_command("audit_stock", "--repair", stdout=StringIO())
    level.refresh_from_db()
    assert (level.allocated, rules()) == (0, [])


def test_a_broken_ledger_is_not_repaired_away(level, constraint_back):
    tamper("DELETE FROM inventory_stockmovement WHERE version = 3")
    movements = StockMovement.objects.count()
    with pytest.raises(CommandError):
        call_command("audit_stock", "--repair", stdout=StringIO())
    assert StockMovement.objects.count() == movements


def test_the_audit_speaks_json(level):
    StockLevel.objects.filter(pk=level.pk).update(sellable=50)
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("audit_stock", "--json", stdout=out)
    difference, summary = map(json.loads, out.getvalue().splitlines())
    assert (difference["level_id"], difference["expected"], difference["found"]) == (level.pk, "9", "50")
    assert summary == {"levels": 2, "movements": 6, "differences": 1, "repaired": 0}
