"""Units that a supplier refused or called off: moved to a level that has some, given up, or at risk until one has.

Note [At risk]
A lost allocation counts the units that nothing delivers in its place, from the statement that loses it on.  Whoever
sees to them, a worker with the supplier's answer, the sweep or a person, takes them off in the transaction that moves
them, under the locks of all levels of the order.  So it happens once, and a cancel of the order finds either the count
or the new allocation.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog
from django.db import connection, transaction
from prometheus_client import Counter

from inventory import attempts, availability, discrepancies, effects, ledger, positions, sourcing, stock
from inventory.effects import Due
from inventory.ledger import Origin
from inventory.models import Allocation, Effect, StockMovement
from inventory.positions import Level, Position
from inventory.sourcing import Take
from inventory.stock import Locked, Promise
from suppliers.models import OnRejection

log = structlog.get_logger(__name__)
seen_to = Counter("holdfast_lost_units", "Units refused or called off by suppliers, and what became of them.", ["what"])

ORIGIN = Origin(actor="resourcing")
_SERVING = set(Allocation.SERVING)
WORK_SECONDS = 40  # a sweep stops after this; the next one goes on

_PARTS = f"""
SELECT allocation.id, sku.code, level.id, supplier.id, supplier.on_rejection, allocation.state, allocation.at_risk,
       allocation.out_of_stock, allocation.attempt, {attempts.NAME}, allocation.destination
FROM inventory_allocation allocation
JOIN inventory_sku sku ON sku.id = allocation.sku_id
JOIN inventory_stocklevel level ON level.id = allocation.level_id
JOIN suppliers_supplier supplier ON supplier.id = level.supplier_id
WHERE allocation.reference = %s ORDER BY allocation.id
"""
_LEVELS = """
SELECT level_id FROM inventory_allocation WHERE reference = %(reference)s
UNION
SELECT offer.level_id FROM inventory_allocation allocation
JOIN inventory_offer offer ON offer.sku_id = allocation.sku_id WHERE allocation.reference = %(reference)s
"""
_COUNT = """
UPDATE inventory_allocation allocation SET at_risk = counted.units
FROM unnest(%s::bigint[], %s::int[]) AS counted(id, units) WHERE allocation.id = counted.id
"""
# Who waited longest first; and only where some level has units left: the others would wait on in vain.
_WAITING = """
SELECT allocation.reference FROM inventory_allocation allocation
JOIN inventory_stocklevel lost ON lost.id = allocation.level_id
JOIN suppliers_supplier supplier ON supplier.id = lost.supplier_id
WHERE allocation.at_risk > 0 AND supplier.on_rejection = 'backorder' AND EXISTS (
    SELECT FROM inventory_offer offer
    JOIN inventory_stocklevel level ON level.id = offer.level_id
    JOIN suppliers_supplier source ON source.id = level.supplier_id
    WHERE offer.sku_id = allocation.sku_id AND level.sellable > level.allocated
      AND source.enabled AND NOT source.stop_selling)
GROUP BY allocation.reference ORDER BY min(allocation.id)
"""


@dataclass(frozen=True, slots=True)
class _Part:
    """One allocation of an order.  told: the name that its supplier knows it by."""

    id: int
    code: str
    level_id: int
    supplier_id: int
    policy: str
    state: str
    at_risk: int
    out_of_stock: bool
    attempt: int
    told: str
    destination: str

    @property
    def is_lost(self) -> bool:
        return self.state == Allocation.State.LOST


@dataclass(slots=True)
class _Plan:
    """What becomes of all units at risk.  left: allocation id → units that stay so.  given_up: units."""

    takes: list[Take] = field(default_factory=list)
    left: dict[int, int] = field(default_factory=dict)
    given_up: int = 0

    @property
    def moved(self) -> int:
        return sum(take.quantity for take in self.takes)


def lock(reference: str) -> None:
    """Lock all levels that serve the order, or could.

    Locks: Sku rows, then StockLevel rows, each in primary-key order.  Requires an open transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LEVELS, {"reference": reference})
        ledger.lock_levels([level_id for (level_id,) in cursor.fetchall()])


def see_to(reference: str, origin: Origin) -> list[str]:
    """See to all units of the order that nothing delivers; a repeat finds none, or looks again for those at risk.

    The codes of the SKUs whose version rose.  Requires an open transaction in which `lock` was called.
    """
    parts = _parts(reference)
    codes = sorted({part.code for part in parts if part.at_risk})
    current = positions.load(codes) if codes else {}
    plan = _plan(codes, parts, current)
    changed = _move(_promise(reference, plan.takes, parts, origin), current) if plan.takes else []
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [list(plan.left), list(plan.left.values())])
    _tell(reference, parts, plan)
    return changed


def retry(reference: str, *, origin: Origin = ORIGIN) -> None:
    """Look again for stock for what is at risk of an order."""
    with transaction.atomic(durable=True):
        lock(reference)
        codes = see_to(reference, origin)
    availability.invalidate(codes)


