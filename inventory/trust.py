"""From a reported number to one that may be sold.  Pure functions: no clock, no database."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Policy:
    """How far a supplier's numbers are believed.  buffer: units.  The ages are seconds, None: no limit."""

    buffer: int = 0
    stale_after: int = 900
    expire_after: int | None = None


@dataclass(frozen=True, slots=True)
class Sellable:
    """Whole units, and the reason as a person reads it."""

    units: int
    reason: str


def sellable(reported: int | None, policy: Policy, *, rejection_cap: int | None = None) -> Sellable:
    """The units of one level that may be promised, orders not yet taken off.

    reported: None = "not counted".  rejection_cap: units at which upstream refused us for lack of stock.
    """
    if reported is None:
        return Sellable(0, "not counted by the supplier")
    units = max(0, reported - policy.buffer)
    reason = f"{reported} reported"
    if policy.buffer:
        reason += f" − {policy.buffer} buffer"
    if rejection_cap is not None and rejection_cap < units:
        units = rejection_cap
        reason += f", capped at {rejection_cap} after a rejection"
    return Sellable(units, reason if reason == f"{reported} reported" else f"{reason} → {units}")


def expires_at(read_at: datetime | None, policy: Policy) -> datetime | None:
    """When a number stops counting by age alone; None: never."""
    if read_at is None or policy.expire_after is None:
        return None
    return read_at + timedelta(seconds=policy.expire_after)


def stale_at(read_at: datetime, policy: Policy) -> datetime:
    """When a number is to be marked stale."""
    return read_at + timedelta(seconds=policy.stale_after)


def is_believed(reported: int | None, read_at: datetime | None, policy: Policy, *, now: datetime) -> bool:
    """Whether a level's number counts at all at `now`: read, counted, and not too old."""
    if reported is None or read_at is None:
        return False
    limit = expires_at(read_at, policy)
    return limit is None or now < limit
