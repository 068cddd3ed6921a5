"""Whether a number that falls shows data older than declared, or several copies of it.  Pure: no clock, no database.

Note [Late fall]
A reading that is younger than an order by the settlement lag is taken to include it.  If the number falls by exactly
the order's units only later, that reading did not, and the data was older than declared: older than the last reading
without the order is than the order, and not older than this one is.
Others may buy there, and a delivery may hide a fall.  So all that the number did lately is gone through.  A fall that
equals the units of our oldest orders shows them; a rise may have hidden whatever waited to be shown, and any other fall
may have been part of it: those orders are waited for no more.  Moves that no order of ours explains, or that several do
each alone, make the level doubtful for a day: what is found there meanwhile may be a stranger's doing, or another
order's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil

SHOWN_WITHIN = timedelta(hours=6)  # of its confirmation; what falls later is somebody else's order
DOUBTFUL_FOR = timedelta(days=1)
MARGIN = 1.1
LATE, REPLICAS = "late", "replicas"


@dataclass(frozen=True, slots=True)
class Order:
    """Units that upstream took, or may have.  confirmed_at: when its number took them in, None: nobody knows.

    settled_at: when a reading was taken to include them, None: none was.  placed: the level's version with them.
    """

    id: int
    reference: str
    quantity: int
    confirmed_at: datetime | None
    settled_at: datetime | None
    placed: int


@dataclass(frozen=True, slots=True)
class Move:
    """One change of the reported number, in whole units.  since: when the level had moved in any way before."""

    version: int
    before: int | None
    after: int | None
    at: datetime
    since: datetime


@dataclass(frozen=True, slots=True)
class Fall:
    """What a reading does to the number now.  known_at: how new the number was at best until now."""

    version: int
    before: int
    after: int
    read_at: datetime
    known_at: datetime


@dataclass(frozen=True, slots=True)
class Breach:
    """What a fall shows of upstream's data, and the orders that tell it.

    LATE: it was more than at_least seconds old, and a settlement lag of `seconds` would have waited for it.
    REPLICAS: it came from several copies, one of them more than `seconds` behind another.
    certain: no stranger is known to buy there.
    """

    kind: str
    orders: Sequence[Order]
    at_least: float
    seconds: float
    certain: bool


@dataclass(slots=True)
class _Level:
    """A level while its moves are gone through.

    waiting: orders that no fall has shown.  shown: the newest falls, one upon the other, with the orders that they
    showed.  rise: the newest move, if it was one.  fallen_back: the rise that the newest move took back.
    """

    waiting: list[Order]
    lag: timedelta
    shown: list[tuple[Move, list[Order]]] = field(default_factory=list)
    rise: Move | None = None
    fallen_back: Move | None = None
    doubtful_since: datetime | None = None
    doubtful_before_rise: datetime | None = None

    def take(self, move: Move) -> list[Order]:
        """Go on by one move; the orders that it shows although a reading before was taken to include them."""
        rise, self.rise, self.fallen_back = self.rise, None, None
        waiting = [one for one in self.waiting if one.placed < move.version and _may_show(one, move.at)]
        later = [one for one in self.waiting if one.placed >= move.version]
        if move.before is None or move.after is None or move.after > move.before:
            self.waiting, self.rise, self.doubtful_before_rise = later, move, self.doubtful_since
            self.doubtful_since = move.at
            return []
        shown, gone = _shown(waiting, move.before - move.after, move.since)
        self.waiting = [one for one in waiting if one not in gone] + later
        if shown:
            self._show(move, shown)
            if len(gone) > len(shown):
                self.doubtful_since = move.at  # nobody knows which of them are still to come
        elif rise is not None and rise.before == move.after and move.at - rise.at <= 2 * self.lag:
            self.fallen_back, self.doubtful_since = rise, self.doubtful_before_rise
        else:
            self.shown, self.doubtful_since = [], move.at
        return [one for one in shown if _is_late(one, move.since)]

    def _show(self, move: Move, orders: list[Order]) -> None:
        if self.shown and self.shown[-1][0].after != move.before:
            self.shown = []
        self.shown.append((move, orders))

    def taken_back(self, rise: Move) -> tuple[Move, list[Order]] | None:
        """The fall that showed orders of ours and that this rise undid, with all after it."""
        if not self.shown or self.shown[-1][0].after != rise.before:
            return None
        return next((one for one in reversed(self.shown) if one[0].before == rise.after), None)


def find(fall: Fall, moves: Sequence[Move], orders: Sequence[Order], lag: timedelta) -> Breach | None:
    """What a fall shows after these moves of the reported number, oldest first.

    orders: of ours that may be waiting to be shown, placed within these moves.
    """
    level = _Level(sorted(orders, key=_rank), lag)
    for move in moves:
        level.take(move)
    unknown = any(one.confirmed_at is None for one in level.waiting)
    # Whatever is settled was settled before.
    late = level.take(Move(fall.version, fall.before, fall.after, fall.read_at, datetime.max.replace(tzinfo=UTC)))
    certain = level.doubtful_since is None or fall.read_at - level.doubtful_since > DOUBTFUL_FOR
    if late:
        return _late(late, fall, certain=certain and not unknown)
    if level.fallen_back and (undone := level.taken_back(level.fallen_back)):
        behind = (level.fallen_back.at - undone[0].at).total_seconds()
        return Breach(REPLICAS, undone[1], behind, behind, certain)
    return None


def suggested(seconds: float) -> int:
    """The settlement lag in whole seconds that covers a measured one, with a margin."""
    return ceil(max(seconds * MARGIN, seconds + 1))


def _late(orders: Sequence[Order], fall: Fall, *, certain: bool) -> Breach:
    oldest = min(one.confirmed_at for one in orders if one.confirmed_at)
    at_least = (fall.known_at - oldest).total_seconds()
    return Breach(LATE, orders, at_least, (fall.read_at - oldest).total_seconds(), certain)


def _rank(one: Order) -> tuple[bool, datetime | None, int]:
    return one.confirmed_at is None, one.confirmed_at, one.id


def _is_late(one: Order, since: datetime) -> bool:
    """Whether a reading that was stored until then had settled it."""
    return one.settled_at is not None and one.settled_at <= since


def _may_show(one: Order, at: datetime) -> bool:
    return one.confirmed_at is None or at - one.confirmed_at <= SHOWN_WITHIN


def _shown(waiting: Sequence[Order], fell: int, since: datetime) -> tuple[list[Order], list[Order]]:
    """The orders that a fall shows, and those that are waited for no more: they may have been part of it."""
    timely = [one for one in waiting if not _is_late(one, since)]
    if shown := _first(timely, fell):
        # Was it one of those that are late?  Nobody knows, so nothing is claimed of them.
        return shown, [*shown, *(one for one in waiting if _is_late(one, since))]
    if shown := _first(waiting, fell):
        return shown, shown
    return [], _first(waiting, fell, exactly=False)


def _first(orders: Sequence[Order], units: int, *, exactly: bool = True) -> list[Order]:
    """The first orders that make up so many units; none if they make more, unless not exactly."""
    total = 0
    for count, one in enumerate(orders, 1):
        total += one.quantity
        if total >= units:
            return list(orders[:count]) if total == units or not exactly else []
    return [] if exactly else list(orders)
