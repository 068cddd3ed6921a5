"""The languages in which the same supplier can be spoken to: one module each, listed here."""

from .base import Dialect
from .rest import REST

DIALECTS: dict[str, Dialect] = {**REST}

__all__ = ["DIALECTS", "Dialect"]
