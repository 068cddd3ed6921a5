"""The state machine: what may happen to the merchant, in any order, and what must hold after each step.

Readings, orders and holds come in batches, as they do to production: a batch is one transaction and one step of the
machine; `Acts.steps` counts what it brought.
"""

from collections import Counter
from dataclasses import dataclass, field

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from benchmarks.model import world as worlds
from benchmarks.model.acts import Acts, Look, Wish
from benchmarks.model.books import Books
from benchmarks.model.clock import Clock
from benchmarks.model.convergence import converge
from benchmarks.model.upstream import Mood
from benchmarks.model.world import Policy, Shape, World
from inventory.transitions import Proof
from suppliers.readings import Outcome

PROVE_EVERY = 16  # steps of the machine: the audit reads the whole ledger

policies = st.builds(
    Policy,
    lag=st.sampled_from([60, 0, 120]),
    buffer=st.integers(0, 2),
    knows_repeats=st.booleans(),
    counts_later=st.sampled_from([False, False, True]),
    on_rejection=st.sampled_from(["resource", "backorder", "cancel"]),
    hard_jumps=st.booleans(),
)
shapes = st.builds(
    Shape,
    policies=st.tuples(policies, policies),
    stocks=st.tuples(*[st.integers(0, 9)] * worlds.ROWS),
    safety_stock=st.sampled_from([0, 0, 1]),
    splittable=st.sampled_from([True, True, False]),
    lot=st.sampled_from([1, 2]),
)
looks = st.builds(
    Look,
    level=st.integers(0, worlds.ROWS - 1),
    kind=st.sampled_from(["true", "true", "true", "more", "less", "zero", "inflated", "none"]),
    late=st.sampled_from([0, 0, 1, 30, 90, 400]),
    behind=st.sampled_from([0.0, 0.5, 1.0]),
    again=st.sampled_from([False, False, False, True]),
)
readings = st.lists(looks, min_size=6, max_size=24)
lines = st.lists(st.tuples(st.sampled_from(sorted(worlds.OFFERS)), st.integers(1, 3)), min_size=1, max_size=2)
wishes = st.builds(Wish, lines=lines, hold=st.sampled_from([None, None, None, 60]), of_hold=st.booleans())
moods = st.builds(
    Mood,
    refuses=st.sampled_from([None, None, None, None, Outcome.REJECTED_STOCK, Outcome.REJECTED_OTHER]),
    silent=st.sampled_from([False, False, False, True]),
    away=st.sampled_from([False, False, False, True]),
    shows_late=st.booleans(),
    hides=st.sets(st.sampled_from([f"row-{at}" for at in range(worlds.ROWS)]), max_size=1).map(frozenset),
    adds=st.sampled_from([0, 0, 0, 0, 2, 40]),
)
arrivals = st.builds(
    Mood, refuses=st.sampled_from([None, None, None, None, Outcome.REJECTED_STOCK, Outcome.REJECTED_OTHER])
)
sources = st.integers(0, 1)
places = st.integers(0, 30)


@dataclass(slots=True)
class Tally:
    """What all runs together came to.  readings: how many it took to agree again → runs."""

    calls: int = 0
    steps: int = 0
    runs: int = 0
    readings: Counter[int] = field(default_factory=Counter)

    def __str__(self) -> str:
        rounds = ", ".join(f"{count}× after {number}" for number, count in sorted(self.readings.items()))
        return (
            f"{self.steps:,} steps in {self.calls:,} batches of {self.runs} runs; both sides agreed {rounds} readings"
        )


@dataclass(slots=True)
class Stage:
    """What the machines of one process share."""

    clock: Clock
    tally: Tally = field(default_factory=Tally)
    worlds: dict[str, World] = field(default_factory=dict)


def proof_of(batch: list[Look]) -> Proof:
    """Every third batch comes as a push does, with nothing beside it."""
    return Proof.NONE if len(batch) % 3 == 0 else Proof.OTHERS


