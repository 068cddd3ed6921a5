"""Buyers' answers, our books and the suppliers' hidden truth, compared: they must say the same."""

import io
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from django.core.management import call_command
from django.db.models import Sum

from inventory.models import Allocation, Discrepancy
from inventory_project.demo.books import TOLD, Truth, ask, truth_of
from inventory_project.demo.buyers import PLACED, REFUSED, UNDECIDED, Tally
from inventory_project.demo.children import coloured
from inventory_project.demo.stage import Stage
from orders.models import OrderLine

GREEN, RED = 32, 31


@dataclass
class Findings:
    """What was claimed, what was found, and whether they agree."""

    rows: list[tuple[str, str, bool]] = field(default_factory=list)

    def note(self, claim: str, found: object, holds: bool) -> None:
        """Add one line to the table."""
        self.rows.append((claim, str(found), holds))

    def table(self) -> str:
        """All of it, for a person."""
        width = max((len(claim) for claim, _, _ in self.rows), default=0)
        marks = {True: coloured("✔", GREEN), False: coloured("✘", RED)}
        return "\n".join(f"  {marks[holds]} {claim:<{width}}  {found}" for claim, found, holds in self.rows)

    @property
    def hold(self) -> bool:
        return all(holds for _, _, holds in self.rows)


def compare(stage: Stage, tally: Tally, findings: Findings) -> None:
    """Note every difference between what buyers were told, what we wrote down and what suppliers sold."""
    told, truth = tally.copy(), truth_of(stage.addresses)
    findings.note("answers to orders", dict(told.answers), set(told.answers) <= {PLACED, REFUSED, UNDECIDED})
    ours, delivered = ordered(), taken(truth)
    wrong = differences(told.units, ours)
    findings.note(
        "units: buyers were promised, we wrote down", f"{told.units.total()}, {ours.total()}{wrong}", not wrong
    )
    wrong = differences(ours, by_sku(delivered))
    findings.note("units: suppliers sold in truth", f"{delivered.total()}{wrong}", not wrong)
    wrong = differences(delivered, confirmed())
    findings.note("units: we know to be sold, by supplier", f"{confirmed().total()}{wrong}", not wrong)
    below = sum(max(0, -row["on_hand"]) for skus in truth.values() for row in skus.values())
    findings.note("units that suppliers sold and did not have", below, not below)
    twice = [reference for address in stage.addresses for reference in ask(address, "audit")["duplicates"]]
    findings.note("orders that a supplier got twice", len(twice), not twice)
    kinds = (Discrepancy.Kind.REJECTED, Discrepancy.Kind.LOST)
    rejected = Discrepancy.objects.filter(kind__in=kinds).count()
    findings.note("orders that a supplier refused", rejected, not rejected)
    findings.note("audit_stock", *audit())


def differences(one: Counter[Any], other: Counter[Any]) -> str:
    """Each key with both its counts, where they differ; empty if they do not."""
    return "".join(f"; {key}: {one[key]} ≠ {other[key]}" for key in sorted(one | other) if one[key] != other[key])


def ordered() -> Counter[str]:
    """SKU → units in our orders."""
    return Counter(dict(OrderLine.objects.values_list("sku__code").annotate(units=Sum("quantity"))))


def taken(truth: Truth) -> Counter[tuple[str, str]]:
    """(supplier, SKU) → units that it sold and did not take back."""
    return +Counter(
        {(slug, sku): row["sold"] - row["cancelled"] for slug, skus in truth.items() for sku, row in skus.items()}
    )


def confirmed() -> Counter[tuple[str, str]]:
    """(supplier, SKU) → units that we know it sold."""
    rows = Allocation.objects.filter(state__in=TOLD).values_list("level__supplier__slug", "level__code")
    return Counter({(slug, sku): units for slug, sku, units in rows.annotate(units=Sum("quantity"))})


def by_sku(units: Counter[tuple[str, str]]) -> Counter[str]:
    """Over all suppliers."""
    sums: Counter[str] = Counter()
    for (_, sku), count in units.items():
        sums[sku] += count
    return sums


def audit() -> tuple[str, bool]:
    """What `manage.py audit_stock` says, and whether it is clean."""
    output = io.StringIO()
    try:
        call_command("audit_stock", stdout=output)
    except SystemExit as end:
        return output.getvalue().strip(), not end.code
    return output.getvalue().strip().rpartition("\n")[2], True
