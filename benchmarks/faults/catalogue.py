"""What is for sale while things break: plenty, scarce goods that sell out, and single units for crowds."""

import random

from inventory.models import Sku
from storefronts.models import ApiKey, Storefront
from suppliers.credentials import seal
from suppliers.models import Supplier
from suppliers.simulator.configuration import rest_config

SUPPLIER = "depot"
SETTLEMENT_LAG = 2  # seconds
HERDS = 200
MUCH = 9_000  # below the numbers that are taken for "declared, not counted"

PLENTY = [f"PLENTY-{number:02}" for number in range(1, 13)]
HOT = ["HOT-1", "HOT-2"]
SCARCE = [f"SCARCE-{number:02}" for number in range(1, 31)]
HERD = [f"HERD-{number:03}" for number in range(1, HERDS + 1)]
STOCK = {
    **dict.fromkeys([*PLENTY, *HOT], MUCH),
    **{sku: 4 + at for at, sku in enumerate(SCARCE)},
    **dict.fromkeys(HERD, 1),
}
CATALOGUE = [{"sku": sku, "stock": units} for sku, units in STOCK.items()]


def next_order(chance: random.Random) -> dict[str, int]:
    """SKU → units, in the order in which the buyer names them.

    Most want what is scarce and soon sold out: it is there that a unit could be sold twice or refused falsely, and
    orders that are placed have to be told to the supplier one by one.
    """
    kind = chance.choices(("scarce", "hot", "plenty", "basket"), (88, 5, 4, 3))[0]
    if kind == "basket":
        goods = chance.sample([*PLENTY, *HOT, *SCARCE], k=chance.choice((2, 3, 4)))
        return {sku: chance.choice((1, 2)) for sku in goods}
    goods = {"scarce": SCARCE, "hot": HOT, "plenty": PLENTY}[kind]
    return {chance.choice(goods): chance.choice((1, 1, 2, 3))}


def seed_database(url: str, token: str) -> tuple[int, str]:
    """The supplier at this URL, its SKUs and a storefront; returns the supplier's id and the storefront's key."""
    config = rest_config(url)
    # Short, so that healing shows within the run.
    config["limits"] |= {"breaker_seconds": 3, "total_seconds": 5, "call_seconds": 8}
    supplier = Supplier.objects.create(
        slug=SUPPLIER,
        name="Depot",
        config=config,
        credentials=seal({"token": token}),
        settlement_lag_seconds=SETTLEMENT_LAG,
        snapshot_interval_seconds=20,
    )
    Sku.objects.bulk_create([Sku(code=code) for code in STOCK])
    storefront = Storefront.objects.create(slug="shop", name="Shop")
    _, key = ApiKey.objects.create_key(name="faults", storefront=storefront)
    return supplier.pk, str(key)
