"""What a level becomes by a reading, a refusal, a loss or another policy.  Pure functions: no clock, no database."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from inventory import caution, trust

BOAST = 3  # hard jumps at one supplier: so many at once are no restocking
HOLD_AT_LEAST = timedelta(seconds=60)
HOLD_AT_MOST = timedelta(days=1)
# A level that was not refused for this long after its last hold is trusted as if it had never been.
FORGIVEN_AFTER = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Numbers:
    """The columns of a level that a settlement may change.  read_at: the row's own, not the inherited one."""

    reported: int | None
    sellable: int
    allocated: int
    read_at: datetime | None
    misses: int = 0
    rejection_cap: int | None = None
    rejections: int = 0
    capped_until: datetime | None = None
    quarantined_reported: int | None = None
    quarantined_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A level as it is stored, with what its supplier declares.

    known_at: how new the stored number is, inherited or not.
    inherited_until: last request of the snapshot that the row inherits its age from; None: its age is its own.
    rejected_at, rejection_floor: of the refusal that capped it; a number below the floor differs from the refused one
    by more than our own orders explain.
    boasting: several of its supplier's numbers are hard jumps just now, so that no repeat proves anything.
    windows: of the sales events that a reading may fall into.
    """

    id: int
    supplier_id: int
    version: int
    numbers: Numbers
    policy: trust.Policy
    lag: timedelta
    boasting: bool = False
    known_at: datetime | None = None
    inherited_until: datetime | None = None
    rejected_at: datetime | None = None
    rejection_floor: int | None = None
    windows: Sequence[caution.Window] = ()


@dataclass(frozen=True, slots=True)
class Confirmed:
    """An allocation that upstream took and whose number may not show it yet."""

    id: int
    quantity: int
    confirmed_at: datetime


@dataclass(frozen=True, slots=True)
class Read:
    """The numbers after a reading, and the allocations that it includes."""

    numbers: Numbers
    settled: Sequence[int] = ()


def by_reading(
    level: Standing, reported: int | None, read_at: datetime, confirmed: Sequence[Confirmed] = ()
) -> Read | None:
    """The level after upstream said `reported`; None if the stored number is newer, or may be and is lower.

    read_at: how new the reading can be at best.
    """
    if _is_outdated(level, reported, read_at):
        return None
    level = _within_events(level, read_at)
    # Confirmed for longer than upstream's data may be old: the number includes them.  All others stay subtracted.
    settled = [one for one in confirmed if one.confirmed_at + level.lag <= read_at]
    units = sum(one.quantity for one in settled)
    doubted = _doubted(level, reported, read_at, units, sum(one.quantity for one in confirmed))
    if doubted:
        return Read(doubted)
    before = level.numbers
    cap = None if before.rejection_cap is None else _cap(level, reported, read_at, units)
    numbers = Numbers(
        reported=reported,
        sellable=trust.sellable(reported, level.policy, rejection_cap=cap).units,
        allocated=before.allocated - units,
        read_at=read_at,
        misses=0,
        rejection_cap=cap,
        rejections=before.rejections,
        capped_until=before.capped_until,
    )
    return Read(numbers, [one.id for one in settled])


def by_absence(
    level: Standing, reported: int | None, read_at: datetime, confirmed: Sequence[Confirmed] = ()
) -> Read | None:
    """The level after upstream showed it to have gone; later snapshots without it do not make it younger."""
    read = by_reading(level, reported, read_at, confirmed)
    return read and replace(read, numbers=replace(read.numbers, misses=max(1, level.numbers.misses)))


def _within_events(level: Standing, read_at: datetime) -> Standing:
    """The level under the policy that a reading as new as this is judged by."""
    windows = [window for window in level.windows if window.covers(read_at)]
    if not windows:
        return level
    boasting = level.boasting or not all(window.repeats_prove for window in windows)
    return replace(level, policy=caution.tightened(level.policy, windows), boasting=boasting)


def _is_outdated(level: Standing, reported: int | None, read_at: datetime) -> bool:
    if level.known_at is None:
        return False
    if read_at < level.known_at:
        return True
    # The snapshot read this row at some time up to its last request, perhaps after us: then only a lower number counts.
    return (
        level.inherited_until is not None
        and read_at < level.inherited_until
        and reported is not None
        and (level.numbers.reported is None or reported > level.numbers.reported)
    )


def _doubted(level: Standing, reported: int | None, read_at: datetime, settled: int, confirmed: int) -> Numbers | None:
    """The level if the reading is not believed: the last trusted number stands and grows old.  None: it is believed."""
    before = level.numbers
    if reported is None or before.reported is None:
        return None
    if reported <= before.reported - settled:
        return None
    # It did rise.  It may include every order that upstream took: an inflated number must not hide behind them.
    rise = _risen(before.reported, reported, confirmed, level.policy)
    if rise is trust.Rise.PLAUSIBLE:
        return None
    since = before.quarantined_at if _is_repeat(level, reported) else None
    repeated = since and read_at > since and read_at >= since + level.lag
    if repeated and rise is trust.Rise.JUMP and not level.boasting:
        return None
    return replace(
        before,
        read_at=level.known_at,
        misses=0,
        quarantined_reported=reported,
        quarantined_at=since or read_at,
    )


def _risen(trusted: int, reported: int, taken: int, policy: trust.Policy) -> trust.Rise:
    """What upstream's number is, compared with the trusted one less the units that our orders took of it."""
    return trust.rise(max(min(1, trusted), trusted - taken), reported, policy)


