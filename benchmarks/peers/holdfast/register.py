"""Tell Holdfast of a chaos supplier: `python -m benchmarks.peers.holdfast.register CODE…`.

The supplier is in the environment.  Prints the key of a storefront that may do everything.
"""

import os
import sys

import django

SNAPSHOT_SECONDS = 3600  # one at the start; afterwards each sale brings its own reading


def register(url: str, token: str, codes: list[str]) -> str:
    """Create the supplier, a SKU for every code, and a storefront; returns the storefront's key."""
    # Models can be imported only after django.setup().
    from inventory.models import Sku  # noqa: PLC0415
    from storefronts.models import ApiKey, Storefront  # noqa: PLC0415
    from suppliers.credentials import seal  # noqa: PLC0415
    from suppliers.models import Supplier  # noqa: PLC0415
    from suppliers.simulator.configuration import rest_config  # noqa: PLC0415

    Sku.objects.bulk_create([Sku(code=code, name=code) for code in codes])
    Supplier.objects.create(
        slug="depot",
        name="Depot",
        adapter="rest",
        config=rest_config(url),
        credentials=seal({"token": token}),
        settlement_lag_seconds=1,  # it answers from the ledger that it sells from
        exclusive=True,  # nobody else buys there, so what its number loses is an order of ours
        snapshot_interval_seconds=SNAPSHOT_SECONDS,
    )
    _, key = ApiKey.objects.create_key(name="peers", storefront=Storefront.objects.create(slug="peers", name="Race"))
    return str(key)


if __name__ == "__main__":
    django.setup()
    print(register(os.environ["DEPOT_URL"], os.environ["DEPOT_TOKEN"], sys.argv[1:]))
