"""Suppliers as rows."""

from suppliers.models.delivery import OnRejection
from suppliers.models.settling import CountsOn
from suppliers.models.shared import DailyUse, Switchboard, TokenSlot
from suppliers.models.supplier import Supplier

__all__ = ["CountsOn", "DailyUse", "OnRejection", "Supplier", "Switchboard", "TokenSlot"]
