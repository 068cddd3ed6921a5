"""One day of one strategy in one scenario: a discrete-event simulation on a clock of its own."""

import heapq
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import count

from benchmarks.oversell.scenarios import DAY, HOUR, Scenario, Script, script
from benchmarks.oversell.shops import Holdfast, Learning, Order, Shop
from benchmarks.oversell.upstream import Upstream

DEADLINE = 10.0  # seconds until a read is given up
RETRY = 2.0
COALESCE = 5.0  # seconds: one read for all orders of a SKU in them
WANTED = 15.0  # seconds: what is refused is read again no more often
BELL = 0.5  # seconds from an order to the workers that tell upstream and read again
MARGIN = 1.0  # seconds by which the read that settles an order is sent later than it might be
LEARN_EVERY = 6 * HOUR


@dataclass(slots=True)
class Tally:
    """Units, unless it says otherwise.

    oversold: promised beyond what was there at the decision.  oversold_knowable: of these, with reported ≤ truth +
    buffer and the data no older than declared.  wrongly_refused: refused although they were there, each unit there
    counted once.  orders_lost: orders that upstream refused later.  stale_reads: of `reads`, those that showed more
    than was there.
    """

    demanded: int = 0
    sold: int = 0
    oversold: int = 0
    oversold_knowable: int = 0
    wrongly_refused: int = 0
    orders: int = 0
    orders_lost: int = 0
    reads: int = 0
    stale_reads: int = 0


