"""How old a supplier's data was found to be, on its page."""

from inventory import outdated
from inventory.admin.pages import Table, age, label
from inventory.outdated import Measured
from suppliers.models import Supplier

WORDS = {"late": "older than declared", "replicas": "goes backwards"}


def lag_tables(supplier: Supplier) -> list[Table]:
    """What was measured that the settings do not cover; nothing, if nothing was."""
    rows = [
        (
            WORDS[one.kind],
            f"{one.count:,}",
            f"{one.certain:,}",
            f"{one.largest:,.0f} s",
            f"{age(one.newest)} ago",
            label(one.advice, "danger" if is_beyond_doubt(one) else "warning"),
        )
        for one in outdated.measured(supplier.pk)
    ]
    headers = ("Its data", "Times", "Certain", "Largest age", "Newest", "Suggested")
    note = (
        f"Of the last {outdated.KEPT_DAYS} days; its settlement lag is {supplier.settlement_lag_seconds} s. "
        "Certain: nobody else is known to have bought there that day."
    )
    return [Table("Age of its data", headers, rows, note)] if rows else []


def is_beyond_doubt(one: Measured) -> bool:
    return one.open or one.beyond_doubt
