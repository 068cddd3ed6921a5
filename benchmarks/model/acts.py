"""What happens to the merchant: each act calls production as a request or a worker does."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from uuid import UUID

from django.db import transaction

from benchmarks.model.books import Books, Said
from benchmarks.model.upstream import Mood, Taken
from benchmarks.model.world import ORIGIN, Source, World
from inventory import (
    availability,
    cache,
    claims,
    marks,
    operations,
    policy,
    positions,
    reconciliation,
    resourcing,
    settlement,
    snapshots,
    stock,
)
from inventory.asked import Claim
from inventory.marks import Mark
from inventory.models import LevelPolicy
from inventory.settlement import Reading
from inventory.snapshots import incremental
from inventory.transitions import Proof
from orders import cancellation, placement
from orders.combiner import Combiner
from orders.intents import Intent, Placed
from suppliers.models import Supplier
from suppliers.readings import ConfirmResult

LEASE = 20  # seconds for which a claim covers its call


@dataclass(frozen=True, slots=True)
class Wish:
    """What a buyer wants.  hold: seconds, or None for an order.  of_hold: consumes one of the holds there are."""

    lines: Sequence[tuple[str, int]]
    hold: int | None = None
    of_hold: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """A reading.  late: seconds since it was asked.  behind: how much of the lag its data is older.

    again: an earlier one of the level is delivered once more.
    """

    level: int
    kind: str = "true"
    late: int = 0
    behind: float = 0.0
    again: bool = False


@dataclass(slots=True)
class Parcel:
    """An order on its way to a supplier."""

    claim: Claim
    source: Source
    answer: ConfirmResult | None = None


@dataclass(slots=True)
class Acts:
    """The merchant's day.  steps: events that the core was told of."""

    world: World
    books: Books
    steps: int = 0
    combiner: Combiner = field(default_factory=Combiner)
    parcels: list[Parcel] = field(default_factory=list)
    holds: list[tuple[UUID, Sequence[tuple[str, int]]]] = field(default_factory=list)
    fills: list[tuple[dict[str, tuple[int, bytes]], dict[str, str]]] = field(default_factory=list)
    untold: list[tuple[Source, Taken]] = field(default_factory=list)
    _keys: "count[int]" = field(default_factory=count)

    # Readings.

    def read(self, looks: Sequence[Look], proof: Proof = Proof.OTHERS) -> None:
        readings = [self._reading(look) for look in looks]
        self.books.proof = proof
        with transaction.atomic(durable=True):
            absorbed = settlement.absorb(readings, origin=ORIGIN, proof=proof)
        availability.invalidate(absorbed.codes)
        self.steps += len(looks)

    def _reading(self, look: Look) -> Reading:
        level = list(self.world.levels.values())[look.level % len(self.world.levels)]
        said = self.books.said[level.id]
        if look.again and said:
            one = said[look.late % len(said)]
            return Reading(level.id, one.number, one.read_at)
        read_at = self.world.clock.now - timedelta(seconds=look.late)
        true = level.row.at(read_at - level.source.upstream.lag * look.behind)
        number = {
            "true": true,
            "more": true + 2,
            "less": true // 2,
            "zero": 0,
            "inflated": 10 * true + 20,
            "none": None,
        }
        said.append(Said(number[look.kind], read_at))
        return Reading(level.id, said[-1].number, read_at)

    def sync(self, source: Source, mood: Mood) -> None:
        """A worker's direct reads."""
        with _mood(source, mood):
            self.steps += incremental.sync_due(source.supplier.pk)
        self._note_shown(source)

    def snapshot(self, source: Source, mood: Mood) -> None:
        """A whole catalogue."""
        with _mood(source, mood):
            self.steps += snapshots.run_full(source.supplier.pk, actor="model").seen
        self._note_shown(source)

    def _note_shown(self, source: Source) -> None:
        self.books.proof = Proof.OTHERS  # which is for the core to find out
        ids = {level.row.uid: level.id for level in self.world.levels.values()}
        for uid, number in source.upstream.shown:
            self.books.said[ids[uid]].append(Said(number, self.world.clock.now))
        source.upstream.shown.clear()

    # Buyers.

    def buy(self, wishes: Sequence[Wish], *, combined: bool = False) -> None:
        """combined: as storefronts do, one after the other; else as one batch, without any lock of Redis."""
        intents = [self._intent(wish) for wish in wishes]
        outcomes = list(map(self.combiner.submit, intents)) if combined else placement.place_locked(intents)
        for intent, outcome in zip(intents, outcomes, strict=True):
            if isinstance(outcome, Placed):
                self._placed(intent, json.loads(outcome.answer))
        self.steps += len(wishes)

    def _intent(self, wish: Wish) -> Intent:
        lines, reservation = sorted(dict(wish.lines).items()), None
        if wish.of_hold and self.holds:
            reservation, held = self.holds[0]
            lines = list(held)
        key = f"key-{next(self._keys)}"
        fingerprint = hashlib.sha256(repr(lines).encode()).digest()
        return Intent(
            self.world.storefront_id,
            "model",
            key,
            fingerprint,
            key,
            lines,
            reservation=reservation,
            hold_seconds=None if reservation else wish.hold,
        )

    def _placed(self, intent: Intent, answer: dict[str, str]) -> None:
        if intent.hold_seconds is not None:
            self.holds.append((UUID(answer["id"]), intent.lines))
            return
        self.books.ordered[answer["number"]] = dict(intent.lines)
        self.holds = [hold for hold in self.holds if hold[0] != intent.reservation]

    def cancel(self, at: int) -> None:
        numbers = list(self.books.ordered)
        if numbers:
            number = numbers[at % len(numbers)]
            cancellation.cancel_order(number, storefront_id=self.world.storefront_id, origin=ORIGIN)
            del self.books.ordered[number]
            self.steps += 1

    def let_go(self) -> None:
        """A buyer empties his cart."""
        if self.holds:
            held, _ = self.holds.pop(0)
            cancellation.release_reservation(held, storefront_id=self.world.storefront_id, origin=ORIGIN)
            self.steps += 1

    # Orders on their way.

    def claim(self, at: int) -> Parcel | None:
        """A worker takes an order to tell its supplier of it."""
        # By age, not by name: names are random, and a seed must do the same again.
        promises = self.books.promises.values()
        waiting = [(one.told, one.level_id) for one in promises if one.state == "committed"]
        if not waiting:
            return None
        told, level_id = waiting[at % len(waiting)]
        return self._claim(told, self.world.levels[level_id].source)

    def told_twice(self, at: int, mood: Mood) -> None:
        """Two workers are told of one order, and each sends what it gets."""
        first = self.claim(at)
        if first is None:
            return
        second = self._claim(first.claim.reference, first.source)
        for parcel in filter(None, (first, second)):
            self.arrive(parcel, mood)
        for parcel in filter(None, (first, second)):
            self.answer(parcel)

    def _claim(self, told: str, source: Source) -> Parcel | None:
        claimed = claims.claim(source.supplier, told, lease_seconds=LEASE)
        self.steps += 1
        if claimed is None:
            return None
        parcel = Parcel(claimed, source)
        self.parcels.append(parcel)
        return parcel

    def arrive(self, parcel: Parcel, mood: Mood) -> None:
        """Its request reaches the supplier; one that did not within its lease never does."""
        if parcel.answer is None and parcel.claim.lease_until and self.world.clock.now < parcel.claim.lease_until:
            with _mood(parcel.source, mood):
                parcel.answer = parcel.source.upstream.take(parcel.claim.request, self.world.clock.now)

    def answer(self, parcel: Parcel) -> None:
        """What the supplier said comes back, however late."""
        if parcel in self.parcels:
            self.parcels.remove(parcel)
        if parcel.answer is not None:
            claims.conclude(parcel.claim, parcel.answer)
            self.steps += 1

    def lose(self, parcel: Parcel, *, noticed: bool) -> None:
        """The answer is lost, or the worker that waited for it is gone."""
        self.parcels.remove(parcel)
        if noticed:
            claims.leave_open(parcel.claim, "no answer", [])
            self.steps += 1

    def tell(self, at: int, mood: Mood) -> None:
        """All of it at once, as it mostly goes."""
        parcel = self.claim(at)
        if parcel is not None:
            self.arrive(parcel, mood)
            self.answer(parcel)

    def work(self, source: Source, mood: Mood) -> None:
        """What workers and the sweep do with a supplier's orders."""
        supplier_id = source.supplier.pk
        with _mood(source, mood):
            self.steps += reconciliation.confirm_due(supplier_id)
            self.steps += reconciliation.resolve_expired_claims(supplier_id)
            self.steps += reconciliation.cancel_due(supplier_id)
            self.steps += reconciliation.follow_due(supplier_id)
            self.steps += reconciliation.recheck(supplier_id)
        self._note_shown(source)

    # Suppliers by themselves.

    def sell_elsewhere(self, level: int, units: int) -> None:
        """Another channel takes units, or a delivery brings some."""
        row = list(self.world.levels.values())[level % len(self.world.levels)].row
        row.move(self.world.clock.now, max(units, -row.stock))
        self.steps += 1

    def count(self, source: Source) -> None:
        """Orders are paid: the number takes them in."""
        for taken in source.upstream.orders.values():
            if taken.counted_at is None and not taken.off:
                source.upstream.count(taken, self.world.clock.now)
                self.steps += 1

    def call_off(self, at: int, *, goods_back: bool) -> None:
        """A supplier calls an order off that it took; somebody will say so."""
        taken = [(source, one) for source in self.world.sources for one in source.upstream.orders.values()]
        taken = [(source, one) for source, one in taken if not one.off]
        if taken:
            source, one = taken[at % len(taken)]
            source.upstream.call_off(one, self.world.clock.now, goods_back=goods_back)
            self.untold.append((source, one))
            self.steps += 1

    def tell_of_loss(self) -> None:
        """A person writes down what the suppliers called off."""
        still = []
        for source, one in self.untold:
            try:
                marks.mark(Mark(source.supplier.pk, one.reference, marks.Said.LOST, "called off"))
            except marks.Refused:
                still.append((source, one))
            self.steps += 1
        self.untold = still

    # People and time.

    def wait(self, seconds: int) -> None:
        self.world.clock.advance(seconds)
        self.steps += 1

    def expire(self) -> None:
        with transaction.atomic(durable=True):
            codes = stock.expire_due_holds()
        availability.invalidate(codes)
        self.steps += 1

    def look_again(self) -> None:
        """The sweep for orders that wait for stock."""
        resourcing.retry_waiting()
        self.steps += 1

    def edit_buffer(self, source: Source, buffer: int) -> None:
        with transaction.atomic():
            Supplier.objects.filter(pk=source.supplier.pk).update(buffer=buffer)
            policy.edited(source.supplier.pk)
        policy.retrust_due(source.supplier.pk)
        self.steps += 1

    def edit_level(self, level: int, buffer: int | None) -> None:
        one = list(self.world.levels.values())[level % len(self.world.levels)]
        with transaction.atomic():
            LevelPolicy.objects.filter(level=one.id).delete()
            if buffer is not None:
                LevelPolicy.objects.bulk_create([LevelPolicy(level_id=one.id, buffer=buffer)])
            operations.invalidate_on_commit(self.world.codes)
            policy.edited(one.source.supplier.pk, one.id)
        policy.retrust_due(one.source.supplier.pk)
        self.steps += 1

    # The cache.

    def begin_fill(self) -> None:
        """A reader misses, and reads the database."""
        codes = self.world.codes
        leases = cache.lease(codes)
        found = positions.load(codes)
        encoded = {code: (one.version, availability._encode(availability.of(one))) for code, one in found.items()}  # noqa: SLF001
        self.fills.append((encoded, leases))
        self.steps += 1

    def end_fill(self) -> None:
        """… and fills, whatever was committed meanwhile."""
        if self.fills:
            cache.fill(*self.fills.pop(0))
            self.steps += 1


class _mood:  # noqa: N801 - used as a context manager
    """The supplier behaves so while it is spoken to."""

    def __init__(self, source: Source, mood: Mood) -> None:
        self._source, self._mood = source, mood

    def __enter__(self) -> None:
        self._source.upstream.mood = self._mood

    def __exit__(self, *_error: object) -> None:
        self._source.upstream.mood = Mood()