class Day:
    """The events of a period, and what they come to."""

    def __init__(self, scenario: Scenario, shop: Shop, plan: Script, seed: str) -> None:
        self.scenario, self.shop = scenario, shop
        self.upstream = Upstream(scenario, plan, seed)
        self.tally = Tally()
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count(1)
        skus = range(scenario.skus)
        self._under_way = [0 for _ in skus]  # units promised that upstream does not know of yet
        self._owed = [0 for _ in skus]  # units there that a buyer was wrongly refused, and that are there still
        self._as_of = [(0.0, 0.0) for _ in skus]  # of the number that the shop holds: when it was asked, and its data
        self._reads_due: list[list[float]] = [[] for _ in skus]
        for event in plan.demand:
            self.at(event.at, partial(self._demand, event.sku, event.units))
        for event in plan.elsewhere:
            self.at(event.at, partial(self._elsewhere, event.sku, event.units))
        for event in plan.deliveries:
            self.at(event.at, partial(self._deliver, event.sku, event.units))

    def at(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (seconds, next(self._numbers), act))

    def run(self, seconds: float) -> Tally:
        """Orders come for so many seconds; what is under way then still arrives."""
        for sku in range(self.scenario.skus):  # every strategy begins with a number that is right
            self._arrive([sku], asked=0.0, as_of=0.0)
        self._every(self.scenario.snapshot_every, seconds, self._snapshot if self.shop.takes_snapshots else None)
        self._every(LEARN_EVERY, seconds, self._learn if isinstance(self.shop, Learning) else None)
        while self._events:
            self.now, _, act = heapq.heappop(self._events)
            act()
        return self.tally

    def _every(self, interval: float, end: float, act: Callable[[], None] | None) -> None:
        for number in range(1, int(end / interval)):
            if act:
                self.at(number * interval, act)

    def _learn(self) -> None:
        if isinstance(self.shop, Learning):
            self.shop.learn(self.now)

    # Buyers.

    def _demand(self, sku: int, units: int) -> None:
        fresh = self.shop.ttl is None or self.now - self._as_of[sku][0] < self.shop.ttl
        decide = partial(self._decide, Order(next(self._numbers), sku, units, self.now))
        if fresh:
            decide()
        else:
            self._ask([sku], decide, patient=False)

    def _decide(self, order: Order) -> None:
        sku, tally = order.sku, self.tally
        order.at = self.now
        there = self.upstream.truth(sku) - self._under_way[sku]
        knowable = self._is_knowable(sku)
        position = self.shop.position(sku, self.now)
        tally.reads += 1
        tally.stale_reads += position.available() > max(0, there)
        tally.demanded += order.units
        if not self.shop.sell(order, position):
            self._refused(sku, order.units, there)
            return
        over = min(order.units, max(0, order.units - there))
        tally.orders += 1
        tally.sold += order.units
        tally.oversold += over
        tally.oversold_knowable += over if knowable else 0
        self._under_way[sku] += order.units
        self._forget_owed(sku)
        latency = self.upstream.latency()
        self.at(self.now + BELL + latency / 2, partial(self._tell, order, latency / 2))
        if self.shop.reads_after_order:
            self._read_soon(sku, BELL)

    def _is_knowable(self, sku: int) -> bool:
        """Whether reported ≤ truth + buffer, what we bought since counted in, and the data no older than declared."""
        asked, as_of = self._as_of[sku]
        reported = self.shop.reported(sku) or 0
        unseen = self.upstream.ours_since(sku, as_of)
        buffer = self.shop.policies[sku].buffer
        return reported - unseen <= self.upstream.truth(sku) + buffer and asked - as_of <= self.scenario.declared_lag

    def _refused(self, sku: int, units: int, there: int) -> None:
        self._forget_owed(sku)
        if self.shop.reads_wanted:
            self._read_soon(sku, WANTED)
        if units <= there - self._owed[sku]:
            self.tally.wrongly_refused += units
            self._owed[sku] += units

    def _forget_owed(self, sku: int) -> None:
        there = max(0, self.upstream.truth(sku) - self._under_way[sku])
        self._owed[sku] = min(self._owed[sku], there)

    def _elsewhere(self, sku: int, units: int) -> None:
        self.upstream.take(sku, units, self.now, ours=False)
        self._forget_owed(sku)

    def _deliver(self, sku: int, units: int) -> None:
        self.upstream.deliver(sku, units, self.now)

    # Upstream.

    def _tell(self, order: Order, way_back: float) -> None:
        accepted = self.upstream.take(order.sku, order.units, self.now, ours=True)
        self._under_way[order.sku] -= order.units
        self.tally.orders_lost += not accepted
        self.at(self.now + way_back, partial(self._answered, order, accepted))

    def _answered(self, order: Order, accepted: bool) -> None:
        self.shop.answered(order, self.now, accepted=accepted)
        if self.shop.reads_to_settle:
            self._read_soon(order.sku, self.scenario.declared_lag + MARGIN)

    def _read_soon(self, sku: int, delay: float) -> None:
        due, reads = self.now + delay, self._reads_due[sku]
        if any(due <= at <= due + COALESCE for at in reads):
            return
        earlier = [other for other in reads if other < due]
        at = max(due, max(earlier) + COALESCE) if earlier else due
        self._reads_due[sku] = [other for other in reads if other > self.now - COALESCE] + [at]
        self.at(at, partial(self._ask, [sku]))

    def _snapshot(self) -> None:
        self._ask(range(self.scenario.skus))

    def _ask(self, skus: Iterable[int], then: Callable[[], None] | None = None, *, patient: bool = True) -> None:
        """Read these SKUs.  then: what waits for the answer.  patient: try again if none comes."""
        skus = [*skus, *self.shop.beside([*skus])]
        asked, latency = self.now, self.upstream.latency()
        if latency > DEADLINE:
            if patient:
                self.at(asked + DEADLINE + RETRY, partial(self._ask, skus, then))
            elif then:
                self.at(asked + DEADLINE, then)
            return
        # Upstream looks at its data some time between question and answer.
        as_of = asked + latency * self.upstream.chance.random() - self.upstream.data_age()
        self.at(asked + latency, partial(self._arrive, skus, asked=asked, as_of=as_of))
        if then:
            self.at(asked + latency, then)

    def _arrive(self, skus: Iterable[int], *, asked: float, as_of: float) -> None:
        said = {sku: self.upstream.reported(sku, as_of) for sku in skus}
        self.shop.hear(said)
        for sku, reported in said.items():
            if self.shop.read(sku, reported, asked):
                self._as_of[sku] = (asked, as_of)
            for delay in self.shop.reads_again(sku):
                self._read_soon(sku, delay)


def simulate(scenario: Scenario, strategy: type[Shop], seed: int, *, hours: float = 24, history_days: int = 1) -> Tally:
    """One day.  A learning strategy first lives through ordinary days, which are not counted."""
    shop = strategy(scenario.skus, scenario.declared_lag, replicas=scenario.replicas)
    if isinstance(shop, Learning):
        past = history_days * DAY
        earlier = Learning(scenario.skus, scenario.declared_lag, replicas=scenario.replicas)
        before = scenario.ordinary()
        Day(before, earlier, script(before, f"{seed} before", past), f"{seed} before").run(past)
        shop.inherit(earlier, past)
    seconds = hours * HOUR
    plan = script(scenario, str(seed), seconds)
    if scenario.event and isinstance(shop, Holdfast):
        held_back = [math.ceil(scenario.event.factor * units) for units in plan.usual]
        shop.expect(scenario.event.start * HOUR, scenario.event.end * HOUR, held_back)
    return Day(scenario, shop, plan, str(seed)).run(seconds)
