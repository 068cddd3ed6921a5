"""Which levels are worth a read of their own before the next snapshot.  Pure: no clock, no database.

Note [Risk]
What we sell from is a number as old as its last read.  Until it is read again, buyers ask for about
`asked an hour × age` units of it; what makes that dangerous is how few are left, and what makes it a loss is that none
are: a delivery is only seen by a read.  So the score is the units asked for since the read, by those left and one more.
"""

from collections.abc import Iterable
from dataclasses import dataclass

HOUR = 3_600.0
EXPECTED = 1.0  # units an hour that are asked for in an event before anybody did
JUST_READ = 15.0  # seconds; a younger number is as good as a new one


@dataclass(frozen=True, slots=True)
class Candidate:
    """A level.

    sold, refused: units promised of it, and orders turned down, in the last hour.  left: whole units that may still be
    sold.  age: seconds of its number, None: never read.  event: in a sales event, or in one about to start.
    """

    level_id: int
    supplier_id: int
    sold: int
    refused: int
    left: int
    age: float | None
    event: bool

    @property
    def score(self) -> float:
        """Units asked for since it was read, for each that is left and one more."""
        asked = self.sold + self.refused + (EXPECTED if self.event else 0.0)
        return asked / HOUR * (HOUR if self.age is None else self.age) / (1 + self.left)

    @property
    def reason(self) -> str:
        """As a person reads it."""
        age = "never read" if self.age is None else f"{self.age:.0f} s old"
        event = "sales event; " if self.event else ""
        return f"{event}{self.sold} sold, {self.refused} refused in an hour, {self.left} left, {age}"

    @property
    def kind(self) -> str:
        """What it is read for, for counting."""
        if self.event:
            return "event"
        return "wanted" if self.left == 0 else "hot"


def riskiest(candidates: Iterable[Candidate], most: int) -> list[Candidate]:
    """At most so many, the riskiest first and those of events before all others."""
    worth = [one for one in candidates if one.score > 0 and (one.age is None or one.age >= JUST_READ)]
    worth.sort(key=lambda one: (not one.event, -one.score, one.level_id))
    return worth[: max(0, most)]
