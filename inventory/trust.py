"""From a reported number to one that may be sold.  Pure functions: no clock, no database."""

import enum
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from inventory.lots import SINGLY, Lots

BOAST = 3  # jumps at one supplier: so many at once may be no restocking


@dataclass(frozen=True, slots=True)
class Policy:
    """How far a supplier's numbers are believed.

    buffer: units.  The ages are seconds, None: no limit.  stale_cap: the most units that a stale number is worth, None:
    as many as a fresh one.  haircut: the share that counts, above 0 and at most 1.
    sentinel_at: from this number on it is no count, and sentinel_cap units are sold instead; None: always a count.
    lots: the quantities that upstream delivers.
    A rise by more than jump_units to more than jump_ratio times what was expected is a jump, one to hard_jump_ratio
    times or more a hard one; None: there is no such thing.
    """

    buffer: int = 0
    stale_after: int = 900
    expire_after: int | None = None
    stale_cap: int | None = None
    haircut: Decimal = Decimal(1)
    sentinel_at: int | None = None
    sentinel_cap: int = 0
    jump_ratio: Decimal | None = None
    jump_units: int = 0
    hard_jump_ratio: Decimal | None = None
    lots: Lots = SINGLY


@dataclass(frozen=True, slots=True)
class Sellable:
    """Whole units, and the reason as a person reads it."""

    units: int
    reason: str


class Rise(enum.Enum):
    """What a new number is, compared with the one that was expected."""

    PLAUSIBLE = enum.auto()
    JUMP = enum.auto()  # believed when it is said again later
    HARD = enum.auto()  # believed when a person says so


def sellable(reported: int | None, policy: Policy, *, rejection_cap: int | None = None) -> Sellable:
    """The units of one level that may be promised, orders not yet taken off.

    reported: None = "not counted".  rejection_cap: units at which upstream refused us for lack of stock.
    """
    if reported is None:
        return Sellable(0, "not counted by the supplier")
    units, reason = _in_lots(*_counted(reported, policy), policy.lots)
    if rejection_cap is not None and rejection_cap < units:
        units = rejection_cap
        reason += f", capped at {rejection_cap} after a rejection"
    return Sellable(units, reason if reason == f"{reported} reported" else f"{reason} → {units}")


def _counted(reported: int, policy: Policy) -> tuple[int, str]:
    """What of the number counts, and why."""
    if is_declared(reported, policy):
        return policy.sentinel_cap, f"{reported} reported is declared, not counted: cap {policy.sentinel_cap}"
    units = max(0, reported - policy.buffer)
    reason = f"{reported} reported"
    if policy.buffer:
        reason += f" − {policy.buffer} buffer"
    if policy.haircut != 1:
        units = math.floor(units * policy.haircut)
        reason += f", haircut {policy.haircut.normalize():f}"
    return units, reason


def _in_lots(units: int, reason: str, lots: Lots) -> tuple[int, str]:
    if lots.lot > 1:
        reason += f", in lots of {lots.lot}"
    if units - units % lots.lot < lots.min_order > 1:
        reason += f", below the minimum order of {lots.min_order}"
    return lots.within(units), reason


def is_declared(reported: int, policy: Policy) -> bool:
    """Whether the number is no count."""
    return policy.sentinel_at is not None and reported >= policy.sentinel_at


def rise(expected: int, reported: int, policy: Policy) -> Rise:
    """How believable it is that upstream reports this many.  expected: the last trusted number less what we sold."""
    if policy.jump_ratio is None or reported - expected <= policy.jump_units:
        return Rise.PLAUSIBLE
    if reported <= expected * policy.jump_ratio or is_declared(expected, policy):
        return Rise.PLAUSIBLE
    # Any rise from nothing is infinitely large: restocking must not need a person each time.
    if policy.hard_jump_ratio is None or expected == 0 or reported < expected * policy.hard_jump_ratio:
        return Rise.JUMP
    return Rise.HARD


def boasts(in_stock: int, jumped: int, share: Decimal | None) -> bool:
    """Whether so many numbers of a supplier jumped at once that it may be inflating all of them.

    in_stock: those that were above 0 before, of which so many jumped.  share: of them that may; None: any.
    """
    return share is not None and jumped >= BOAST and jumped > share * in_stock


def vouch(kept: int, jumped: int, share: Decimal | None) -> bool:
    """Whether the numbers that did not jump show that those which did are no inflation of everything.

    kept: those that would have shown one, and did not.  share: as in `boasts`.
    """
    return share is None or (kept >= BOAST and jumped <= share * (kept + jumped))


def aged(told: Sellable, read_at: datetime | None, policy: Policy, *, now: datetime) -> Sellable:
    """What is left of a level's units at `now`, by the age of its number alone."""
    units = worth(told.units, read_at, policy, now=now)
    if units == told.units:
        return told
    if read_at is None:
        return Sellable(units, f"{told.reason}, never read → {units}")
    if units:
        return Sellable(units, f"{told.reason}, older than {policy.stale_after} s: at most {units}")
    limit = policy.stale_after if is_believed(units, read_at, policy, now=now) else policy.expire_after
    return Sellable(units, f"{told.reason}, older than {limit} s: 0")


def worth(units: int, read_at: datetime | None, policy: Policy, *, now: datetime) -> int:
    """The units that `aged` tells the reason of."""
    if not is_believed(units, read_at, policy, now=now):
        return 0
    if policy.stale_cap is None or units <= policy.stale_cap or read_at is None or now < stale_at(read_at, policy):
        return units
    return policy.stale_cap


def is_believed(reported: int | None, read_at: datetime | None, policy: Policy, *, now: datetime) -> bool:
    """Whether a level's number counts at all at `now`: read, counted, and not too old."""
    if reported is None or read_at is None:
        return False
    return policy.expire_after is None or now < read_at + timedelta(seconds=policy.expire_after)


def stale_at(read_at: datetime, policy: Policy) -> datetime:
    """When a number is to be marked stale."""
    return read_at + timedelta(seconds=policy.stale_after)


def changes_at(read_at: datetime, policy: Policy, *, now: datetime) -> datetime | None:
    """When age alone changes next what a number is worth; None: never again."""
    if policy.stale_cap is not None and now < stale_at(read_at, policy):
        return stale_at(read_at, policy)
    return None if policy.expire_after is None else read_at + timedelta(seconds=policy.expire_after)
