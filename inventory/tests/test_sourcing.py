"""Which levels serve an order: pure, so that every case is a line."""

from datetime import UTC, datetime, timedelta

import pytest

from inventory import positions, sourcing, trust
from inventory.lots import Lots
from inventory.positions import Delivery, Level, Position
from inventory.sourcing import Shortage, Unorderable
from inventory.strategies import Strategy

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def level(number: int, free: int, *, minutes_old: int = 1, selling: bool = True, lot: int = 1) -> Level:
    read_at = NOW - timedelta(minutes=minutes_old)
    return Level(number, number, f"supplier-{number}", free, free, 0, 1, read_at, selling, trust.Policy(lots=Lots(lot)))


def position(
    *levels: Level, strategy: Strategy = Strategy.PRIORITY, splittable: bool = True, safety_stock: int = 0
) -> Position:
    return Position(
        id=1,
        code="TEA",
        stop_selling=False,
        splittable=splittable,
        safety_stock=safety_stock,
        low_stock_threshold=5,
        version=7,
        epoch=1,
        now=NOW,
        levels=list(levels),
        strategy=strategy,
    )


def taken(position: Position, quantity: int, destination: str = "") -> list[tuple[int, int]]:
    """(level, units) of an order for so many."""
    decision = sourcing.decide({"TEA": position}, [("TEA", quantity)], destination)
    assert not decision.shortages
    return [(take.level.id, take.quantity) for take in decision.takes]


def short(position: Position, quantity: int, destination: str = "") -> int:
    """What is said to be available instead."""
    decision = sourcing.decide({"TEA": position}, [("TEA", quantity)], destination)
    assert decision == sourcing.refusal({"TEA": position}, [("TEA", quantity)], destination)
    assert decision.shortages == [Shortage("TEA", quantity, decision.shortages[0].available, 7)]
    assert [level.allocated for level in position.levels] == [0] * len(position.levels)
    available: int = decision.shortages[0].available
    return available


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy.PRIORITY, [(1, 3), (2, 1)]),
        (Strategy.MOST_AVAILABLE, [(3, 4)]),
        (Strategy.FRESHEST, [(2, 2), (1, 2)]),
        (Strategy.FASTEST, [(3, 4)]),
        (Strategy.FEWEST_PARTS, [(3, 4)]),
    ],
)
def test_each_strategy_takes_from_its_own_first(strategy, expected):
    goods = position(
        level(1, 3, minutes_old=5), level(2, 2, minutes_old=1), level(3, 9, minutes_old=9), strategy=strategy
    )
    goods.deliveries = {1: Delivery(days=4), 3: Delivery(days=2)}
    assert taken(goods, 4) == expected


@pytest.mark.parametrize("strategy", list(Strategy))
def test_ties_go_to_the_lower_priority(strategy):
    assert taken(position(level(9, 5), level(2, 5), level(5, 5), strategy=strategy), 2) == [(9, 2)]


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("splittable", [True, False])
def test_whatever_the_strategy_all_that_is_available_can_be_sold_and_no_more(strategy, splittable):
    def goods() -> Position:
        return position(level(1, 3), level(2, 0), level(3, 5), strategy=strategy, splittable=splittable)

    most = 8 if splittable else 5
    assert sum(units for _, units in taken(goods(), most)) == most
    assert short(goods(), most + 1) == most


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [(2, [(1, 2)]), (5, [(2, 5)]), (8, [(3, 7), (1, 1)]), (10, [(3, 7), (1, 3)]), (12, [(3, 7), (2, 5)])],
)
def test_fewest_parts_takes_the_largest_until_one_level_covers_the_rest(quantity, expected):
    goods = position(level(1, 3), level(2, 5), level(3, 7), strategy=Strategy.FEWEST_PARTS)
    assert taken(goods, quantity) == expected


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [(Strategy.PRIORITY, 2), (Strategy.MOST_AVAILABLE, 3), (Strategy.FRESHEST, 3), (Strategy.FEWEST_PARTS, 2)],
)
def test_what_must_not_be_split_comes_from_the_first_level_that_covers_it(strategy, expected):
    goods = position(
        level(1, 1), level(2, 5, minutes_old=8), level(3, 6, minutes_old=2), strategy=strategy, splittable=False
    )
    assert taken(goods, 4) == [(expected, 4)]


