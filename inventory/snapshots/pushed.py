"""What suppliers send by themselves: stored as it comes, worked off by whoever is free.

A push changes stock only by a number with upstream's own time, and then by the rules of any reading.  Everything else
in it is a reason to read.  Lost pushes are no loss: the next snapshot has it all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from inventory import availability, effects, rechecks, settlement
from inventory.batches import Pace, work_off
from inventory.effects import Due
from inventory.ledger import Origin
from inventory.models import Effect, Push, Snapshot, StockLevel
from inventory.settlement import Reading
from inventory.snapshots import sorting
from inventory.snapshots.sorting import Arrival, Claim, Sorted, Target
from suppliers import clocks, inbox
from suppliers.errors import BadSignature, Malformed, NotConfigured, ReplayedPush, UntimelyPush
from suppliers.models import Supplier
from suppliers.readings import Delivery, PushReceiver

log = structlog.get_logger(__name__)

AT_ONCE = 200  # pushes of one claim: their bodies are in memory together
# What came so soon and yet seems older than the stored number may be newer: clocks are known within bounds only.
FRESH = timedelta(seconds=60)

_STORE = """
INSERT INTO inventory_push (supplier_id, event_id, signed_at, body, verdict, reason, events, taken, reads)
VALUES (%s, %s, %s, %s, 'waiting', '', 0, 0, 0)
ON CONFLICT (supplier_id, event_id) WHERE NOT event_id = '' DO NOTHING
RETURNING 'push'::text AS kind, id::text AS target, supplier_id
"""
_PURGE = "DELETE FROM inventory_push WHERE received_at < now() - %s * interval '1 day'"


@dataclass(slots=True)
class _Work:
    """The pushes of one claim: those that could be read, and what their numbers did."""

    pushes: dict[int, Push]
    arrivals: list[Arrival] = field(default_factory=list)
    orders: dict[int, set[str]] = field(default_factory=dict)  # push → our references
    outdated: set[int] = field(default_factory=set)  # levels
    changed: int = 0


def receive(supplier: Supplier, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """Store a push if it is the supplier's; False if it came before.

    now: the database's time.
    Raises: BadSignature, also where no pushes are configured; UntimelyPush, ReplayedPush.
    """
    receiver = _receiver_of(supplier)
    if receiver is None:
        raise BadSignature
    delivery = _verified(receiver, supplier, headers, body, now)
    # One statement: a burst of pushes takes as little as it can from those who order.
    stored = effects.record_following(_STORE, [supplier.pk, delivery.id, delivery.signed_at, receiver.redact(body)])
    if not stored:
        _refuse_replay(supplier, delivery)
    return stored > 0


def _refuse_replay(supplier: Supplier, delivery: Delivery) -> None:
    """Who sends again because our answer was lost signs anew, where the scheme signs a time; a copy cannot."""
    if delivery.signed_at is None:
        return
    if Push.objects.filter(supplier=supplier, event_id=delivery.id, signed_at__gte=delivery.signed_at).exists():
        raise ReplayedPush


def _receiver_of(supplier: Supplier) -> PushReceiver | None:
    try:
        return inbox.receiver_of(supplier)
    except NotConfigured as error:
        log.warning("push_not_configured", supplier=supplier.slug, reason=str(error))
        return None


def take_in_due(supplier_id: int) -> int:
    """Take in what this supplier pushed; how many effects were closed.  A second time it changes nothing."""
    supplier = Supplier.objects.get(pk=supplier_id)
    claimed = effects.claim(Effect.Kind.PUSH, supplier_id, limit=AT_ONCE)
    if not claimed:
        return 0
    work = _Work(Push.objects.in_bulk([int(effect.target) for effect in claimed]))
    _read(supplier, work)
    found = sorting.sort(work.arrivals, _targets(supplier, work.arrivals), _ahead(supplier))
    _take_in(supplier, work, found)
    known = rechecks.hasten(supplier_id, set().union(*work.orders.values())) if any(work.orders.values()) else set()
    _judge(work, found, known)
    with transaction.atomic(durable=True):
        reads = {level_id for level_ids in found.reads.values() for level_id in level_ids}
        effects.record([Due(Effect.Kind.SYNC, str(level_id), supplier_id) for level_id in sorted(reads)])
        Push.objects.bulk_update(work.pushes.values(), ["verdict", "reason", "events", "taken", "reads", "finished_at"])
        effects.close([effect.id for effect in claimed])
    log.info("pushes_taken_in", supplier=supplier.slug, pushes=len(claimed), changed=work.changed, reads=len(reads))
    return len(claimed)


def _verified(
    receiver: PushReceiver, supplier: Supplier, headers: Mapping[str, str], body: bytes, now: datetime
) -> Delivery:
    try:
        return receiver.verify(headers, body, now)
    except UntimelyPush:
        # It may sign by its own clock, and that may be known to be wrong.
        ahead = clocks.offset(supplier.slug)
        if not ahead:
            raise
        return receiver.verify(headers, body, now + timedelta(seconds=ahead))


def _read(supplier: Supplier, work: _Work) -> None:
    receiver = _receiver_of(supplier) if supplier.enabled else None
    for push in work.pushes.values():
        if receiver is None:
            off = "the supplier is switched off" if not supplier.enabled else "no pushes are configured any more"
            push.verdict, push.reason = Push.Verdict.IGNORED, off
            continue
        try:
            events = receiver.parse(bytes(push.body))
        except Malformed as error:
            push.verdict, push.reason = Push.Verdict.MALFORMED, str(error)[:300]
            continue
        push.events = len(events)
        work.arrivals.append(Arrival(push.pk, push.received_at, [event for event in events if not event.order]))
        work.orders[push.pk] = {event.order for event in events if event.order}


def _ahead(supplier: Supplier) -> timedelta | None:
    receiver = _receiver_of(supplier)
    declared = receiver.clock_ahead if receiver else None
    seconds = clocks.ahead_of_ours(supplier.slug) if declared is None else declared
    return None if seconds is None else timedelta(seconds=seconds)


def _targets(supplier: Supplier, arrivals: Sequence[Arrival]) -> list[Target]:
    events = [event for arrival in arrivals for event in arrival.events]
    uids = {event.uid for event in events if event.uid}
    codes = {event.sku for event in events if not event.uid}
    levels = StockLevel.objects.filter(Q(external_id__in=uids) | Q(code__in=codes), supplier=supplier)
    return [Target(*row) for row in levels.values_list("id", "external_id", "location", "code", "reported", "read_at")]


def _take_in(supplier: Supplier, work: _Work, found: Sorted) -> None:
    """The numbers, in short transactions, as a sync run of its own."""
    if not found.claims:
        return
    claims = list(found.claims.values())
    snapshot = Snapshot.objects.create(
        supplier=supplier,
        kind=Snapshot.Kind.PUSH,
        actor="push",
        first_requested_at=min(claim.at for claim in claims),
        last_requested_at=max(claim.at for claim in claims),
        evidence={"pushes": sorted({claim.push_id for claim in claims})},
    )
    work_off(claims, partial(_absorb, work, Origin("push", f"snapshot-{snapshot.pk}")), Pace())
    Snapshot.objects.filter(pk=snapshot.pk).update(
        status=Snapshot.Status.APPLIED,
        finished_at=Now(),
        pages=len(work.arrivals),
        seen=len(claims),
        changed=work.changed,
        rejected=len(work.outdated),
    )


def _absorb(work: _Work, origin: Origin, claims: Sequence[Claim], skip_locked: bool) -> list[Claim]:
    """One transaction."""
    readings = [Reading(claim.level_id, claim.units, claim.at) for claim in claims]
    with transaction.atomic(durable=True):
        absorbed = settlement.absorb(readings, origin=origin, skip_locked=skip_locked)
    availability.invalidate(absorbed.codes)
    work.outdated |= set(absorbed.stale)
    work.changed += len(absorbed.changed)
    return [claim for claim in claims if claim.level_id in absorbed.skipped]


def _judge(work: _Work, found: Sorted, known: set[str]) -> None:
    """Each push's verdict, the most telling of those of its events.  known: orders that are looked up."""
    now = datetime.now(UTC)
    older = set(found.superseded)
    for claim in found.claims.values():
        if claim.level_id in work.outdated:
            older.add(claim.push_id)
            if claim.at > work.pushes[claim.push_id].received_at - FRESH:
                found.reads[claim.push_id].add(claim.level_id)
        else:
            work.pushes[claim.push_id].taken += 1
    for push in work.pushes.values():
        push.finished_at = now
        push.reads = len(found.reads.get(push.pk, ()))
        orders = work.orders.get(push.pk, set())
        if push.verdict != Push.Verdict.WAITING:
            continue
        push.verdict = _verdict(push, outdated=push.pk in older, asks=bool(orders & known))
        if strange := found.unknown.get(push.pk, 0) + len(orders - known):
            push.reason = f"{strange} of its events name nothing that we have of this supplier"


def _verdict(push: Push, *, outdated: bool, asks: bool) -> Push.Verdict:
    if push.taken:
        return Push.Verdict.APPLIED
    if push.reads or asks:
        return Push.Verdict.READ
    return Push.Verdict.OUTDATED if outdated else Push.Verdict.IGNORED


def purge(*, keep_days: int = 7) -> int:
    """Delete pushes older than the kept days; how many went."""
    with connection.cursor() as cursor:
        cursor.execute(_PURGE, [keep_days])
        return int(cursor.rowcount)
