"""Placed orders as storefronts see them, with what upstream made of each line."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from django.http import Http404

from inventory.models import Allocation
from orders.models import Order, OrderLine

MAX_REFERENCE = 128
MAX_ORDERS = 100  # with one reference; a storefront that uses it more often than that does not use it as a name

Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class AllocationAnswer(msgspec.Struct):
    """state: committed, sending, confirmed, settled, released or lost; see the documentation of upstream states."""

    supplier: str
    quantity: int
    state: str


class LineAnswer(msgspec.Struct):
    sku: str
    quantity: int
    version: int
    allocations: list[AllocationAnswer]


class OrderAnswer(msgspec.Struct):
    number: str
    reference: str
    status: str
    placed_at: Instant
    cancelled_at: Instant | None
    lines: list[LineAnswer]


class OrdersAnswer(msgspec.Struct):
    results: list[OrderAnswer]


def order(number: str, storefront_id: int) -> OrderAnswer:
    """Raises: Http404, also for another storefront's."""
    found = _answers(Order.objects.filter(storefront_id=storefront_id, number=number)[:1])
    if not found:
        raise Http404
    return found[0]


def orders_with_reference(reference: str, storefront_id: int) -> OrdersAnswer:
    """The storefront's newest orders with this reference."""
    return OrdersAnswer(_answers(Order.objects.filter(storefront_id=storefront_id, reference=reference)[:MAX_ORDERS]))


def _answers(orders: Sequence[Order] | Any) -> list[OrderAnswer]:
    # 3 queries: orders, lines with SKUs, allocations with suppliers.
    found = list(orders)
    lines: defaultdict[int, list[OrderLine]] = defaultdict(list)
    for line in OrderLine.objects.filter(order__in=found).select_related("sku"):
        lines[line.order_id].append(line)
    parts: defaultdict[tuple[str, int], list[AllocationAnswer]] = defaultdict(list)
    allocations = Allocation.objects.filter(reference__in=[each.number for each in found])
    for row in allocations.values_list("reference", "sku_id", "level__supplier__slug", "quantity", "state"):
        parts[row[0], row[1]].append(AllocationAnswer(*row[2:]))
    return [
        OrderAnswer(
            each.number,
            each.reference,
            each.status,
            each.placed_at,
            each.cancelled_at,
            [
                LineAnswer(line.sku.code, line.quantity, line.version, parts[each.number, line.sku_id])
                for line in lines[each.pk]
            ],
        )
        for each in found
    ]
