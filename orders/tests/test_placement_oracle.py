"""A batch is answered, and leaves the books, as if its orders had come one by one."""

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.models import Allocation, Offer, Sku, StockLevel, StockMovement
from inventory.strategies import Strategy
from orders import placement
from orders.intents import Intent, Placed, Refused
from orders.tests.buyers import intent_of
from storefronts.models import Storefront

pytestmark = pytest.mark.django_db(transaction=True)

CODES = ("TEA", "MUG", "JAR")
runs = itertools.count(1)


@dataclass(frozen=True)
class Goods:
    """levels: units of each, its lot and minimum, and the SKUs sold from it.  safety: units never offered, by SKU."""

    levels: list[tuple[int, int, int, frozenset[str]]]
    safety: int
    splittable: bool
    strategy: Strategy


lines = st.dictionaries(st.sampled_from(CODES), st.integers(1, 6), min_size=1, max_size=2)
# Few keys and few bodies: repeats, keys used for another body, and repeats of what was refused are all common.
orders = st.lists(st.tuples(st.sampled_from("abcdef"), lines), min_size=1, max_size=10)
goods = st.builds(
    Goods,
    levels=st.lists(
        st.tuples(
            st.integers(0, 12),
            st.sampled_from([1, 1, 1, 2, 3]),
            st.sampled_from([1, 1, 4]),
            st.frozensets(st.sampled_from(CODES), min_size=1),
        ),
        min_size=1,
        max_size=4,
    ),
    safety=st.integers(0, 2),
    splittable=st.booleans(),
    strategy=st.sampled_from(Strategy),
)


class World:
    """One copy of the goods.  What it tells of itself names no id, so that two copies can be compared."""

    def __init__(self, wanted: Goods, storefront: Storefront, make_level: Callable[..., StockLevel]) -> None:
        self.storefront = storefront
        self.suffix = f"-{next(runs)}"
        skus = {
            code: Sku.objects.create(
                code=code + self.suffix,
                safety_stock=wanted.safety,
                splittable=wanted.splittable,
                sourcing=wanted.strategy,
            )
            for code in CODES
        }
        self.levels = []
        for number, (units, lot, least, sellers) in enumerate(wanted.levels):
            level = make_level(None, units // lot * lot, lot=lot, min_order=least)
            self.levels.append(level)
            for code in sorted(sellers):
                Offer.objects.create(sku=skus[code], level=level, priority=number)

    def intents(self, wanted: Sequence[tuple[str, dict[str, int]]]) -> list[Intent]:
        return [
            intent_of(
                self.storefront.pk, key + self.suffix, [(code + self.suffix, units) for code, units in asked.items()]
            )
            for key, asked in wanted
        ]

    def told(self, outcome: object) -> Any:
        if isinstance(outcome, Placed):
            lines = json.loads(outcome.answer)["lines"]
            names = {level.supplier.slug: number for number, level in enumerate(self.levels)}
            return outcome.repeated, [
                (
                    line["sku"],
                    line["quantity"],
                    line["version"],
                    [(names[part["supplier"]], part["quantity"]) for part in line["allocations"]],
                )
                for line in self._plain(lines)
            ]
        if isinstance(outcome, Refused):
            return [
                (short.sku.removesuffix(self.suffix), short.requested, short.available, short.version)
                for short in outcome.shortages
            ]
        return type(outcome).__name__

    def books(self) -> Any:
        ids = {level.pk: number for number, level in enumerate(self.levels)}
        movements = StockMovement.objects.filter(level__in=self.levels).order_by("level_id", "version")
        return (
            list(StockLevel.objects.filter(pk__in=ids).order_by("pk").values_list("sellable", "allocated", "version")),
            [(ids[one.level_id], one.version, one.cause, one.allocated_delta) for one in movements],
            sorted(
                (ids[level], units)
                for level, units in Allocation.objects.filter(level__in=self.levels).values_list("level", "quantity")
            ),
            list(Sku.objects.filter(code__endswith=self.suffix).order_by("pk").values_list("version", flat=True)),
        )

    def _plain(self, lines: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for line in lines:
            yield {**line, "sku": line["sku"].removesuffix(self.suffix)}


@given(wanted=goods, asked=orders)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_batch_equals_its_orders_one_by_one(wanted, asked, make_level, storefront):
    batch, single = (World(wanted, storefront, make_level) for _ in range(2))
    together = placement.place_locked(batch.intents(asked))
    one_by_one = [placement.place_locked([intent])[0] for intent in single.intents(asked)]
    assert [batch.told(outcome) for outcome in together] == [single.told(outcome) for outcome in one_by_one]
    assert batch.books() == single.books()


@pytest.fixture
def storefront(make_storefront: Callable[..., Storefront]) -> Storefront:
    return make_storefront("shop")
