"""What orders set in motion: the bell is rung for the effects that their commit wrote."""

from collections.abc import Sequence
from typing import Any

from django.dispatch import receiver

from inventory import bell
from orders.signals import order_cancelled, order_placed


@receiver([order_placed, order_cancelled], dispatch_uid="ring-for-orders")
def ring_for_orders(lanes: Sequence[tuple[str, int | None]], **_: Any) -> None:
    bell.ring(lanes)
