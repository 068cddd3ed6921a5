"""The supplier's hidden truth: how many units there really are, and every sale with its time and reference."""

import threading
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Item:
    """One row of the catalogue.  Several rows may carry one SKU."""

    uid: str
    sku: str
    location: str
    initial: int


@dataclass(slots=True)
class Sale:
    """Units that left the ledger.  lines: uid → units taken; source: "order" through the API, "channel" elsewhere.

    effect: the same for the parts of a split order.  pending_until: it is only taken down until then.
    doomed_at: when the supplier will cancel it, and `returns`: whether the units come back then.
    """

    order_id: str
    reference: str
    source: str
    at: float
    requested: Mapping[str, int]
    lines: Mapping[str, int]
    effect: int = 0
    pending_until: float = 0.0
    doomed_at: float | None = None
    returns: bool = True
    cancelled_at: float | None = None
    cancelled_by: str = ""  # "client" or "supplier"

    def status_at(self, moment: float) -> str:
        if self.cancelled_at is not None:
            return "cancelled"
        return "pending" if moment < self.pending_until else "accepted"


@dataclass(frozen=True, slots=True)
class Terms:
    """How a sale is decided, and what becomes of it.

    partial: take what is there.  unchecked: do not look at the stock (it was looked at earlier, or never).
    idempotent: a reference that was sold before gets the earlier sale.  pool: so many neighbouring rows share their
    units.  hollow: rows (uids) that have nothing, whatever the books say.  parts: so many orders are made of it.
    pending_for, doomed_after, returns: see `Sale`; in seconds.
    """

    partial: bool = False
    unchecked: bool = False
    idempotent: bool = False
    pool: int = 1
    hollow: frozenset[str] = frozenset()
    parts: int = 1
    pending_for: float = 0.0
    doomed_after: float | None = None
    returns: bool = True


@dataclass(frozen=True, slots=True)
class Change:
    """Units of a row set to a number, or changed by it.  expected: nothing is done if there are not so many now."""

    index: int
    number: int
    delta: bool = False
    expected: int | None = None
    may_fall_below_zero: bool = False


class OutOfStock(Exception):
    """There are fewer units than asked for; nothing was taken.  shortages: uid → units there."""

    def __init__(self, shortages: Mapping[str, int]) -> None:
        super().__init__(f"out of stock: {dict(shortages)}")
        self.shortages = shortages


class Stale(Exception):
    """There are not as many units as was expected."""


class UnknownOrder(Exception):
    """No order has this number."""


@dataclass
class _Books:
    """What one lock guards."""

    sales: list[Sale] = field(default_factory=list)
    by_order: dict[str, Sale] = field(default_factory=dict)
    by_reference: dict[str, list[Sale]] = field(default_factory=dict)
    sold: Counter[int] = field(default_factory=Counter)
    cancelled: Counter[int] = field(default_factory=Counter)
    restocked: Counter[int] = field(default_factory=Counter)
    lost: Counter[int] = field(default_factory=Counter)
    effects: int = 0
    keys: set[str] = field(default_factory=set)
    doomed: list[Sale] = field(default_factory=list)
    # index → (time, units after), only of rows that ever changed: what lets a report lie behind the truth
    history: dict[int, list[tuple[float, int]]] = field(default_factory=dict)


def _parts(taken: Mapping[str, int], parts: int) -> list[dict[str, int]]:
    """Lines dealt out one by one; a single line is dealt out by its units."""
    if parts <= 1:
        return [dict(taken)]
    dealt: list[dict[str, int]] = [{} for _ in range(parts)]
    if len(taken) == 1:
        ((uid, units),) = taken.items()
        for at, part in enumerate(dealt):
            part[uid] = units // parts + (at < units % parts)
    else:
        for at, (uid, units) in enumerate(taken.items()):
            dealt[at % parts][uid] = units
    return [part for part in dealt if any(part.values())]


