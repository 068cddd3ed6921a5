"""Tells suppliers of our orders and cancels, asks what became of those they never answered for.

Nothing is locked and no transaction is open while a supplier is spoken to.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from django.db import connection
from prometheus_client import Counter

from inventory import attempts, budget, claims, effects, marks, rechecks, sending, sql
from inventory.asked import Claim
from inventory.effects import Claimed
from inventory.models import Effect
from inventory.sending import reason_of
from suppliers import gateway
from suppliers.errors import SupplierError, Transient
from suppliers.models import Supplier
from suppliers.readings import Adapter, Capability, ConfirmResult, Outcome

log = structlog.get_logger(__name__)
outcomes = Counter(
    "holdfast_upstream_orders", "What suppliers answered to our orders.", ["supplier", "intent", "outcome"]
)

WORK_SECONDS = 40  # a drain stops taking on work after this; the sweep rings again for what is left
RECHECK_SECONDS = 2  # of the five between two runs: what comes last occupies no worker for long
FIRST_BACKOFF, LONGEST_BACKOFF = 2.0, 30.0  # seconds, doubling with each attempt; as in incremental
LONGEST_RETRY_AFTER = 600.0
FOLLOW_SECONDS, LONGEST_FOLLOW_SECONDS = 60.0, 1_800.0  # between two questions whether it is paid or shipped
DOUBTFUL_ATTEMPTS = 5  # cancels without a clear answer before a person is told

# Right after the lease ended a "yes" may be had already; a "no" counts only one lag later, so asking between is noise.
# Who cannot be asked, or says nothing clear, is asked again ever more rarely.
_UNANSWERED = f"""
SELECT {attempts.NAME} FROM inventory_allocation allocation
JOIN inventory_stocklevel level ON level.id = allocation.level_id
JOIN suppliers_supplier supplier ON supplier.id = level.supplier_id
WHERE allocation.state = 'sending' AND allocation.lease_until < clock_timestamp() AND level.supplier_id = %(supplier)s
  AND (allocation.lease_until > clock_timestamp() - interval '10 seconds'
       OR allocation.lease_until + supplier.settlement_lag_seconds * interval '1 second' <= clock_timestamp())
  AND NOT EXISTS (
      SELECT 1 FROM inventory_discrepancy asked
      WHERE asked.kind = 'unknown_outcome' AND asked.state = 'open' AND asked.supplier_id = level.supplier_id
        AND asked.reference = {attempts.NAME}
        AND asked.seen_at > clock_timestamp() - LEAST(asked.times * 30, 600) * interval '1 second')
GROUP BY allocation.reference, allocation.attempt ORDER BY min(allocation.lease_until) LIMIT 100
"""
_WITH_EXPIRED_CLAIMS = """
SELECT DISTINCT level.supplier_id FROM inventory_allocation allocation
JOIN inventory_stocklevel level ON level.id = allocation.level_id
WHERE allocation.state = 'sending' AND allocation.lease_until < clock_timestamp()
"""


def confirm_due(supplier_id: int) -> int:
    """Place the orders upstream that wait for it; how many effects were worked off."""
    return _work_off(Effect.Kind.CONFIRM, supplier_id, _confirm)


def cancel_due(supplier_id: int) -> int:
    """Tell upstream of cancels; how many effects were worked off."""
    return _work_off(Effect.Kind.CANCEL, supplier_id, _cancel)


def follow_due(supplier_id: int) -> int:
    """Ask about orders that upstream's number takes in late, on payment or shipment; how many effects ended."""
    return _work_off(Effect.Kind.FOLLOW, supplier_id, _follow)


def suppliers_with_expired_claims() -> list[int]:
    """Ids of suppliers of which an order was claimed and nobody knows what became of it."""
    with connection.cursor() as cursor:
        cursor.execute(_WITH_EXPIRED_CLAIMS)
        return [supplier_id for (supplier_id,) in cursor.fetchall()]


def resolve_expired_claims(supplier_id: int) -> int:
    """Clear up the orders that this supplier never answered for; how many are clear now.

    A supplier that knows repeats is sent the same again.  Any other is asked by our reference: an order that it does
    not know is given back, and an effect sends it anew.
    """
    supplier = Supplier.objects.get(pk=supplier_id)
    upstream = gateway.for_supplier(supplier)
    resolved = 0
    for reference in _unanswered(supplier_id):
        claimed = claims.find(supplier, reference, ["sending"])
        if claimed is None or claimed.lease_until is None:
            continue
        clear, reachable = _clear_up(upstream, claimed)
        resolved += clear
        if not reachable:
            break
    return resolved


