"""Items listed and asked for, and calls that fail."""

from typing import Any

import pytest

from suppliers.errors import Malformed, SupplierError, Throttled, Transient
from suppliers.readings import Ref
from suppliers.tests.shopify.shop import ITEM, LOCATION, OTHER, REF, REFUSED, THROTTLED, item, level, rows_of
from suppliers.tests.upstream import reply


def test_without_a_bulk_operation_the_items_are_listed_by_cursor(shop, gateway):
    def listing(*numbers: int, after: str | None) -> dict[str, Any]:
        nodes = [{**item(str(number)), "l0": level(number), "l1": None} for number in numbers]
        return {"nodes": nodes, "pageInfo": {"hasNextPage": bool(after), "endCursor": after}}

    pages = [listing(1, 2, after="eyJsYXN0"), listing(3, after=None)]
    shop.answers = {"bulkOperationRunQuery": [REFUSED], "inventoryItems": pages}
    found = list(gateway(locations=[LOCATION, OTHER]).snapshot())
    # An item that is not stocked at a location has no row there.
    assert rows_of(found) == [("1", LOCATION, 1), ("2", LOCATION, 2), ("3", LOCATION, 3)]
    assert [asked["variables"].get("after") for asked in shop.asked[1:]] == [None, "eyJsYXN0"]
    assert found[-1].cursor is None


def test_a_list_that_does_not_get_on(shop, gateway):
    stuck = {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": "a"}}
    shop.answers = {"inventoryItems": [stuck]}
    with pytest.raises(Malformed, match="get on"):
        list(gateway(bulk=False).snapshot())


def test_items_are_read_by_their_ids(shop, gateway):
    nodes = [{**item(), "l0": level(8)}, None, {**item("9"), "l0": None}]
    shop.answers = {"nodes(": [{"data": {"nodes": nodes}}]}
    gone, unstocked, odd = Ref("7", "G", LOCATION), Ref("9", "U", LOCATION), Ref("x", "O", LOCATION)
    elsewhere = Ref(ITEM, "element-151", "1")
    result = gateway().fetch([REF, gone, unstocked, odd, elsewhere])
    assert [(row.uid, row.available, row.raw_sku) for row in result.rows] == [(ITEM, 8, "element-151")]
    assert result.missing == [gone, unstocked]
    assert result.unanswered == [odd, elsewhere]
    assert shop.asked[0]["variables"]["ids"][0] == "gid://shopify/InventoryItem/30322695"


@pytest.mark.parametrize(
    "node",
    [
        {**item(), "l0": {"quantities": []}},
        {**item(tracked=None), "l0": level(1)},
        {**item(sku=7.5), "l0": level(1)},
        {"id": "nonsense", "sku": "", "tracked": True, "l0": level(1)},
        item(),
    ],
)
def test_an_item_that_makes_no_sense_gives_no_row(node, shop, gateway):
    shop.answers = {"nodes(": [{"data": {"nodes": [node]}}]}
    with pytest.raises(Malformed):
        gateway().fetch([REF])


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"errors": [{"message": "boom", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}, Transient),
        ({"errors": [{"message": "Field 'sku' doesn't exist on type 'X'"}]}, Malformed),
        (reply({"errors": "Not Found"}, status=404), Malformed),
        (reply([]), Malformed),
    ],
)
def test_reads_that_fail(answer, error: type[SupplierError], shop, gateway):
    shop.answers = {"nodes(": [answer]}
    with pytest.raises(error):
        gateway().fetch([REF])


def test_a_throttled_call_waits_until_the_bucket_holds_its_cost(shop, gateway):
    shop.answers = {"nodes(": [THROTTLED]}
    with pytest.raises(Throttled) as caught:
        gateway().fetch([REF])
    assert caught.value.retry_after == pytest.approx((202 - 118) / 50)


def test_another_version_than_the_pinned_one_is_not_believed(shop, gateway):
    shop.answers = {"nodes(": [{"data": {"nodes": [None]}}]}
    shop.headers["X_Shopify_API_Version"] = "2026-10"
    with pytest.raises(Malformed, match="2026-04 is no longer served"):
        gateway().fetch([REF])
    assert gateway(version="2026-10").fetch([REF]).missing == [REF]
