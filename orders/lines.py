"""What has become of an order's line: told by the promises that stand behind it, never stored beside them."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from inventory.models import Allocation

_SERVING = set(Allocation.SERVING)
_TAKEN = {Allocation.State.CONFIRMED, Allocation.State.SETTLED}


class LineState(enum.StrEnum):
    PLACED = "placed"  # promised; a supplier is still to take some of it
    CONFIRMED = "confirmed"  # suppliers took all that is not cancelled
    AT_RISK = "at_risk"  # a supplier does not deliver, and nobody else has so many
    CANCELLED = "cancelled"  # nothing of it is delivered


@dataclass(frozen=True, slots=True)
class Part:
    """One promise of a line.  at_risk: lost units that nothing delivers in their place."""

    supplier: str
    quantity: int
    state: str
    at_risk: int = 0


@dataclass(frozen=True, slots=True)
class Fate:
    """at_risk, cancelled: units of the line; all others are promised or delivered."""

    state: LineState
    at_risk: int = 0
    cancelled: int = 0


def fate(quantity: int, parts: Sequence[Part], *, order_cancelled: bool = False) -> Fate:
    """What has become of so many units.  order_cancelled: by the storefront or a person."""
    if order_cancelled:
        return Fate(LineState.CANCELLED, cancelled=quantity)
    serving = [part for part in parts if part.state in _SERVING]
    at_risk = sum(part.at_risk for part in parts)
    cancelled = quantity - at_risk - sum(part.quantity for part in serving)
    if at_risk:
        return Fate(LineState.AT_RISK, at_risk, cancelled)
    if not serving:
        return Fate(LineState.CANCELLED, cancelled=cancelled)
    taken = all(part.state in _TAKEN for part in serving)
    return Fate(LineState.CONFIRMED if taken else LineState.PLACED, cancelled=cancelled)