def recheck(supplier_id: int) -> int:
    """Look up orders that this supplier took, as far as its budget goes; how many it has called off since."""
    supplier = Supplier.objects.get(pk=supplier_id)
    upstream = gateway.for_supplier(supplier)
    lost = 0
    try:
        for reference in _due(supplier, upstream):
            lost += _look_up(upstream, supplier, reference)
    except SupplierError as error:
        log.warning("recheck_postponed", supplier=supplier.slug, reason=reason_of(error))
    return lost


def _due(supplier: Supplier, upstream: gateway.Gateway) -> Iterator[str]:
    until = time.monotonic() + RECHECK_SECONDS
    while time.monotonic() < until and budget.spare_calls(supplier, upstream):
        # One at a time: a claim lasts for one call, and who fails holds up no other order.
        claimed = rechecks.claim(supplier.pk, limit=1)
        if not claimed:
            return
        yield from claimed


def _look_up(upstream: Adapter, supplier: Supplier, reference: str) -> bool:
    """Whether the supplier has called this order off.  Raises: SupplierError."""
    taken = _taken(supplier, reference)
    if taken is None:
        return False
    if Capability.READBACK not in upstream.capabilities:
        rechecks.end(taken.ids)
        return False
    result = upstream.readback(taken.request)
    _note(taken, "recheck", result)
    lost = _called_off(supplier, result)
    # Cancelled here meanwhile: then it may be that cancel which upstream shows.
    still = _taken(supplier, reference)
    if lost is None or still is None:
        rechecks.put_off(supplier.pk, taken.ids)
        return False
    claims.conclude(still, lost)
    return True


def _taken(supplier: Supplier, reference: str) -> Claim | None:
    return claims.find(supplier, reference, ["confirmed", "settled"], wanted=True)


def _called_off(supplier: Supplier, result: ConfirmResult) -> ConfirmResult | None:
    """What a look at a taken order says is lost; None: nothing is."""
    match result.outcome:
        case Outcome.REJECTED_STOCK | Outcome.REJECTED_OTHER:
            return replace(result, outcome=Outcome.LOST, accepted={})
        case Outcome.PARTIAL:
            return replace(result, outcome=Outcome.LOST)
        # Many forget orders for other reasons, such as their age.
        case Outcome.NOT_FOUND if supplier.gone_is_cancelled:
            return replace(result, outcome=Outcome.LOST)
    return None


def _clear_up(upstream: Adapter, claimed: Claim) -> tuple[bool, bool]:
    """Whether the outcome is clear now, and whether the supplier can be asked for more."""
    asked_at = sql.clock()
    again = sending.send_again(upstream, claimed)
    if again is not None and again.result.outcome is not Outcome.UNKNOWN:
        _settle(again.claim, again.result)
        return True, True
    result, reachable = _read_back(upstream, claimed)
    if again is not None and result.outcome in (Outcome.UNKNOWN, Outcome.NOT_FOUND):
        # What was just sent may still arrive: that upstream does not know it proves nothing yet.
        result = again.result
    return _take_answer(claimed, result, asked_at), reachable


def _take_answer(claimed: Claim, result: ConfirmResult, asked_at: datetime) -> bool:
    """Act on what was learned of an order; whether the outcome is clear now."""
    # Until upstream's own delay has passed, an order that it does not show yet may still appear.  A repeat may arrive
    # late as well: so "no" counts from the last sending, while a person is told counting from the first.
    since = claimed.lease_until if result.outcome is Outcome.NOT_FOUND else claimed.sent_at or claimed.lease_until
    early = since is None or asked_at < since + timedelta(seconds=claimed.supplier.settlement_lag_seconds)
    if early and result.outcome in (Outcome.UNKNOWN, Outcome.NOT_FOUND):
        return False
    if result.outcome is Outcome.UNKNOWN:
        _note(claimed, "readback", result)
        claims.report_doubt(claimed, {"intent": "confirm", "detail": result.detail})
        return False
    _settle(claimed, result)
    return True


def _settle(claimed: Claim, result: ConfirmResult) -> None:
    """Act on a clear outcome."""
    _note(claimed, "readback", result)
    if result.outcome is Outcome.NOT_FOUND:
        claims.give_back(claimed, again=True)
    else:
        claims.conclude(claimed, result)


def _read_back(upstream: Adapter, claimed: Claim) -> tuple[ConfirmResult, bool]:
    """The answer, and whether the supplier can be asked for more."""
    if Capability.READBACK not in upstream.capabilities:
        return ConfirmResult(Outcome.UNKNOWN, detail="this supplier cannot be asked; look the order up there"), True
    try:
        return upstream.readback(claimed.request), True
    except SupplierError as error:
        return ConfirmResult(Outcome.UNKNOWN, detail=reason_of(error)), False


