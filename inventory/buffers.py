"""Learned buffers: the smallest one that keeps unfillable orders below the merchant's target.

Note [Estimator]
An order that leaves `slack` units of the reported number cannot be filled if that number overstated by more than
`slack`; a buffer B refuses the orders with slack < B.  So over the orders that buyers ask for

    risk(B) = Σ over slack ≥ B of  share(slack) × P(overstated > slack)

and the buffer is the smallest B whose risk(B) is at most the target.  Each P is taken at its upper Clopper–Pearson
limit over readings that were compared with a later one: distribution-free, so few readings mean a high limit and no
small buffer, and nothing is assumed about how a supplier errs.  Orders that upstream refused are a second witness,
which sees what readings cannot (a number that never falls): a buffer at which the lower limit of their share exceeds
the target is ruled out.  Where readings are too few for the target, the cold-start buffer stands, or more if more was
overstated; not what it would take to refuse so many orders that the target is met by knowing little.

Evidence decays by half each half-life.  Weights count like fractions of observations; as they are at most 1, their sum
never exceeds Kish's effective sample size, and the limits err to the careful side.

Errors above the largest buffer allowed are set aside while they are rare: no buffer covers them, quarantine does.

A supplier's SKUs are pooled.  A SKU stands alone once its own readings suffice, or once upstream refuses it so much
more often than the others that chance does not explain it; then its history no longer burdens the others.

What is taken for granted: errors in different readings are independent enough, and how much is asked for does not hang
together with how wrong the number is.  Where that fails, refusals show it, and the second witness raises the buffer.

Source: C. Clopper, E. Pearson, Biometrika 26 (1934) 404–413; L. Kish, Survey Sampling (1965) 11.7.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from inventory import trust
from inventory.proportions import exceeds, upper_limit

# Buyers refused at the buffer leave no trace in the history: orders that ended within so many units above it stand for
# them, as stock that sells down passes every unit alike.
EDGE = 5
# By how little chance may explain that a SKU is refused more often than its supplier's others.
APART = 0.001
FORGOTTEN = 8  # half-lives after which an observation (weight below 0.4 %) is left out


@dataclass(frozen=True, slots=True)
class Promise:
    """An order's allocation, once upstream answered.

    at: when it was promised.  slack: reported − allocated, right after it; in the ledger reported_after −
    allocated_after.  buffer: in force then.  refused: units that upstream did not have.  times: so many alike.
    """

    at: datetime
    sku: str
    slack: int
    buffer: int = 0
    refused: int = 0
    times: int = 1


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two consecutive readings of a level.

    overstated: units by which the earlier proved too high.  times: so many alike.  weight: of each, above 0 and at
    most 1, where goods that are hardly bought would outweigh those that are by being read as often.
    """

    at: datetime
    sku: str
    overstated: int
    times: int = 1
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Goal:
    """What the merchant wants.

    target: the most that the share of unfillable orders may be.  confidence: of the limits.  cold_start, at_least,
    at_most: units.
    """

    target: float = 0.001
    confidence: float = 0.95
    cold_start: int = 2
    at_least: int = 0
    at_most: int = 20
    half_life: timedelta = timedelta(days=14)

    def __post_init__(self) -> None:
        if not 0 < self.target < 1:
            raise ValueError("The target is a share above 0 and below 1, such as 0.001.")
        if not 0.5 <= self.confidence < 1:  # noqa: PLR2004 - less than a coin's is no confidence
            raise ValueError("The confidence is at least 0.5 and below 1.")
        if not 0 <= self.at_least <= self.cold_start <= self.at_most:
            raise ValueError("Buffers need 0 ≤ at least ≤ cold start ≤ at most.")
        if self.half_life <= timedelta(0):
            raise ValueError("The half-life is longer than 0.")


@dataclass(frozen=True, slots=True)
class Learned:
    """A buffer, and why.  proven: the evidence suffices for the target; otherwise the buffer is a careful guess."""

    buffer: int
    reason: str
    proven: bool = False

    def applied_to(self, policy: trust.Policy) -> trust.Policy:
        """The policy with this buffer in the place of its own."""
        return replace(policy, buffer=self.buffer)


@dataclass(frozen=True, slots=True)
class Lesson:
    """One supplier's buffer, and those of the SKUs that stand alone."""

    supplier: Learned
    skus: Mapping[str, Learned] = field(default_factory=dict)

    def of(self, sku: str) -> Learned:
        return self.skus.get(sku, self.supplier)


