"""What an order reads, under its lock, to find holds whose deadline has passed."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from inventory import stock
from inventory.models import Allocation

pytestmark = pytest.mark.django_db(transaction=True)

BY_STATE = stock._DUE_HOLDS.replace("allocation.closed_at IS NULL", "allocation.state = 'held'")
ORDERS = 10_000


def blocks(query: str) -> int:
    """Blocks that the server reads for one SKU."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", [["TEA"]])
        plan = cursor.fetchone()[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def test_orders_that_came_since_the_server_counted_are_not_read(make_level):
    level = make_level("TEA", ORDERS)
    sku = level.offers.get().sku
    ended = {"state": "released", "closed_at": timezone.now()}
    due = {"state": "held", "expires_at": timezone.now() - timedelta(seconds=1)}
    allocations = [Allocation(level=level, sku=sku, reference=f"order-{n}", quantity=1) for n in range(ORDERS)]
    Allocation.objects.bulk_create(
        Allocation(level=level, sku=sku, reference=f"ended-{n}", quantity=1, **ended) for n in range(ORDERS // 2)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE inventory_allocation")
    Allocation.objects.bulk_create(
        [*allocations, Allocation(level=level, sku=sku, reference="hold", quantity=1, **due)]
    )
    assert blocks(BY_STATE) > 50  # the control
    assert blocks(stock._DUE_HOLDS) < 20
