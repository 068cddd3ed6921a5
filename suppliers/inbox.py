"""The one way in for what a supplier sends by itself."""

import json
from functools import lru_cache

from suppliers import adapters
from suppliers.models import Supplier
from suppliers.readings import PushReceiver


def receiver_of(supplier: Supplier) -> PushReceiver | None:
    """What receives this supplier's pushes; None if it is not configured to send any.

    Raises: NotConfigured if its configuration or its credentials are no good.
    """
    return _receiver(supplier.adapter, json.dumps(supplier.config), bytes(supplier.credentials))


# Compiled once for what is configured now: a burst of a thousand pushes must not validate it a thousand times.
@lru_cache(maxsize=256)
def _receiver(adapter: str, config: str, credentials: bytes) -> PushReceiver | None:
    return adapters.receiver(Supplier(adapter=adapter, config=json.loads(config), credentials=credentials))
