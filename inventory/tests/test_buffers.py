"""What is learned from suppliers whose error is known."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from inventory import trust
from inventory.buffers import Comparison, Goal, Promise, learn, overstated

NOW = datetime(2026, 3, 1, tzinfo=UTC)
GOAL = Goal()
WIDE = Goal(at_most=40)
SKUS = [f"SKU-{number}" for number in range(10)]
DEEPEST = 20  # orders end with 0 to 20 units left, each as often


def compared(*errors: int, sku: str = "SKU-0", days: float = 1) -> list[Comparison]:
    return [Comparison(NOW - timedelta(days=days), sku, error) for error in errors]


def promised(count: int, *, refused: int = 0, slack: int = 9, sku: str = "SKU-0", days: float = 1) -> list[Promise]:
    at = NOW - timedelta(days=days)
    return [Promise(at, sku, slack, 2, 1 if number < refused else 0) for number in range(count)]


class Geometric:
    """A supplier whose number overstates by more than `units` with probability p × ratio ** units."""

    def __init__(self, p: float, ratio: float) -> None:
        self.p, self.ratio = p, ratio

    def overstates_by_more_than(self, units: int) -> float:
        return self.p * self.ratio**units

    def error(self, chance: random.Random) -> int:
        units, draw = 0, chance.random()
        while draw < self.overstates_by_more_than(units):
            units += 1
        return units

    def risk(self, buffer: int) -> float:
        return sum(self.overstates_by_more_than(slack) for slack in range(buffer, DEEPEST + 1)) / (DEEPEST + 1)

    def smallest(self, target: float) -> int:
        return next(buffer for buffer in range(DEEPEST + 2) if self.risk(buffer) <= target)

    def history(self, seed: int, readings: int, orders: int, buffer: int) -> tuple[list[Promise], list[Comparison]]:
        chance = random.Random(seed)
        at = [NOW - timedelta(hours=chance.uniform(0, 24)) for _ in range(max(readings, orders))]
        comparisons = [Comparison(at[i], chance.choice(SKUS), self.error(chance)) for i in range(readings)]
        promises = []
        for i in range(orders):
            slack = chance.randint(0, DEEPEST)
            if slack >= buffer:
                short = max(0, min(1, self.error(chance) - slack))
                promises.append(Promise(at[i], chance.choice(SKUS), slack, buffer, short))
        return promises, comparisons


SUPPLIERS = [Geometric(0.02, 0.3), Geometric(0.2, 0.5), Geometric(0.5, 0.6)]


@pytest.mark.parametrize("supplier", SUPPLIERS, ids=["honest", "careless", "liar"])
def test_the_realised_rate_stays_below_the_target(supplier: Geometric):
    learned = [learn(*supplier.history(seed, 5_000, 1_200, 2), WIDE, now=NOW).supplier for seed in range(20)]
    assert all(one.proven for one in learned)
    above = sum(supplier.risk(one.buffer) > GOAL.target for one in learned)
    # Limits at 95 %: at most 1 of 20 is expected above, and 5 or more come by chance in 1 of 400 runs.
    assert above < 5


@pytest.mark.parametrize("supplier", SUPPLIERS, ids=["honest", "careless", "liar"])
def test_it_converges_to_the_smallest_buffer_that_is_enough(supplier: Geometric):
    lesson = learn(*supplier.history(1, 60_000, 6_000, 2), WIDE, now=NOW)
    assert lesson.supplier.buffer - supplier.smallest(GOAL.target) in {0, 1}


def test_a_faultless_supplier_needs_no_buffer():
    learned = learn(promised(500), compared(*[0] * 4_000), now=NOW).supplier
    assert (learned.buffer, learned.proven) == (0, True)


def test_without_history_the_cold_start_stands():
    learned = learn([], [], Goal(cold_start=3), now=NOW).supplier
    assert (learned.buffer, learned.proven) == (3, False)
    assert "0 of 0 orders" in learned.reason
    assert "cold start stands" in learned.reason


def test_few_readings_prove_nothing_but_their_errors_count():
    assert learn([], compared(*[0] * 100), now=NOW).supplier.buffer == GOAL.cold_start
    assert learn([], compared(7, *[0] * 100), now=NOW).supplier.buffer == 7


def test_knowing_little_is_no_reason_to_refuse_most_orders():
    """With a buffer of 18 only the deepest orders would be left, and those few would meet the target unproven."""
    goal = Goal(target=0.01)
    spread = [Promise(NOW - timedelta(days=1), "SKU-0", slack) for slack in range(21) for _ in range(5)]
    assert learn(spread, compared(*[0] * 190), goal, now=NOW).supplier.buffer == goal.cold_start
    assert learn(spread, compared(*[0] * 400), goal, now=NOW).supplier.buffer == 0


def test_alike_promises_and_readings_may_come_as_one():
    singly = learn(promised(30, refused=0), compared(*[1] * 4, *[0] * 6_000), now=NOW).supplier
    at = NOW - timedelta(days=1)
    counted = [Comparison(at, "SKU-0", 1, times=4), Comparison(at, "SKU-0", 0, times=6_000)]
    assert learn([Promise(at, "SKU-0", 9, 2, times=30)], counted, now=NOW).supplier == singly


def test_a_reading_of_less_weight_proves_less():
    at = NOW - timedelta(days=1)
    assert learn([], [Comparison(at, "SKU-0", 0, times=4_000)], now=NOW).supplier.proven
    assert not learn([], [Comparison(at, "SKU-0", 0, times=4_000, weight=0.5)], now=NOW).supplier.proven
    assert learn([], [Comparison(at, "SKU-0", 0, times=8_000, weight=0.5)], now=NOW).supplier.proven


def test_a_supplier_that_improved_is_forgiven():
    bad = compared(*[5] * 100, *[0] * 900, days=0)
    good = compared(*[0] * 6_000, days=0)

    def after(days: float) -> int:
        aged = [Comparison(NOW - timedelta(days=days), one.sku, one.overstated) for one in bad]
        return learn([], aged + good, now=NOW).supplier.buffer

    # What was forgotten is forgotten for good; until then it counts for less and less.
    assert [after(0), after(60), after(14 * 9)] == [5, 5, 0]


@pytest.mark.parametrize("more", range(0, 12, 3))
def test_another_error_never_lowers_the_buffer(more: int):
    errors = [*[1] * 60, *[4] * 10, *[0] * 6_000]
    before = learn(promised(800, slack=3), compared(*errors), now=NOW).supplier.buffer
    after = learn(promised(800, slack=3), compared(*errors, *[more] * 5), now=NOW).supplier.buffer
    assert after >= before


def test_a_stricter_target_never_lowers_the_buffer():
    history = SUPPLIERS[1].history(3, 60_000, 5_000, 2)
    buffers = [learn(*history, Goal(target=target), now=NOW).supplier.buffer for target in (0.05, 0.01, 0.001, 0.0002)]
    assert buffers == sorted(buffers)
    assert buffers[0] < buffers[-1]


def test_refusals_count_where_readings_see_nothing():
    """A number that never falls is never seen to be too high."""
    readings = compared(*[0] * 10_000)
    assert learn(promised(412), readings, now=NOW).supplier.buffer == 0
    refused = learn(promised(412, refused=6, slack=3), readings, now=NOW).supplier
    assert refused.buffer == 4


def test_buyers_refused_at_the_buffer_are_not_forgotten():
    """The same errors, seen by orders kept away from the last units, and by orders that took some."""
    readings = compared(*[1] * 600, *[0] * 6_000)
    deep = promised(900, slack=40)
    kept_away = [Promise(NOW, "SKU-0", 5, 5)] * 90
    assert learn(deep + kept_away, readings, now=NOW).supplier.buffer == 1
    assert learn(deep + [Promise(NOW, "SKU-0", 0, 0)] * 90, readings, now=NOW).supplier.buffer == 1
    assert learn(deep * 10, readings, now=NOW).supplier.buffer == 0


def test_one_bad_sku_stands_alone_and_does_not_burden_the_others():
    readings = [one for sku in SKUS for one in compared(*[0] * 500, sku=sku)]
    promises = [one for sku in SKUS[1:] for one in promised(60, sku=sku)]
    lesson = learn(promises + promised(5, refused=5, slack=12), readings, now=NOW)
    assert (lesson.supplier.buffer, lesson.of("SKU-3").buffer) == (0, 0)
    assert lesson.of("SKU-0").buffer == 13
    assert "5 of 5 orders" in lesson.of("SKU-0").reason


def test_skus_that_are_all_bad_are_not_all_exceptions():
    readings = [one for sku in SKUS for one in compared(*[0] * 500, sku=sku)]
    promises = [one for sku in SKUS for one in promised(20, refused=2, slack=4, sku=sku)]
    lesson = learn(promises, readings, now=NOW)
    assert lesson.skus == {}
    assert lesson.supplier.buffer == 5


def test_a_sku_with_enough_evidence_goes_by_its_own():
    readings = compared(*[0] * 4_000, sku="SKU-1") + compared(*[6] * 200, *[0] * 1_000, sku="SKU-2")
    lesson = learn([], readings, now=NOW)
    assert (lesson.of("SKU-1").buffer, lesson.of("SKU-2").buffer) == (0, lesson.supplier.buffer)
    assert lesson.supplier.buffer == 6


def test_the_bounds_hold_and_are_named():
    liar = compared(*[400] * 500, *[0] * 5_000)
    learned = learn([], liar, Goal(at_most=30), now=NOW).supplier
    assert (learned.buffer, learned.proven) == (30, False)
    assert "400 overstated, more than allowed" in learned.reason
    assert learn([], compared(*[0] * 5_000), Goal(at_least=1), now=NOW).supplier.buffer == 1


def test_rare_errors_that_no_buffer_covers_do_not_force_the_largest():
    honest = compared(*[1] * 20, *[0] * 6_000)
    usual = learn([], honest, now=NOW).supplier
    after_event = learn([], honest + compared(*[90] * 8), now=NOW).supplier
    assert (after_event.buffer, after_event.proven) == (usual.buffer, False)
    assert "but for errors above 20" in after_event.reason
    assert learn([], honest + compared(*[90] * 30), now=NOW).supplier.buffer == GOAL.at_most


def test_a_person_can_read_why():
    errors = [*[4] * 8, *[2] * 30, *[0] * 6_874]
    promises = promised(3, refused=3, slack=4, days=6) + promised(409, slack=30, days=6)
    learned = learn(promises, compared(*errors), now=NOW).supplier
    assert learned.reason == (
        "3 of 412 orders since 2026-02-23 were refused; the number overstated by at most 4 in 99.9 % of 6912 readings"
        " (enough for 0.1 %) → buffer 5"
    )


def test_it_feeds_the_policy():
    learned = learn([], compared(3), now=NOW).supplier
    policy = learned.applied_to(trust.Policy(buffer=9, stale_after=60))
    assert policy == trust.Policy(buffer=3, stale_after=60)
    assert trust.sellable(10, policy).units == 7


@pytest.mark.parametrize(("later", "ours", "error"), [(6, 0, 4), (6, 4, 0), (12, 0, 0), (7, 1, 2)])
def test_a_drop_that_our_orders_do_not_explain_was_an_error(later: int, ours: int, error: int):
    assert overstated(10, later, ours) == error


@pytest.mark.parametrize(
    "bad",
    [
        {"target": 0},
        {"target": 1},
        {"confidence": 0.4},
        {"confidence": 1},
        {"at_least": -1},
        {"cold_start": 60},
        {"half_life": timedelta(0)},
    ],
)
def test_nonsense_is_refused_with_what_is_allowed(bad: dict[str, Any]):
    with pytest.raises(ValueError, match=r"0|half-life"):
        Goal(**bad)
