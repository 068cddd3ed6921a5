"""The admin of stock: people set policy and ask for work; only the service writes the ledger."""

from inventory.admin import (
    alerts,
    discrepancies,
    events,
    learning,
    ledger,
    levels,
    policies,
    pushes,
    runs,
    skus,
    suppliers,
)

__all__ = [
    "alerts",
    "discrepancies",
    "events",
    "learning",
    "ledger",
    "levels",
    "policies",
    "pushes",
    "runs",
    "skus",
    "suppliers",
]
