"""From the ledger to a buffer that is obeyed: learned, kept with its reason, counted in through an effect."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from inventory import lanes, learning, policy, terms, trust
from inventory.models import Effect, LearnedBuffer, LevelPolicy, StockLevel, StockMovement
from inventory.tests.histories import History
from inventory.tests.ledgers import differences
from suppliers.models import Supplier

pytestmark = pytest.mark.django_db(transaction=True)
DEEPEST = 20
TARGET = 0.01


def geometric(p: float, ratio: float) -> Callable[[random.Random], int]:
    """Too high by more than n units with probability p × ratio ** n."""

    def error(chance: random.Random) -> int:
        units, draw = 0, chance.random()
        while draw < p * ratio**units:
            units += 1
        return units

    return error


def risk(p: float, ratio: float, buffer: int) -> float:
    """The share of orders that cannot be filled under a buffer, of buyers who leave 0 to 22 units."""
    slacks = range(2 + DEEPEST + 1)
    return sum(p * ratio**slack for slack in slacks if slack >= buffer) / len(slacks)


def none(chance: random.Random) -> int:
    return 0


@pytest.fixture
def supplier(make_supplier) -> Supplier:
    made: Supplier = make_supplier(buffer=2, buffer_target=TARGET)
    return made


def learned(supplier: Supplier) -> LearnedBuffer:
    learning.ask(supplier.pk)
    assert learning.learn_due(supplier.pk) > 0
    return LearnedBuffer.objects.get(supplier=supplier, level=None, until=None)


def switch_on(supplier: Supplier, **fields: Any) -> None:
    for name, value in {"buffer_is_learned": True, **fields}.items():
        setattr(supplier, name, value)
    supplier.save()


@pytest.mark.parametrize(("p", "ratio"), [(0.02, 0.3), (0.2, 0.5), (0.5, 0.6)], ids=["honest", "careless", "liar"])
def test_the_ledger_of_a_supplier_of_known_error_teaches_the_smallest_buffer_that_is_enough(supplier, p, ratio):
    History(supplier, 30, deepest=DEEPEST).orders(4_000, geometric(p, ratio)).write()
    found = learned(supplier)
    smallest = next(buffer for buffer in range(25) if risk(p, ratio, buffer) <= TARGET)
    assert found.proven
    assert risk(p, ratio, found.buffer) <= TARGET
    assert found.buffer - smallest in {0, 1}
    assert f"buffer {found.buffer}" in found.reason
    assert "of 4000 orders" in found.reason


def test_a_level_that_is_refused_far_more_often_stands_alone(supplier):
    history = History(supplier, 30)
    bad = history.levels[0]
    history.orders(2_000, none, history.levels[1:]).orders(12, lambda chance: 30, [bad]).write()
    assert learned(supplier).buffer == 0
    alone = LearnedBuffer.objects.get(level_id=bad, until=None)
    assert alone.buffer == 20
    assert "12 of 12 orders" in alone.reason


def test_without_history_the_cold_start_stands(supplier):
    switch_on(supplier, buffer_cold_start=3)
    assert terms.of_supplier(supplier.pk).buffer == 3, "also before anything was learned"
    found = learned(supplier)
    assert (found.buffer, found.proven) == (3, False)
    assert "the cold start stands" in found.reason


def test_it_only_acts_once_it_is_switched_on(supplier, make_level):
    level = make_level("TEA", 8, supplier=supplier, reported=10)
    History(supplier, 10).orders(1_000, none).write()
    found = learned(supplier)
    assert found.buffer == 0
    assert not Effect.objects.filter(kind="retrust").exists()
    assert terms.of_supplier(supplier.pk).buffer == 2
    reported = [level.reported or 0 for level in StockLevel.objects.filter(supplier=supplier)]
    assert found.sellable_fixed == sum(max(0, units - 2) for units in reported)
    assert found.sellable_learned == sum(reported)
    switch_on(supplier)
    policy.edited(supplier.pk)
    policy.retrust_due(supplier.pk)
    assert StockLevel.objects.get(pk=level.pk).sellable == 10


def test_what_is_learned_anew_is_counted_in_through_an_effect(supplier, make_level):
    level = make_level("TEA", 10, supplier=supplier, reported=10)
    switch_on(supplier)
    learned(supplier)
    History(supplier, 10).orders(1_000, geometric(0.5, 0.6)).write()
    Effect.objects.filter(kind="retrust").delete()
    found = learned(supplier)
    assert found.buffer > 2
    lanes.drain("retrust", supplier.pk)
    assert StockLevel.objects.get(pk=level.pk).sellable == 10 - found.buffer
    assert StockMovement.objects.filter(level=level).latest("version").cause == "policy"
    assert differences() == []


def test_the_same_buffer_again_is_told_anew_and_counted_never(supplier):
    switch_on(supplier)
    first = learned(supplier)
    Effect.objects.filter(kind="retrust").delete()
    History(supplier, 10).orders(100, none).write()
    again = learned(supplier)
    assert again.pk == first.pk
    assert again.looked_at > first.looked_at
    assert again.reason != first.reason
    assert not Effect.objects.filter(kind="retrust").exists()


def test_what_was_replaced_stays_as_history(supplier):
    first = learned(supplier)
    History(supplier, 10).orders(1_000, none).write()
    second = learned(supplier)
    first.refresh_from_db()
    assert (first.buffer, second.buffer) == (2, 0)
    assert first.until is not None
    assert first.until == second.since


def test_levels_that_stand_alone_are_counted_one_by_one(supplier):
    switch_on(supplier)
    history = History(supplier, 30)
    history.orders(2_000, none, history.levels[1:]).write()
    learned(supplier)
    Effect.objects.filter(kind="retrust").delete()
    history.orders(12, lambda chance: 30, [history.levels[0]]).write()
    learned(supplier)
    assert list(Effect.objects.filter(kind="retrust").values_list("target", flat=True)) == [str(history.levels[0])]
    told = terms.of_levels(history.levels[:2])
    assert [told[level].buffer for level in history.levels[:2]] == [20, 0]


def test_a_person_s_own_buffer_for_a_level_goes_before_what_was_learned(supplier, make_level):
    level = make_level("TEA", 8, supplier=supplier, reported=10)
    LevelPolicy.objects.create(level=level, buffer=7)
    switch_on(supplier)
    learned(supplier)
    assert terms.of_levels([level.pk])[level.pk].buffer == 7


def test_the_bounds_are_kept(supplier):
    History(supplier, 10).orders(500, lambda chance: 9).write()
    supplier.buffer_at_most = 6
    supplier.save()
    found = learned(supplier)
    assert (found.buffer, found.proven) == (6, False)
    assert "more than allowed" in found.reason


def test_the_beat_asks_once_an_hour_for_each_supplier(supplier, make_supplier):
    off = make_supplier(enabled=False)
    assert learning.ask_where_due() == 1
    assert learning.ask_where_due() == 0, "it is asked for already"
    lanes.drain("learn", supplier.pk)
    assert learning.ask_where_due() == 0, "it was looked at just now"
    LearnedBuffer.objects.update(looked_at="2026-01-01T00:00Z")
    assert learning.ask_where_due() == 1
    assert not Effect.objects.filter(supplier=off).exists()


def test_one_buffer_of_a_scope_is_in_force(supplier):
    learned(supplier)
    with pytest.raises(IntegrityError), transaction.atomic():
        LearnedBuffer.objects.create(supplier=supplier, buffer=1, proven=False, reason="")


def test_learned_and_fixed_buffers_are_counted_alike(supplier):
    switch_on(supplier)
    learned(supplier)
    told = terms.of_supplier(supplier.pk)
    assert trust.sellable(10, told) == trust.Sellable(8, "10 reported − 2 buffer → 8")
