"""What orders set in motion: the bell is rung for the effects that their commit wrote."""

from collections.abc import Sequence
from typing import Any

from django.dispatch import receiver

from inventory import bell, tasks
from inventory.wanted import refusals
from orders.signals import order_cancelled, order_placed, order_refused


@receiver([order_placed, order_cancelled], dispatch_uid="ring-for-orders")
def ring_for_orders(lanes: Sequence[tuple[str, int | None]], **_: Any) -> None:
    bell.ring(lanes)


@receiver(order_refused, dispatch_uid="note-what-is-wanted")
def note_what_is_wanted(codes: Sequence[str], **_: Any) -> None:
    refused = refusals.add(codes)
    if refused:
        bell.post(tasks.note_refusals, tuple(refused))
