"""What people ask for by hand.  Each wish is a row first, so that none is lost; then the bell is rung."""

from collections.abc import Iterable, Sequence
from functools import partial

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from inventory import availability, effects
from inventory.effects import Due
from inventory.models import Allocation, Discrepancy, Effect, Sku, StockLevel


def sync(level_ids: Sequence[int]) -> int:
    """Read these levels again, now; how many will be read."""
    levels = StockLevel.objects.filter(pk__in=level_ids).values_list("pk", "supplier_id")
    dues = [Due(Effect.Kind.SYNC, str(level_id), supplier_id) for level_id, supplier_id in levels]
    _ask_for(dues)
    return len(dues)


def invalidate(codes: Iterable[str]) -> bool:
    """Forget what is cached of these SKUs; False if the cache was away, and it is tried again until it is back."""
    wanted = sorted(set(codes))
    if availability.invalidate(wanted):
        return True
    _ask_for([Due(Effect.Kind.INVALIDATE, code) for code in wanted])
    return False


def invalidate_on_commit(codes: Iterable[str]) -> None:
    """Forget what is cached of these SKUs once the open transaction is committed, however it ends.

    Requires the open transaction of the change.
    """
    wanted = sorted(set(codes))
    effects.record([Due(Effect.Kind.INVALIDATE, code) for code in wanted])
    transaction.on_commit(partial(availability.invalidate, wanted), robust=True)


def switch(skus: Sequence[Sku], *, stop: bool) -> None:
    """Stop or resume selling; acts at once, in every process."""
    with transaction.atomic():
        for sku in skus:
            sku.stop_selling = stop
            sku.save(update_fields=["stop_selling"])  # one by one: each leaves a line of history
        invalidate_on_commit(sku.code for sku in skus)


def reconcile(references: Iterable[str]) -> int:
    """Tell upstream of these orders, or ask what became of them; how many (order, supplier) pairs are due.

    `committed` has not been told; `sending` with an ended lease was told with an unknown outcome.  What upstream
    confirmed, settled or lost needs nothing.
    """
    open_ones = Allocation.objects.filter(reference__in=set(references)).filter(
        Q(state=Allocation.State.COMMITTED) | Q(state=Allocation.State.SENDING, lease_until__lt=Now())
    )
    pairs = sorted(set(open_ones.values_list("reference", "level__supplier_id")))
    _ask_for([Due(Effect.Kind.CONFIRM, reference, supplier_id) for reference, supplier_id in pairs])
    return len(pairs)


def run_now(effect_ids: Sequence[int]) -> int:
    """Bring effects forward that are neither done nor being worked on; how many."""
    waiting = Effect.objects.filter(pk__in=effect_ids, done_at=None).filter(
        Q(leased_until=None) | Q(leased_until__lt=Now())
    )
    return waiting.update(due_at=Now())


def resolve(discrepancy_id: int, *, resolution: str) -> bool:
    """Close a discrepancy with a person's reason; False if somebody else was first."""
    still_open = Discrepancy.objects.filter(pk=discrepancy_id, state=Discrepancy.State.OPEN)
    return bool(still_open.update(state=Discrepancy.State.RESOLVED, resolved_at=Now(), resolution=resolution))


def _ask_for(dues: Sequence[Due]) -> None:
    with transaction.atomic():
        effects.record(dues)