def test_an_order_with_a_destination_is_served_by_levels_that_may_ship_there():
    goods = position(level(1, 4), level(2, 3), level(3, 2))
    goods.deliveries = {1: Delivery("CH US"), 2: Delivery("AT DE")}
    assert goods.available() == 9
    assert [goods.available(country) for country in ("US", "DE", "FR")] == [6, 5, 2]
    assert short(goods, 6, "DE") == 5
    assert taken(goods, 5, "DE") == [(2, 3), (3, 2)]


def test_a_code_is_no_part_of_two_others():
    assert not Delivery("XD EX").reaches("DE")


def test_the_safety_stock_may_lie_at_any_level():
    goods = position(level(1, 4), level(2, 10), safety_stock=3)
    goods.deliveries = {2: Delivery("US")}
    assert [goods.available(country) for country in ("", "DE", "US")] == [11, 4, 11]
    goods = position(level(1, 4), level(2, 1), safety_stock=3)
    goods.deliveries = {2: Delivery("US")}
    assert goods.available("DE") == 2


def test_what_must_not_be_split_needs_one_level_that_may_ship_there():
    goods = position(level(1, 4), level(2, 3), level(3, 2), splittable=False)
    goods.deliveries = {1: Delivery("US")}
    assert short(goods, 4, "DE") == 3
    assert taken(goods, 3, "DE") == [(2, 3)]


def test_a_level_that_does_not_sell_serves_nothing():
    assert taken(position(level(1, 5, selling=False), level(2, 5)), 2) == [(2, 2)]


@pytest.mark.django_db
def test_an_offer_delivers_as_it_says_and_otherwise_as_its_supplier_does(make_supplier, make_sku, make_level):
    sku = make_sku("TEA", sourcing="fastest")
    europe = make_supplier(ships_to="AT DE", lead_days=3)
    first, second, third = (
        make_level(sku, 5, supplier=europe),
        make_level(sku, 5, supplier=europe),
        make_level(sku, 5),
    )
    second.offers.update(ships_to="CH", lead_days=1)
    goods = positions.load(["TEA"])["TEA"]
    assert goods.strategy == Strategy.FASTEST
    assert goods.deliveries == {first.pk: Delivery("AT DE", 3), second.pk: Delivery("CH", 1)}
    assert [each.id for each in goods.reaching("CH")] == [second.pk, third.pk]
    assert taken(goods, 11) == [(second.pk, 5), (first.pk, 5), (third.pk, 1)]


@pytest.mark.parametrize(
    ("strategy", "quantity", "expected"),
    [
        (Strategy.PRIORITY, 14, [(1, 12), (2, 2)]),
        (Strategy.MOST_AVAILABLE, 14, [(1, 12), (2, 2)]),
        (Strategy.MOST_AVAILABLE, 20, [(3, 20)]),
        (Strategy.FEWEST_PARTS, 20, [(3, 20)]),
        (Strategy.FEWEST_PARTS, 24, [(1, 24)]),
        # The one level that has enough does not sell so many; another helps.
        (Strategy.FEWEST_PARTS, 13, [(1, 12), (2, 1)]),
    ],
)
def test_every_strategy_keeps_to_the_lots(strategy: Strategy, quantity: int, expected: list[tuple[int, int]]):
    levels = [level(1, 24, lot=12), level(2, 3), level(3, 20, lot=10)]
    assert taken(position(*levels, strategy=strategy), quantity) == expected


def test_lots_that_do_not_reach_the_buyer_do_not_help():
    one = position(level(1, 24, lot=12), level(2, 5))
    one.deliveries = {2: Delivery("AT")}
    assert taken(one, 14, "AT") == [(1, 12), (2, 2)]
    one = position(level(1, 24, lot=12), level(2, 5))
    one.deliveries = {2: Delivery("AT")}
    decision = sourcing.decide({"TEA": one}, [("TEA", 14)], "DE")
    assert decision.unorderable == [Unorderable("TEA", 14, 12, 24, 7)]
    assert decision == sourcing.refusal({"TEA": one}, [("TEA", 14)], "DE")
    assert [level.allocated for level in one.levels] == [0, 0]


def test_two_lines_of_one_level_are_short_together():
    """Each alone would be served: what the first took is missed by the second."""
    shared = level(1, 6)
    tea, mint = position(shared), position(shared)
    mint.code = "MINT"
    decision = sourcing.decide({"TEA": tea, "MINT": mint}, [("MINT", 4), ("TEA", 4)])
    assert decision.shortages == [Shortage("TEA", 4, 2, 7)]
    assert shared.allocated == 0
