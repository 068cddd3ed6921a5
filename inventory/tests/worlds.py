"""An upstream where only we buy, whose truth is known, and our books."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from inventory import transitions, trust
from inventory.inclusion import Promise
from inventory.transitions import Numbers, Standing

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LAG = timedelta(seconds=60)


def seconds(count: float) -> datetime:
    return NOON + timedelta(seconds=count)


def by_hand(pk: int, quantity: int, created: float, observed: int = 0) -> Promise:
    return Promise(pk, quantity, None, seconds(created), observed, taken=False)


def taken(pk: int, quantity: int, confirmed: float, observed: int = 0) -> Promise:
    return Promise(pk, quantity, seconds(confirmed), seconds(confirmed - 1), observed)


def level(reported: int = 10, allocated: int = 0, **fields: Any) -> Standing:
    numbers = Numbers(reported, reported, allocated, NOON)
    return Standing(1, 1, 1, numbers, trust.Policy(), LAG, **{"exclusive": True, "known_at": NOON, **fields})


def read(standing: Standing, reported: int, at: float, *promises: Promise) -> tuple[list[int], dict[int, int], int]:
    """Settled ids, observed units, what can be sold then."""
    result = transitions.by_reading(standing, reported, seconds(at), promises)
    assert result is not None
    numbers = result.numbers
    return list(result.settled), dict(result.observed), numbers.sellable - numbers.allocated


@dataclass
class Order:
    promise: Promise
    bought: bool = False
    settled: bool = False


@dataclass
class World:
    """An upstream where only we buy, by hand, whose data is up to one lag old, and our books."""

    standing: Standing = field(default_factory=lambda: level(10))
    now: float = 0.0
    truth: list[tuple[float, int]] = field(default_factory=lambda: [(0.0, 10)])
    data: float = 0.0
    orders: dict[int, Order] = field(default_factory=dict)
    guarded: bool = True  # whether the rule of the unproven is kept

    def open(self, accept: Callable[[Order], bool]) -> list[Order]:
        return [one for one in self.orders.values() if accept(one)]

    def step(self, wait: int, act: str, number: int) -> None:
        self.now += wait
        getattr(self, act)(number)
        assert self.free <= self.left, "oversold"

    @property
    def free(self) -> int:
        """Units that can be sold."""
        return self.standing.numbers.sellable - self.standing.numbers.allocated

    @property
    def left(self) -> int:
        """Units that nobody was promised."""
        return self.truth[-1][1] - sum(one.promise.quantity for one in self.orders.values() if not one.bought)

    def promised(self, pk: int, units: int) -> Promise:
        """A new order."""
        return by_hand(pk, units, self.now)

    def told(self) -> list[Promise]:
        """What a reading may include."""
        return [one.promise for one in self.orders.values() if not one.settled]

    def allocate(self, units: int) -> None:
        numbers = self.standing.numbers
        self.standing = replace(self.standing, numbers=replace(numbers, allocated=numbers.allocated + units))

    def order(self, number: int) -> None:
        units = 1 + number % 3
        if units <= self.free:
            self.allocate(units)
            pk = len(self.orders) + 1
            self.orders[pk] = Order(self.promised(pk, units))

    def buy(self, number: int) -> None:
        waiting = self.open(lambda one: not one.bought)
        if waiting:
            one = waiting[number % len(waiting)]
            one.bought = True
            self.truth.append((self.now, self.truth[-1][1] - one.promise.quantity))

    def say(self, number: int) -> None:
        unsaid = self.open(lambda one: one.bought and one.promise.confirmed_at is None)
        if unsaid:
            one = unsaid[number % len(unsaid)]
            one.promise = replace(one.promise, confirmed_at=seconds(self.now), taken=True)

    def stock(self, number: int) -> None:
        self.truth.append((self.now, self.truth[-1][1] + number))

    def cancel(self, number: int) -> None:
        free = self.open(lambda one: not (one.bought or one.settled))
        if free:
            one = free[number % len(free)]
            self.allocate(-one.promise.quantity)
            self.forget(one)

    def forget(self, one: Order) -> None:
        """Its number is not given to another."""
        del self.orders[one.promise.id]
        self.orders[-one.promise.id] = replace(one, bought=True, settled=True, promise=taken(-1, 1, 0))

    def read(self, number: int) -> None:
        self.data = max(self.data, self.now - number / 9 * LAG.total_seconds())
        reported = [units for at, units in self.truth if at <= self.data][-1]
        unproven = sum(
            one.promise.quantity for one in self.orders.values() if one.settled and not one.promise.confirmed_at
        )
        standing = replace(self.standing, unproven=unproven if self.guarded else 0)
        result = transitions.by_reading(standing, reported, seconds(self.now), self.told())
        assert result is not None
        self.standing = replace(self.standing, numbers=result.numbers, known_at=seconds(self.now))
        for pk, units in result.observed.items():
            self.orders[pk].promise = replace(self.orders[pk].promise, observed=units)
        for pk in result.settled:
            self.orders[pk].settled = True
