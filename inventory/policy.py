"""How far a supplier is believed was edited: the stored numbers follow."""

from collections.abc import Sequence

from django.db import transaction

from inventory import availability, effects, settlement
from inventory.batches import Pace, work_off
from inventory.effects import Due
from inventory.ledger import Origin
from inventory.models import Effect, StockLevel

ORIGIN = Origin(actor="policy")


def edited(supplier_id: int, level_id: int | None = None) -> None:
    """Write down that this supplier's numbers, or those of one level of it, must be counted anew."""
    effects.record([Due(Effect.Kind.RETRUST, "" if level_id is None else str(level_id), supplier_id)])


def retrust_due(supplier_id: int) -> int:
    """Count levels of the supplier anew where that is due; how many effects were closed.

    An edit that comes meanwhile has an effect of its own, and is worked off after this one.
    """
    claimed = effects.claim(Effect.Kind.RETRUST, supplier_id)
    if claimed:
        levels = StockLevel.objects.filter(supplier_id=supplier_id)
        if all(effect.target for effect in claimed):
            levels = levels.filter(pk__in=[int(effect.target) for effect in claimed])
        work_off(list(levels.order_by("pk").values_list("pk", flat=True)), _retrust, Pace())
        effects.close([effect.id for effect in claimed])
    return len(claimed)


def _retrust(level_ids: Sequence[int], skip_locked: bool) -> Sequence[int]:
    with transaction.atomic(durable=True):
        counted = settlement.retrust(level_ids, origin=ORIGIN, skip_locked=skip_locked)
    availability.invalidate(counted.codes)
    return counted.skipped