def retry_waiting() -> int:
    """Look again for the orders that wait for stock, where some has come; how many were looked at."""
    until = time.monotonic() + WORK_SECONDS
    with connection.cursor() as cursor:
        cursor.execute(_WAITING)
        references = [reference for (reference,) in cursor.fetchall()]
    for looked_at, reference in enumerate(references):
        if time.monotonic() > until:
            return looked_at
        retry(reference)
    return len(references)


def _parts(reference: str) -> list[_Part]:
    with connection.cursor() as cursor:
        cursor.execute(_PARTS, [reference])
        return [_Part(*row) for row in cursor.fetchall()]


def _plan(codes: Sequence[str], parts: Sequence[_Part], current: Mapping[str, Position]) -> _Plan:
    """Counts what is taken in `current`, so that the next line sees it."""
    plan = _Plan()
    for code in codes:
        line = [part for part in parts if part.code == code]
        waiting = [part for part in line if part.at_risk and part.policy != OnRejection.CANCEL]
        takes = _cover(line, sum(part.at_risk for part in waiting), current.get(code))
        moved = sum(take.quantity for take in takes)
        plan.takes += takes
        for part in line:
            kept = part.at_risk if part in waiting else 0
            plan.given_up += part.at_risk - kept
            plan.left[part.id] = max(0, kept - moved)
            moved = max(0, moved - kept)
    return plan


def _cover(line: Sequence[_Part], units: int, position: Position | None) -> Sequence[Take]:
    """Other levels' units for a line, as many as there are and lots allow; all or none if it must not be split."""
    if position is None:
        return []
    # This is what a safety stock is for.
    spare = replace(position, levels=_willing(line, position), safety_stock=0)
    destination = line[0].destination
    if spare.splittable:
        units = spare.orderable(min(units, spare.available(destination)), destination)
    return sourcing.decide({spare.code: spare}, [(spare.code, units)], destination).takes if units else []


def _willing(line: Sequence[_Part], position: Position) -> list[Level]:
    """Levels that may take the line over.

    A supplier without stock is capped, and may be asked again when it has some; one that refuses for another reason
    would refuse again.  What must not be split joins what is left of its line.
    """
    unwilling = {part.supplier_id for part in line if part.is_lost and not part.out_of_stock}
    serving = {part.level_id for part in line if part.state in _SERVING}
    bound = bool(serving) and not position.splittable
    return [
        level for level in position.levels if level.supplier_id not in unwilling and (level.id in serving or not bound)
    ]


def _promise(reference: str, takes: Sequence[Take], parts: Sequence[_Part], origin: Origin) -> Promise:
    """The order's promise of what was taken; suppliers that were told of it before are told by another name."""
    tried = {take.level.supplier_id: 0 for take in takes}
    for part in parts:
        if part.supplier_id in tried:
            tried[part.supplier_id] = max(tried[part.supplier_id], part.attempt)
    return Promise(
        reference,
        takes,
        origin,
        destination=parts[0].destination,
        cause=StockMovement.Cause.RESOURCE,
        attempts={supplier_id: attempt + 1 for supplier_id, attempt in tried.items()},
    )


def _move(promise: Promise, current: dict[str, Position]) -> list[str]:
    """Take the units, and write that their suppliers are to be told; the codes of the SKUs whose version rose."""
    locked = Locked(current, positions.ask_sharing(sorted(current))())
    stock.allocate([promise], locked)
    dues = [Due(Effect.Kind.INVALIDATE, code) for code in locked.codes]
    levels = {take.level.id: take.level.supplier_id for take in promise.takes}
    dues += [Due(Effect.Kind.SYNC, str(level_id), supplier_id) for level_id, supplier_id in levels.items()]
    for supplier_id, attempt in promise.attempts.items():
        dues.append(Due(Effect.Kind.CONFIRM, attempts.name(promise.reference, attempt), supplier_id))
    effects.record(dues)
    return locked.codes


def _tell(reference: str, parts: Sequence[_Part], plan: _Plan) -> None:
    """Close the refusals that are made good, and name in the others what is still at risk."""
    resolution = _resolution(plan)
    for told, level_id in sorted({(part.told, part.level_id) for part in parts if part.is_lost}):
        lost = [part for part in parts if part.is_lost and (part.told, part.level_id) == (told, level_id)]
        at_risk = {part.code: units for part in lost if (units := plan.left.get(part.id, 0))}
        if at_risk:
            discrepancies.amend_refusal(told, level_id, {"order": reference, "at_risk": at_risk})
        elif all(part.out_of_stock for part in lost):
            # What is refused for another reason would be refused again: a person must know.
            discrepancies.resolve_refusal(told, level_id, resolution=resolution)
    seen_to.labels("moved").inc(plan.moved)
    seen_to.labels("given_up").inc(plan.given_up)
    if plan.left:
        left = sum(plan.left.values())
        log.info("lost_units", reference=reference, moved=plan.moved, given_up=plan.given_up, at_risk=left)


def _resolution(plan: _Plan) -> str:
    """For a person: what became of the units."""
    said = [f"{take.quantity} {take.sku} moved to {take.level.supplier}" for take in plan.takes]
    if plan.given_up:
        said.append(f"{plan.given_up} given up, as the supplier's policy says")
    return ", ".join(said)[:300] or "nothing of it is owed any more"
