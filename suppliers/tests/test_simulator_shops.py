"""The same ledger as Shopify, WooCommerce, a GraphQL API and a file."""

import base64
import csv
import io
import json
from typing import Any

import orjson
import pytest

from suppliers.tests.simulator_client import VirtualClock, simulated

SKU, TOKEN = "SKU-000001", "chaos-supplier"


# --- Shopify --------------------------------------------------------------------------------------------------
class Shopify:
    def __init__(self, chaos, client):
        self.chaos, self.client = chaos, client

    def __call__(self, query, version="2026-07", token=TOKEN, **variables):
        body = orjson.dumps({"query": query, "variables": variables})
        path = f"/admin/api/{version}/graphql.json"
        status, _, answer = self.client.raw("POST", path, body, **{"X-Shopify-Access-Token": token})
        return orjson.loads(answer) if status == 200 else status


@pytest.fixture
def shopify():
    with simulated(dialect="shopify_lite") as (chaos, client):
        yield Shopify(chaos, client)


def gid(number):
    return f"gid://shopify/InventoryItem/{4_000_000_000_000 + number - 1}"


ADJUST = """mutation M($input: InventoryAdjustQuantitiesInput!, $key: String!) {
  inventoryAdjustQuantities(input: $input) @idempotent(key: $key) { userErrors { code message } } }"""


def adjust(shopify, key, delta, expected=None, number=1):
    change = {"inventoryItemId": gid(number), "locationId": "gid://shopify/Location/main", "delta": delta}
    changes = [{**change, "changeFromQuantity": expected}]
    given = {"reason": "correction", "name": "available", "referenceDocumentUri": f"order://{key}", "changes": changes}
    return shopify(ADJUST, input=given, key=key)["data"]["inventoryAdjustQuantities"]["userErrors"]


def test_shopify_pages_through_its_items(shopify):
    query = (
        "query($after: String) { inventoryItems(first: 15, after: $after) { nodes { id sku } pageInfo { endCursor } } }"
    )
    first = shopify(query)["data"]["inventoryItems"]
    second = shopify(query, after=first["pageInfo"]["endCursor"])["data"]["inventoryItems"]
    assert [len(page["nodes"]) for page in (first, second)] == [15, 5]
    assert [page["pageInfo"]["hasNextPage"] for page in (first, second)] == [True, False]
    quantities = first["nodes"][0]["inventoryLevels"]["nodes"][0]["quantities"]
    assert quantities[0] | {"updatedAt": ""} == {"name": "available", "quantity": 10, "updatedAt": ""}


def test_shopify_finds_items_by_code_and_by_id(shopify):
    found = shopify('{ inventoryItems(first: 5, query: "sku:SKU-000003") { nodes { sku } } }')["data"]["inventoryItems"]
    assert [node["sku"] for node in found["nodes"]] == ["SKU-000003"]
    nodes = shopify("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[gid(2), gid(99), gid(1)])["data"]["nodes"]
    assert [node and node["sku"] for node in nodes] == ["SKU-000002", None, SKU]


def test_shopify_adjusts_once_for_a_key_and_only_from_what_was_expected(shopify):
    assert adjust(shopify, "k1", -3, expected=10) == []
    assert adjust(shopify, "k1", -3, expected=10) == [], "the same key is answered, not done again"
    assert [error["code"] for error in adjust(shopify, "k2", -3, expected=10)] == ["CHANGE_FROM_QUANTITY_STALE"]
    assert shopify.chaos.truth(SKU)[SKU]["on_hand"] == 7
    assert adjust(shopify, "k3", -9) == [], "available may be negative"
    assert shopify.chaos.truth(SKU)[SKU]["on_hand"] == -2
    assert shopify.chaos.audit()["duplicates"] == {}


def test_shopify_shows_levels_by_alias_and_takes_a_sale_back(shopify):
    level = 'l{0}: inventoryLevel(locationId: "gid://shopify/Location/{1}") {{ quantities {{ name quantity }} }}'
    fields = " ".join(level.format(*pair) for pair in ((0, 1), (1, 77)))
    [item] = shopify(f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ {fields} }} }}", ids=[gid(1)])["data"]["nodes"]
    assert (item["l0"]["quantities"][0]["quantity"], item["l1"]) == (10, None)
    assert adjust(shopify, "sale", -3) == []
    given = {"changes": [{"inventoryItemId": gid(1), "delta": 3}], "referenceDocumentUri": "order://sale"}
    assert shopify(ADJUST, input=given, key="back")["data"]["inventoryAdjustQuantities"]["userErrors"] == []
    assert shopify.chaos.audit()["sales"][0]["cancelled_by"] == "client"
    assert shopify.chaos.truth(SKU)[SKU]["on_hand"] == 10


