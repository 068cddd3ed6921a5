"""The presets of systems that cannot run here, against answers of the shape that their documentation shows.

None of these was recorded from the system itself.  Sources stand at each.
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from suppliers.adapters.validation import faults_of
from suppliers.errors import AuthExpired, Forbidden, Malformed, SupplierError, Throttled
from suppliers.presets import PRESETS
from suppliers.readings import Capability, ConfirmLine, ConfirmRequest, Outcome, Page, Ref
from suppliers.tests.conftest import MakeGateway
from suppliers.tests.upstream import Seen, reply, running_upstream

PRESET = {preset.name: preset for preset in PRESETS}
pytestmark = pytest.mark.django_db(transaction=True)  # Amazon's token is shared through the database

Answer = Callable[[Seen], bytes]


@pytest.fixture
def preset(make_gateway: MakeGateway) -> Callable[..., Any]:
    """A gateway by a preset, with its host replaced, and its secrets."""

    def make(name: str, upstream: Any) -> Any:
        parts = urlsplit(PRESET[name].config["base_url"])
        text = json.dumps(PRESET[name].config).replace(f"{parts.scheme}://{parts.netloc}", upstream.url)
        config = json.loads(text.replace("https://api.amazon.com", upstream.url))
        secrets = {secret: f"the-{secret}" for secret in PRESET[name].secrets}
        return make_gateway(upstream, secrets=secrets, **config)

    return make


def rows(pages: list[Page]) -> list[tuple[str, str, str, int | None]]:
    return [(row.uid, row.sku, row.location, row.available) for page in pages for row in page.rows]


@pytest.mark.parametrize("name", PRESET)
def test_a_preset_is_valid_and_names_its_secrets(name: str):
    assert faults_of(PRESET[name].config) == []
    assert PRESET[name].secrets
    assert PRESET[name].notes


def test_no_absolute_write_counts_as_an_order():
    able = {"medusa", "oscar", "woocommerce"}
    assert {name for name, preset in PRESET.items() if "confirm" in preset.config} == able


# --- Medusa 2.21: admin API reference, inventory-items and reservations -----------------------------


def medusa_level(place: str, stocked: int, reserved: int) -> dict[str, Any]:
    return {
        "id": f"ilev_{place}",
        "location_id": place,
        "stocked_quantity": stocked,
        "reserved_quantity": reserved,
        "incoming_quantity": 40,
        "available_quantity": stocked - reserved,
    }


MEDUSA_ITEMS: list[dict[str, Any]] = [
    {
        "id": "iitem_01A",
        "sku": "SHIRT",
        "location_levels": [medusa_level("sloc_1", 10, 4), medusa_level("sloc_2", 3, 3)],
    },
    {"id": "iitem_01B", "sku": "MUG", "location_levels": []},
]
MEDUSA_SHORT = {"type": "not_allowed", "message": "Not enough stock available for item iitem_01A at location sloc_1"}


class Medusa:
    """Its reservations: not idempotent, found again by line_item_id."""

    def __init__(self, *, twice: bool = False) -> None:
        self.reservations: list[dict[str, Any]] = []
        self.twice = twice

    def __call__(self, seen: Seen) -> bytes:
        query = parse_qs(urlsplit(seen.target).query)
        if seen.path == "/admin/inventory-items":
            items = [item for item in MEDUSA_ITEMS if item["sku"] in query.get("sku[]", [item["sku"]])]
            return reply({"inventory_items": items, "count": len(items), "offset": 0, "limit": 200})
        if seen.method == "POST":
            return self.reserve(seen.json)
        if seen.method == "DELETE":
            number = seen.path.rsplit("/", 1)[1]
            self.reservations = [one for one in self.reservations if one["id"] != number]
            return reply({"id": number, "object": "reservation", "deleted": True})
        found = [one for one in self.reservations if one["line_item_id"] in query["line_item_id[]"]]
        return reply({"reservations": found, "count": len(found), "offset": 0, "limit": 100})

    def reserve(self, body: dict[str, Any]) -> bytes:
        if body["quantity"] > 6:
            return reply(MEDUSA_SHORT, 400)
        for _ in range(2 if self.twice else 1):
            self.reservations.append({"id": f"resitem_{len(self.reservations)}", **body})
        return reply({"reservation": self.reservations[-1]})


LINES = [ConfirmLine(Ref("iitem_01A", "SHIRT", "sloc_1"), 2), ConfirmLine(Ref("iitem_01B", "MUG", "sloc_1"), 1)]
ORDER = ConfirmRequest("HF-1", LINES)


def test_medusa_counts_what_is_available_at_each_location(preset):
    with running_upstream(Medusa()) as upstream:
        gateway = preset("medusa", upstream)
        assert rows(list(gateway.snapshot())) == [
            ("iitem_01A", "SHIRT", "sloc_1", 6),
            ("iitem_01A", "SHIRT", "sloc_2", 0),
        ]
        result = gateway.fetch([Ref("iitem_01A", "SHIRT", "sloc_1"), Ref("iitem_09", "GONE", "sloc_1")])
    assert [row.available for row in result.rows] == [6, 0]
    assert result.missing == [Ref("iitem_09", "GONE", "sloc_1")]
    assert upstream.seen[0].headers["authorization"].startswith("Basic dGhlLWFwaV9rZXk6"), "the key, and no password"


def test_a_medusa_order_is_a_reservation_for_each_line_with_our_reference(preset):
    medusa = Medusa()
    with running_upstream(medusa) as upstream:
        gateway = preset("medusa", upstream)
        assert gateway.confirm(ORDER).outcome is Outcome.ACCEPTED
        assert [(one["inventory_item_id"], one["location_id"], one["quantity"]) for one in medusa.reservations] == [
            ("iitem_01A", "sloc_1", 2),
            ("iitem_01B", "sloc_1", 1),
        ]
        found = gateway.readback(ORDER)
        assert (found.outcome, found.accepted) == (Outcome.ACCEPTED, {"iitem_01A": 2, "iitem_01B": 1})
        assert gateway.readback(ConfirmRequest("HF-2", LINES)).outcome is Outcome.NOT_FOUND
        assert gateway.cancel(ORDER, found.upstream_order).outcome is Outcome.ACCEPTED
        assert medusa.reservations == []
        assert gateway.cancel(ORDER, found.upstream_order).outcome is Outcome.ACCEPTED, "it is off already"


def test_a_medusa_read_back_takes_surplus_reservations_back(preset):
    medusa = Medusa(twice=True)
    with running_upstream(medusa) as upstream:
        gateway = preset("medusa", upstream)
        gateway.confirm(ORDER)
        assert len(medusa.reservations) == 4, "not idempotent: each request that came twice had two effects"
        found = gateway.readback(ORDER)
    assert found.accepted == {"iitem_01A": 2, "iitem_01B": 1}
    assert [one["id"] for one in medusa.reservations] == ["resitem_0", "resitem_2"]


def test_medusa_refuses_a_line_for_lack_of_stock(preset):
    much = ConfirmLine(Ref("iitem_01A", "SHIRT", "sloc_1"), 7)
    with running_upstream(Medusa()) as upstream:
        gateway = preset("medusa", upstream)
        assert gateway.confirm(ConfirmRequest("HF-1", [much])).outcome is Outcome.REJECTED_STOCK
        partly = gateway.confirm(ConfirmRequest("HF-2", [LINES[1], much]))
    assert (partly.outcome, partly.accepted) == (Outcome.PARTIAL, {"iitem_01B": 1, "iitem_01A": 0})


def test_a_medusa_item_that_moved_while_paging_is_noticed(preset):
    items = MEDUSA_ITEMS[::-1]
    answer = reply({"inventory_items": items, "count": 2})
    with running_upstream(lambda _: answer) as upstream, pytest.raises(Malformed, match="rising order"):
        list(preset("medusa", upstream).snapshot())


# --- WooCommerce REST v3: woocommerce-rest-api-docs, products, product-variations, orders -----------


def woo(number: int, sku: str, kind: str = "simple", manage: Any = True, units: int | None = 5) -> dict[str, Any]:
    return {"id": number, "sku": sku, "type": kind, "manage_stock": manage, "stock_quantity": units, "backorders": "no"}


WOO_PRODUCTS = [
    woo(11, "CUP"),
    woo(12, "LAMP", manage=False, units=None),
    woo(13, "TEE", "variable", manage=False, units=None),
    woo(14, "SOCKS", "variable", units=8),
    woo(15, "DEBT", units=-3),
]
WOO_VARIATIONS = {
    "13": [woo(131, "TEE-S", "variation", units=2), woo(132, "TEE-M", "variation", units=0)],
    "14": [woo(141, "SOCKS-S", "variation", manage="parent", units=8), woo(142, "SOCKS-M", "variation", units=1)],
}


class Woo:
    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = [{"id": 900, "meta_data": [], "status": "completed"}]

    def __call__(self, seen: Seen) -> bytes:
        name = seen.path.removeprefix("/wp-json/wc/v3")
        if name == "/orders" and seen.method == "POST":
            self.orders.append({"id": 901, **seen.json})
            return reply(self.orders[-1], 201)
        if name.startswith("/orders/"):
            return reply({"id": 901, **seen.json})
        if name == "/orders":
            return reply(self.orders, X_WP_Total=len(self.orders))
        if name != "/products":
            listed = WOO_VARIATIONS[name.split("/")[2]]
        elif "sku" in seen.query:
            every = [*WOO_PRODUCTS, *(one for some in WOO_VARIATIONS.values() for one in some)]
            listed = [product for product in every if product["sku"] in seen.query["sku"].split(",")]
        else:
            listed = WOO_PRODUCTS
        return reply(listed, X_WP_Total=len(listed))


def test_woo_variations_are_rows_and_a_shared_pool_is_counted_once(preset):
    with running_upstream(Woo()) as upstream:
        found = rows(list(preset("woocommerce", upstream).snapshot()))
    assert {(uid, units) for uid, _, _, units in found} == {
        ("11", 5),
        ("12", None),
        ("14", 8),  # the pool
        ("15", 0),
        ("131", 2),
        ("132", 0),
        ("141", None),  # manage_stock "parent": its number is the pool's
        ("142", 1),
    }


def test_woo_is_asked_by_sku_for_products_and_variations_alike(preset):
    with running_upstream(Woo()) as upstream:
        result = preset("woocommerce", upstream).fetch([Ref("11", "CUP"), Ref("131", "TEE-S"), Ref("99", "GONE")])
    assert [(row.uid, row.available) for row in result.rows] == [("11", 5), ("131", 2)]
    assert result.missing == [Ref("99", "GONE")]


def test_a_woo_order_is_found_again_by_its_meta_data_and_called_off(preset):
    order = ConfirmRequest("HF-7", [ConfirmLine(Ref("131", "TEE-S"), 2)])
    shop = Woo()
    with running_upstream(shop) as upstream:
        gateway = preset("woocommerce", upstream)
        assert gateway.readback(order).outcome is Outcome.NOT_FOUND
        placed = gateway.confirm(order)
        found = gateway.readback(order)
        assert gateway.cancel(order, "901").outcome is Outcome.ACCEPTED
    assert (placed.outcome, placed.upstream_order, found.upstream_order) == (Outcome.ACCEPTED, "901", "901")
    assert shop.orders[1]["line_items"] == [{"product_id": "131", "quantity": 2}]


def test_a_page_of_a_firewall_is_no_catalogue(preset):
    answer = reply(body=b"<html>Checking your browser</html>")
    with running_upstream(lambda _: answer) as upstream, pytest.raises(Malformed, match="not JSON"):
        next(preset("woocommerce", upstream).snapshot())


# --- Magento 2.4: Adobe Commerce web API, inventory/get-product-salable-quantity, products ----------


def magento(seen: Seen) -> bytes:
    if seen.path == "/rest/V1/products":
        page = min(int(seen.query["searchCriteria[currentPage]"]), 1)  # beyond the end the last page again
        return reply({"items": [{"id": 1, "sku": "A/1"}, {"id": 2, "sku": "B"}][: page * 2], "total_count": 2})
    salable = {"A%2F1": 3.0, "B": -1}
    sku = seen.target.split("/")[5]
    if sku in salable:
        return reply(salable[sku])
    return reply({"message": "The product that was requested doesn't exist."}, 404)


def test_magento_counts_what_is_salable_product_by_product(preset):
    with running_upstream(magento) as upstream:
        gateway = preset("magento", upstream)
        assert rows(list(gateway.snapshot())) == [("1", "A/1", "", 3), ("2", "B", "", 0)]
        result = gateway.fetch([Ref("2", "B"), Ref("1", "A/1"), Ref("9", "GONE")])
    assert [(row.uid, row.available) for row in result.rows] == [("2", 0), ("1", 3)]
    assert result.missing == [Ref("9", "GONE")]


# --- Saleor 3: docs.saleor.io, objects Stock and ProductVariant -------------------------------------

SALEOR_STOCK = {
    "id": "U3RvY2s6MQ==",
    "quantity": 10,
    "quantityAllocated": 4,
    "quantityReserved": 1,
    "warehouse": {"slug": "w1"},
}
SALEOR_VARIANT = {"sku": "TEA", "trackInventory": True}


def saleor(seen: Seen) -> bytes:
    assert "$" in seen.json["query"]
    assert "$$" not in seen.json["query"]
    if "Variants" in seen.json["query"]:
        edges = (
            [{"node": {**SALEOR_VARIANT, "stocks": [SALEOR_STOCK]}}] if "TEA" in seen.json["variables"]["skus"] else []
        )
        return reply({"data": {"productVariants": {"edges": edges}}})
    last = seen.json["variables"]["after"] == "c1"
    other = {**SALEOR_STOCK, "id": "U3RvY2s6Mg==", "productVariant": {"sku": "GIFT", "trackInventory": False}}
    node = other if last else {**SALEOR_STOCK, "productVariant": SALEOR_VARIANT}
    info = {"hasNextPage": not last, "endCursor": "c2" if last else "c1"}
    return reply({"data": {"stocks": {"totalCount": 2, "pageInfo": info, "edges": [{"node": node}]}}})


def test_saleor_subtracts_what_is_allocated_and_reserved(preset):
    with running_upstream(saleor) as upstream:
        gateway = preset("saleor", upstream)
        assert rows(list(gateway.snapshot())) == [
            ("U3RvY2s6MQ==", "TEA", "w1", 5),
            ("U3RvY2s6Mg==", "GIFT", "w1", None),
        ]
        result = gateway.fetch([Ref("U3RvY2s6MQ==", "TEA", "w1"), Ref("x", "GONE", "w1")])
    assert ([row.available for row in result.rows], result.missing) == ([5], [Ref("x", "GONE", "w1")])


@pytest.mark.parametrize(
    ("code", "error"),
    [("PermissionDenied", Forbidden), ("ExpiredSignatureError", AuthExpired), ("GraphQLError", Malformed)],
)
def test_saleor_says_errors_beside_status_200(code: str, error: type[SupplierError], preset):
    document = {"errors": [{"message": "…", "extensions": {"exception": {"code": code}}}], "data": None}
    with running_upstream(lambda _: reply(document)) as upstream, pytest.raises(error):
        next(preset("saleor", upstream).snapshot())


# --- Amazon: amzn/selling-partner-api-models fbaInventory.json, and LWA's token document --------------


def fba(sku: str, fulfillable: int, total: int) -> dict[str, Any]:
    details = {
        "fulfillableQuantity": fulfillable,
        "inboundWorkingQuantity": 10,
        "unfulfillableQuantity": {"totalUnfulfillableQuantity": 3},
    }
    return {"asin": "B0", "fnSku": f"X-{sku}", "sellerSku": sku, "inventoryDetails": details, "totalQuantity": total}


class Amazon:
    believed = "Atza|1"

    def __call__(self, seen: Seen) -> bytes:
        if seen.path == "/auth/o2/token":
            assert "refresh_token=the-refresh_token" in seen.body.decode()
            return reply({"access_token": self.believed, "token_type": "bearer", "expires_in": 3600})
        if seen.headers["x-amz-access-token"] != self.believed:
            denied = {
                "code": "Unauthorized",
                "message": "Access to requested resource is denied.",
                "details": "The access token you provided has expired.",
            }
            return reply({"errors": [denied]}, 403)
        assert seen.query["details"] == "true"
        if "sellerSkus" in seen.query:
            found = [one for one in (fba("MUG", 66, 87),) if one["sellerSku"] in seen.query["sellerSkus"].split(",")]
            return reply({"payload": {"inventorySummaries": found}})
        more = {} if "nextToken" in seen.query else {"pagination": {"nextToken": "t1"}}
        return reply({**more, "payload": {"inventorySummaries": [fba("MUG", 66, 87) if more else fba("CAP", 0, 12)]}})


def test_amazon_sells_what_is_fulfillable_and_renews_its_token(preset):
    amazon = Amazon()
    with running_upstream(amazon) as upstream:
        gateway = preset("amazon-fba", upstream)
        assert rows(list(gateway.snapshot())) == [("MUG", "MUG", "", 66), ("CAP", "CAP", "", 0)]
        amazon.believed = "Atza|2"
        result = gateway.fetch([Ref("MUG", "MUG"), Ref("GONE", "GONE")])
    assert ([row.available for row in result.rows], result.missing) == ([66], [Ref("GONE", "GONE")])
    assert Capability.CONFIRM not in gateway.capabilities


def test_amazon_without_details_is_no_answer_and_its_quota_is_a_throttle(preset):
    total_only = {"payload": {"inventorySummaries": [{"sellerSku": "MUG", "totalQuantity": 87}]}}
    quota = {"errors": [{"code": "QuotaExceeded", "message": "You exceeded your quota for the requested resource."}]}
    for document, status, error in ((total_only, 200, Malformed), (quota, 429, Throttled)):

        def answer(seen: Seen, document: Any = document, status: int = status) -> bytes:
            token = reply({"access_token": "Atza|1", "expires_in": 3600})
            return token if seen.path == "/auth/o2/token" else reply(document, status)

        with running_upstream(answer) as upstream, pytest.raises(error):
            next(preset("amazon-fba", upstream).snapshot())
