"""Takes promises back: orders and holds, each exactly once."""

from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from inventory import availability, positions, stock
from inventory.ledger import Origin
from orders.models import Order, Reservation
from orders.signals import order_cancelled


def cancel_order(number: str, *, storefront_id: int, origin: Origin) -> Order:
    """Cancel an order: what upstream has not seen is released, the rest is cancelled there.  A repeat does nothing.

    Raises: Order.DoesNotExist, also for another storefront's.
    """
    mine = Order.objects.filter(storefront_id=storefront_id)
    order = mine.get(number=number)
    codes = list(order.lines.values_list("sku__code", flat=True))
    affected = positions.sharing(codes)
    availability.tombstone(affected)
    lanes: list[tuple[str, int | None]] = []
    with transaction.atomic(durable=True):
        # Stock before the order's row, as placement does with holds: one order of locks for everyone.
        stock.lock(codes)()
        # Two cancels at once: only one of them finds the row still placed.
        claimed = mine.filter(pk=order.pk, status=Order.Status.PLACED).update(
            status=Order.Status.CANCELLED, cancelled_at=Now()
        )
        if claimed:
            lanes = stock.release(order.number, origin).lanes
    availability.invalidate(affected)
    if lanes:
        order_cancelled.send_robust(sender=Order, lanes=lanes)
    order.refresh_from_db()
    return order


def release_reservation(reservation: UUID, *, storefront_id: int, origin: Origin) -> None:
    """Give back a hold.  A repeat, and one that became an order or expired, does nothing.

    Raises: Reservation.DoesNotExist, also for another storefront's.
    """
    mine = Reservation.objects.filter(storefront_id=storefront_id)
    hold = mine.get(pk=reservation)
    affected = positions.sharing(list(hold.lines))
    availability.tombstone(affected)
    lanes: list[tuple[str, int | None]] = []
    with transaction.atomic(durable=True):
        stock.lock(list(hold.lines))()
        if mine.filter(pk=reservation, status=Reservation.Status.HELD).update(status=Reservation.Status.RELEASED):
            lanes = stock.release(str(reservation), origin).lanes
    availability.invalidate(affected)
    if lanes:
        order_cancelled.send_robust(sender=Reservation, lanes=lanes)