class Merchant(RuleBasedStateMachine):
    """One merchant, from an empty database until everybody behaves again."""

    stage: Stage

    def __init__(self) -> None:
        super().__init__()
        self.acts: Acts | None = None
        self.calls = 0

    @initialize(shape=shapes)
    def begin(self, shape: Shape) -> None:
        world = worlds.build(self.stage.clock, shape)
        self.stage.worlds["now"] = world
        self.acts = Acts(world, Books(world))

    @property
    def now(self) -> Acts:
        assert self.acts is not None
        return self.acts

    @invariant()
    def keeps_its_promises(self) -> None:
        if self.acts is None:
            return
        self.calls += 1
        self.acts.books.review()
        self.acts.books.cached()
        if self.calls % PROVE_EVERY == 0:
            self.acts.books.prove()

    # Readings are most of what happens.

    @rule(batch=readings)
    def read(self, batch: list[Look]) -> None:
        self.now.read(batch, proof_of(batch))

    @rule(batch=readings, seconds=st.sampled_from([1, 30, 61]))
    def wait_and_read(self, batch: list[Look], seconds: int) -> None:
        self.now.wait(seconds)
        self.now.read(batch, proof_of(batch))

    @rule(batch=st.lists(wishes, min_size=1, max_size=8), combined=st.booleans())
    def buy(self, batch: list[Wish], combined: bool) -> None:
        self.now.buy(batch, combined=combined)

    @rule(batch=st.lists(wishes, min_size=1, max_size=8), looks=readings)
    def buy_and_read(self, batch: list[Wish], looks: list[Look]) -> None:
        self.now.buy(batch)
        self.keeps_its_promises()
        self.now.read(looks)

    @rule(at=sources, mood=moods, whole=st.integers(0, 5))
    def fetch(self, at: int, mood: Mood, whole: int) -> None:
        source = self.now.world.sources[at]
        if whole == 0:
            self.now.snapshot(source, mood)
        else:
            self.now.sync(source, mood)

    @rule(at=places, held=st.booleans())
    def give_up(self, at: int, held: bool) -> None:
        if held:
            self.now.let_go()
        else:
            self.now.cancel(at)

    @rule(at=places, mood=arrivals, twice=st.booleans())
    def claim(self, at: int, mood: Mood, twice: bool) -> None:
        if twice:
            self.now.told_twice(at, mood)
        else:
            self.now.claim(at)

    @precondition(lambda self: bool(self.now.parcels))
    @rule(at=places, mood=arrivals, then=st.sampled_from(["answer", "wait", "lose", "die"]))
    def arrive(self, at: int, mood: Mood, then: str) -> None:
        parcel = self.now.parcels[at % len(self.now.parcels)]
        self.now.arrive(parcel, mood)
        if then == "answer":
            self.now.answer(parcel)
        elif then != "wait":
            self.now.lose(parcel, noticed=then == "lose")

    @rule(orders=st.lists(st.tuples(places, arrivals), min_size=1, max_size=4))
    def tell(self, orders: list[tuple[int, Mood]]) -> None:
        for at, mood in orders:
            self.now.tell(at, mood)
            self.keeps_its_promises()

    @rule(at=sources, mood=moods)
    def work(self, at: int, mood: Mood) -> None:
        self.now.work(self.now.world.sources[at], mood)

    @rule(sales=st.lists(st.tuples(places, st.integers(-4, 9)), max_size=5), at=sources)
    def sell_elsewhere(self, sales: list[tuple[int, int]], at: int) -> None:
        for level, units in sales:
            self.now.sell_elsewhere(level, units)
        self.now.count(self.now.world.sources[at])

    @rule(at=places, goods_back=st.booleans(), told=st.booleans())
    def call_off(self, at: int, goods_back: bool, told: bool) -> None:
        self.now.call_off(at, goods_back=goods_back)
        if told:
            self.now.tell_of_loss()

    @rule(seconds=st.sampled_from([1, 21, 61, 121, 400]))
    def wait_and_sweep(self, seconds: int) -> None:
        self.now.wait(seconds)
        self.now.expire()
        self.now.look_again()

    @rule(at=places, buffer=st.sampled_from([0, 2, 4]), one=st.booleans())
    def edit(self, at: int, buffer: int, one: bool) -> None:
        if one:
            self.now.edit_level(at, buffer)
        else:
            self.now.edit_buffer(self.now.world.sources[at % 2], buffer)

    @rule(ends=st.booleans())
    def fill(self, ends: bool) -> None:
        if ends:
            self.now.end_fill()
        else:
            self.now.begin_fill()

    def teardown(self) -> None:
        if self.acts is None:
            return
        tally = self.stage.tally
        tally.readings[converge(self.acts)] += 1
        self.acts.books.prove()
        tally.calls += self.calls
        tally.steps += self.acts.steps
        tally.runs += 1
