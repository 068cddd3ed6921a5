"""SKUs with the levels that serve them, as the decision and the reads see them.

One SELECT and one way of counting for both, so that a storefront is never shown a number that an order would not get.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from inventory import lots, sql, terms, trust
from inventory.caution import NONE, Caution
from inventory.lots import Lots, Source
from inventory.strategies import Strategy


@dataclass(slots=True)
class Level:
    """One upstream row.  sellable, allocated: whole units; both may be changed by the decision in memory.

    kept: units of the order's own hold, which was promised before an event held anything back.
    """

    id: int
    supplier_id: int
    supplier: str
    reported: int | None
    sellable: int
    allocated: int
    version: int
    read_at: datetime | None
    selling: bool
    policy: trust.Policy
    caution: Caution = NONE
    kept: int = 0

    def free(self, now: datetime) -> int:
        """Units that an order may take at `now`."""
        if not self.selling or self.reported is None:
            return 0
        units = trust.worth(self.sellable, self.read_at, self.policy, now=now)
        units -= self.caution.held_back(self.sellable, self.kept) + self.allocated
        return self.policy.lots.within(max(0, units))


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a SKU gets from a level to a buyer.

    countries: ISO 3166-1 alpha-2 with blanks between, empty: all.  days: of lead time, None: not known.
    """

    countries: str = ""
    days: int | None = None

    def reaches(self, destination: str) -> bool:
        return not self.countries or destination in self.countries


@dataclass(slots=True)
class Position:
    """One active SKU and its levels, lowest priority number first.

    epoch: of the policy that `selling` was read under.  deliveries: by level id; one that is not there reaches
    everywhere in unknown time.
    """

    id: int
    code: str
    stop_selling: bool
    splittable: bool
    safety_stock: int
    low_stock_threshold: int
    version: int
    epoch: int
    now: datetime
    strategy: str = Strategy.PRIORITY
    levels: list[Level] = field(default_factory=list)
    deliveries: dict[int, Delivery] = field(default_factory=dict)

    def available(self, destination: str = "") -> int:
        """Whole units that may be sold: of all levels together, or of the best one if the SKU must not be split.

        destination: a country; only levels that may ship there count, the safety stock may lie at any of them.
        """
        if self.stop_selling:
            return 0
        everywhere = self._free(self.levels)
        reaching = self.reaching(destination)
        there = everywhere if reaching is self.levels else self._free(reaching)
        units = max(0, min(there, everywhere - self.safety_stock))
        # All of what is there can be ordered: the levels' own lots have seen to it.
        return units if units == there else self.orderable(units, destination)

    def orderable(self, units: int, destination: str = "") -> int:
        """The largest quantity of at most so many units that the levels' lots can serve now."""
        sources = self.sources(self.reaching(destination))
        if self.splittable:
            return lots.below(sources, units)
        return max((source.lots.within(min(units, source.free)) for source in sources), default=0)

    def orderable_above(self, units: int, destination: str = "") -> int | None:
        """The smallest quantity above this one that can be ordered now; None: there is none, or none near it."""
        sources, most = self.sources(self.reaching(destination)), self.available(destination)
        if self.splittable:
            return lots.above(sources, units, most)
        above = [found for source in sources if (found := lots.above([source], units, min(source.free, most)))]
        return min(above, default=None)

    def sources(self, levels: Sequence[Level]) -> list[Source]:
        """What each of these levels can give now."""
        return [Source(level.free(self.now), level.policy.lots) for level in levels]

    def reaching(self, destination: str) -> list[Level]:
        """The levels whose goods may be sent there; all of them if nobody said where to."""
        if not destination or not self.deliveries:
            return self.levels
        return [level for level in self.levels if self._delivery(level).reaches(destination)]

    def days(self, level: Level) -> float:
        """The level's lead time; endless if it is not known."""
        days = self._delivery(level).days
        return math.inf if days is None else days

    def _delivery(self, level: Level) -> Delivery:
        return self.deliveries.get(level.id, _ANYWHERE)

    def _free(self, levels: Sequence[Level]) -> int:
        free = [level.free(self.now) for level in levels]
        return sum(free) if self.splittable else max(free, default=0)


_ANYWHERE = Delivery()


# An unchanged row inherits the age of its supplier's last complete snapshot, unless that snapshot missed it, or showed
# a number that was not believed.
INHERITS = "level.misses = 0 AND level.quarantined_at IS NULL"
READ_AT = f"CASE WHEN {INHERITS} THEN GREATEST(level.read_at, feed.complete_as_of) ELSE level.read_at END"

# Whether a sales event acts on a level.
OF_EVENT = """(event.every_supplier OR EXISTS (
    SELECT FROM inventory_salesevent_suppliers chosen
    WHERE chosen.salesevent_id = event.id AND chosen.supplier_id = level.supplier_id
)) AND (event.every_sku OR EXISTS (
    SELECT FROM inventory_offer serves JOIN inventory_salesevent_skus chosen ON chosen.sku_id = serves.sku_id
    WHERE chosen.salesevent_id = event.id AND serves.level_id = level.id
))"""

