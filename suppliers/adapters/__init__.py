"""The adapters by name, and how one is made for a supplier."""

from collections.abc import Callable, Mapping
from typing import Any

from suppliers.adapters.calls import Connect
from suppliers.adapters.rest import RestAdapter
from suppliers.adapters.validation import faults_of
from suppliers.credentials import unseal
from suppliers.errors import NotConfigured
from suppliers.models import Supplier
from suppliers.readings import Adapter

Factory = Callable[[Mapping[str, Any], Mapping[str, str], Connect], Adapter]

ADAPTERS: dict[str, Factory] = {"rest": RestAdapter}


def build(supplier: Supplier, connect: Connect) -> Adapter:
    """The supplier's adapter, sending through what `connect` makes of its limits.

    Raises: NotConfigured if the adapter is unknown, its configuration not valid or its credentials not readable.
    """
    factory = ADAPTERS.get(supplier.adapter)
    if factory is None:
        raise NotConfigured(f"There is no adapter {supplier.adapter!r}; there is {', '.join(ADAPTERS)}.")
    return factory(supplier.config, unseal(supplier.credentials), connect)


__all__ = ["ADAPTERS", "build", "faults_of"]
