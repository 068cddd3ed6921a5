"""DEDUCTION LAYER: takes units for orders and holds and gives them back; the sole writer of `allocated`.

Opens no transaction: every function requires the caller's, and the caller decides what commits with it.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import QuerySet
from django.db.models.functions import Now

from inventory import attempts, discrepancies, effects, ledger, positions, sql
from inventory.ledger import Movement, Origin
from inventory.models import Allocation, Effect, StockMovement
from inventory.positions import Position
from inventory.sourcing import Take

# What is open and expires is a hold.  To ask for its state would let the planner read all that is open on the level
# instead, as long as it thinks that this is little: 10,000 orders are a millisecond under the lock.
_DUE_HOLDS = f"""
SELECT allocation.level_id FROM inventory_allocation allocation
JOIN inventory_offer offer ON offer.level_id = allocation.level_id
JOIN inventory_sku sku ON sku.id = offer.sku_id
WHERE sku.code = ANY({sql.CODES}) AND allocation.closed_at IS NULL AND allocation.expires_at <= now()
"""


@dataclass(frozen=True, slots=True)
class Promise:
    """Takes of one order or hold.

    expires_at: of a hold; None makes it an order's.  destination: a country, empty: nobody said.
    attempts: supplier id → which order of ours to it this is, where it is not the first of the reference.
    """

    reference: str
    takes: Sequence[Take]
    origin: Origin
    expires_at: datetime | None = None
    destination: str = ""
    cause: StockMovement.Cause = StockMovement.Cause.ALLOCATE
    attempts: Mapping[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class Released:
    """What a release did.  lanes: the effects it wrote, as (kind, supplier id)."""

    codes: list[str] = field(default_factory=list)
    lanes: list[tuple[str, int | None]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Locked:
    """What a transaction may decide on: nobody else writes it until the COMMIT.

    sellers: level id → id and code of every SKU sold from it.
    """

    positions: dict[str, Position]
    sellers: Mapping[int, Mapping[int, str]]

    @property
    def codes(self) -> list[str]:
        """Every SKU whose available these levels make."""
        return sorted({code for skus in self.sellers.values() for code in skus.values()} | set(self.positions))


def lock(codes: Sequence[str]) -> Callable[[], Locked]:
    """Lock the SKUs and their levels; what it returns waits for the grant and reads them.

    Holds whose deadline has passed are freed first.
    Locks: Sku rows, then StockLevel rows, each in primary-key order.  Requires an open transaction.
    """
    ledger.lock_codes(codes)
    # Sent behind the locks, these statements see what the last holder committed.
    current, sellers = positions.ask(codes), positions.ask_sharing(codes)
    due = sql.execute(_DUE_HOLDS, [list(codes)])

    def locked() -> Locked:
        found = Locked(current(), sellers())
        level_ids = {level_id for (level_id,) in sql.rows(due)}
        if level_ids and _release_due_holds(level_ids):
            return Locked(positions.load(codes), found.sellers)
        return found

    return locked


def allocate(promises: Sequence[Promise], locked: Locked) -> dict[tuple[str, str], int]:
    """Write what the decision took: allocations, movements, levels and versions.

    locked: its positions have the takes counted in by `sourcing.decide`; their versions rise here.
    Returns (reference, sku) → the SKU's version after that order.
    Raises: IntegrityError, in a pipeline at its end, if the rows were not locked and somebody else took the units.
    """
    versions = _raise_versions(promises, locked)
    takes = [(promise, take) for promise in promises for take in promise.takes]
    _insert_allocations(takes, locked.positions)
    levels = {take.level.id: take.level for _, take in takes}
    taken = Counter[int]()
    for _, take in takes:
        taken[take.level.id] += take.quantity
    running = {level_id: level.allocated - taken[level_id] for level_id, level in levels.items()}
    ledger.append([_movement(promise, take, running) for promise, take in takes])
    _update_levels({level.id: (level.allocated, level.version) for level in levels.values()})
    return versions


def _movement(promise: Promise, take: Take, running: dict[int, int]) -> Movement:
    """The next movement of the take's level.  running: level id → units allocated before it."""
    level, before = take.level, running[take.level.id]
    level.version += 1
    running[level.id] = before + take.quantity
    return Movement(
        level.id,
        level.version,
        promise.cause,
        promise.reference,
        (level.sellable, level.sellable),
        (before, running[level.id]),
        level.reported,
        promise.origin,
    )


def release(reference: str, origin: Origin) -> Released:
    """Give back what upstream has not seen; ask for the rest to be cancelled there.

    Only `held` and `committed` units come back at once.  From `sending` on the supplier is told, and the units
    return with a later reading.  A repeat does nothing.
    Locks: Sku rows, then StockLevel rows, each in primary-key order.  Requires an open transaction.
    """
    rows = Allocation.objects.filter(reference=reference)
    locked = ledger.lock_levels(sorted(set(rows.values_list("level_id", flat=True))))
    # What was allocated since we looked stands on levels that we do not hold.
    rows = rows.filter(level_id__in=locked)
    released = Released(codes=_give_back(rows.filter(state__in=("held", "committed")), origin))
    _give_up(rows.filter(at_risk__gt=0))
    told = rows.filter(state__in=("sending", "confirmed", "settled"), cancel_requested_at=None)
    orders = sorted(set(told.values_list("level__supplier_id", "attempt")))
    told.update(cancel_requested_at=Now())
    effects.record(
        [
            effects.Due(Effect.Kind.CANCEL, attempts.name(reference, attempt), supplier_id)
            for supplier_id, attempt in orders
        ]
    )
    effects.record([effects.Due(Effect.Kind.INVALIDATE, code) for code in released.codes])
    released.lanes = [(str(Effect.Kind.CANCEL), supplier_id) for supplier_id in sorted({pair[0] for pair in orders})]
    if released.codes:
        released.lanes.append((str(Effect.Kind.INVALIDATE), None))
    return released


