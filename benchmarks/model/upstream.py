"""A supplier's truth, which nobody here is shown, and the adapter through which the core hears of it.

It knows nothing of Holdfast's rules: rows with a history, orders that it took, and a lag with which both show.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from suppliers.errors import Transient
from suppliers.readings import (
    Capability,
    ConfirmRequest,
    ConfirmResult,
    FetchResult,
    Json,
    Outcome,
    Page,
    ProbeReport,
    Ref,
    StockRow,
)

ALL = (
    Capability.SNAPSHOT
    | Capability.FETCH
    | Capability.CONFIRM
    | Capability.READBACK
    | Capability.CANCEL
    | Capability.FOLLOW
)


@dataclass(slots=True)
class Row:
    """One row's number over time.

    history: since when it was how many.  ours: what our orders took of it when; below 0: what came back.
    """

    uid: str
    stock: int
    history: list[tuple[datetime, int]]
    ours: list[tuple[datetime, int]] = field(default_factory=list)

    def move(self, now: datetime, units: int, *, ours: bool = False) -> None:
        """Change the number by so many units.  ours: for an order of ours, or its end."""
        self.stock += units
        self.history.append((now, self.stock))
        if ours:
            self.ours.append((now, -units))

    def at(self, moment: datetime) -> int:
        """The number that upstream had then."""
        return next((stock for since, stock in reversed(self.history) if since <= moment), self.history[0][1])

    def taken_since(self, moment: datetime) -> int:
        """Units that orders of ours took of the number after that moment, less what came back."""
        return sum(units for at, units in self.ours if at > moment)

    def disown(self, at: datetime, units: int) -> None:
        """What an order of ours took then went another way: nobody has it."""
        self.ours.append((at, -units))


@dataclass(slots=True)
class Taken:
    """An order of ours that upstream has.  accepted: uid → units.  counted_at: since when its number shows it."""

    reference: str
    accepted: Mapping[str, int]
    result: ConfirmResult
    visible_at: datetime
    counted_at: datetime | None = None
    off: bool = False


@dataclass(slots=True)
class Mood:
    """How upstream behaves when it is spoken to.  None of it lasts."""

    refuses: Outcome | None = None
    silent: bool = False  # does what it is asked, and the answer is lost
    away: bool = False
    shows_late: bool = True
    hides: frozenset[str] = frozenset()  # rows that a listing leaves out
    adds: int = 0  # to every number that is read


class Upstream:
    """One supplier.  lag: seconds by which its numbers, and what it says of orders, may be behind."""

    def __init__(self, lag: float, *, knows_repeats: bool, counts_later: bool) -> None:
        self.lag = timedelta(seconds=lag)
        self.knows_repeats, self.counts_later = knows_repeats, counts_later
        self.rows: dict[str, Row] = {}
        self.orders: dict[str, Taken] = {}
        self.doubled = Counter[str]()
        self.mood = Mood()
        self.shown: list[tuple[str, int]] = []  # what was read of it: uid, number
        self._numbers = count(1)

    def take(self, request: ConfirmRequest, now: datetime) -> ConfirmResult:
        """What becomes of an order that arrives now."""
        known = self.orders.get(request.reference)
        if known is not None:
            if self.knows_repeats:
                return known.result
            self.doubled[request.reference] += 1
        wanted = Counter[str]()
        for line in request.lines:
            wanted[line.ref.uid] += line.quantity
        if self.mood.refuses in (Outcome.REJECTED_OTHER, Outcome.REJECTED_STOCK):
            return ConfirmResult(self.mood.refuses, detail="as it pleases")
        accepted = {uid: max(0, min(units, self._free(uid))) for uid, units in wanted.items()}
        if not any(accepted.values()):
            return ConfirmResult(Outcome.REJECTED_STOCK, detail="sold out")
        outcome = Outcome.ACCEPTED if accepted == dict(wanted) else Outcome.PARTIAL
        result = ConfirmResult(outcome, f"U{next(self._numbers)}", accepted)
        visible_at = now + (self.lag if self.mood.shows_late else timedelta())
        taken = self.orders[request.reference] = Taken(request.reference, accepted, result, visible_at)
        if not self.counts_later:
            self.count(taken, now)
        return result

    def _free(self, uid: str) -> int:
        waiting = (one for one in self.orders.values() if one.counted_at is None and not one.off)
        return self.rows[uid].stock - sum(one.accepted.get(uid, 0) for one in waiting)

    def count(self, taken: Taken, now: datetime) -> None:
        """The number takes the order in."""
        taken.counted_at = now
        for uid, units in taken.accepted.items():
            self.rows[uid].move(now, -units, ours=True)

    def call_off(self, taken: Taken, now: datetime, *, goods_back: bool) -> None:
        """The order is off.  goods_back: its units are on the number again; otherwise there never were any."""
        taken.off = True
        if taken.counted_at is None:
            return
        for uid, units in taken.accepted.items():
            if goods_back:
                self.rows[uid].move(now, units, ours=True)
            else:
                self.rows[uid].disown(taken.counted_at, units)


class ModelAdapter:
    """The supplier as the gateway sees it."""

    idempotent_seconds = 86_400.0

    def __init__(self, upstream: Upstream, now: Callable[[], datetime]) -> None:
        self._upstream, self._now = upstream, now
        self.capabilities = ALL | (Capability.IDEMPOTENT if upstream.knows_repeats else Capability(0))

    def probe(self) -> ProbeReport:
        return ProbeReport(ok=True, messages=[])

    def snapshot(self, cursor: Json = None) -> Iterator[Page]:  # noqa: ARG002 - one page is all
        self._connect(safe=True)
        mood = self._upstream.mood
        rows = [self._show(row) for row in self._upstream.rows.values() if row.uid not in mood.hides]
        yield Page(rows, None, len(rows))

    def fetch(self, refs: Sequence[Ref]) -> FetchResult:
        self._connect(safe=True)
        return FetchResult([self._show(self._upstream.rows[ref.uid]) for ref in refs], [], [])

    def confirm(self, order: ConfirmRequest) -> ConfirmResult:
        self._connect(safe=False)
        result = self._upstream.take(order, self._now())
        if self._upstream.mood.silent:
            return ConfirmResult(Outcome.UNKNOWN, detail="no answer")
        return result

    def readback(self, order: ConfirmRequest) -> ConfirmResult:
        self._connect(safe=True)
        if self._upstream.mood.silent:
            return ConfirmResult(Outcome.UNKNOWN, detail="no answer")
        taken = self._upstream.orders.get(order.reference)
        if taken is None or taken.visible_at > self._now():
            return ConfirmResult(Outcome.NOT_FOUND)
        if taken.off:
            return ConfirmResult(Outcome.REJECTED_OTHER, taken.result.upstream_order, detail="it is off")
        counted = taken.counted_at is not None
        result = taken.result
        return ConfirmResult(result.outcome, result.upstream_order, result.accepted, counted=counted)

    def cancel(self, order: ConfirmRequest, upstream_order: str) -> ConfirmResult:  # noqa: ARG002 - one name suffices
        self._connect(safe=False)
        taken = self._upstream.orders.get(order.reference)
        if taken is not None and not taken.off:
            self._upstream.call_off(taken, self._now(), goods_back=True)
        if self._upstream.mood.silent:
            return ConfirmResult(Outcome.UNKNOWN, detail="no answer")
        return ConfirmResult(Outcome.ACCEPTED)

    def _connect(self, *, safe: bool) -> None:
        if self._upstream.mood.away:
            raise Transient("away", sent=False)
        if self._upstream.mood.silent and safe:
            raise Transient("no answer", sent=True)

    def _show(self, row: Row) -> StockRow:
        """As old as it may be."""
        number = row.at(self._now() - self._upstream.lag * self._upstream.mood.shows_late)
        self._upstream.shown.append((row.uid, number + self._upstream.mood.adds))
        return StockRow(row.uid, row.uid, row.uid, "", number + self._upstream.mood.adds)
