"""What must come about once everybody behaves again (G18)."""

from collections import defaultdict

from benchmarks.model.acts import Acts, Look
from benchmarks.model.books import OPEN, Books, Stored, expect
from benchmarks.model.upstream import Mood
from benchmarks.model.world import HARD_JUMP, ORIGIN, Level, World
from inventory import deadlines, operations
from inventory.models import Discrepancy

ROUNDS = 12  # readings of each row; a refused level is believed again after days at the most
PATIENCE = 4  # rounds until a person looks at a supplier of which most goods were delivered at once
_PAUSES = (61, 61, 121, 121, 601, 601, 3_700, 3_700, 90_000, 90_000, 90_000, 90_000)  # seconds between them


def converge(acts: Acts) -> int:
    """Let workers work and suppliers tell the truth; after how many readings both sides agreed.  Raises: Broken."""
    acts.world.clock.advance(1)
    for number, pause in enumerate(_PAUSES):
        _one_round(acts)
        if number >= PATIENCE:
            _vouch()
        differing = differences(acts.world, acts.books)
        if not differing:
            return _PAUSES.index(pause) + 1
        acts.wait(pause)
    expect(not differing, f"G18: after {ROUNDS} readings of each row: {'; '.join(differing)}")
    return ROUNDS


def _one_round(acts: Acts) -> None:
    truthful = Mood(shows_late=False)
    acts.parcels.clear()  # whoever had them is gone
    for source in acts.world.sources:
        acts.count(source)
        acts.sync(source, truthful)
        acts.work(source, truthful)
    acts.tell_of_loss()
    acts.expire()
    acts.look_again()
    acts.read([Look(at) for at in range(len(acts.world.levels))])
    for source in acts.world.sources:
        acts.snapshot(source, truthful)  # an inflation that was seen ends with nothing less
    deadlines.review()
    acts.books.review()


def _vouch() -> None:
    """A person says of each supplier that seems to inflate all its numbers that they are true."""
    open_ones = Discrepancy.objects.filter(state="open", kind=Discrepancy.Kind.INFLATION)
    for supplier_id in open_ones.values_list("supplier_id", flat=True):
        operations.believe_all(supplier_id, reason="seen there", origin=ORIGIN)


def differences(world: World, books: Books) -> list[str]:
    """Where we and upstream do not agree, and no open discrepancy says so."""
    told = _explained()
    found = []
    open_units: defaultdict[int, int] = defaultdict(int)
    for promise in books.promises.values():
        if promise.state not in OPEN and not promise.at_risk:
            continue
        if not {(promise.level_id, promise.told), (None, promise.told), (promise.level_id, promise.reference)} & told:
            found.append(f"{promise} is open")
        open_units[promise.level_id] += promise.quantity * (promise.state in OPEN)
    for level in world.levels.values():
        stored = books.levels[level.id]
        if stored.reported != level.row.stock and not ((level.id, "") in told and _needs_a_person(stored, level)):
            found.append(f"{stored}, and {level.row.uid} has {level.row.stock}")
    return found + _of_orders(world, books, told)


def _needs_a_person(stored: Stored, level: Level) -> bool:
    """Whether the truth is so much more than what was trusted that somebody must say so."""
    trusted, true = stored.reported or 0, level.row.stock
    return level.source.policy.hard_jumps and true > trusted and true >= HARD_JUMP


def _of_orders(world: World, books: Books, told: set[tuple[int | None, str]]) -> list[str]:
    """Orders that only one side knows, or knows otherwise."""
    ours: defaultdict[tuple[int, str], int] = defaultdict(int)
    for promise in books.promises.values():
        supplier_id = world.levels[promise.level_id].source.supplier.pk
        ours[supplier_id, promise.told] += promise.quantity * (
            promise.state in ("confirmed", "settled") and not promise.cancelled
        )
    named = {name for _, name in told}
    found = []
    for source in world.sources:
        for taken in source.upstream.orders.values():
            units = 0 if taken.off else sum(taken.accepted.values())
            here = ours[source.supplier.pk, taken.reference]
            if units != here and taken.reference not in named:
                found.append(f"{source.supplier.slug} has {units} for {taken.reference}, and here it is {here}")
    return found


def _explained() -> set[tuple[int | None, str]]:
    """(level, name of the order) of every open discrepancy."""
    return set(Discrepancy.objects.filter(state="open").values_list("level_id", "reference"))
