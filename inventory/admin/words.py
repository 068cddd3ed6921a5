"""What ledger words mean to a person, and what to do about them."""

from django.db.models import QuerySet

from inventory.admin.pages import Table, age, link, reference_link
from inventory.models import Discrepancy

SHOWN = 20
NO_ORDER = (Discrepancy.Kind.OVERDUE, Discrepancy.Kind.LAG)  # their references are kinds

Kind = Discrepancy.Kind
# Kind → what happened, what to do.
DISCREPANCIES: dict[str, tuple[str, str]] = {
    Kind.REJECTED: (
        "The supplier refused an order of ours.",
        "Its units were looked for elsewhere: see whether the order is at risk, and tell the buyer if it is.",
    ),
    Kind.LOST: (
        "The supplier called an order off that it had taken.",
        "Its units were looked for elsewhere: see whether the order is at risk, and tell the buyer if it is.",
    ),
    Kind.UNKNOWN_OUTCOME: (
        "An order was sent, no answer came, and it cannot be looked up.",
        "Ask the supplier. Then mark the promise as ordered there, or as lost; until then its units stay subtracted.",
    ),
    Kind.SHORTFALL: (
        "More is promised than the supplier has.",
        "Nothing more is sold from the level. Wait for goods, or cancel what cannot be delivered.",
    ),
    Kind.COLLISION: (
        "One code stands on several rows of the supplier.",
        "Offer the right row for the SKU by hand, on the SKU's page.",
    ),
    Kind.QUARANTINE: (
        "A number rose too much to be believed; the last trusted one stands.",
        "Ask the supplier. If it is true, believe it on the level's page; otherwise wait for a lower one.",
    ),
    Kind.INFLATION: (
        "Most of what the supplier has in stock rose too much at once; what it repeats proves nothing.",
        "Ask the supplier. Is it true, believe all its numbers on its page; otherwise wait for an honest snapshot.",
    ),
    Kind.UNSETTLED: (
        "The supplier's number has not taken an order in for too long.",
        "Find out whether the supplier has it. Then mark the promise as paid or shipped there, or as lost.",
    ),
    Kind.LATE: (
        "Two snapshot intervals passed without a snapshot.",
        "See why the newest snapshots failed, and test the supplier on its page.",
    ),
    Kind.LAG: (
        "The supplier's data was older than its settings declare.",
        "Take over what its page proposes: a longer settlement lag, or that it answers from several copies.",
    ),
    Kind.OVERDUE: (
        "What must happen after orders or readings is late.",
        "See the errors of the effects that are due; check that workers run.",
    ),
}


def discrepancies_table(found: QuerySet[Discrepancy]) -> Table:
    """The newest of a few, open ones first."""
    rows = [
        (
            link(row, row.get_kind_display()),
            row.state,
            link(row.level, row.level.external_id) if row.level else "–",
            "–" if row.kind in NO_ORDER else reference_link(row.reference),
            f"{age(row.seen_at)} ago",
            row.resolution or DISCREPANCIES[row.kind][1],
        )
        for row in found.select_related("level").order_by("state", "-id")[:SHOWN]
    ]
    headers = ("Kind", "State", "Level", "Order", "Last seen", "What to do, or what settled it")
    return Table("Discrepancies", headers, rows)
