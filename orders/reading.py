"""Placed orders as storefronts see them, with what upstream made of each line."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from django.http import Http404

from inventory.models import Allocation
from orders.lines import Part, fate
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
    """state: placed, confirmed, at_risk or cancelled.  at_risk: units that a supplier does not deliver and nobody else
    has; cancelled: units that will not come.
    """

    sku: str
    quantity: int
    version: int
    state: str
    at_risk: int
    cancelled: int
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
    parts = parts_of([each.number for each in found])
    return [
        OrderAnswer(
            each.number,
            each.reference,
            each.status,
            each.placed_at,
            each.cancelled_at,
            [
                _line(line, parts[each.number, line.sku_id], cancelled=each.status == Order.Status.CANCELLED)
                for line in lines[each.pk]
            ],
        )
        for each in found
    ]


def parts_of(numbers: Sequence[str]) -> defaultdict[tuple[str, int], list[Part]]:
    """(order's number, SKU's id) → the promises behind that line, in the order in which they were made."""
    parts: defaultdict[tuple[str, int], list[Part]] = defaultdict(list)
    allocations = Allocation.objects.filter(reference__in=numbers).order_by("id")
    for row in allocations.values_list("reference", "sku_id", "level__supplier__slug", "quantity", "state", "at_risk"):
        parts[row[0], row[1]].append(Part(*row[2:]))
    return parts


def _line(line: OrderLine, parts: Sequence[Part], *, cancelled: bool) -> LineAnswer:
    told = fate(line.quantity, parts, order_cancelled=cancelled)
    allocations = [AllocationAnswer(part.supplier, part.quantity, part.state) for part in parts]
    return LineAnswer(line.sku.code, line.quantity, line.version, told.state, told.at_risk, told.cancelled, allocations)
