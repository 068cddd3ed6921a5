"""Tell Holdfast of the shop: `python -m benchmarks.peers.oscar.register CODE…` with the shop in the environment.

Prints the key of a storefront that may do everything.
"""

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django

SNAPSHOT_SECONDS = 15


def configuration(url: str) -> dict[str, Any]:
    """The preset for a shop at this address."""
    import suppliers  # noqa: PLC0415

    preset = Path(suppliers.__file__).parent / "presets" / "oscar.json"
    host = urlsplit(url).hostname
    text = preset.read_text().replace("https://shop.example/api", url).replace("shop.example", str(host))
    config: dict[str, Any] = json.loads(text)
    return config


def register(url: str, user: str, password: str, codes: list[str]) -> str:
    """Create the supplier, a SKU for every code, and a storefront; returns the storefront's key."""
    # Models can be imported only after django.setup().
    from inventory.models import Sku  # noqa: PLC0415
    from storefronts.models import ApiKey, Storefront  # noqa: PLC0415
    from suppliers.credentials import seal  # noqa: PLC0415
    from suppliers.models import Supplier  # noqa: PLC0415

    Sku.objects.bulk_create([Sku(code=code, name=code) for code in codes])
    Supplier.objects.create(
        slug="oscar",
        name="Oscar shop",
        adapter="rest",
        config=configuration(url),
        credentials=seal({"basic": base64.b64encode(f"{user}:{password}".encode()).decode()}),
        # The shop answers from the database that its orders are written to: its numbers lie behind by nothing.
        settlement_lag_seconds=1,
        snapshot_interval_seconds=SNAPSHOT_SECONDS,
    )
    _, key = ApiKey.objects.create_key(name="e2e", storefront=Storefront.objects.create(slug="e2e", name="Race"))
    return str(key)


if __name__ == "__main__":
    django.setup()
    shop = (os.environ["SHOP_URL"], os.environ["SHOP_USER"], os.environ["SHOP_PASSWORD"])
    print(register(*shop, sys.argv[1:]))
