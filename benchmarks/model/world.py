"""A small merchant in an empty database: two suppliers, five rows, four SKUs, of which some share rows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from django.db import connection, transaction
from django_redis import get_redis_connection

from benchmarks.model.clock import Clock
from benchmarks.model.upstream import ModelAdapter, Row, Upstream
from inventory import settlement
from inventory.ledger import Origin
from inventory.models import Offer, Sku, StockLevel
from inventory.settlement import Reading
from storefronts.models import Storefront
from suppliers import adapters
from suppliers.adapters.kinds import Kind
from suppliers.models import Supplier

ORIGIN = Origin(actor="model")
ADAPTER = "model"
# SKU → its rows.  Rows 1 and 3 are shared.
OFFERS = {"A": (0, 1), "B": (1, 2), "C": (3,), "D": (3, 4)}
ROWS = 5
HARD_JUMP = 10  # times what was expected, for those who set it
_TABLES = (
    "suppliers_supplier, suppliers_switchboard, inventory_sku, inventory_stocklevel,"
    " inventory_stockmovement, inventory_effect, orders_order, storefronts_storefront"
)


@dataclass(frozen=True, slots=True)
class Policy:
    """What differs between suppliers.  lag: seconds."""

    lag: int = 60
    buffer: int = 0
    knows_repeats: bool = False
    counts_later: bool = False
    on_rejection: str = "resource"
    hard_jumps: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """What a run begins with.  stocks: of the rows.  lot: of the last row."""

    policies: Sequence[Policy]
    stocks: Sequence[int]
    safety_stock: int = 0
    splittable: bool = True
    lot: int = 1


@dataclass(slots=True)
class Level:
    """A level and the row that it stands for."""

    id: int
    source: "Source"
    row: Row


@dataclass(slots=True)
class Source:
    """A supplier as we have it, and as it is."""

    supplier: Supplier
    upstream: Upstream
    policy: Policy


@dataclass(slots=True)
class World:
    """The merchant of one run."""

    clock: Clock
    sources: list[Source] = field(default_factory=list)
    levels: dict[int, Level] = field(default_factory=dict)
    storefront_id: int = 0

    @property
    def codes(self) -> list[str]:
        return list(OFFERS)

    def source_of(self, supplier_id: int) -> Source:
        return next(source for source in self.sources if source.supplier.pk == supplier_id)


def build(clock: Clock, shape: Shape) -> World:
    """Empty the database and set the merchant up, every row read once."""
    clock.reset()
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {_TABLES} RESTART IDENTITY CASCADE")
    get_redis_connection("default").flushdb()
    world = World(clock)
    for number, policy in enumerate(shape.policies):
        world.sources.append(_source(number, policy))
    skus = Sku.objects.bulk_create(
        [Sku(code=code, safety_stock=shape.safety_stock, splittable=shape.splittable) for code in OFFERS]
    )
    levels = StockLevel.objects.bulk_create(_levels(world, shape))
    for level, stock in zip(levels, shape.stocks, strict=True):
        source = world.source_of(level.supplier_id)
        row = source.upstream.rows[level.external_id] = Row(level.external_id, stock, [(clock.now, stock)])
        world.levels[level.pk] = Level(level.pk, source, row)
    offers = [Offer(sku=sku, level=levels[at], priority=at) for sku in skus for at in OFFERS[sku.code]]
    Offer.objects.bulk_create(offers)
    world.storefront_id = Storefront.objects.bulk_create([Storefront(slug="model", name="Model")])[0].pk
    with transaction.atomic():
        settlement.absorb([Reading(one.id, one.row.stock, clock.now) for one in world.levels.values()], origin=ORIGIN)
    return world


def _source(number: int, policy: Policy) -> Source:
    supplier = Supplier(
        slug=f"supplier-{number}",
        name=f"Supplier {number}",
        adapter=ADAPTER,
        config={"number": number},
        auto_offer=False,
        buffer=policy.buffer,
        settlement_lag_seconds=policy.lag,
        decrements_on="payment" if policy.counts_later else "order",
        on_rejection=policy.on_rejection,
        min_row_ratio=0,
        missing_after=2,
        hard_jump_ratio=HARD_JUMP if policy.hard_jumps else None,
    )
    Supplier.objects.bulk_create([supplier])
    upstream = Upstream(policy.lag, knows_repeats=policy.knows_repeats, counts_later=policy.counts_later)
    return Source(supplier, upstream, policy)


def _levels(world: World, shape: Shape) -> list[StockLevel]:
    return [
        StockLevel(
            supplier=world.sources[at % len(world.sources)].supplier,
            external_id=f"row-{at}",
            code=f"row-{at}",
            lot=shape.lot if at == ROWS - 1 else 1,
        )
        for at in range(ROWS)
    ]


@contextmanager
def reachable(world_of: "dict[str, World]", clock: Clock) -> Iterator[None]:
    """Let the gateway reach the suppliers of whichever world is current.  The adapter is found by config."""

    def make(config: object, _secrets: object, _connect: object) -> ModelAdapter:
        number = config["number"]  # type: ignore[index]
        return ModelAdapter(world_of["now"].sources[number].upstream, partial(getattr, clock, "now"))

    adapters.ADAPTERS[ADAPTER] = Kind("model", make, lambda _: [], lambda _: {})
    try:
        yield
    finally:
        del adapters.ADAPTERS[ADAPTER]
