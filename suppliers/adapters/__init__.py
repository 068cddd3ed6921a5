"""The adapters by name, and how one is made for a supplier."""

from suppliers.adapters import aop, rest, shopify, top
from suppliers.adapters.calls import Connect
from suppliers.adapters.files import adapter as file
from suppliers.adapters.kinds import Kind
from suppliers.credentials import unseal
from suppliers.errors import NotConfigured
from suppliers.models import Supplier
from suppliers.readings import Adapter, PushReceiver

ADAPTERS: dict[str, Kind] = {
    "rest": rest.KIND,
    "file": file.KIND,
    "shopify": shopify.KIND,
    "top": top.KIND,
    "aop1688": aop.KIND,
}


def kind_of(name: str) -> Kind:
    """Raises: NotConfigured if there is no such adapter."""
    if name not in ADAPTERS:
        raise NotConfigured(f"There is no adapter {name!r}; there is {', '.join(ADAPTERS)}.")
    return ADAPTERS[name]


def build(supplier: Supplier, connect: Connect) -> Adapter:
    """The supplier's adapter, sending through what `connect` makes of its limits.

    Raises: NotConfigured if the adapter is unknown, its configuration not valid or its credentials not readable.
    """
    return kind_of(supplier.adapter).build(supplier.config, unseal(supplier.credentials), connect)


def receiver(supplier: Supplier) -> PushReceiver | None:
    """What receives the supplier's pushes; None if it is not configured to send any.  Raises: as `build`."""
    return kind_of(supplier.adapter).receiver(supplier.config, unseal(supplier.credentials))
