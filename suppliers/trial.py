"""Testing a supplier for a person, as it is stored or as it stands in a form that is not saved."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from suppliers import gateway
from suppliers.adapters import probing
from suppliers.errors import SupplierError
from suppliers.forms import SupplierForm
from suppliers.models import Supplier
from suppliers.readings import ProbeReport

TRIED_FIELDS = ("adapter", "config", "new_credentials")
SHOWN_ROWS = 200


@dataclass(frozen=True, slots=True)
class Attempt:
    """faults: why there is nothing to try yet."""

    report: ProbeReport | None = None
    faults: Sequence[str] = ()


def attempt(form: SupplierForm, person: str) -> Attempt:
    """Test a form's configuration with its credentials; nothing is stored.

    Only what is tried must be right: a supplier without a name yet can be tested.
    """
    faults = [
        f"{form.fields[name].label or name}: {fault}" for name in TRIED_FIELDS for fault in form.errors.get(name, ())
    ]
    if faults:
        return Attempt(faults=faults)
    # A new supplier has no pace of its own yet, and must not use up that of the one whose slug was typed.
    slug = str(form.initial["slug"]) if form.instance.pk else f"unsaved-{person}"
    tried = Supplier(
        slug=slug,
        adapter=form.cleaned_data["adapter"],
        config=form.cleaned_data["config"],
        credentials=form.sealed or form.instance.credentials,
    )
    return Attempt(report=probe(tried))


def probe(supplier: Supplier) -> ProbeReport:
    """What a test finds; waits for the supplier, at most for its deadlines."""
    try:
        return gateway.for_supplier(supplier).probe()
    except SupplierError as error:
        return probing.failed(error)


def rows_of(report: ProbeReport) -> dict[str, Any]:
    """The rows of the first page as we understand them."""
    page = report.page
    rows = [
        (
            row.uid,
            row.sku,
            row.location or "–",
            "not counted" if row.available is None else row.available,
            ", ".join(f"{name} {units}" for name, units in row.components.items()) or "–",
            ", ".join(sorted(row.flags)) or "–",
        )
        for row in (page.rows[:SHOWN_ROWS] if page else ())
    ]
    return {"headers": ("Row", "SKU", "Location", "Available", "Made of", "Flags"), "rows": rows}
