"""Chaos suppliers as our suppliers."""

import itertools
from typing import Any

from suppliers import credentials
from suppliers.models import Supplier
from suppliers.simulator.configuration import rest_config
from suppliers.simulator.running import RunningChaosSupplier

numbers = itertools.count(1)


def connect(chaos: RunningChaosSupplier, *, size: int = 10, **fields: Any) -> Supplier:
    """A supplier that speaks to this chaos supplier, by default without a second try.  size: rows per page."""
    config = rest_config(chaos.url, chaos.dialect, size)
    config["limits"] |= {"attempts": 1, "breaker_failures": 1_000}
    slug = f"chaos-{next(numbers)}"  # pauses and breakers of the gateway outlive a test: they go by this name
    return Supplier.objects.create(
        slug=slug, name=slug, config=config, credentials=credentials.seal({"token": chaos.token}), **fields
    )
