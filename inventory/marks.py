"""What people and imports say of orders: placed there by hand, counted, or called off by the supplier.

A mark takes the order over first, as a worker does that is about to send it: nobody sends it meanwhile.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

from inventory import attempts, claims, effects, ledger, sql
from inventory.asked import Claim
from inventory.models import Allocation
from suppliers.models import Supplier
from suppliers.readings import ConfirmResult, Outcome

TAKE_OVER_SECONDS = 30  # for which nobody else touches it; a mark is two short transactions


class Said(enum.StrEnum):
    """What became of an order at a supplier."""

    ORDERED = "ordered"
    COUNTED = "counted"  # the supplier's number has gone down for it: paid or shipped
    LOST = "lost"  # the supplier does not deliver it


@dataclass(frozen=True, slots=True)
class Mark:
    """What somebody says of one order at one supplier.

    reference: as the supplier knows it, the attempt included.
    at: when it came about, by the database's clock; None: now, which is never too early.
    """

    supplier_id: int
    reference: str
    said: Said
    reason: str
    upstream_order: str = ""
    at: datetime | None = None


class Refused(Exception):
    """The mark does not fit what is known of the order; nothing was changed, and the message says why."""


_TAKE_OVER = """
UPDATE inventory_allocation allocation
SET state = 'sending', lease_until = clock_timestamp() + %(lease)s * interval '1 second'
FROM inventory_stocklevel level
WHERE level.id = allocation.level_id AND level.id = ANY(%(locked)s) AND level.supplier_id = %(supplier)s
  AND allocation.reference = %(reference)s AND allocation.attempt = %(attempt)s
  AND (allocation.state = 'committed' OR allocation.state = 'sending' AND allocation.lease_until < clock_timestamp())
RETURNING allocation.id
"""
# Settled by what an exclusive supplier's number lost: now somebody says that it was this order.
_PROVE = """
UPDATE inventory_allocation allocation SET confirmed_at = clock_timestamp() FROM inventory_stocklevel level
WHERE level.id = allocation.level_id AND level.supplier_id = %s AND allocation.reference = %s
  AND allocation.attempt = %s AND allocation.state = 'settled' AND allocation.confirmed_at IS NULL
"""
_BY_HAND = """
UPDATE inventory_allocation allocation SET by_hand = true FROM inventory_stocklevel level
WHERE level.id = allocation.level_id AND level.supplier_id = %s AND allocation.reference = %s
  AND allocation.attempt = %s AND allocation.state = 'committed'
"""


def leave_to_people(supplier: Supplier, reference: str, effect_ids: Sequence[int]) -> None:
    """The supplier cannot be told: the order stays subtracted until somebody marks it as ordered there."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(_BY_HAND, [supplier.pk, *attempts.split(reference)])
        effects.close(effect_ids)


def mark(one: Mark) -> bool:
    """Write down what is said; False if it was known already.

    Locks: as a claim.  Requires that no transaction is open.
    Raises: Refused.
    """
    supplier = Supplier.objects.get(pk=one.supplier_id)
    check(one)
    taken_over = _take_over(one)
    states = ["confirmed", "settled"] if one.said is Said.LOST else ["confirmed"]
    known = claims.find(supplier, one.reference, states, uncounted=one.said is Said.COUNTED)
    claimed = claims.find(supplier, one.reference, ["sending"]) if taken_over else None
    marked = _merge(claimed, known if one.said is not Said.ORDERED else None)
    if marked is None:
        return one.said is not Said.LOST and _prove(one)
    claims.conclude(marked, _result(one, marked))
    return True


def check(one: Mark) -> None:
    """Raises: Refused, if the mark could not be made now."""
    found = list(_rows(one).values_list("state", "created_at", "lease_until"))
    if not found:
        raise Refused("no such order at this supplier")
    states = {state for state, _, _ in found}
    if "held" in states:
        raise Refused("this is a reservation, not an order")
    if states <= {"released"}:
        raise Refused("it was cancelled here before the supplier knew of it: cancel it there")
    if states <= {"released", "lost"} and one.said is not Said.LOST:
        raise Refused("it is written off here: cancel it there, or place a new order")
    now = sql.clock()
    if any(state == "sending" and lease and lease > now for state, _, lease in found):
        raise Refused("it is being sent to the supplier just now: look again in a minute")
    if one.at is not None and not min(created for _, created, _ in found) <= one.at <= now:
        raise Refused("the time lies before the order or in the future")


def _take_over(one: Mark) -> bool:
    """Whether there was something that upstream had not been told, or had not answered."""
    levels = _rows(one)
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        locked = ledger.lock_levels(sorted(set(levels.values_list("level_id", flat=True))))
        reference, attempt = attempts.split(one.reference)
        wanted: dict[str, Any] = {"supplier": one.supplier_id, "reference": reference, "attempt": attempt}
        cursor.execute(_TAKE_OVER, wanted | {"lease": TAKE_OVER_SECONDS, "locked": list(locked)})
        return cursor.fetchone() is not None


def _rows(one: Mark) -> QuerySet[Allocation]:
    reference, attempt = attempts.split(one.reference)
    return Allocation.objects.filter(reference=reference, attempt=attempt, level__supplier=one.supplier_id)


def _prove(one: Mark) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_PROVE, [one.supplier_id, *attempts.split(one.reference)])
        return bool(cursor.rowcount)


def _merge(first: Claim | None, second: Claim | None) -> Claim | None:
    if first is None or second is None:
        return first or second
    upstream_order = first.upstream_order or second.upstream_order
    return Claim(first.supplier, first.reference, [*first.parts, *second.parts], first.lease_until, upstream_order)


def _result(one: Mark, claimed: Claim) -> ConfirmResult:
    return ConfirmResult(
        Outcome.LOST if one.said is Said.LOST else Outcome.ACCEPTED,
        one.upstream_order or claimed.upstream_order,
        detail=one.reason,
        counted=one.said is Said.COUNTED,
        at=one.at,
    )
