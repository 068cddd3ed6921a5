"""The books of a demo, ours beside the suppliers' hidden truth."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests
from django.db.models import Sum

from inventory.models import Allocation, Discrepancy, Snapshot
from inventory_project.demo.seed import Address
from orders.models import Order, OrderLine

Truth = dict[str, dict[str, dict[str, int]]]  # supplier → SKU → initial, restocked, sold, cancelled, on_hand
TOLD = (Allocation.State.CONFIRMED, Allocation.State.SETTLED)
UNTOLD = (Allocation.State.COMMITTED, Allocation.State.SENDING)


@dataclass(frozen=True)
class Books:
    """Sums since a moment; units unless the name says otherwise."""

    orders: int
    sold: int
    told: int
    untold: int
    snapshots: int
    reads: int
    failed_syncs: int
    discrepancies: int
    oversold: int


def books(truth: Truth, since: datetime) -> Books:
    """Our side now, beside a truth read before: what we promised since then was promised from what was left."""
    syncs = Counter(Snapshot.objects.filter(started_at__gte=since).values_list("kind", "status"))
    lines = OrderLine.objects.filter(order__placed_at__gte=since, order__status=Order.Status.PLACED)
    return Books(
        orders=lines.values("order").distinct().count(),
        sold=total(lines),
        told=total(Allocation.objects.filter(created_at__gte=since, state__in=TOLD)),
        untold=total(Allocation.objects.filter(state__in=UNTOLD)),
        snapshots=syncs[Snapshot.Kind.FULL, Snapshot.Status.APPLIED],
        reads=syncs[Snapshot.Kind.INCREMENTAL, Snapshot.Status.APPLIED],
        failed_syncs=sum(
            times for (_, status), times in syncs.items() if status in (Snapshot.Status.FAILED, Snapshot.Status.REFUSED)
        ),
        discrepancies=Discrepancy.objects.filter(state=Discrepancy.State.OPEN).count(),
        oversold=oversold(truth),
    )


def total(rows: Any) -> int:
    """The units of these lines or allocations."""
    return int(rows.aggregate(units=Sum("quantity"))["units"] or 0)


def truth_of(addresses: Iterable[Address]) -> Truth:
    """What every supplier really has and sold."""
    return {address.slug: ask(address, "truth")["skus"] for address in addresses}


def ask(address: Address, what: str, change: dict[str, Any] | None = None) -> Any:
    """Ask or change a chaos supplier behind its API, where nothing is disturbed."""
    method = "GET" if change is None else "PUT" if what == "chaos" else "POST"
    answer = requests.request(method, f"{address.url}/_{what}", json=change, timeout=5)
    answer.raise_for_status()
    return answer.json()


def oversold(truth: Truth) -> int:
    """Units that we promised and that their supplier has not: it has fewer than we still owe, or sold below zero."""
    owed: Counter[tuple[str, str]] = Counter()
    # What is being sent just now may have left the supplier's shelf already; it is no longer owed from it.
    for slug, code, units in (
        Allocation.objects.filter(state=Allocation.State.COMMITTED)
        .values_list("level__supplier__slug", "level__code")
        .annotate(units=Sum("quantity"))
    ):
        owed[slug, code] += units
    return sum(
        max(0, owed[slug, sku] - row["on_hand"], -row["on_hand"])
        for slug, skus in truth.items()
        for sku, row in skus.items()
    )


def rejected(since: datetime) -> int:
    """Orders of ours that a supplier refused or dropped."""
    kinds = (Discrepancy.Kind.REJECTED, Discrepancy.Kind.LOST)
    return Discrepancy.objects.filter(opened_at__gte=since, kind__in=kinds).count()
