"""Tell Holdfast of a shop: `python -m benchmarks.peers.register CODE…` with the supplier in the environment, as JSON.

Prints the key of a storefront that may do everything.
"""

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import django

SNAPSHOT_SECONDS = 15


def register(slug: str, config: dict[str, Any], secrets: dict[str, str], codes: Sequence[str]) -> str:
    """Create the supplier, a SKU for every code, and a storefront; returns the storefront's key."""
    # Models can be imported only after django.setup().
    from inventory.models import Sku  # noqa: PLC0415
    from storefronts.models import ApiKey, Storefront  # noqa: PLC0415
    from suppliers.credentials import seal  # noqa: PLC0415
    from suppliers.models import Supplier  # noqa: PLC0415

    Sku.objects.bulk_create([Sku(code=code, name=code) for code in codes])
    Supplier.objects.create(
        slug=slug,
        name=slug.title(),
        adapter="rest",
        config=config,
        credentials=seal(secrets),
        # The shop answers from the database that its orders are written to: its numbers lie behind by nothing.
        settlement_lag_seconds=1,
        snapshot_interval_seconds=SNAPSHOT_SECONDS,
    )
    _, key = ApiKey.objects.create_key(name="e2e", storefront=Storefront.objects.create(slug="e2e", name="Race"))
    return str(key)


if __name__ == "__main__":
    django.setup()
    shop = json.loads(os.environ["SUPPLIER"])
    print(register(shop["slug"], shop["config"], shop["secrets"], sys.argv[1:]))
