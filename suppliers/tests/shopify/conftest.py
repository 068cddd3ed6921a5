"""A Shopify supplier whose shop a test plays."""

from collections.abc import Callable
from typing import Any

import pytest

from suppliers.adapters import ADAPTERS
from suppliers.credentials import seal
from suppliers.gateway import Gateway, for_supplier
from suppliers.models import Supplier
from suppliers.tests.conftest import numbers
from suppliers.tests.shopify.shop import LOCATION, Shop
from suppliers.tests.upstream import running_upstream


@pytest.fixture
def shop():
    shop = Shop()
    with running_upstream(shop) as upstream:
        shop.url, shop.seen = upstream.url, upstream.seen
        yield shop


@pytest.fixture
def gateway(shop, loopback_suppliers) -> Callable[..., Gateway]:
    def make(**config: Any) -> Gateway:
        limits = {"rate": 1000, "burst": 1000, "attempts": 1, "breaker_failures": 1000, **config.pop("limits", {})}
        whole = {
            "base_url": shop.url,
            "locations": [LOCATION],
            "result_hosts": ["127.0.0.1"],
            "poll_seconds": 0.01,
            "limits": limits,
            **config,
        }
        assert ADAPTERS["shopify"].faults(whole) == []
        credentials = seal({"token": "shpat_secret"})
        slug = f"shop-{next(numbers)}"
        return for_supplier(Supplier(slug=slug, adapter="shopify", config=whole, credentials=credentials))

    return make
