"""An order on its way to a supplier: sent once, or as often as the supplier's own guards make safe.

Note [What was sent twice]
A supplier that promises to know repeats answers a second sending with the outcome of the first, and one that never
arrived is taken now.  If it compares as well and finds another number than we saw, then by its promise it did not have
the order.  The promise may be broken, though, and the number may be another because it took the order: so that is no
answer, and a person looks.
"""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from inventory import claims
from inventory.asked import Claim
from suppliers.adapters.limits import Limits
from suppliers.errors import Conflict, SupplierError, Transient
from suppliers.importance import for_an_order
from suppliers.models import Supplier
from suppliers.readings import Adapter, Capability, ConfirmResult, Outcome, Ref

CLAIM_MARGIN_SECONDS = 5  # by which a claim outlives the deadline of the call that it covers
COMPARISONS = 4  # reads for one order; whoever loses so often lets the others go first


@dataclass(frozen=True, slots=True)
class Sent:
    """The claim as it is held now, and what upstream answered."""

    claim: Claim
    result: ConfirmResult


def lease_seconds(supplier: Supplier) -> float:
    """How long a claim must last to cover one call."""
    return Limits(**supplier.config.get("limits", {})).total_seconds + CLAIM_MARGIN_SECONDS


def reason_of(error: SupplierError) -> str:
    return f"{type(error).__name__}: {error}"


def send(upstream: Adapter, claimed: Claim) -> Sent:
    """Place the order.  Raises: SupplierError, and then nothing left for upstream and the claim is given back."""
    if Capability.CAS not in upstream.capabilities:
        return Sent(claimed, _confirm(upstream, claimed))
    for _ in range(COMPARISONS):
        claimed = _compare(upstream, claimed)
        short = _short(claimed)
        if short:
            return Sent(claimed, ConfirmResult(Outcome.REJECTED_STOCK, detail=short))
        with suppress(Conflict):
            return Sent(claimed, _confirm(upstream, claimed))
    claims.give_back(claimed)
    raise Conflict("The supplier's number moves faster than we can compare; the order is sent again later.")


def send_again(upstream: Adapter, claimed: Claim) -> Sent | None:
    """Repeat an order whose claim ran out.  None: this supplier may not know that it is the same one (any more).

    NOT_FOUND is certain here: the repeat itself was answered so.

    See Note [What was sent twice].
    """
    if Capability.IDEMPOTENT not in upstream.capabilities:
        return None
    renewed = claims.renew(
        claimed, lease_seconds=lease_seconds(claimed.supplier), window_seconds=upstream.idempotent_seconds
    )
    if renewed is None:
        return None
    try:
        result = upstream.confirm(renewed.request)
    except Conflict:
        result = _unknown("sent again, and the number was another one: upstream may have taken it the first time")
    except SupplierError as error:
        result = _unknown(reason_of(error))
    if result.outcome is Outcome.UNKNOWN:
        claims.leave_open(renewed, result.detail, [])
    return Sent(renewed, result)


def _confirm(upstream: Adapter, claimed: Claim) -> ConfirmResult:
    """Raises: Conflict, with the claim still held; any other SupplierError, with the claim given back."""
    try:
        return upstream.confirm(claimed.request)
    except Conflict:
        raise
    except SupplierError as error:
        if isinstance(error, Transient) and error.sent:
            return _unknown(reason_of(error))
        claims.give_back(claimed)
        raise


def _compare(upstream: Adapter, claimed: Claim) -> Claim:
    """The claim with what upstream has now.  Raises: SupplierError, with the claim given back."""
    try:
        expected = _read(upstream, claimed)
        held = claims.expect(claimed, expected, lease_seconds=lease_seconds(claimed.supplier))
        if held is None:
            raise Transient("Reading what the supplier has took longer than the claim on the order lasts.")
    except SupplierError:
        claims.give_back(claimed)
        raise
    return held


def _read(upstream: Adapter, claimed: Claim) -> Mapping[Ref, int | None]:
    """What upstream has of each row; None: it does not count it.  Raises: SupplierError."""
    refs = list(dict.fromkeys(part.ref for part in claimed.parts))
    with for_an_order():
        result = upstream.fetch(refs)
    has: dict[tuple[str, str], int | None] = {(ref.uid, ref.location): 0 for ref in result.missing}
    has |= {(row.uid, row.location): row.available for row in result.rows}
    unread = [ref.uid for ref in refs if (ref.uid, ref.location) not in has]
    if unread:
        raise Transient(f"The supplier did not show {', '.join(unread[:3])}, so there is nothing to compare with.")
    return {ref: has[ref.uid, ref.location] for ref in refs}


def _short(claimed: Claim) -> str:
    """Which rows have less than the order asks for; empty if none."""
    asked = Counter[Ref]()
    for part in claimed.parts:
        asked[part.ref] += part.quantity
    has = {part.ref: part.expected_available for part in claimed.parts if part.expected_available is not None}
    short = [f"{ref.sku or ref.uid} {units} of {asked[ref]}" for ref, units in has.items() if units < asked[ref]]
    return "Upstream has less than was asked for: " + ", ".join(short) if short else ""


def _unknown(detail: str) -> ConfirmResult:
    return ConfirmResult(Outcome.UNKNOWN, detail=detail[:300])
