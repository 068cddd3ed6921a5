"""What placement does to stock, without an order."""

from typing import Any

from django.db import connection, transaction

from inventory import effects, marks, sourcing, stock
from inventory.effects import Due
from inventory.ledger import Origin
from inventory.marks import Mark, Said
from inventory.models import Allocation, Effect
from suppliers.models import Supplier

ORIGIN = Origin(actor="test")


def place(reference: str, lines: dict[str, int]) -> None:
    """Allocate for an order, and write that its suppliers are to be told."""
    with transaction.atomic():
        locked = stock.lock(sorted(lines))()
        decision = sourcing.decide(locked.positions, list(lines.items()))
        assert not decision.shortages
        stock.allocate([stock.Promise(reference, decision.takes, ORIGIN)], locked)
        suppliers = {take.level.supplier_id for take in decision.takes}
        effects.record([Due(Effect.Kind.CONFIRM, reference, supplier_id) for supplier_id in sorted(suppliers)])


def cancel(reference: str) -> stock.Released:
    with transaction.atomic():
        return stock.release(reference, ORIGIN)


def states(reference: str) -> list[tuple[str, int]]:
    """(state, quantity) of every allocation of the order."""
    return list(Allocation.objects.filter(reference=reference).order_by("id").values_list("state", "quantity"))


def open_effects(kind: str) -> int:
    return Effect.objects.filter(kind=kind, done_at=None).count()


def make_due(kind: str) -> None:
    """Let the time pass that open effects of this kind wait for."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE inventory_effect SET due_at = now() - interval '1 second' WHERE kind = %s AND done_at IS NULL",
            [kind],
        )


def mark(supplier: Supplier, reference: str, said: str, **fields: Any) -> bool:
    return marks.mark(Mark(supplier.pk, reference, Said(said), "seen in their shop", **fields))


def pass_time(reference: str, seconds: float) -> None:
    """Make what happened to the order older: its placing, its claim, its sending, its confirmation, and when it is
    looked up again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE inventory_allocation SET lease_until = lease_until - %(by)s * interval '1 second',"
            " sent_at = sent_at - %(by)s * interval '1 second',"
            " recheck_at = recheck_at - %(by)s * interval '1 second',"
            " confirmed_at = confirmed_at - %(by)s * interval '1 second',"
            " created_at = created_at - %(by)s * interval '1 second' WHERE reference = %(reference)s",
            {"by": seconds, "reference": reference},
        )
