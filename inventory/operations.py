"""What people ask for by hand.  Each wish is a row first, so that none is lost; then the bell is rung."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from inventory import attempts, availability, bell, effects, marks, policy, resourcing, settlement, tasks
from inventory.effects import Due
from inventory.ledger import Origin
from inventory.marks import Mark, Said
from inventory.models import Alert, Allocation, Discrepancy, Effect, Feed, Sku, StockLevel

BELIEVED_AT_ONCE = 100  # levels locked together


@dataclass(slots=True)
class Marked:
    """References of orders by what became of the mark; refused: with the reason."""

    done: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def sync(level_ids: Sequence[int]) -> int:
    """Read these levels again, now; how many will be read."""
    levels = StockLevel.objects.filter(pk__in=level_ids).values_list("pk", "supplier_id")
    dues = [Due(Effect.Kind.SYNC, str(level_id), supplier_id) for level_id, supplier_id in levels]
    _ask_for(dues)
    return len(dues)


def invalidate(codes: Iterable[str]) -> bool:
    """Forget what is cached of these SKUs; False if the cache was away: then it is tried again until it is back."""
    wanted = sorted(set(codes))
    if availability.invalidate(wanted):
        return True
    _ask_for([Due(Effect.Kind.INVALIDATE, code) for code in wanted])
    return False


def invalidate_on_commit(codes: Iterable[str]) -> None:
    """Forget what is cached of these SKUs after the commit; if this process dies before, a worker does.

    Requires the open transaction of the change.
    """
    wanted = sorted(set(codes))
    effects.record([Due(Effect.Kind.INVALIDATE, code) for code in wanted])
    transaction.on_commit(partial(availability.invalidate, wanted), robust=True)


def recount(level: StockLevel) -> None:
    """Have a level counted anew whose policy is being edited.  Requires the open transaction of the edit."""
    policy.edited(level.supplier_id, level.pk)
    transaction.on_commit(partial(bell.ring, [(str(Effect.Kind.RETRUST), level.supplier_id)]), robust=True)
    # What its lots allow changes at once.
    invalidate_on_commit(Sku.objects.filter(offers__level=level).values_list("code", flat=True))


def switch(skus: Sequence[Sku], *, stop: bool, reason: str) -> None:
    """Stop or resume selling; acts at once, in every process.  reason: 100 characters at most, for the history."""
    with transaction.atomic():
        for sku in skus:
            sku.stop_selling = stop
            sku._change_reason = reason  # type: ignore[attr-defined]  # noqa: SLF001 - how the history takes it
            sku.save(update_fields=["stop_selling"])  # one by one: each leaves a line of history
        invalidate_on_commit(sku.code for sku in skus)


def reconcile(references: Iterable[str]) -> int:
    """Tell upstream of these orders, or ask what became of them; how many (order, supplier) pairs are outstanding.

    `committed` has not been told.  `sending` with an ended lease was, with an unknown outcome: it is never sent
    again, only asked for.  What upstream confirmed, settled or lost needs nothing.
    """
    promised = Allocation.objects.filter(reference__in={attempts.split(reference)[0] for reference in references})
    untold = _pairs(promised.filter(state=Allocation.State.COMMITTED))
    unanswered = _pairs(promised.filter(state=Allocation.State.SENDING, lease_until__lt=Now()))
    _ask_for([Due(Effect.Kind.CONFIRM, reference, supplier_id) for reference, supplier_id in untold])
    for supplier_id in sorted({supplier_id for _, supplier_id in unanswered}):
        # Its own row, the expired claim, is what the sweep finds if this message is lost.
        bell.post(tasks.read_back, supplier_id)
    return len(untold | unanswered)


def source_again(references: Iterable[str], *, origin: Origin) -> int:
    """Look again for stock for what is at risk of these orders; how many had something at risk."""
    waiting = Allocation.objects.filter(reference__in=set(references), at_risk__gt=0)
    orders = sorted(set(waiting.values_list("reference", flat=True)))
    for reference in orders:
        resourcing.retry(reference, origin=origin)
    return len(orders)


def believe(level_id: int, *, reason: str, origin: Origin) -> bool:
    """Take in the number of this level that waits in quarantine; False if none does any more."""
    with transaction.atomic():
        believed = settlement.believe([level_id], reason=reason, origin=origin)
        invalidate_on_commit(believed.codes)
    return bool(believed.changed)


def believe_all(supplier_id: int, *, reason: str, origin: Origin) -> int:
    """Take in every number of this supplier that waits, and its next whole snapshot as it is; how many waited."""
    doubts = Discrepancy.objects.filter(supplier_id=supplier_id, state=Discrepancy.State.OPEN)
    waiting = doubts.filter(kind=Discrepancy.Kind.QUARANTINE).order_by("level_id").values_list("level_id", flat=True)
    levels = [level_id for level_id in waiting if level_id is not None]
    with transaction.atomic():
        Feed.objects.update_or_create(supplier_id=supplier_id, defaults={"vouched_at": Now()})
        inflation = doubts.filter(kind=Discrepancy.Kind.INFLATION)
        resolution = f"believed: {reason}"[:300]
        inflation.update(
            state=Discrepancy.State.RESOLVED, resolved_at=Now(), resolution=resolution, resolved_by=origin.actor
        )
    believed = 0
    for first in range(0, len(levels), BELIEVED_AT_ONCE):
        with transaction.atomic():
            taken_in = settlement.believe(levels[first : first + BELIEVED_AT_ONCE], reason=reason, origin=origin)
            invalidate_on_commit(taken_in.codes)
        believed += len(taken_in.changed)
    return believed


def mark(promises: Iterable[Allocation], said: Said, *, reason: str, upstream_order: str = "") -> Marked:
    """Write down what a person knows of these orders at their suppliers."""
    marked = Marked()
    for reference, supplier_id in sorted(
        {(attempts.name(row.reference, row.attempt), row.level.supplier_id) for row in promises}
    ):
        try:
            done = marks.mark(Mark(supplier_id, reference, said, reason, upstream_order))
        except marks.Refused as refused:
            marked.refused[reference] = str(refused)
        else:
            (marked.done if done else marked.known).append(reference)
    return marked


def count_orders_on(level_id: int, moment: str) -> None:
    """Set when this level's number goes down for an order; empty: as its supplier's others."""
    StockLevel.objects.filter(pk=level_id).update(decrements_on=moment)


def run_now(effect_ids: Sequence[int]) -> int:
    """Bring effects forward that are neither done nor being worked on; how many."""
    waiting = Effect.objects.filter(pk__in=effect_ids, done_at=None).exclude(leased_until__gte=Now())
    lanes = set(waiting.values_list("kind", "supplier_id"))
    count = waiting.update(due_at=Now())
    bell.ring(lanes)
    return count


def acknowledge(discrepancy_ids: Sequence[int], *, actor: str) -> int:
    """Note that somebody is at these discrepancies, so that they are not escalated; how many were not yet."""
    waiting = Discrepancy.objects.filter(pk__in=discrepancy_ids, state=Discrepancy.State.OPEN, acknowledged_at=None)
    return waiting.update(acknowledged_at=Now(), acknowledged_by=actor)


def resolve(discrepancy_id: int, *, resolution: str, actor: str = "") -> bool:
    """Close a discrepancy with a person's reason; False if somebody else was first."""
    still_open = Discrepancy.objects.filter(pk=discrepancy_id, state=Discrepancy.State.OPEN)
    closed = still_open.update(
        state=Discrepancy.State.RESOLVED, resolved_at=Now(), resolution=resolution, resolved_by=actor
    )
    return bool(closed)


def send_again(alert_ids: Sequence[int]) -> None:
    """Deliver these alerts now; one that was taken meanwhile is left alone."""
    Alert.objects.filter(pk__in=alert_ids).update(given_up_at=None)
    waiting = Effect.objects.filter(kind=Effect.Kind.ALERT, done_at=None, target__in=map(str, alert_ids))
    run_now(list(waiting.values_list("pk", flat=True)))
    left = set(map(str, alert_ids)) - set(waiting.values_list("target", flat=True))
    _ask_for([Due(Effect.Kind.ALERT, target) for target in sorted(left)])


def _pairs(allocations: QuerySet[Allocation]) -> set[tuple[str, int]]:
    """The names under which suppliers are told of these, and their ids."""
    told = allocations.values_list("reference", "attempt", "level__supplier_id")
    return {(attempts.name(reference, attempt), supplier_id) for reference, attempt, supplier_id in told}


def _ask_for(dues: Sequence[Due]) -> None:
    with transaction.atomic():
        effects.record(dues)
    bell.ring({(str(due.kind), due.supplier_id) for due in dues})