def test_shopify_demands_a_key_from_2026_04_on(shopify):
    plain = "mutation($input: I!) { inventoryAdjustQuantities(input: $input) { userErrors { code } } }"
    given = {"changes": [{"inventoryItemId": gid(1), "delta": -1}], "referenceDocumentUri": "order://1"}
    assert "@idempotent" in shopify(plain, input=given)["errors"][0]["message"]
    assert shopify(plain, version="2026-01", input=given)["data"]["inventoryAdjustQuantities"]["userErrors"] == []


def test_shopify_writes_everything_into_a_file(shopify):
    run = 'bulkOperationRunQuery(query: "{ inventoryItems { edges { node { id } } } }") { userErrors { message } }'
    bulk = f"mutation {{ {run} }}"
    assert shopify(bulk)["data"]["bulkOperationRunQuery"]["userErrors"] == []
    operation = shopify("{ currentBulkOperation { status url } }")["data"]["currentBulkOperation"]
    assert operation["status"] == "COMPLETED"
    _, _, body = shopify.client.raw("GET", operation["url"].removeprefix(shopify.chaos.url))
    lines = [orjson.loads(line) for line in body.splitlines()]
    assert len(lines) == 40
    assert lines[1]["__parentId"] == lines[0]["id"] == gid(1)


def test_shopify_throttles_by_cost_and_refuses_foreign_tokens(shopify):
    assert shopify("{ inventoryItems(first: 1) { nodes { id } } }", token="stolen") == 401
    shopify.chaos.set(throttle={"retry_after": 3})
    answer = shopify("{ inventoryItems(first: 1) { nodes { id } } }")
    status = answer["extensions"]["cost"]["throttleStatus"]
    assert answer["errors"][0]["message"] == "Throttled"
    assert (answer["extensions"]["cost"]["requestedQueryCost"] - status["currentlyAvailable"]) / status[
        "restoreRate"
    ] == 3


# --- WooCommerce ------------------------------------------------------------------------------------------------
class Woo:
    def __init__(self, chaos, client):
        self.chaos, self.client = chaos, client

    def __call__(self, method, path, document=None, password=TOKEN):
        body = None if document is None else orjson.dumps(document)
        pair = base64.b64encode(f"ck:{password}".encode()).decode()
        status, headers, answer = self.client.raw(method, f"/wp-json/wc/v3{path}", body, Authorization=f"Basic {pair}")
        return status, headers, orjson.loads(answer)


@pytest.fixture
def woo():
    with simulated(dialect="woo_lite") as (chaos, client):
        yield Woo(chaos, client)


def test_woo_pages_by_link_and_keeps_variations_apart(woo):
    _, headers, products = woo("GET", "/products?per_page=15")
    assert (headers["X-WP-Total"], headers["X-WP-TotalPages"], len(products)) == ("20", "2", 15)
    assert 'rel="next"' in headers["Link"]
    assert "page=2" in headers["Link"]
    variable = [product for product in products if product["type"] == "variable"]
    assert [product["stock_quantity"] for product in variable] == [None]
    _, headers, [variation] = woo("GET", f"/products/{variable[0]['id']}/variations")
    assert headers["X-WP-Total"] == "1"
    assert (variation["sku"], variation["stock_quantity"]) == ("SKU-000010", 10)
    assert woo("GET", "/products?sku=SKU-000010,SKU-000001")[2][0] == variation


def test_woo_takes_finds_and_cancels_an_order(woo):
    items = [{"product_id": 1_000, "quantity": 2}, {"product_id": 1_009, "variation_id": 5_000_009, "quantity": 3}]
    order: dict[str, Any] = {
        "line_items": items,
        "meta_data": [{"key": "reference", "value": "ref-1"}],
        "set_paid": True,
    }
    status, _, placed = woo("POST", "/orders", order)
    assert (status, placed["status"], placed["meta_data"][0]["value"]) == (201, "processing", "ref-1")
    assert woo("GET", "/orders?search=ref-1")[2] == [placed]
    assert woo("GET", f"/orders/{placed['id']}")[2] == placed
    assert woo.chaos.truth("SKU-000010")["SKU-000010"]["on_hand"] == 7
    assert woo("PUT", f"/orders/{placed['id']}", {"status": "cancelled"})[2]["status"] == "cancelled"
    assert woo.chaos.truth(SKU)[SKU]["on_hand"] == 10
    order["line_items"] = [{"product_id": 1_000, "quantity": 2}, {"product_id": 5_000_009, "quantity": 3}]
    again = woo("POST", "/orders", order)[2]
    assert again["line_items"] == placed["line_items"], "a variation has a number among the products' own"
    both = f"{placed['id']},{again['id']}"
    assert woo("PUT", f"/orders/{both}", {"status": "cancelled"})[0] == 200
    assert woo.chaos.truth(SKU)[SKU]["on_hand"] == 10
    order["line_items"][0]["quantity"] = 11
    refused = woo("POST", "/orders", order)
    assert (refused[0], refused[2]["code"]) == (409, "no_stock")