def overstated(earlier: int, later: int, ours: int) -> int:
    """Units by which a number was too high, as a later one shows.

    ours: units of our own orders that the later number includes and the earlier does not.  Where it is uncertain which
    of our orders a number includes, do not compare.
    """
    return max(0, earlier - later - ours)


def learn(
    promises: Iterable[Promise], comparisons: Iterable[Comparison], goal: Goal | None = None, *, now: datetime
) -> Lesson:
    """The buffers that a supplier's history teaches.  See Note [Estimator]."""
    goal = goal or Goal()
    evidence = _gather(promises, comparisons, goal, now)
    apart = _apart(evidence, goal)
    pool = _Evidence.together([one for sku, one in evidence.items() if sku not in apart])
    supplier = _learned(pool, goal)
    skus = {sku: _raised(evidence[sku], supplier, goal) for sku in apart}
    for sku, own in evidence.items():
        # An own comparison with no error at all must at least be able to prove the target.
        if sku not in apart and upper_limit(0, own.readings, goal.confidence) <= goal.target:
            skus[sku] = _learned(own, goal)
    return Lesson(supplier, skus)


@dataclass(slots=True)
class _Evidence:
    """Weighted tallies.  asked: slack → orders.  refused, errors: units overstated → orders, readings."""

    seen_orders: int = 0
    seen_refusals: int = 0
    seen_readings: int = 0
    since: datetime | None = None
    orders: float = 0.0
    readings: float = 0.0
    asked: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    refused: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    errors: dict[int, float] = field(default_factory=lambda: defaultdict(float))

    def promised(self, promise: Promise, weight: float) -> None:
        self._saw(promise.at)
        weight *= promise.times
        self.seen_orders += promise.times
        self.orders += weight
        self.asked[promise.slack] += weight
        if promise.slack < promise.buffer + EDGE:
            for slack in range(promise.buffer):
                self.asked[slack] += weight / EDGE
        if promise.refused:
            self.seen_refusals += promise.times
            # Refused as a whole, it may have overstated by less: what would have been refused for certain counts.
            self.refused[promise.slack + promise.refused] += weight

    def compared(self, comparison: Comparison, weight: float) -> None:
        self._saw(comparison.at)
        weight *= comparison.times * comparison.weight
        self.seen_readings += comparison.times
        self.readings += weight
        if comparison.overstated > 0:
            self.errors[comparison.overstated] += weight

    def split(self, units: int) -> tuple["_Evidence", float]:
        """The evidence without readings that overstated by more than these units, and the weight of those."""
        errors = {error: weight for error, weight in self.errors.items() if error <= units}
        beyond = sum(weight for error, weight in self.errors.items() if error > units)
        return replace(self, errors=errors, readings=self.readings - beyond), beyond

    def _saw(self, at: datetime) -> None:
        self.since = at if self.since is None else min(self.since, at)

    @classmethod
    def together(cls, parts: Sequence["_Evidence"]) -> "_Evidence":
        whole = cls()
        for part in parts:
            whole.seen_orders += part.seen_orders
            whole.seen_refusals += part.seen_refusals
            whole.seen_readings += part.seen_readings
            whole.orders += part.orders
            whole.readings += part.readings
            if part.since is not None:
                whole._saw(part.since)
            for mine, theirs in ((whole.asked, part.asked), (whole.refused, part.refused), (whole.errors, part.errors)):
                for units, weight in theirs.items():
                    mine[units] += weight
        return whole


def _gather(
    promises: Iterable[Promise], comparisons: Iterable[Comparison], goal: Goal, now: datetime
) -> dict[str, _Evidence]:
    evidence: dict[str, _Evidence] = defaultdict(_Evidence)
    oldest = now - FORGOTTEN * goal.half_life
    for promise in promises:
        if promise.at > oldest:
            evidence[promise.sku].promised(promise, _weight(now - promise.at, goal.half_life))
    for comparison in comparisons:
        if comparison.at > oldest:
            evidence[comparison.sku].compared(comparison, _weight(now - comparison.at, goal.half_life))
    return evidence


def _weight(age: timedelta, half_life: timedelta) -> float:
    return float(0.5 ** max(0.0, age / half_life))


def _apart(evidence: Mapping[str, _Evidence], goal: Goal) -> set[str]:
    """SKUs that upstream refuses more often than the supplier's others, beyond chance."""
    orders = sum(one.orders for one in evidence.values())
    refused = sum(sum(one.refused.values()) for one in evidence.values())
    apart = set()
    for sku, own in evidence.items():
        mine = sum(own.refused.values())
        if orders <= own.orders:
            break  # there are no others
        others = (refused - mine) / (orders - own.orders)
        if exceeds(mine, own.orders, max(goal.target, others), 1 - APART):
            apart.add(sku)
    return apart


