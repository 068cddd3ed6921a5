"""How much more carefully stock is sold and numbers are believed while sales events run.  Pure: no clock, no database.

Several events combine to the most careful: the largest buffer, the smallest jump, the shortest hold.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from inventory.trust import Policy

Number = TypeVar("Number", int, Decimal)


@dataclass(frozen=True, slots=True)
class Caution:
    """What the events of one level hold back just now.

    units, share: whole units, and the share of what is sellable, beyond the supplier's own buffer.  stop_selling: all
    of it.  hold_seconds: the longest a new hold may last, None: as long as asked.  changes_at: when an event of the
    level starts or ends next; aware UTC, None: no event is ahead.
    """

    units: int = 0
    share: Decimal = Decimal(0)
    stop_selling: bool = False
    hold_seconds: int | None = None
    changes_at: datetime | None = None

    def held_back(self, sellable: int, kept: int = 0) -> int:
        """Units of the sellable ones that an order may not take.  kept: of its own hold, free of it but for a stop."""
        if self.stop_selling:
            return sellable
        share = math.ceil(self.share * sellable) if self.share else 0
        return max(0, self.units + share - kept)

    def with_event(self, other: "Caution") -> "Caution":
        """While the other's event runs too."""
        return Caution(
            max(self.units, other.units),
            max(self.share, other.share),
            self.stop_selling or other.stop_selling,
            _smallest([self.hold_seconds, other.hold_seconds]),
            self.changes_at,
        )


@dataclass(frozen=True, slots=True)
class Window:
    """An event's quarantine: of readings that are as new as its time.

    jump_ratio, jump_units: as in the policy, None: the policy's own.  repeats_prove: a number said twice is believed.
    """

    starts_at: datetime
    ends_at: datetime
    jump_ratio: Decimal | None = None
    jump_units: int | None = None
    repeats_prove: bool = False

    def covers(self, moment: datetime) -> bool:
        return self.starts_at <= moment < self.ends_at


NONE = Caution()


def tightened(policy: Policy, windows: Iterable[Window]) -> Policy:
    """The policy for a reading that these windows cover."""
    for window in windows:
        units = policy.jump_units if window.jump_units is None else min(policy.jump_units, window.jump_units)
        policy = replace(policy, jump_ratio=_smallest([policy.jump_ratio, window.jump_ratio]), jump_units=units)
    return policy


def _smallest(given: Sequence[Number | None]) -> Number | None:
    return min((one for one in given if one is not None), default=None)