def test_woo_sets_stock_and_refuses_foreign_passwords(woo):
    assert woo("PUT", "/products/1000", {"stock_quantity": 4})[0] == 200
    assert woo.chaos.truth(SKU)[SKU]["on_hand"] == 4
    status, _, answer = woo("GET", "/products", password="stolen")
    assert (status, answer["code"]) == (401, "woocommerce_rest_cannot_view")


# --- GraphQL of its own -------------------------------------------------------------------------------------------
def graphql(client, query, **variables):
    return client.call("POST", "/graphql", {"query": query, "variables": variables})[1]


def test_graphql_lists_sells_finds_and_cancels():
    with simulated(dialect="graphql") as (chaos, client):
        listing = "query($after: String) { stock(first: 15, after: $after) { nodes { id } pageInfo { endCursor } } }"
        first = graphql(client, listing)["data"]["stock"]
        second = graphql(client, listing, after=first["pageInfo"]["endCursor"])["data"]["stock"]
        assert (len(first["nodes"]), len(second["nodes"]), second["pageInfo"]["hasNextPage"]) == (15, 5, False)
        place = "mutation($ref: String!, $lines: [Line!]!) { placeOrder(ref: $ref, lines: $lines) { order { id } } }"
        lines = [{"sku": SKU, "quantity": 4}]
        order = graphql(client, place, ref="r", lines=lines)["data"]["placeOrder"]["order"]
        assert graphql(client, '{ orders(ref: "r") { nodes { id } } }')["data"]["orders"]["nodes"] == [order]
        [row] = graphql(client, "query($skus: [String!]) { stockRows(skus: $skus) { nodes } }", skus=[SKU])["data"][
            "stockRows"
        ]["nodes"]
        assert row["available"] == 6
        refused = graphql(client, place, ref="s", lines=[{"sku": SKU, "quantity": 7}])
        assert refused["errors"][0]["extensions"]["code"] == "NO_STOCK"
        graphql(client, "mutation($id: ID!) { cancelOrder(id: $id) { order { id } } }", id=order["order_id"])
        assert chaos.truth(SKU)[SKU]["on_hand"] == 10


# --- Files --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_file_holds_everything_in_its_encoding(encoding):
    with simulated(dialect="file") as (_, client):
        status, headers, body = client.raw("GET", f"/stock.csv?encoding={encoding}&separator=;")
    assert (status, headers["Content-Type"].partition(";")[0]) == (200, "text/csv")
    rows = list(csv.DictReader(io.StringIO(body.decode(encoding)), delimiter=";"))
    assert (len(rows), rows[0]["sku"], rows[0]["available"]) == (20, SKU, "10")


def test_a_file_is_sent_again_only_when_it_changed():
    clock = VirtualClock()
    with simulated(clock, dialect="file") as (chaos, client):
        _, headers, body = client.raw("GET", "/stock.jsonl")
        assert len([json.loads(line) for line in body.splitlines()]) == 20
        etag = {"If-None-Match": headers["ETag"]}
        assert client.raw("GET", "/stock.jsonl", **etag)[0] == 304
        clock.now += 60
        chaos.sell(SKU, 1)
        status, later, _ = client.raw("GET", "/stock.jsonl", **etag)
    assert status == 200
    assert (headers["Last-Modified"], later["Last-Modified"]) == (
        "Fri, 15 Jan 2027 08:00:00 GMT", "Fri, 15 Jan 2027 08:01:00 GMT",
    )  # fmt: skip


@pytest.mark.parametrize("path", ["/stock.xml", "/orders", "/stock.csv?encoding=latin-9", "/stock.csv?separator=ab"])
def test_a_file_supplier_serves_nothing_else(path):
    with simulated(dialect="file") as (_, client):
        assert client.raw("GET", path)[0] in (400, 404)
        assert client.raw("GET", "/stock.json", Authorization="")[0] == 401
