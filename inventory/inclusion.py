"""Which of our orders a reading includes: by the time that passed, or by the units that upstream's number lost.  Pure.

Note [Observed drop]
Where only we buy, whatever a number loses is an order of ours, and available is the same before and after its units
move from the promises into the number.  Each lost unit is counted for one promise once, on the promise's own row, so
that a promise which is cancelled takes its units with it.  Promises that upstream is known to have taken come first;
of the others, which a person orders there by hand and nobody reported yet, only those that are older than upstream's
data may be.  One of these may stand in for another that was ordered before it.  As long as such a promise is settled
and unproven, time alone settles nothing of its level: what is settled never exceeds what the number lost.
What is left of a loss may be an order that is on its way.  Nobody knows yet whether upstream took it, so it settles
nothing, but to count it below the promise as well would refuse buyers what is there: it waits outside the number until
the order is confirmed, when it settles that, or is none of ours, when the next reading brings it in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Promise:
    """An allocation that upstream took, or may have been ordered there by hand.

    confirmed_at: when upstream's number took it in, None: nobody said so.  observed: units that the number lost for it.
    sending: it is on its way, so that nothing includes it for certain.
    """

    id: int
    quantity: int
    confirmed_at: datetime | None
    created_at: datetime | None = None
    observed: int = 0
    taken: bool = True
    sending: bool = False


@dataclass(slots=True)
class Included:
    """What a reading includes.

    settled: promises that leave `allocated`.  observed: id → units counted so far.  awaited: units that the number lost
    for promises on their way.
    """

    settled: list[Promise] = field(default_factory=list)
    observed: dict[int, int] = field(default_factory=dict)
    awaited: int = 0

    @property
    def units(self) -> int:
        return sum(one.quantity for one in self.settled)


def by_time(promises: Sequence[Promise], read_at: datetime, lag: timedelta) -> Included:
    """Confirmed for longer than upstream's data may be old: the number includes them.  All others stay subtracted."""
    return Included([one for one in promises if one.confirmed_at and one.confirmed_at + lag <= read_at])


def by_drop(promises: Sequence[Promise], lost: int, read_at: datetime, lag: timedelta) -> Included:
    """Count the units that a number lost for the promises that may have taken them, oldest first.

    lost: units by which the number fell, those explained by other means taken off.
    """
    included = Included()
    for _, _, _, one in sorted(ranked for one in promises if (ranked := _rank(one)) and ranked[1] <= read_at):
        units = min(max(lost, 0), one.quantity - one.observed)
        lost -= units
        seen = one.observed + units
        if seen == one.quantity and _is_old_enough(one, read_at, lag):
            included.settled.append(one)
        if units:
            included.observed[one.id] = seen
    included.awaited = min(max(lost, 0), _on_their_way(promises, read_at))
    return included


def _on_their_way(promises: Sequence[Promise], read_at: datetime) -> int:
    return sum(one.quantity for one in promises if one.sending and one.created_at and one.created_at <= read_at)


def _is_old_enough(one: Promise, read_at: datetime, lag: timedelta) -> bool:
    return one.taken or (one.created_at is not None and one.created_at + lag <= read_at)


def _rank(one: Promise) -> tuple[bool, datetime, int, Promise] | None:
    """What sorts the promises; None if it is not known since when this one may be in the number."""
    since = one.confirmed_at or one.created_at
    return (not one.taken, since, one.id, one) if since and not one.sending else None