def release_hold(reference: str, origin: Origin) -> list[str]:
    """Give back the units of one hold; the codes of the SKUs that have more now.

    Requires an open transaction in which their levels are locked.
    """
    return _give_back(Allocation.objects.filter(reference=reference, state="held"), origin)


def expire_due_holds(*, limit: int = 200) -> list[str]:
    """Free holds whose deadline has passed; the codes of the SKUs that have more now.  Requires an open transaction."""
    due = Allocation.objects.filter(state="held", expires_at__lte=Now()).order_by("expires_at")
    level_ids = set(due.values_list("level_id", flat=True)[:limit])
    return _release_due_holds(ledger.lock_levels(sorted(level_ids), skip_locked=True))


def _release_due_holds(level_ids: set[int]) -> list[str]:
    due = Allocation.objects.filter(level_id__in=level_ids, state="held", expires_at__lte=Now())
    return _give_back(due, Origin(actor="expiry"))


def _give_up(waiting: QuerySet[Allocation]) -> None:
    """Nobody looks for other units in the place of these any more."""
    refusals = list(waiting.values_list("reference", "attempt", "level_id"))
    if not refusals:
        return
    waiting.update(at_risk=0)
    for reference, attempt, level_id in refusals:
        told = attempts.name(reference, attempt)
        discrepancies.resolve_refusal(told, level_id, resolution="the order was cancelled")


def _give_back(rows: QuerySet[Allocation], origin: Origin) -> list[str]:
    """Release these allocations, whose levels are locked; the codes of the SKUs that have more now."""
    allocations = list(rows.select_related("level").order_by("id"))
    if not allocations:
        return []
    state: dict[int, tuple[int, int]] = {}
    movements = []
    for allocation in allocations:
        level = allocation.level
        before, version = state.get(level.pk, (level.allocated, level.version))
        after = before - allocation.quantity
        state[level.pk] = (after, version + 1)
        movements.append(
            Movement(
                level.pk,
                version + 1,
                StockMovement.Cause.RELEASE,
                allocation.reference,
                (level.sellable, level.sellable),
                (before, after),
                level.reported,
            )
        )
    Allocation.objects.filter(pk__in=[allocation.pk for allocation in allocations]).update(
        state=Allocation.State.RELEASED, closed_at=Now()
    )
    _update_levels(state)
    ledger.append(movements, origin)
    return ledger.bump_versions_of_levels(list(state))


def _raise_versions(promises: Sequence[Promise], locked: Locked) -> dict[tuple[str, str], int]:
    """One version for each order, for each SKU it changes: its own and those that share a level with it."""
    versions: dict[tuple[str, str], int] = {}
    bumps: Counter[int] = Counter()
    for promise in promises:
        for sku_id in {sku_id for take in promise.takes for sku_id in locked.sellers[take.level.id]}:
            bumps[sku_id] += 1
        for code in {take.sku for take in promise.takes}:
            position = locked.positions[code]
            versions[promise.reference, code] = position.version + bumps[position.id]
    for position in locked.positions.values():
        position.version += bumps[position.id]
    ledger.bump_versions(bumps)
    return versions


def _insert_allocations(takes: Sequence[tuple[Promise, Take]], current: Mapping[str, Position]) -> None:
    sql.execute(
        "INSERT INTO inventory_allocation"
        " (level_id, sku_id, reference, quantity, expires_at, destination, attempt, state, upstream_order, detail)"
        " SELECT a.*, CASE WHEN a.expires_at IS NULL THEN 'committed' ELSE 'held' END, '', ''"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::int[], %s::timestamptz[], %s::text[], %s::smallint[])"
        " AS a(level_id, sku_id, reference, quantity, expires_at, destination, attempt)",
        [
            [take.level.id for _, take in takes],
            [current[take.sku].id for _, take in takes],
            [promise.reference for promise, _ in takes],
            [take.quantity for _, take in takes],
            [promise.expires_at for promise, _ in takes],
            [promise.destination for promise, _ in takes],
            [promise.attempts.get(take.level.supplier_id, 1) for promise, take in takes],
        ],
    )


def _update_levels(after: Mapping[int, tuple[int, int]]) -> None:
    """after: level id → (allocated, version)."""
    sql.execute(
        "UPDATE inventory_stocklevel level SET allocated = new.allocated, version = new.version"
        " FROM unnest(%s::bigint[], %s::int[], %s::bigint[]) AS new(id, allocated, version)"
        " WHERE level.id = new.id",
        [
            list(after),
            [allocated for allocated, _ in after.values()],
            [version for _, version in after.values()],
        ],
    )
