"""What suppliers and buyers do in each scenario, and the script of one day of it, the same for every strategy."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

HOUR = 3_600.0
DAY = 24 * HOUR
DELIVERED_EVERY = 5 * HOUR


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of the day, and by how much something differs in them."""

    start: float
    end: float
    factor: float

    def covers(self, seconds: float) -> bool:
        return self.start * HOUR <= seconds < self.end * HOUR


@dataclass(frozen=True, slots=True)
class Scenario:
    """One supplier and its buyers.  Rates are per SKU and hour, times in seconds.

    data_age: how old the data of each of its replicas is; a request goes to any of them.  declared_lag: what the
    merchant entered as the bound on that age.  phantoms: SKUs that are reported and do not exist.  inflation: of
    the reported number, in deliveries.  flash: times the demand for the first SKU.  event: of the merchant, who holds
    back so much of what a delivery usually brings.
    """

    name: str
    says: str
    skus: int = 8
    orders: float = 40.0
    elsewhere: float = 0.0
    latency: tuple[float, float] = (0.4, 0.5)  # median, sigma of a lognormal
    data_age: tuple[float, ...] = (45.0,)
    replicas: bool = False  # whether the merchant has set the supplier's flag
    declared_lag: float = 60.0
    snapshot_every: float = 300.0
    phantoms: int = 0
    inflation: Window | None = None
    boast: Window | None = None
    flash: Window | None = None
    event: Window | None = None

    def ordinary(self) -> "Scenario":
        """The days before: the same supplier without the event."""
        return replace(self, inflation=None, boast=None, flash=None, event=None)


SCENARIOS = (
    Scenario("calm", "answers at once, counts right, sells to nobody else"),
    Scenario("slow", "takes 5 s in the median to answer, and often longer than the deadline", latency=(5.0, 0.8)),
    Scenario(
        "replicas",
        "answers from one of three replicas, 2, 45 and 150 s behind, though 60 s were declared",
        data_age=(2.0, 45.0, 150.0),
        replicas=True,
    ),
    Scenario(
        "sale_day",
        "counts for six hours what is on its way to it as if it were there: half a delivery more",
        inflation=Window(9, 15, 0.5),
        event=Window(9, 15, 0.4),
    ),
    Scenario("phantom", "reports one good in eight that does not exist", phantoms=1),
    Scenario("channels", "sells the same goods elsewhere too", elsewhere=10.0),
    Scenario("flash", "has one of its goods wanted 40 times as much for half an hour", flash=Window(12, 12.5, 40.0)),
)


@dataclass(frozen=True, slots=True)
class Event:
    """At a time, so many units of a SKU."""

    at: float
    sku: int
    units: int


@dataclass(frozen=True, slots=True)
class Script:
    """One period: what is there at the start, what buyers want here and elsewhere, and what comes in.

    usual: units that a delivery of each SKU brings in the median.
    """

    stock: tuple[int, ...]
    usual: tuple[float, ...] = ()
    demand: list[Event] = field(default_factory=list)
    elsewhere: list[Event] = field(default_factory=list)
    deliveries: list[Event] = field(default_factory=list)


def script(scenario: Scenario, seed: str, seconds: float) -> Script:
    """Drawn from the seed alone."""
    chance = random.Random(f"{seed} {scenario.name} script")
    # Some goods are wanted ten times as much as others; the average is 1.
    appeal = [0.2 + 1.6 * sku / (scenario.skus - 1) for sku in range(scenario.skus)]
    chance.shuffle(appeal)
    stock: list[int] = []
    usual: list[float] = []
    demand: list[Event] = []
    elsewhere: list[Event] = []
    deliveries: list[Event] = []
    for sku in range(scenario.skus):
        rate = appeal[sku] * scenario.orders
        flash = scenario.flash if sku == 0 else None
        demand += _arrivals(chance, sku, rate, seconds, flash)
        elsewhere += _arrivals(chance, sku, appeal[sku] * scenario.elsewhere, seconds, None)
        # What comes in covers about what is wanted until the next delivery: half of the goods sell out before it.
        wanted = 1.4 * appeal[sku] * (scenario.orders + scenario.elsewhere) * DELIVERED_EVERY / HOUR
        usual.append(wanted)
        stock.append(_delivery(chance, wanted))
        at = chance.uniform(0.7, 1.0) * DELIVERED_EVERY
        while at < seconds:
            deliveries.append(Event(at, sku, _delivery(chance, wanted)))
            at += DELIVERED_EVERY
    return Script(tuple(stock), tuple(usual), sorted(demand, key=_at), sorted(elsewhere, key=_at), deliveries)


def _delivery(chance: random.Random, wanted: float) -> int:
    return max(3, round(wanted * chance.lognormvariate(0.0, 0.3)))


def _at(event: Event) -> float:
    return event.at


def _arrivals(
    chance: random.Random, sku: int, per_hour: float, seconds: float, flash: Window | None
) -> Iterator[Event]:
    """A Poisson process, thinned from its fastest rate."""
    fastest = per_hour * (flash.factor if flash else 1.0)
    at = chance.expovariate(fastest / HOUR) if fastest else seconds
    while at < seconds:
        if flash is None or flash.covers(at) or chance.random() * flash.factor < 1:
            yield Event(at, sku, chance.choices((1, 2, 3), (7, 2, 1))[0])
        at += chance.expovariate(fastest / HOUR)
