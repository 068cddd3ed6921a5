"""What the database says of stock after a step, and whether that may be.

The rules are stated here once more, from the suppliers' truth and not from the code that keeps them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from benchmarks.model.clock import BEGINNING
from benchmarks.model.upstream import Upstream
from benchmarks.model.world import Level, World
from inventory import attempts, audit, cache, sql
from inventory.transitions import Proof

OPEN = ("held", "committed", "sending", "confirmed")
SERVING = ("committed", "sending", "confirmed", "settled")
JUMP_RATIO, JUMP_UNITS = 3, 5  # the suppliers' defaults
FIRST_HOLD = timedelta(seconds=60)  # for which a refused level is left alone at least

_LEVELS = "SELECT id, reported, sellable, allocated, read_at, version FROM inventory_stocklevel"
_PROMISES = f"""
SELECT allocation.id, level_id, sku.code, allocation.reference, {attempts.NAME}, quantity, state, at_risk,
       cancel_requested_at IS NOT NULL
FROM inventory_allocation allocation JOIN inventory_sku sku ON sku.id = sku_id ORDER BY allocation.id
"""
_MOVEMENTS = """
SELECT id, level_id, version, cause, sellable_before, sellable_after, allocated_before, allocated_after, reported_after
FROM inventory_stockmovement WHERE id > %s ORDER BY id
"""


class Broken(AssertionError):
    """A guarantee does not hold."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A level's row."""

    id: int
    reported: int | None
    sellable: int
    allocated: int
    read_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class Promised:
    """An allocation.  told: the name under which its supplier knows the order."""

    id: int
    level_id: int
    code: str
    reference: str
    told: str
    quantity: int
    state: str
    at_risk: int
    cancelled: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """A movement."""

    id: int
    level_id: int
    version: int
    cause: str
    sellable_before: int
    sellable_after: int
    allocated_before: int
    allocated_after: int
    reported: int | None


@dataclass(frozen=True, slots=True)
class Said:
    """A reading that was delivered."""

    number: int | None
    read_at: datetime


@dataclass(slots=True)
class _Refusal:
    """A level after its supplier refused us for lack of stock.  cap: units that may be promised."""

    at: datetime
    cap: int
    reported: int | None