def _unanswered(supplier_id: int) -> Iterator[str]:
    until = time.monotonic() + WORK_SECONDS
    with connection.cursor() as cursor:
        cursor.execute(_UNANSWERED, {"supplier": supplier_id})
        references = [reference for (reference,) in cursor.fetchall()]
    for reference in references:
        if time.monotonic() < until:
            yield reference


def _work_off(kind: Effect.Kind, supplier_id: int, act: Callable[[Adapter, Supplier, Claimed], None]) -> int:
    """Do one effect after the other until none is due, the supplier fails, or it took long enough."""
    supplier = Supplier.objects.get(pk=supplier_id)
    until = time.monotonic() + WORK_SECONDS
    upstream: Adapter | None = None
    done = 0
    # One at a time: the lease of an effect covers one call, not a queue of them.
    while time.monotonic() < until and (claimed := effects.claim(kind, supplier_id, limit=1)):
        effect = claimed[0]
        try:
            upstream = upstream or gateway.for_supplier(supplier)
            act(upstream, supplier, effect)
        except SupplierError as error:
            log.warning("upstream_postponed", supplier=supplier.slug, kind=str(kind), reason=reason_of(error))
            effects.postpone([effect.id], delay=_delay(effect, error), error=reason_of(error))
            break
        done += 1
    return done


def _delay(effect: Claimed, error: SupplierError) -> float:
    backoff = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(effect.attempts - 1, 10))
    return max(backoff, min(error.retry_after or 0.0, LONGEST_RETRY_AFTER))


def _confirm(upstream: Adapter, supplier: Supplier, effect: Claimed) -> None:
    """Raises: SupplierError, and then nothing left for upstream and the order waits as before."""
    if Capability.CONFIRM not in upstream.capabilities:
        marks.leave_to_people(supplier, effect.target, [effect.id])
        return
    claimed = claims.claim(supplier, effect.target, lease_seconds=sending.lease_seconds(supplier))
    if claimed is None:
        effects.close([effect.id])  # cancelled, done, or with somebody whose expired claim will be read back
        return
    sent = sending.send(upstream, claimed)
    _note(sent.claim, "confirm", sent.result)
    if sent.result.outcome in (Outcome.UNKNOWN, Outcome.NOT_FOUND):
        claims.leave_open(sent.claim, sent.result.detail, [effect.id])
    else:
        claims.conclude(sent.claim, sent.result, [effect.id])


def _cancel(upstream: Adapter, supplier: Supplier, effect: Claimed) -> None:
    """Raises: SupplierError if upstream has to be told again."""
    if claims.find(supplier, effect.target, ["sending"]):
        effects.postpone([effect.id], delay=FIRST_BACKOFF, error="waits for the outcome of the order", tried=False)
        return
    taken = claims.find(supplier, effect.target, ["confirmed", "settled"])
    if taken is None:
        effects.close([effect.id])
        return
    if Capability.CANCEL not in upstream.capabilities:
        result = ConfirmResult(Outcome.REJECTED_OTHER, detail="this supplier cannot be told; call it off there by hand")
    else:
        result = upstream.cancel(taken.request, taken.upstream_order)
    _note(taken, "cancel", result)
    if result.outcome is Outcome.UNKNOWN:
        if effect.attempts >= DOUBTFUL_ATTEMPTS:
            claims.report_doubt(taken, {"intent": "cancel", "detail": result.detail})
        raise Transient(result.detail, sent=True)
    claims.conclude_cancel(taken, result, [effect.id])


def _follow(upstream: Adapter, supplier: Supplier, effect: Claimed) -> None:
    """Raises: SupplierError, and then it is asked again."""
    taken = claims.find(supplier, effect.target, ["confirmed"], uncounted=True)
    if taken is None or Capability.FOLLOW not in upstream.capabilities:
        effects.close([effect.id])  # counted by now, or left to a person or an import to say
        return
    result = upstream.readback(taken.request)
    _note(taken, "follow", result)
    if result.outcome in (Outcome.REJECTED_STOCK, Outcome.REJECTED_OTHER):
        claims.conclude(taken, replace(result, outcome=Outcome.LOST), [effect.id])
    elif result.counted:
        claims.conclude(taken, replace(result, outcome=Outcome.ACCEPTED), [effect.id])
    else:
        delay = min(LONGEST_FOLLOW_SECONDS, FOLLOW_SECONDS * 2.0 ** min(effect.attempts - 1, 10))
        effects.postpone([effect.id], delay=delay, error=f"its number does not count the order yet: {result.outcome}")


def _note(claimed: Claim, intent: str, result: ConfirmResult) -> None:
    outcomes.labels(claimed.supplier.slug, intent, str(result.outcome)).inc()
    log.info(
        "upstream_answered",
        supplier=claimed.supplier.slug,
        intent=intent,
        reference=claimed.reference,
        outcome=str(result.outcome),
        detail=result.detail,
    )
