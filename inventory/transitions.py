"""What a level becomes by a reading, a refusal, a loss or another policy.  Pure functions: no clock, no database."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from inventory import caution, inclusion, trust
from inventory.inclusion import Included, Promise

COPIES_ASKED_AT = (1 / 3, 2 / 3, 1)  # of the lag after a rise: whoever asks once meets the same copy too often
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
    exclusive: only we buy there.  unproven: units settled by what its number lost, and by nobody's word.
    replicas: its readings go backwards.
    boasting: for all that is known its supplier inflates all its numbers just now, so that no repeat proves anything.
    windows: of the sales events that a reading may fall into.
    """

    id: int
    supplier_id: int
    version: int
    numbers: Numbers
    policy: trust.Policy
    lag: timedelta
    exclusive: bool = False
    replicas: bool = False
    boasting: bool = False
    known_at: datetime | None = None
    inherited_until: datetime | None = None
    rejected_at: datetime | None = None
    rejection_floor: int | None = None
    windows: Sequence[caution.Window] = ()
    unproven: int = 0


class Proof(enum.Enum):
    """What is known, beside a reading, of whether its supplier inflates all its numbers just now."""

    NONE = enum.auto()  # nothing: a jump that is said again stays a jump
    OTHERS = enum.auto()  # what else it says did not rise with it
    PERSON = enum.auto()  # somebody who knows: nothing is a jump


@dataclass(frozen=True, slots=True)
class Read:
    """The numbers after a reading, and the allocations that it includes.  observed: as in `Included`."""

    numbers: Numbers
    settled: Sequence[int] = ()
    observed: Mapping[int, int] = field(default_factory=dict)


def by_reading(
    level: Standing, reported: int | None, read_at: datetime, promises: Sequence[Promise] = ()
) -> Read | None:
    """The level after upstream said `reported`; None if the stored number is newer, or may be and is lower.

    read_at: how new the reading can be at best.
    """
    if _is_outdated(level, reported, read_at):
        return None
    level = _within_events(level, read_at)
    included = _included(level, reported, read_at, promises)
    units = included.units
    doubted = _doubted(level, reported, read_at, units, _taken(promises))
    if doubted:
        return Read(doubted)
    before = level.numbers
    if reported is not None:
        reported += included.awaited
    if level.replicas and reported is not None and before.quarantined_reported is not None:
        reported = min(reported, before.quarantined_reported)  # the least that any of them said meanwhile
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
    return Read(numbers, [one.id for one in included.settled], included.observed)


def proven(level: Standing, proof: Proof) -> Standing:
    """The level as a reading with so much proof meets it."""
    if proof is Proof.NONE:
        return replace(level, boasting=True)
    if proof is Proof.OTHERS:
        return level
    return replace(level, policy=replace(level.policy, jump_ratio=None), windows=())


def by_absence(
    level: Standing, reported: int | None, read_at: datetime, promises: Sequence[Promise] = ()
) -> Read | None:
    """The level after upstream showed it to have gone; later snapshots without it do not make it younger."""
    # A row that vanishes takes its number along: that is no order of ours.
    read = by_reading(replace(level, exclusive=False), reported, read_at, promises)
    return read and replace(read, numbers=replace(read.numbers, misses=max(1, level.numbers.misses)))


def _included(level: Standing, reported: int | None, read_at: datetime, promises: Sequence[Promise]) -> Included:
    timely = inclusion.by_time(promises, read_at, level.lag)
    if not level.exclusive:
        return timely
    # See Note [Observed drop].
    if level.unproven:
        timely = Included()
    late = {one.id for one in timely.settled}
    unseen = sum(one.quantity - one.observed for one in timely.settled)
    lost = _lost(level, reported) - unseen
    dropped = inclusion.by_drop([one for one in promises if one.id not in late], lost, read_at, level.lag)
    return Included([*timely.settled, *dropped.settled], dropped.observed, dropped.awaited)


def _lost(level: Standing, reported: int | None) -> int:
    """By how many units upstream's count fell."""
    before = level.numbers.reported
    if reported is None or before is None or trust.is_declared(before, level.policy):
        return 0
    return max(0, before - reported)


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