def _learned(evidence: _Evidence, goal: Goal) -> Learned:
    insurable, beyond = evidence.split(goal.at_most)
    # A few wild errors, such as a sales event leaves behind, would turn down every buffer and so force the largest,
    # which does not cover them either.  They are set aside while chance explains them under the target; no longer.
    if exceeds(beyond, evidence.readings, goal.target, goal.confidence):
        return _guess(evidence, goal)
    limits = _limits(insurable, goal)
    guess = _guess(evidence, goal)
    known = upper_limit(0, insurable.readings, goal.confidence) <= goal.target
    for buffer in range(goal.at_least, (goal.at_most if known else guess.buffer) + 1):
        if _risk(insurable, limits, buffer) <= goal.target and not _ruled_out(insurable, buffer, goal):
            why = f"enough for {_percent(goal.target)}"
            why += f", but for errors above {goal.at_most}" if beyond else ""
            return Learned(buffer, _reason(evidence, goal, why, buffer), proven=not beyond)
    return guess


def _limits(evidence: _Evidence, goal: Goal) -> list[float]:
    """Index: slack, up to the largest buffer.  The upper limit of P(overstated > slack)."""
    above = sum(evidence.errors.values())
    limits = []
    for slack in range(goal.at_most + 1):
        above -= evidence.errors.get(slack, 0.0)
        limits.append(upper_limit(max(0.0, above), evidence.readings, goal.confidence))
    return limits


def _risk(evidence: _Evidence, limits: Sequence[float], buffer: int) -> float:
    """Upper limit of the share of orders that are promised under this buffer and cannot be filled."""
    asked = sum(evidence.asked.values())
    if not asked:
        return limits[buffer]  # nothing is known of the buyers: as if all of them came for the last unit
    last = len(limits) - 1
    share = sum(weight * limits[min(slack, last)] for slack, weight in evidence.asked.items() if slack >= buffer)
    return share / asked


def _ruled_out(evidence: _Evidence, buffer: int, goal: Goal) -> bool:
    refused = sum(weight for units, weight in evidence.refused.items() if units > buffer)
    return exceeds(refused, evidence.orders, goal.target, goal.confidence)


def _guess(evidence: _Evidence, goal: Goal) -> Learned:
    """Without proof: the cold start, or what was overstated if that is more."""
    largest = max([goal.cold_start, *evidence.errors, *evidence.refused])
    buffer = min(largest, goal.at_most)
    if buffer < largest:
        return Learned(buffer, _reason(evidence, goal, f"up to {largest} overstated, more than allowed", buffer))
    why = f"too few for {_percent(goal.target)}"
    why += ": the cold start stands" if buffer == goal.cold_start else ": the largest error stands"
    return Learned(buffer, _reason(evidence, goal, why, buffer))


def _raised(own: _Evidence, supplier: Learned, goal: Goal) -> Learned:
    """The buffer of a SKU that is refused more often than others: what it takes, and no less than theirs."""
    start = supplier.buffer
    buffer = next((b for b in range(start, goal.at_most + 1) if not _ruled_out(own, b, goal)), goal.at_most)
    return Learned(buffer, _reason(own, goal, "refused more often than the supplier's others", buffer))


def _reason(evidence: _Evidence, goal: Goal, why: str, buffer: int) -> str:
    since = f" since {evidence.since:%Y-%m-%d}" if evidence.since else ""
    text = f"{evidence.seen_refusals} of {evidence.seen_orders} orders{since} were refused"
    if evidence.readings:
        most = _quantile(evidence, goal.target)
        text += f"; the number overstated by at most {most} in {_percent(1 - goal.target)}"
        text += f" of {evidence.seen_readings} readings"
        asked = sum(evidence.asked.values())
        if most > buffer and asked:
            deep = sum(weight for slack, weight in evidence.asked.items() if slack < most)
            text += f", and {_percent(deep / asked)} of orders left less than that"
    return f"{text} ({why}) → buffer {buffer}"


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def _quantile(evidence: _Evidence, target: float) -> int:
    """Units that the share `target` of the readings overstated by more than."""
    above = 0.0
    for units in sorted(evidence.errors, reverse=True):
        above += evidence.errors[units]
        if above > target * evidence.readings:
            return units
    return 0