class Ledger:
    """Thread-safe.  Rows are addressed by their index in `items`, which is the order they are listed in."""

    def __init__(self, items: Sequence[Item], clock: Clock) -> None:
        self.items = items
        self.started_at = clock()
        self.clock = clock
        self._index = {item.uid: index for index, item in enumerate(items)}
        if len(self._index) != len(items):
            raise ValueError("two rows carry the same id")
        self._by_sku: dict[str, list[int]] = {}
        for index, item in enumerate(items):
            self._by_sku.setdefault(item.sku, []).append(index)
        self._on_hand = [item.initial for item in items]
        self._books = _Books()
        self._lock = threading.Lock()
        self.on_change: Callable[[int, int, int, float], None] = lambda *_: None  # row, its units, by how many, when

    # --- Reading ------------------------------------------------------------------------------------
    def indexes_of_sku(self, sku: str) -> Sequence[int]:
        return self._by_sku.get(sku, ())

    def index_of(self, uid: str) -> int | None:
        """Of a variant ("r1/a"), that of the row it was split off."""
        return self._index.get(uid.partition("/")[0])

    def sku_of(self, uid: str) -> str:
        return self.items[self._index[uid]].sku

    def pool_of(self, index: int, size: int) -> range:
        """The rows that share their units with this one."""
        first = index - index % size
        return range(first, min(first + size, len(self.items)))

    def units_now(self, index: int) -> int:
        return self._on_hand[index]

    def now_at(self, index: int) -> tuple[int, float]:
        """Units there are, and when that last changed."""
        history = self._books.history.get(index)
        return (self._on_hand[index], history[-1][0] if history else self.started_at)

    def seen_at(self, index: int, moment: float) -> tuple[int, float]:
        """Units there were at an earlier moment, and when that had last changed."""
        history = self._books.history.get(index, ())
        position = bisect_right(history, moment, key=itemgetter(0))
        if not position:
            return self.items[index].initial, self.started_at
        at, units = history[position - 1]
        return units, at

    def sales_of(self, reference: str) -> list[Sale]:
        with self._lock:
            return list(self._books.by_reference.get(reference, ()))

    def orders(self, order_ids: Iterable[str]) -> list[Sale]:
        with self._lock:
            return [sale for order_id in order_ids if (sale := self._books.by_order.get(order_id))]

    def check(self, lines: Mapping[str, int], terms: Terms = Terms()) -> None:
        """Raises OutOfStock if it would not be sold now.  Says nothing about a moment later."""
        there = {uid: self._there(uid, terms) for uid in lines}
        wanted: Counter[int] = Counter()
        for uid, quantity in lines.items():
            wanted[self._index[uid] // terms.pool] += quantity
        if short := {uid: there[uid] for uid in lines if there[uid] < wanted[self._index[uid] // terms.pool]}:
            raise OutOfStock(short)

    def _there(self, uid: str, terms: Terms) -> int:
        if uid in terms.hollow:
            return 0
        return sum(self._on_hand[index] for index in self.pool_of(self._index[uid], terms.pool))

    # --- Writing ------------------------------------------------------------------------------------
    def sell(self, lines: Mapping[str, int], reference: str, source: str, terms: Terms) -> list[Sale]:
        """Take units (uid → units, each ≥ 1), all lines or none unless the terms are partial; a sale for each part."""
        with self._lock:
            earlier = self._books.by_reference.get(reference)
            if terms.idempotent and earlier:
                return [sale for sale in earlier if sale.effect == earlier[0].effect]
            taken = self._taken(lines, terms)
            self._books.effects += 1
            sales = [self._book(part, lines, (reference, source), terms) for part in _parts(taken, terms.parts)]
            for uid, quantity in taken.items():
                self._move(uid, -quantity, self._books.sold)
            return sales

    def _book(self, part: Mapping[str, int], asked: Mapping[str, int], origin: tuple[str, str], terms: Terms) -> Sale:
        now, (reference, source) = self.clock(), origin
        requested = dict(asked) if terms.parts == 1 else dict(part)
        sale = Sale(f"o{len(self._books.sales) + 1:07d}", reference, source, now, requested, part, self._books.effects)
        sale.pending_until = now + terms.pending_for
        if terms.doomed_after is not None:
            sale.doomed_at, sale.returns = now + terms.doomed_after, terms.returns
            self._books.doomed.append(sale)
        self._books.sales.append(sale)
        self._books.by_order[sale.order_id] = sale
        self._books.by_reference.setdefault(reference, []).append(sale)
        return sale

    def cancel(self, order_id: str) -> Sale:
        """Return an order's units, once.  Raises UnknownOrder."""
        with self._lock:
            sale = self._books.by_order.get(order_id)
            if sale is None:
                raise UnknownOrder(order_id)
            self._call_off(sale, self.clock(), by="client", returns=True)
            return sale

    def run_due(self) -> None:
        """Let happen what the supplier does by itself: cancel the orders that are doomed."""
        if not self._books.doomed:
            return
        now = self.clock()
        with self._lock:
            for sale in list(self._books.doomed):
                if sale.doomed_at is not None and sale.doomed_at <= now:
                    self._call_off(sale, sale.doomed_at, by="supplier", returns=sale.returns)
                    self._books.doomed.remove(sale)

    def _call_off(self, sale: Sale, at: float, *, by: str, returns: bool) -> None:
        if sale.cancelled_at is not None:
            return
        sale.cancelled_at, sale.cancelled_by = at, by
        for uid, quantity in sale.lines.items():
            self._move(uid, quantity, self._books.cancelled)
            if not returns:  # it was cancelled because the goods were not there
                self._move(uid, -quantity, self._books.lost)

    def write(self, changes: Sequence[Change], reference: str, key: str) -> None:
        """Set rows to a number or change them by it, all or none; what goes out is a sale, what comes in a restock.

        key: a repeat with the same one does nothing.  Raises OutOfStock, Stale.
        """
        with self._lock:
            if key and key in self._books.keys:
                return
            moves = [self._due(change) for change in changes]
            self._books.keys.add(key)
            if self._is_return(moves, reference):
                return
            taken = {self.items[index].uid: -delta for index, delta in moves if delta < 0}
            if taken:
                self._books.effects += 1
                self._book(taken, taken, (reference, "order" if reference else "channel"), Terms())
            for index, delta in moves:
                self._move(self.items[index].uid, delta, self._books.sold if delta < 0 else self._books.restocked)

    def _is_return(self, moves: Sequence[tuple[int, int]], reference: str) -> bool:
        """What comes in under the reference of an order, just as much as that took, calls it off."""
        back = {self.items[index].uid: delta for index, delta in moves}
        for sale in self._books.by_reference.get(reference, ()) if reference else ():
            if sale.cancelled_at is None and sale.lines == back:
                self._call_off(sale, self.clock(), by="client", returns=True)
                return True
        return False

    def _due(self, change: Change) -> tuple[int, int]:
        there = self._on_hand[change.index]
        delta = change.number if change.delta else change.number - there
        if change.expected is not None and change.expected != there:
            raise Stale
        if there + delta < 0 and not change.may_fall_below_zero:
            raise OutOfStock({self.items[change.index].uid: there})
        return change.index, delta

    def restock(self, uid: str, quantity: int) -> None:
        with self._lock:
            self._move(uid, quantity, self._books.restocked)

    def _taken(self, lines: Mapping[str, int], terms: Terms) -> dict[str, int]:
        if terms.unchecked:
            return dict(lines)
        if not terms.partial:
            self.check(lines, terms)
            return dict(lines)
        there = {uid: max(0, self._there(uid, terms)) for uid in lines}
        taken = {uid: min(quantity, there[uid]) for uid, quantity in lines.items()}
        if not any(taken.values()):
            raise OutOfStock(there)
        return {uid: quantity for uid, quantity in taken.items() if quantity}

    def _move(self, uid: str, quantity: int, reason: Counter[int]) -> None:
        index = self._index[uid]
        reason[index] += abs(quantity)
        self._on_hand[index] += quantity
        now = self.clock()
        self._books.history.setdefault(index, []).append((now, self._on_hand[index]))
        self.on_change(index, self._on_hand[index], quantity, now)

    # --- Books, for tests and for operators of the simulator -------------------------------------------
    def truth(self, skus: Iterable[str] | None = None) -> dict[str, dict[str, int]]:
        """Per SKU, over its rows: on_hand = initial + restocked − sold + cancelled − lost."""
        with self._lock:
            return {sku: self._totals(self._by_sku.get(sku, ())) for sku in (self._by_sku if skus is None else skus)}

    def _totals(self, indexes: Sequence[int]) -> dict[str, int]:
        return {
            "initial": sum(self.items[index].initial for index in indexes),
            "restocked": sum(self._books.restocked[index] for index in indexes),
            "sold": sum(self._books.sold[index] for index in indexes),
            "cancelled": sum(self._books.cancelled[index] for index in indexes),
            "lost": sum(self._books.lost[index] for index in indexes),
            "on_hand": sum(self._on_hand[index] for index in indexes),
        }

    def audit(self) -> dict[str, Any]:
        """Every sale, and the references that were sold more than once through the API (reference → times)."""
        with self._lock:
            sales = list(self._books.sales)
        effects = {(sale.reference, sale.effect) for sale in sales if sale.source == "order" and sale.reference}
        times = Counter(reference for reference, _ in effects)
        return {
            "sales": [self._entry(sale) for sale in sales],
            "duplicates": {reference: count for reference, count in times.items() if count > 1},
        }

    def _entry(self, sale: Sale) -> dict[str, Any]:
        return {
            "order_id": sale.order_id,
            "ref": sale.reference,
            "source": sale.source,
            "at": sale.at,
            "cancelled_at": sale.cancelled_at,
            "cancelled_by": sale.cancelled_by,
            "doomed_at": sale.doomed_at,
            "lines": [
                {"id": uid, "sku": self.sku_of(uid), "quantity": quantity} for uid, quantity in sale.lines.items()
            ],
        }
