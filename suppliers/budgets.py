"""What is left of each supplier's budget, for people and for monitoring; asks no supplier."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db import DatabaseError
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from suppliers import clocks
from suppliers.adapters.limits import Limits
from suppliers.concurrency import places_of
from suppliers.models import Supplier
from suppliers.quota import Quota, Today


@dataclass(frozen=True, slots=True)
class Budget:
    """today: None without a daily limit.  under_way, at_once: calls now and at most; None without such a limit.

    ahead: seconds that its clock is ahead of ours, 0 if not by enough to matter.
    """

    today: Today | None
    under_way: int
    at_once: int | None
    ahead: float

    def __str__(self) -> str:
        parts = [str(self.today)] if self.today else []
        if self.at_once:
            parts.append(f"{self.under_way} of {self.at_once} calls under way")
        if self.ahead:
            parts.append(f"its clock is {self.ahead:+.0f} s from ours")
        return " · ".join(parts) or "no daily limit"


def budget_of(supplier: Supplier) -> Budget:
    """Of its stored configuration, as far as that can be used."""
    limits = _limits(supplier)
    taken = places_of(supplier.slug, limits.concurrency).taken() if limits.concurrency else 0
    today = Quota(supplier.slug, limits).today()
    return Budget(today, taken, limits.concurrency, clocks.offset(supplier.slug))


def _limits(supplier: Supplier) -> Limits:
    """Of the budgets alone: other limits differ by adapter."""
    stored = supplier.config.get("limits", {}) if isinstance(supplier.config, dict) else {}
    ours = {"concurrency", *(name for name in Limits.__dataclass_fields__ if name.startswith("daily_"))}
    return Limits(**{name: value for name, value in stored.items() if name in ours})


class BudgetFigures(Collector):
    """Read when they are asked for: what is counted in workers would else be seen nowhere."""

    def describe(self) -> Iterable[Metric]:
        return ()  # or registering would ask the database

    def collect(self) -> Iterator[Metric]:
        used = GaugeMetricFamily("holdfast_supplier_calls_today", "Calls that left in its day.", labels=["supplier"])
        left = GaugeMetricFamily(
            "holdfast_supplier_calls_left", "Of its day, what is kept for orders not among them.", labels=["supplier"]
        )
        under_way = GaugeMetricFamily(
            "holdfast_supplier_calls_under_way", "Where their number is limited.", labels=["supplier"]
        )
        clock = GaugeMetricFamily(
            "holdfast_supplier_clock_ahead_seconds", "Of ours; 0 if not by much.", labels=["supplier"]
        )
        try:
            budgets = {supplier.slug: budget_of(supplier) for supplier in Supplier.objects.filter(enabled=True)}
        except DatabaseError:
            return  # the other figures are all the more wanted
        for slug, budget in budgets.items():
            clock.add_metric([slug], budget.ahead)
            if budget.at_once:
                under_way.add_metric([slug], budget.under_way)
            if budget.today:
                used.add_metric([slug], budget.today.used)
                left.add_metric([slug], budget.today.left)
        yield from (used, left, under_way, clock)