# Every SKU once for each level that serves it, with what decides whether that level counts.  The events' time is that
# of the statement: behind a lock, the transaction's may be seconds old.
SKUS_AND_LEVELS = f"""
FROM inventory_sku sku
LEFT JOIN suppliers_switchboard board ON board.id = 1
LEFT JOIN inventory_offer offer ON offer.sku_id = sku.id
LEFT JOIN inventory_stocklevel level ON level.id = offer.level_id
LEFT JOIN suppliers_supplier supplier ON supplier.id = level.supplier_id
LEFT JOIN inventory_feed feed ON feed.supplier_id = level.supplier_id
LEFT JOIN LATERAL (
    SELECT max(event.buffer_units) FILTER (WHERE event.starts_at <= statement_timestamp()) AS units,
           max(event.buffer_share) FILTER (WHERE event.starts_at <= statement_timestamp()) AS share,
           bool_or(event.stop_selling) FILTER (WHERE event.starts_at <= statement_timestamp()) AS stop_selling,
           min(event.hold_seconds) FILTER (WHERE event.starts_at <= statement_timestamp()) AS hold_seconds,
           min(CASE WHEN event.starts_at <= statement_timestamp() THEN event.ends_at ELSE event.starts_at END)
               AS changes_at
    FROM inventory_salesevent event
    WHERE event.switched_on AND event.ends_at > statement_timestamp() AND {OF_EVENT}
) caution ON true
{terms.OWN}
"""

_SELECT = f"""
SELECT sku.id, sku.code, sku.stop_selling OR COALESCE(board.stop_selling, false), sku.splittable, sku.safety_stock,
       sku.low_stock_threshold, sku.version, COALESCE(board.epoch, 1), clock_timestamp(),
       level.id, supplier.id, supplier.slug, level.reported, level.sellable, level.allocated, level.version, {READ_AT},
       supplier.enabled AND NOT supplier.stop_selling,
       supplier.buffer, supplier.stale_after_seconds, supplier.expire_after_seconds, supplier.stale_cap, {terms.LOTS},
       COALESCE(caution.units, 0), COALESCE(caution.share, 0), COALESCE(caution.stop_selling, false),
       caution.hold_seconds, caution.changes_at,
       sku.sourcing, COALESCE(NULLIF(offer.ships_to, ''), supplier.ships_to, ''),
       COALESCE(offer.lead_days, supplier.lead_days)
{SKUS_AND_LEVELS}
WHERE sku.active AND {{condition}}
ORDER BY sku.code, offer.priority, offer.id
"""
_BY_CODE = _SELECT.format(condition=f"sku.code = ANY({sql.CODES})")
_BY_PAGE = _SELECT.format(
    condition="sku.code IN (SELECT code FROM inventory_sku WHERE active AND code > %s ORDER BY code LIMIT %s)"
)

_SHARING = f"""
SELECT other.level_id, sharer.id, sharer.code FROM inventory_sku sku
JOIN inventory_offer mine ON mine.sku_id = sku.id
JOIN inventory_offer other ON other.level_id = mine.level_id
JOIN inventory_sku sharer ON sharer.id = other.sku_id
WHERE sku.code = ANY({sql.CODES})
"""


def ask(codes: Sequence[str]) -> Callable[[], dict[str, Position]]:
    """Send the question; what it returns waits for the answer of `load`."""
    cursor = sql.execute(_BY_CODE, [list(codes)])
    return lambda: _assemble(sql.rows(cursor))


def load(codes: Sequence[str]) -> dict[str, Position]:
    """Active SKUs by code, as of this statement.  Unknown codes are left out."""
    return ask(codes)()


def load_page(after: str, limit: int) -> list[Position]:
    """The next `limit` active SKUs by code, after the code `after`."""
    return list(_assemble(sql.rows(sql.execute(_BY_PAGE, [after, limit]))).values())


def ask_sharing(codes: Sequence[str]) -> Callable[[], dict[int, dict[int, str]]]:
    """Send the question; what it returns waits for: level id → id and code of every SKU sold from it."""
    cursor = sql.execute(_SHARING, [list(codes)])

    def answer() -> dict[int, dict[int, str]]:
        sellers: dict[int, dict[int, str]] = {}
        for level_id, sku_id, code in sql.rows(cursor):
            sellers.setdefault(level_id, {})[sku_id] = code
        return sellers

    return answer


def sharing(codes: Sequence[str]) -> list[str]:
    """These codes and those of every SKU that shares a level with one of them."""
    sellers = ask_sharing(codes)()
    return sorted({code for skus in sellers.values() for code in skus.values()} | set(codes))


def _assemble(rows: Iterable[tuple[Any, ...]]) -> dict[str, Position]:
    positions: dict[str, Position] = {}
    # A level that serves several SKUs is one object, so that the decision takes each unit once.
    levels: dict[int, Level] = {}
    for row in rows:
        position = positions.get(row[1]) or positions.setdefault(row[1], Position(*[*row[:9], row[-3]]))
        if row[9] is None:
            continue
        level = levels.get(row[9])
        if level is None:
            level = levels[row[9]] = Level(*[*row[9:18], _policy(*row[18:24]), Caution(*row[24:29])])
        position.levels.append(level)
        if row[-2] or row[-1] is not None:
            position.deliveries[level.id] = Delivery(*row[-2:])
    return positions


def _policy(
    buffer: int, stale_after: int, expire_after: int | None, stale_cap: int | None, lot: int, min_order: int
) -> trust.Policy:
    """What of a policy decides on a number that is stored."""
    return trust.Policy(buffer, stale_after, expire_after, stale_cap, lots=Lots(lot, min_order))