def is_hard(numbers: Numbers, policy: trust.Policy) -> bool:
    """Whether the number in quarantine waits for a person."""
    waiting = numbers.quarantined_reported
    if waiting is None or numbers.reported is None:
        return False
    return _risen(numbers.reported, waiting, numbers.allocated, policy) is trust.Rise.HARD


def _is_repeat(level: Standing, reported: int) -> bool:
    """Whether the number in quarantine makes this one plausible."""
    waiting = level.numbers.quarantined_reported
    return waiting is not None and trust.rise(waiting, reported, level.policy) is trust.Rise.PLAUSIBLE


def _cap(level: Standing, reported: int | None, read_at: datetime, settled: int) -> int | None:
    """What is left of the cap after a refusal."""
    cap, until = level.numbers.rejection_cap, level.numbers.capped_until
    if cap is None or until is None or read_at >= until:
        return None
    if _is_lifting(level, reported, read_at):
        return None
    # Units that the number now includes may not come back as room below the cap.
    return max(0, cap - settled)


def _is_lifting(level: Standing, reported: int | None, read_at: datetime) -> bool:
    """Whether upstream's number moved since the refusal, by more than our own orders move it."""
    if reported is None or level.rejection_floor is None or level.rejected_at is None:
        return False
    return read_at > level.rejected_at and reported < level.rejection_floor


def by_refusal(level: Standing, units: int, now: datetime) -> Numbers:
    """The level after upstream refused these allocated units for lack of stock: nothing more is sold from it."""
    before = level.numbers
    left = before.allocated - units
    forgiven = before.capped_until is None or now > before.capped_until + FORGIVEN_AFTER
    rejections = 1 if forgiven else before.rejections + 1
    return replace(
        before,
        allocated=left,
        sellable=trust.sellable(before.reported, level.policy, rejection_cap=left).units,
        rejection_cap=left,
        rejections=rejections,
        capped_until=now + hold(level.lag, rejections),
    )


def hold(lag: timedelta, rejections: int) -> timedelta:
    """How long an equal or higher number is not believed after the n-th refusal."""
    doublings: int = 2 ** min(rejections - 1, 16)
    return min(max(2 * lag, HOLD_AT_LEAST) * doublings, HOLD_AT_MOST)


def by_loss(level: Standing, units: int) -> Numbers:
    """The level after upstream let go of allocated units for another reason than lack of stock."""
    return replace(level.numbers, allocated=level.numbers.allocated - units)


def by_person(level: Standing) -> Numbers:
    """The level after a person said that the number in quarantine is right.  It settles nothing: the next one does."""
    before = level.numbers
    if before.quarantined_at is None:
        return before
    sellable = trust.sellable(before.quarantined_reported, level.policy, rejection_cap=before.rejection_cap)
    return replace(
        before,
        reported=before.quarantined_reported,
        sellable=sellable.units,
        read_at=before.quarantined_at,
        quarantined_reported=None,
        quarantined_at=None,
    )


def by_policy(level: Standing) -> Numbers:
    """The level under its supplier's present policy."""
    before = level.numbers
    sellable = trust.sellable(before.reported, level.policy, rejection_cap=before.rejection_cap)
    return replace(before, sellable=sellable.units)


def is_moved(before: Numbers, after: Numbers) -> bool:
    """Whether the change belongs in the ledger; a number that was merely seen again does not."""
    return (before.reported, before.sellable, before.allocated) != (after.reported, after.sellable, after.allocated)
