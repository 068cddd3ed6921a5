"""The strategies.  All of them decide by `inventory.sourcing`; they differ in what they make of a reading."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from inventory import buffers, sourcing, transitions, trust
from inventory.buffers import Comparison, Lesson, Promise
from inventory.caution import NONE, Caution, Window
from inventory.inclusion import Promise as Taken
from inventory.positions import Level, Position
from inventory.transitions import Numbers, Standing

MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
FIXED_BUFFER = 2
TTL = 300.0  # as long as between two snapshots: every strategy has numbers equally fresh


def moment(seconds: float) -> datetime:
    return MIDNIGHT + timedelta(seconds=seconds)


@dataclass(slots=True)
class Order:
    """One that was accepted.  slack: units of the reported number that it left.  buffer: in force then."""

    id: int
    sku: int
    units: int
    at: float
    slack: int = 0
    buffer: int = 0


class Shop:
    """Its own number is upstream's last one less what it sold since: a reading overwrites it."""

    name = "a_scheduled"
    title = "(a) scheduled sync only"
    ttl: float | None = None  # seconds that a number is served for; None: it is not read on demand
    takes_snapshots = True
    reads_after_order = False
    reads_to_settle = False
    reads_wanted = False  # whether what is refused is read again before its turn

    def __init__(self, skus: int, declared_lag: float, *, replicas: bool = False) -> None:
        self.lag = timedelta(seconds=declared_lag)
        self.replicas = replicas
        self.policies = [trust.Policy() for _ in range(skus)]
        self.levels = [_level(sku, Numbers(None, 0, 0, None), self.policies[sku]) for sku in range(skus)]

    def reported(self, sku: int) -> int | None:
        return self.levels[sku].reported

    def position(self, sku: int, now: float) -> Position:
        return Position(
            id=sku,
            code=str(sku),
            stop_selling=False,
            splittable=True,
            safety_stock=0,
            low_stock_threshold=5,
            version=1,
            epoch=1,
            now=moment(now),
            levels=[self.levels[sku]],
        )

    def sell(self, order: Order, position: Position) -> bool:
        """Whether the order is accepted; then its units are deducted."""
        decision = sourcing.decide({position.code: position}, [(position.code, order.units)])
        for take in decision.takes:
            order.slack = (take.level.reported or 0) - take.level.allocated
            order.buffer = take.level.policy.buffer
            self.keep(order.sku, take.level)
        return bool(decision.takes)

    def keep(self, sku: int, level: Level) -> None:
        """Remember what was deducted."""

    def reads_again(self, sku: int) -> Sequence[float]:  # noqa: ARG002
        """Seconds from a reading until the same is read again because it is in doubt."""
        return ()

    def beside(self, skus: Sequence[int]) -> Sequence[int]:  # noqa: ARG002
        """What is read with these, to know what their numbers are worth."""
        return ()

    def hear(self, said: Mapping[int, int]) -> None:
        """All that one answer says, before any of it is taken in."""

    def read(self, sku: int, reported: int, read_at: float) -> bool:
        """Whether the reading counts."""
        units = trust.sellable(reported, self.policies[sku]).units
        self.levels[sku] = _level(sku, Numbers(reported, units, 0, moment(read_at)), self.policies[sku])
        return True

    def answered(self, order: Order, now: float, *, accepted: bool) -> None:
        """Upstream took the order, or refused it for lack of stock."""


class Cache(Shop):
    """Serves upstream's number for its time to live, whatever it sold meanwhile."""

    name = "b_cache"
    title = "(b) TTL cache"
    ttl = TTL
    takes_snapshots = False

    def position(self, sku: int, now: float) -> Position:
        position = super().position(sku, now)
        position.levels = [replace(self.levels[sku])]
        return position


class TwoLayers(Shop):
    """As (a), and the sold SKU is read again after each order."""

    name = "c_overwrite"
    title = "(c) two layers, overwrite on sync"
    reads_after_order = True


