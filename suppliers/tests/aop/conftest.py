"""A 1688 supplier whose platform a test plays."""

from collections.abc import Callable
from typing import Any

import pytest

from suppliers.adapters import ADAPTERS
from suppliers.credentials import seal
from suppliers.gateway import Gateway, for_supplier
from suppliers.models import Supplier
from suppliers.tests.aop.platform import SECRETS, Platform
from suppliers.tests.conftest import numbers
from suppliers.tests.upstream import running_upstream


@pytest.fixture
def platform():
    platform = Platform()
    with running_upstream(platform) as upstream:
        platform.url = upstream.url
        yield platform


@pytest.fixture
def gateway(db, platform, loopback_suppliers) -> Callable[..., Gateway]:
    def make(**config: Any) -> Gateway:
        limits = {"rate": 1000, "burst": 1000, "attempts": 1, "breaker_failures": 1000}
        config = {"order": {"address": {"addressId": 593861699}}, **config}
        whole = {"base_url": platform.url, "pool": 111, "limits": limits, **config}
        whole = {name: value for name, value in whole.items() if value is not None}
        assert ADAPTERS["aop1688"].faults(whole) == []
        # A token belongs to its address: each platform has a port of its own.
        return for_supplier(
            Supplier(slug=f"aop-{next(numbers)}", adapter="aop1688", config=whole, credentials=seal(SECRETS))
        )

    return make
