"""Frees the units of holds whose deadline has passed, sold or not."""

from django.db import transaction

from inventory import availability, stock


def expire_due() -> list[str]:
    """The codes of the SKUs that have more now."""
    with transaction.atomic(durable=True):
        codes = stock.expire_due_holds()
    availability.invalidate(codes)
    return codes