def _taken(promises: Sequence[Promise]) -> int:
    """Units that upstream's number may have gone down by for orders of ours."""
    return sum(one.quantity for one in promises if one.confirmed_at or one.sending)


def _doubted(level: Standing, reported: int | None, read_at: datetime, settled: int, taken: int) -> Numbers | None:
    """The level if the reading is not believed: the last trusted number stands and grows old.  None: it is believed."""
    before = level.numbers
    if reported is None or before.reported is None:
        return None
    if reported <= before.reported - settled:
        return None
    # It did rise.  It may include every order that upstream took: an inflated number must not hide behind them.
    rise = _risen(before.reported, reported, taken, level.policy)
    # A copy that is behind says more than there is: its rise waits for the others, however small.
    if rise is trust.Rise.PLAUSIBLE and not level.replicas:
        return None
    since = before.quarantined_at if _is_repeat(level, reported, taken) else None
    repeated = since and read_at > since and read_at >= since + level.lag
    if repeated and (rise is trust.Rise.PLAUSIBLE or (rise is trust.Rise.JUMP and not level.boasting)):
        return None
    waiting = before.quarantined_reported
    if since and level.boasting and not level.replicas and _came_down(level, reported):
        # Beside others it would show that an inflation is over.  Alone it must not take that from those to come.
        return replace(before, read_at=level.known_at, misses=0)
    return replace(
        before,
        read_at=level.known_at,
        misses=0,
        quarantined_reported=min(waiting, reported) if level.replicas and since and waiting else reported,
        quarantined_at=since or read_at,
    )


def _risen(trusted: int, reported: int, taken: int, policy: trust.Policy) -> trust.Rise:
    """What upstream's number is, compared with the trusted one less the units that our orders took of it."""
    rise = trust.rise(max(0, trusted - taken), reported, policy)
    # What is no more than was trusted may be too much by our own orders only: that must not need a person.
    return trust.Rise.JUMP if rise is trust.Rise.HARD and reported <= trusted else rise


def reads_again(level: Standing, after: Numbers) -> Sequence[float]:
    """Seconds from now on at which to ask a supplier with copies again, because a rise began to wait for them."""
    if not level.replicas or after.quarantined_at in (None, level.numbers.quarantined_at):
        return ()
    return [level.lag.total_seconds() * part + 1 for part in COPIES_ASKED_AT]


def is_suspicious(level: Standing, after: Numbers) -> bool:
    """Whether a person should know of the number in quarantine; a rise that only waits for other copies is none."""
    waiting = after.quarantined_reported
    if not level.replicas or waiting is None or after.reported is None:
        return waiting is not None
    return _risen(after.reported, waiting, after.allocated, level.policy) is not trust.Rise.PLAUSIBLE


def is_hard(numbers: Numbers, policy: trust.Policy) -> bool:
    """Whether the number in quarantine waits for a person."""
    waiting = numbers.quarantined_reported
    if waiting is None or numbers.reported is None:
        return False
    return _risen(numbers.reported, waiting, numbers.allocated, policy) is trust.Rise.HARD


def _is_repeat(level: Standing, reported: int, taken: int) -> bool:
    """Whether the number in quarantine makes this one plausible."""
    trusted, waiting = level.numbers.reported, level.numbers.quarantined_reported
    if trusted is None or waiting is None:
        return False
    if level.replicas:
        return True
    # A number that only a person may let pass is no witness for one that needs none.
    hard = [_risen(trusted, number, taken, level.policy) is trust.Rise.HARD for number in (waiting, reported)]
    return hard != [True, False] and trust.rise(waiting, reported, level.policy) is trust.Rise.PLAUSIBLE


def _came_down(level: Standing, reported: int) -> bool:
    """Whether the number fell by as much as would be a jump the other way."""
    waiting = level.numbers.quarantined_reported
    return waiting is not None and trust.rise(reported, waiting, level.policy) is not trust.Rise.PLAUSIBLE


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