@dataclass(slots=True)
class Books:
    """Compares the database after each step with what it was before it."""

    world: World
    levels: dict[int, Stored] = field(default_factory=dict)
    promises: dict[int, Promised] = field(default_factory=dict)
    movements: list[Moved] = field(default_factory=list)
    said: defaultdict[int, list[Said]] = field(default_factory=lambda: defaultdict(list))
    refusals: dict[int, _Refusal] = field(default_factory=dict)
    ordered: dict[str, Mapping[str, int]] = field(default_factory=dict)  # number → SKU → units, while it is wanted
    proof: Proof = Proof.OTHERS  # of the last readings

    def review(self) -> None:
        """Raises: Broken."""
        before, self.levels, self.promises, news = self.levels, *self._read()
        self.movements += news
        self._ledger(before, news)
        self._deductions(news)
        self._readings(before)
        self._refused(news)
        self._orders()

    def _read(self) -> tuple[dict[int, Stored], dict[int, Promised], list[Moved]]:
        with sql.pipeline():
            levels, promises = sql.execute(_LEVELS, []), sql.execute(_PROMISES, [])
            movements = sql.execute(_MOVEMENTS, [self.movements[-1].id if self.movements else 0])
            stored = [Stored(*row) for row in sql.rows(levels)]
            promised = [Promised(*row) for row in sql.rows(promises)]
            moved = [Moved(*row) for row in sql.rows(movements)]
        return {one.id: one for one in stored}, self._changed(promised), moved

    def _changed(self, promised: Sequence[Promised]) -> dict[int, Promised]:
        """What is settled now and was not: it must have been in the reading."""
        for one in promised:
            before = self.promises.get(one.id)
            if one.state == "settled" and before is not None and before.state != "settled":
                self._settled.append(one)
        return {one.id: one for one in promised}

    _settled: list[Promised] = field(default_factory=list)

    def _ledger(self, before: Mapping[int, Stored], news: Sequence[Moved]) -> None:
        """G3, G4: one movement follows the other, and the last one is what the row and the open promises say."""
        last = {pk: (one.version, one.sellable, one.allocated, one.reported) for pk, one in before.items()}
        for one in news:
            version, sellable, allocated, _ = last.get(one.level_id, (0, 0, 0, None))
            expect(
                (one.version, one.sellable_before, one.allocated_before) == (version + 1, sellable, allocated),
                f"G4: {one} does not follow {last.get(one.level_id)}",
            )
            last[one.level_id] = one.version, one.sellable_after, one.allocated_after, one.reported
        units: defaultdict[int, int] = defaultdict(int)
        for promise in self.promises.values():
            units[promise.level_id] += promise.quantity * (promise.state in OPEN)
        for level in self.levels.values():
            found = level.version, level.sellable, level.allocated, level.reported
            expect(found == last.get(level.id, (0, 0, 0, None)), f"G3: {level} is not {last.get(level.id)}")
            expect(level.allocated == units[level.id], f"G3: {level}, and {units[level.id]} are promised")

    def _deductions(self, news: Sequence[Moved]) -> None:
        """G1: whoever took units of a level took what was there, wherever its number was no more than that."""
        took = [one for one in news if one.cause in ("allocate", "resource")]
        for one in took:
            expect(one.allocated_after <= one.sellable_after, f"G1: {one} promises more than is sellable")
        last = {one.level_id: one for one in news}
        # What came after it in the same step may have changed the number that it was decided by.
        for level_id in {one.level_id for one in took if last[one.level_id] in took}:
            stored, level = self.levels[level_id], self.world.levels[level_id]
            lag = level.source.upstream.lag
            missing = self._unknown_upstream(level)
            # Its number counts what orders of ours took since; those are still subtracted here.
            true = level.row.stock + level.row.taken_since((stored.read_at or BEGINNING) - lag)
            if stored.sellable <= true:
                expect(
                    missing <= level.row.stock,
                    f"G1: {missing} promised that {level.row} does not know of: {stored}",
                )

    def _unknown_upstream(self, level: Level) -> int:
        """Units promised of a level that upstream's number has not gone down for."""
        units: defaultdict[str, int] = defaultdict(int)
        for promise in self.promises.values():
            if promise.level_id == level.id and promise.state in OPEN:
                units[promise.told] += promise.quantity
        return sum(max(0, count - counted(level.source.upstream, told, level.row.uid)) for told, count in units.items())

    def _readings(self, before: Mapping[int, Stored]) -> None:
        """G11: numbers grow no older, settle what they include, and do not jump by one reading alone."""
        for promise in self._settled:
            level, stored = self.world.levels[promise.level_id], self.levels[promise.level_id]
            taken = level.source.upstream.orders.get(promise.told)
            since = taken.counted_at if taken else None
            latest = stored.read_at - level.source.upstream.lag if stored.read_at else None
            expect(
                since is not None and latest is not None and since <= latest,
                f"G11: {promise} was settled by the number of {stored}, and upstream counted it at {since}",
            )
        self._settled.clear()
        for was in before.values():
            level_now = self.levels[was.id]
            if was.read_at is not None:
                expect(
                    level_now.read_at is not None and level_now.read_at >= was.read_at,
                    f"G11: {level_now} is older than {was}",
                )
            if was.reported is not None and level_now.reported is not None and level_now.reported > was.reported:
                self._rise(was, level_now)

    def _rise(self, was: Stored, now: Stored) -> None:
        said = self.said[now.id]
        own = [one for one in said if one.number == now.reported and one.read_at >= (was.read_at or one.read_at)]
        expect(bool(own), f"G11: nobody said {now} after {was}")
        if not is_jump(was.reported, now.reported):
            return
        lag = self.world.levels[now.id].source.upstream.lag
        again = any(
            first.number is not None
            and first.number > (was.reported or 0)
            and first.read_at < one.read_at
            and first.read_at + lag <= one.read_at
            for one in own
            for first in said
        )
        expect(again, f"quarantine: {was} jumped to {now} by a single reading")
        expect(self.proof is not Proof.NONE, f"quarantine: {was} jumped to {now}, and nothing else proves it")

    def _refused(self, news: Sequence[Moved]) -> None:
        """A level that its supplier refused for lack of stock sells nothing more until that may have changed."""
        for one in news:
            refusal = self.refusals.get(one.level_id)
            if one.cause == "rejection":
                self.refusals[one.level_id] = _Refusal(self.world.clock.now, one.allocated_after, one.reported)
            elif refusal and one.cause in ("allocate", "resource") and not self._is_over(one.level_id, refusal):
                expect(one.allocated_after <= refusal.cap, f"rejection cap: {one} after {refusal}")

    def _is_over(self, level_id: int, refusal: _Refusal) -> bool:
        if self.world.clock.now >= refusal.at + FIRST_HOLD:
            return True
        lower = refusal.reported
        return any(
            one.read_at > refusal.at and (one.number is None or lower is None or one.number < lower)
            for one in self.said[level_id]
        )

    def _orders(self) -> None:
        """Every unit of an order is with a supplier, at risk, or given up by its supplier's policy."""
        found: defaultdict[tuple[str, str], int] = defaultdict(int)
        for promise in self.promises.values():
            policy = self.world.levels[promise.level_id].source.policy
            given_up = promise.state == "lost" and policy.on_rejection == "cancel"
            units = promise.quantity if promise.state in SERVING or given_up else promise.at_risk
            found[promise.reference, promise.code] += units
        for number, lines in self.ordered.items():
            for code, units in lines.items():
                here = found[number, code]
                expect(here == units, f"order {number}: {units} of {code} were ordered, {here} are accounted for")
        for source in self.world.sources:
            twice = dict(source.upstream.doubled)
            expect(not twice, f"one effect: {source.supplier.slug} took {twice} again")

    def prove(self) -> None:
        """The audit's own check, and that no movement was changed since it was first seen."""
        differences = list(audit.differences())
        expect(not differences, f"G3: {differences}")
        with sql.pipeline():
            written = [Moved(*row) for row in sql.rows(sql.execute(_MOVEMENTS, [0]))]
        expect(written == self.movements, "G4: a movement is not what it was")

    def cached(self) -> None:
        """G12: no entry is older than what is committed."""
        with sql.pipeline():
            versions = dict(sql.rows(sql.execute("SELECT code, version FROM inventory_sku", [])))
        for code, value in cache.get(self.world.codes).items():
            version = int(value.rsplit(b",", 2)[1])
            expect(version >= versions[code], f"G12: {code} is cached as of {version}, and it is {versions[code]}")


def is_jump(was: int | None, now: int | None) -> bool:
    """Whether a number rose beyond the suppliers' policy."""
    return was is not None and now is not None and now - was > JUMP_UNITS and now > JUMP_RATIO * was


def counted(upstream: Upstream, told: str, uid: str) -> int:
    """Units of an order that upstream's number has gone down for."""
    taken = upstream.orders.get(told)
    return 0 if taken is None or taken.counted_at is None else taken.accepted.get(uid, 0)


def expect(holds: bool, what: str) -> None:
    """Raises: Broken."""
    if not holds:
        raise Broken(what)
