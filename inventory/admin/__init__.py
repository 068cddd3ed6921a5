"""The admin of stock: people set policy and ask for work; only the service writes the ledger."""

from inventory.admin import ledger, levels, runs, skus, suppliers

__all__ = ["ledger", "levels", "runs", "skus", "suppliers"]