class Holdfast(Shop):
    """Settles readings and refusals by `inventory.transitions`."""

    name = "d_fixed"
    title = f"(d) Holdfast, buffer {FIXED_BUFFER}"
    reads_after_order = True
    reads_to_settle = True

    def __init__(self, skus: int, declared_lag: float, *, replicas: bool = False) -> None:
        super().__init__(skus, declared_lag, replicas=replicas)
        self.policies = [trust.Policy(buffer=FIXED_BUFFER) for _ in range(skus)]
        self.standings = [
            Standing(sku, 1, 1, Numbers(None, 0, 0, None), self.policies[sku], self.lag, replicas=replicas)
            for sku in range(skus)
        ]
        self.confirmed: list[list[Taken]] = [[] for _ in range(skus)]
        self._again: list[Sequence[float]] = [()] * skus
        self._event: Window | None = None
        self._held_back = [NONE] * skus

    def reported(self, sku: int) -> int | None:
        return self.standings[sku].numbers.reported

    def position(self, sku: int, now: float) -> Position:
        standing = self.standings[sku]
        self.levels[sku] = _level(sku, standing.numbers, standing.policy)
        if self._event and self._event.covers(moment(now)):
            self.levels[sku].caution = self._held_back[sku]
        return super().position(sku, now)

    def expect(self, start: float, end: float, held_back: Sequence[int]) -> None:
        """The merchant plans a sales event for each SKU, which holds back so many units."""
        self._event = Window(moment(start), moment(end))
        self._held_back = [Caution(units) for units in held_back]

    def keep(self, sku: int, level: Level) -> None:
        self._store(sku, replace(self.standings[sku].numbers, allocated=level.allocated))

    def read(self, sku: int, reported: int, read_at: float) -> bool:
        read = transitions.by_reading(self.standings[sku], reported, moment(read_at), self.confirmed[sku])
        if read is None:
            return False
        self.confirmed[sku] = [one for one in self.confirmed[sku] if one.id not in read.settled]
        self._again[sku] = transitions.reads_again(self.standings[sku], read.numbers)
        self._store(sku, read.numbers)
        # In quarantine the last trusted number stands, as old as it was.
        return read.numbers.quarantined_at is None

    def reads_again(self, sku: int) -> Sequence[float]:
        return self._again[sku]

    def answered(self, order: Order, now: float, *, accepted: bool) -> None:
        if accepted:
            self.confirmed[order.sku].append(Taken(order.id, order.units, moment(now)))
            return
        numbers = transitions.by_refusal(self.standings[order.sku], order.units, moment(now))
        floor = (numbers.reported or 0) - numbers.allocated
        standing = replace(self.standings[order.sku], rejected_at=moment(now), rejection_floor=floor)
        self.standings[order.sku] = standing
        self._store(order.sku, numbers)

    def _store(self, sku: int, numbers: Numbers) -> None:
        self.standings[sku] = replace(self.standings[sku], numbers=numbers, known_at=numbers.read_at)


@dataclass(slots=True)
class _Baseline:
    """The last reading of which it is certain what of ours it includes, and what settled since."""

    reported: int
    at: float
    ours: int = 0


class Learning(Holdfast):
    """As (d), with the buffers that `inventory.buffers` learns."""

    name = "e_learned"
    title = "(e) Holdfast, learned buffer"
    COMPARABLE = 1_200.0  # seconds between two readings; over longer times a drop says little of a number's error

    def __init__(self, skus: int, declared_lag: float, *, replicas: bool = False) -> None:
        super().__init__(skus, declared_lag, replicas=replicas)
        self.promises: list[Promise] = []
        self.comparisons: list[Comparison] = []
        self.baselines: list[_Baseline | None] = [None] * skus
        self.lesson = Lesson(buffers.learn([], [], now=MIDNIGHT).supplier)

    def read(self, sku: int, reported: int, read_at: float) -> bool:
        before = self.standings[sku].numbers.allocated
        if not super().read(sku, reported, read_at):
            return False
        after = self.standings[sku].numbers.allocated
        baseline = self.baselines[sku]
        if baseline:
            baseline.ours += before - after
        # With nothing of ours under way it is certain what the number includes.
        if after == 0:
            if baseline and read_at - baseline.at <= self.COMPARABLE:
                error = buffers.overstated(baseline.reported, reported, baseline.ours)
                self.comparisons.append(Comparison(moment(read_at), str(sku), error))
            self.baselines[sku] = _Baseline(reported, read_at)
        return True

    def answered(self, order: Order, now: float, *, accepted: bool) -> None:
        super().answered(order, now, accepted=accepted)
        refused = 0 if accepted else order.units
        self.promises.append(Promise(moment(order.at), str(order.sku), order.slack, order.buffer, refused))
        if not accepted:
            self.baselines[order.sku] = None

    def learn(self, now: float) -> None:
        """Take the buffers from the history, and count every level anew under them."""
        self.lesson = buffers.learn(self.promises, self.comparisons, now=moment(now))
        self._obey()

    def inherit(self, earlier: "Learning", seconds: float) -> None:
        """Start with the history of another run, which ended when this one begins."""
        past = timedelta(seconds=seconds)
        self.promises = [replace(one, at=one.at - past) for one in earlier.promises]
        self.comparisons = [replace(one, at=one.at - past) for one in earlier.comparisons]
        self.learn(0.0)

    def _obey(self) -> None:
        for sku, standing in enumerate(self.standings):
            policy = self.lesson.of(str(sku)).applied_to(standing.policy)
            if policy != standing.policy:
                self.policies[sku] = policy
                self.standings[sku] = replace(standing, policy=policy)
                self._store(sku, transitions.by_policy(self.standings[sku]))


STRATEGIES: tuple[type[Shop], ...] = (Shop, Cache, TwoLayers, Holdfast, Learning)


def _level(sku: int, numbers: Numbers, policy: trust.Policy) -> Level:
    return Level(
        id=sku,
        supplier_id=1,
        supplier="supplier",
        reported=numbers.reported,
        sellable=numbers.sellable,
        allocated=numbers.allocated,
        version=1,
        read_at=numbers.read_at,
        selling=True,
        policy=policy,
    )
