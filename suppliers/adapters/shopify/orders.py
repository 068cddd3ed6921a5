"""Our orders as adjustments of what is available: compared, and safe to repeat."""

import json
import uuid
from typing import Any

from suppliers.adapters.platforms import refused, units_by_ref, unknown
from suppliers.adapters.shopify.client import Client, gid, part
from suppliers.errors import Conflict, Malformed
from suppliers.readings import ConfirmRequest, ConfirmResult, Outcome
from suppliers.transport import Deadline

ADJUST = (
    "mutation ($input: InventoryAdjustQuantitiesInput!, $key: String!) {"
    " inventoryAdjustQuantities(input: $input) @idempotent(key: $key)"
    " { inventoryAdjustmentGroup { id } userErrors { code field message } } }"
)
STALE = {"CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE"}
NOT_THERE = {"ITEM_NOT_STOCKED_AT_LOCATION"}
# The same key is being worked on, or was used for something else: neither says what became of our order.
UNCLEAR = {"IDEMPOTENCY_CONCURRENT_REQUEST", "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"}
PREVIOUS_FAILED = "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"  # it was not taken, and is only with a new key
NAMESPACE = uuid.UUID("6f0c5b0e-6c1c-5c0b-9d0c-7a4d1f0f5a11")  # of keys made from what is asked; any fixed one will do


class Orders:
    """Takes what an order asks for, and gives it back."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def take(self, order: ConfirmRequest, deadline: Deadline) -> ConfirmResult:
        """Raises: Conflict if a number is not the expected one; any SupplierError."""
        expected = {line.ref: line.expected_available for line in order.lines}
        changes = [_change(ref.uid, ref.location, -units, expected[ref]) for ref, units in units_by_ref(order).items()]
        return self._adjust(order, "reservation_created", changes, deadline)

    def give_back(self, order: ConfirmRequest, deadline: Deadline) -> ConfirmResult:
        """Adds to whatever is there.  Raises: any SupplierError."""
        changes = [_change(ref.uid, ref.location, units, None) for ref, units in units_by_ref(order).items()]
        return self._adjust(order, "reservation_deleted", changes, deadline)

    def _adjust(
        self, order: ConfirmRequest, reason: str, changes: list[dict[str, Any]], deadline: Deadline
    ) -> ConfirmResult:
        change = {
            "name": "available",
            "reason": reason,
            "referenceDocumentUri": f"gid://holdfast/Order/{order.reference}",
            "changes": changes,
        }
        key = str(uuid.uuid5(NAMESPACE, json.dumps([order.attempt, change], sort_keys=True)))
        answer = self._client.run(ADJUST, {"input": change, "key": key}, deadline, safe=False)
        result = part(answer.document, "data", "inventoryAdjustQuantities", of=dict)
        errors = part(result, "userErrors", of=list)
        if errors:
            return _refusal(errors)
        if result.get("inventoryAdjustmentGroup") is None:
            raise Malformed("The answer names neither an adjustment nor an error.", answer.evidence)
        return ConfirmResult(Outcome.ACCEPTED, part(result, "inventoryAdjustmentGroup", "id", of=str)[:100])


def _change(uid: str, location: str, delta: int, expected: int | None) -> dict[str, Any]:
    """expected: None is an explicit "do not compare", for what Shopify does not count."""
    return {
        "inventoryItemId": gid("InventoryItem", uid),
        "locationId": gid("Location", location),
        "delta": delta,
        "changeFromQuantity": expected,
    }


def _refusal(errors: list[Any]) -> ConfirmResult:
    """Raises: Conflict."""
    codes = {str(error.get("code")) for error in errors if isinstance(error, dict)}
    detail = "; ".join(f"{error.get('code')}: {error.get('message')}" for error in errors if isinstance(error, dict))
    # Unclear first: with it, nothing else in the list can be relied on.
    if codes & UNCLEAR:
        return unknown(detail)
    if PREVIOUS_FAILED in codes:
        return refused(Outcome.NOT_FOUND, detail)
    if codes & STALE:
        raise Conflict(detail[:300])
    return refused(Outcome.REJECTED_STOCK if codes & NOT_THERE else Outcome.REJECTED_OTHER, detail)
