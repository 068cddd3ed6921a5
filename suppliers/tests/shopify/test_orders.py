"""Orders as adjustments, and what a configuration must hold."""

import re

import pytest

from suppliers.adapters import ADAPTERS
from suppliers.errors import AuthExpired, Conflict, Forbidden, SupplierError, Throttled
from suppliers.readings import Capability, ConfirmLine, ConfirmRequest, Outcome
from suppliers.tests.shopify.shop import ADJUSTED, LOCATION, ORDER, REF, REFUSED, THROTTLED, adjusted
from suppliers.tests.upstream import reply


def test_an_order_is_an_adjustment_that_compares(shop, gateway):
    shop.answers = {"inventoryAdjustQuantities": [ADJUSTED]}
    result = gateway().confirm(ORDER)
    assert (result.outcome, result.upstream_order) == (Outcome.ACCEPTED, "gid://shopify/InventoryAdjustmentGroup/3")
    asked = shop.asked[0]
    assert "@idempotent(key: $key)" in asked["query"]
    assert asked["variables"]["input"] == {
        "name": "available",
        "reason": "reservation_created",
        "referenceDocumentUri": "gid://holdfast/Order/H-1",
        "changes": [
            {
                "inventoryItemId": "gid://shopify/InventoryItem/30322695",
                "locationId": "gid://shopify/Location/124656943",
                "delta": -3,
                "changeFromQuantity": 10,
            }
        ],
    }


def test_a_repeat_has_the_same_key_and_a_new_decision_another_one(shop, gateway):
    shop.answers = {"inventoryAdjustQuantities": [ADJUSTED]}
    again = ConfirmRequest("H-1", ORDER.lines, "2026-11-25T12:01:00+00:00")
    two_lines = ConfirmRequest("H-1", [ConfirmLine(REF, 1, 10), ConfirmLine(REF, 2, 10)], ORDER.attempt)
    for order in (ORDER, ORDER, again, two_lines):
        gateway().confirm(order)
    keys = [asked["variables"]["key"] for asked in shop.asked]
    assert keys[0] == keys[1] == keys[3]  # two lines of one row are one change
    assert keys[2] != keys[0]


@pytest.mark.parametrize(
    ("codes", "outcome"),
    [
        (["ITEM_NOT_STOCKED_AT_LOCATION"], Outcome.REJECTED_STOCK),
        (["NON_MUTABLE_INVENTORY_ITEM"], Outcome.REJECTED_OTHER),
        (["INVALID_LOCATION"], Outcome.REJECTED_OTHER),
        (["IDEMPOTENCY_CONCURRENT_REQUEST"], Outcome.UNKNOWN),
        (["IDEMPOTENCY_KEY_PARAMETER_MISMATCH", "CHANGE_FROM_QUANTITY_STALE"], Outcome.UNKNOWN),
        (["IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"], Outcome.NOT_FOUND),
    ],
)
def test_what_shopify_refuses(codes, outcome, shop, gateway):
    shop.answers = {"inventoryAdjustQuantities": [adjusted(*codes)]}
    assert gateway().confirm(ORDER).outcome is outcome


@pytest.mark.parametrize("code", ["CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE"])
def test_a_number_that_moved_is_a_conflict(code, shop, gateway):
    shop.answers = {"inventoryAdjustQuantities": [adjusted(code)]}
    with pytest.raises(Conflict):
        gateway().confirm(ORDER)


@pytest.mark.parametrize(
    "answer",
    [reply(status=502), b"", reply(body=b"<h1>"), {"data": {"inventoryAdjustQuantities": None}}, {"data": None}],
)
def test_an_order_without_a_clear_answer_is_unknown(answer, shop, gateway):
    shop.answers = {"inventoryAdjustQuantities": [answer]}
    assert gateway().confirm(ORDER).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (THROTTLED, Throttled),
        ({"errors": [{"message": "no", "extensions": {"code": "ACCESS_DENIED"}}]}, Forbidden),
        (reply(status=401), AuthExpired),
        (reply({"errors": "Not Found"}, status=429), Throttled),
    ],
)
def test_what_says_that_nothing_was_done(answer, error: type[SupplierError], shop, gateway):
    shop.answers = {"inventoryAdjustQuantities": [answer]}
    with pytest.raises(error):
        gateway().confirm(ORDER)


def test_a_cancel_gives_back_once(shop, gateway):
    shop.answers = {"inventoryAdjustQuantities": [ADJUSTED]}
    assert gateway().cancel(ORDER, "gid://shopify/InventoryAdjustmentGroup/3").outcome is Outcome.ACCEPTED
    change = shop.asked[0]["variables"]["input"]["changes"][0]
    assert (change["delta"], change["changeFromQuantity"]) == (3, None)
    shop.answers = {"inventoryAdjustQuantities": [reply(status=502)]}
    unclear = gateway().cancel(ORDER, "group")
    assert (unclear.outcome, "by hand" in unclear.detail) == (Outcome.REJECTED_OTHER, True)


def test_what_it_can(shop, gateway):
    assert Capability.READBACK not in gateway().capabilities
    assert Capability.CAS | Capability.IDEMPOTENT in gateway().capabilities
    shop.answers = {"bulkOperationRunQuery": [REFUSED], "inventoryItems": [reply(status=401)]}
    assert not gateway().probe().ok


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"locations": []}, "locations: "),
        ({"locations": ["gid://shopify/Location/1"]}, "locations.0: "),
        ({"version": "2025-10"}, "version: "),
        ({"version": "unstable"}, "version: "),
        ({"page_size": 251}, "page_size: "),
        ({"base_url": "https://127.1"}, "base_url: "),
        ({"token": "shpat"}, "configuration: .*token"),
    ],
)
def test_faults_name_their_path(change, fault):
    config = {"base_url": "https://shop.myshopify.com", "locations": [LOCATION], **change}
    (found,) = ADAPTERS["shopify"].faults(config)
    assert re.match(fault, found), found
