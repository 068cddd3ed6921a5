"""Who works on which kind of effect.  A lane is one kind for one supplier: a dead supplier holds up its own only."""

from collections.abc import Callable

from inventory import alerts, availability, bulkhead, effects, learning, policy, reconciliation, snapshots
from inventory.models import Effect

# Workers that one lane may occupy: orders ring faster than a slow supplier answers, and others need workers too.
DRAINS_AT_ONCE = 2
_RETRY_SECONDS = 2.0


def drain(kind: str, supplier_id: int | None) -> None:
    """Work off what is due in one lane.  Twice at once is harmless: each effect is claimed by one.

    Does nothing if enough workers do so already; what they leave is found by the sweep.
    """
    # Two that look at the same instant both go on: the number is for economy, not for safety.
    if effects.claims_under_way(kind, supplier_id) >= DRAINS_AT_ONCE:
        return
    if supplier_id is None:
        _OF_NOBODY[Effect.Kind(kind)]()
        return
    work = _OF_SUPPLIER[Effect.Kind(kind)]
    if kind in _AT_HOME:
        work(supplier_id)
        return
    with bulkhead.admitted(supplier_id, for_orders=kind in _FOR_ORDERS) as admitted:
        if admitted:
            work(supplier_id)


def _invalidate() -> None:
    while claimed := effects.claim(Effect.Kind.INVALIDATE, None):
        ids = [effect.id for effect in claimed]
        if not availability.invalidate(sorted({effect.target for effect in claimed})):
            effects.postpone(ids, delay=_RETRY_SECONDS, error="the cache could not be reached")
            return
        effects.close(ids)


_AT_HOME = {Effect.Kind.PUSH, Effect.Kind.RETRUST, Effect.Kind.LEARN}  # nobody is called for these
_FOR_ORDERS = {Effect.Kind.CONFIRM, Effect.Kind.CANCEL}
_OF_NOBODY: dict[Effect.Kind, Callable[[], None]] = {
    Effect.Kind.INVALIDATE: _invalidate,
    Effect.Kind.ALERT: alerts.deliver_due,
}
_OF_SUPPLIER: dict[Effect.Kind, Callable[[int], int]] = {
    Effect.Kind.SYNC: snapshots.sync_due,
    Effect.Kind.PUSH: snapshots.take_in_due,
    Effect.Kind.CONFIRM: reconciliation.confirm_due,
    Effect.Kind.CANCEL: reconciliation.cancel_due,
    Effect.Kind.FOLLOW: reconciliation.follow_due,
    Effect.Kind.RETRUST: policy.retrust_due,
    Effect.Kind.LEARN: learning.learn_due,
}
