"""How many calls a supplier allows in a day, and how many of them are gone: counted before each one leaves.

The database and not Redis, which may be wiped: the supplier would not forget with it.
"""

from dataclasses import dataclass
from datetime import datetime

from suppliers import database, importance
from suppliers.adapters.limits import Limits
from suppliers.errors import QuotaExhausted

KEPT_DAYS = 92

# A day begins and ends by the supplier's own clock on the wall, also where that changes to summer time.
_DAY = "(clock_timestamp() AT TIME ZONE %(zone)s - %(reset)s::interval)::date"
_TAKE = f"""
INSERT INTO suppliers_dailyuse AS use (supplier, day, calls) SELECT %(name)s, {_DAY}, 1 WHERE %(most)s > 0
ON CONFLICT (supplier, day) DO UPDATE SET calls = use.calls + 1 WHERE use.calls < %(most)s
RETURNING calls
"""
_LOOK = f"""
SELECT COALESCE((SELECT calls FROM suppliers_dailyuse WHERE supplier = %(name)s AND day = {_DAY}), 0), ends,
       extract(epoch FROM ends - clock_timestamp())
FROM (SELECT ({_DAY} + 1 + %(reset)s::interval) AT TIME ZONE %(zone)s AS ends) today
"""
_FORGET = "DELETE FROM suppliers_dailyuse WHERE day < current_date - %s"


@dataclass(frozen=True, slots=True)
class Today:
    """calls: a day.  reserved: of these, kept for orders.  used: until now.  ends: when it begins anew, aware UTC.

    seconds: until then.
    """

    calls: int
    reserved: int
    used: int
    ends: datetime
    seconds: float

    @property
    def left(self) -> int:
        """For what is no order."""
        return max(0, self.calls - self.reserved - self.used)

    def __str__(self) -> str:
        kept = f", {self.reserved:,} kept for orders" if self.reserved else ""
        return f"{self.used:,} of {self.calls:,} calls used{kept}; anew at {self.ends:%Y-%m-%d %H:%M} UTC"


class Quota:
    """The calls of one supplier's day, over all processes."""

    def __init__(self, name: str, limits: Limits) -> None:
        self._calls = limits.daily_calls
        self._reserved = min(limits.daily_calls or 0, round((limits.daily_calls or 0) * limits.daily_reserve))
        self._values = {"name": name, "zone": limits.daily_timezone, "reset": limits.daily_reset}

    def take(self) -> None:
        """Count the call that is about to leave.  Raises: QuotaExhausted, and nothing may leave."""
        if self._calls is None:
            return
        most = self._calls if importance.is_for_an_order() else self._calls - self._reserved
        with database.cursor() as cursor:
            cursor.execute(_TAKE, {**self._values, "most": most})
            taken = cursor.fetchone()
            if taken == (1,):
                cursor.execute(_FORGET, [KEPT_DAYS])
        if taken is None and (today := self.today()):
            raise QuotaExhausted(f"The supplier's daily calls are used up: {today}.", today.seconds)

    def today(self) -> Today | None:
        """None: the supplier declares no daily limit."""
        if self._calls is None:
            return None
        with database.cursor() as cursor:
            cursor.execute(_LOOK, self._values)
            used, ends, seconds = cursor.fetchone()
        return Today(self._calls, self._reserved, used, ends, float(seconds))
