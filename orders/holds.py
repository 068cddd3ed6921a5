"""Holds that become orders: an order with the same lines takes over the units that its reservation kept.

In the decision the held units are counted as free again for that one order.  So a hold converts as far as it lies
within what is sellable now, and an order that is refused leaves it as it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.db.models.functions import Now

from inventory import positions, stock
from inventory.ledger import Origin
from inventory.models import Allocation
from inventory.positions import Level, Position
from orders.intents import Intent
from orders.models import Reservation


@dataclass(frozen=True, slots=True)
class Hold:
    """A live hold that one order of the batch stands on.  units: the level and what is kept of it."""

    reservation: UUID
    origin: Origin
    units: Sequence[tuple[Level, int]]


def fitted(intent: Intent) -> Intent | None:
    """The order, with the destination of the hold that it names if it says none itself, be the hold still live or not.

    None: the storefront has no such hold, or not with these lines.
    """
    if intent.reservation is None:
        return intent
    mine = Reservation.objects.filter(storefront_id=intent.storefront_id, pk=str(intent.reservation))
    held = mine.values_list("lines", "destination").first()
    if held is None or held[0] != dict(intent.lines):
        return None
    return replace(intent, destination=intent.destination or held[1])


def open_for(intent: Intent, current: Mapping[str, Position], consumed: Sequence[Hold]) -> Hold | None:
    """The live hold that the order consumes, its units counted as free in `current`; None if there is none any more.

    consumed: by earlier orders of the batch, of which nothing is written yet.
    Locks: the Reservation row.  Requires an open transaction in which the levels are locked.
    """
    if intent.reservation is None or any(hold.reservation == intent.reservation for hold in consumed):
        return None
    live = Reservation.objects.select_for_update().filter(
        pk=intent.reservation,
        storefront_id=intent.storefront_id,
        status=Reservation.Status.HELD,
        expires_at__gt=Now(),
    )
    if not live:
        return None
    levels = {level.id: level for position in current.values() for level in position.levels}
    kept = Allocation.objects.filter(reference=str(intent.reservation), state=Allocation.State.HELD)
    units = [(levels[level_id], quantity) for level_id, quantity in kept.values_list("level_id", "quantity")]
    for level, quantity in units:
        level.allocated -= quantity
        level.kept += quantity
    return Hold(intent.reservation, Origin(intent.actor, intent.request_id), units)


def close(hold: Hold | None, *, refused: bool) -> None:
    """The order was decided: what its hold kept is no other order's.  refused: count the units as held again."""
    for level, quantity in hold.units if hold else ():
        level.kept -= quantity
        level.allocated += quantity if refused else 0


def consume(holds: Sequence[Hold], current: Mapping[str, Position]) -> None:
    """Write that these holds became orders.  Versions in `current` follow.  Requires an open transaction."""
    if not holds:
        return
    for hold in holds:
        stock.release_hold(str(hold.reservation), hold.origin)
    Reservation.objects.filter(pk__in=[hold.reservation for hold in holds]).update(status=Reservation.Status.CONVERTED)
    written = positions.load(list(current))
    for code, position in written.items():
        current[code].version = position.version
        for mine, theirs in zip(current[code].levels, position.levels, strict=True):
            mine.version = theirs.version
