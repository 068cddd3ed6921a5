"""What we may promise: SKUs, upstream rows, promises, and the ledger of every change."""

from inventory.models.alerts import Alert, AlertChannel
from inventory.models.breaches import LagBreach
from inventory.models.events import SalesEvent
from inventory.models.goods import SKU_PATTERN, Feed, LevelPolicy, Offer, Sku, StockLevel, Wanted
from inventory.models.learning import LearnedBuffer
from inventory.models.promises import Allocation, StockMovement
from inventory.models.pushes import Push
from inventory.models.runs import Discrepancy, Effect, Snapshot

__all__ = [
    "SKU_PATTERN",
    "Alert",
    "AlertChannel",
    "Allocation",
    "Discrepancy",
    "Effect",
    "Feed",
    "LagBreach",
    "LearnedBuffer",
    "LevelPolicy",
    "Offer",
    "Push",
    "SalesEvent",
    "Sku",
    "Snapshot",
    "StockLevel",
    "StockMovement",
    "Wanted",
]
