"""A full snapshot that changes nothing: read, judged and compared, then forgotten."""

from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from inventory.models import Feed
from inventory.snapshots import copying, guards, runs, staging
from inventory.snapshots.guards import PageGuard, Refused, Whole
from suppliers import gateway
from suppliers.models import Supplier


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a snapshot would do now.  refused: why it would not be applied, or nothing."""

    pages: int
    rows: int
    new: int
    changed: int
    missing: int
    refused: str = ""


def rehearse(supplier: Supplier) -> Rehearsal:
    """Read the whole catalogue and compare it with the levels.

    Raises: SupplierError.
    """
    scratch = -supplier.pk  # no snapshot has such a number: its rows in the staging table are this rehearsal's own
    staging.clear(scratch)
    try:
        return _rehearse(supplier, scratch)
    finally:
        staging.clear(scratch)


def _rehearse(supplier: Supplier, scratch: int) -> Rehearsal:
    guard, total, refused = PageGuard(asked=None), None, ""
    try:
        for page in gateway.for_supplier(supplier).snapshot(None):
            guard.check(page)
            with transaction.atomic():
                staging.store(scratch, copying.lines(page.rows), runs.clock())
            total = total if page.total is None else page.total
            if page.cursor is None:
                break
        feed = Feed.objects.filter(supplier=supplier).first()
        expected, ratio = (feed.rows if feed else 0), Decimal(supplier.min_row_ratio)
        guards.check_whole(Whole(staging.count(scratch), total, expected, ratio))
        guards.check_moves(staging.moves(scratch, supplier), supplier.mass_zero_share, supplier.mass_jump_share)
    except Refused as refusal:
        refused = refusal.reason
    return Rehearsal(guard.number, staging.count(scratch), *staging.summary(scratch, supplier.pk), refused=refused)
