"""The preset of an Oscar shop, against answers recorded from django-oscar-api 3.3.0.

`make e2e` runs it against the shop itself.
"""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from suppliers.credentials import seal
from suppliers.gateway import Gateway, for_supplier
from suppliers.models import Supplier
from suppliers.readings import ConfirmLine, ConfirmRequest, Outcome, Ref

STAFF = "Basic " + base64.b64encode(b"admin:secret").decode()
# As the shop reads the header: a hexadecimal tail is not part of the name.
SESSION = re.compile(r"^SID:(?:ANON|AUTH):(?P<realm>.*?):(?P<name>.+?)(?:[-:][0-9a-fA-F]+){0,2}$")

PRODUCTS = [
    {"id": 9, "upc": "PARENT", "structure": "parent", "stockrecords": []},
    {
        "id": 8,
        "upc": "A-8",
        "stockrecords": [{"product": 8, "partner_sku": "A-8", "num_in_stock": 5, "num_allocated": None}],
    },
    {
        "id": 7,
        "upc": "A-7",
        "stockrecords": [{"product": 7, "partner_sku": "A-7", "num_in_stock": 5, "num_allocated": 11}],
    },
]
STOCK_RECORD = {"id": 80, "product": 8, "partner_sku": "A-8", "num_in_stock": 5, "num_allocated": 2}
BASKET = {"id": 6, "status": "Open", "url": "http://shop/api/baskets/6/", "total_incl_tax": "19.80"}
SHORT = {"reason": "a maximum of 4 can be bought"}
UNKNOWN_PRODUCT = {"reason": {"url": ["Invalid hyperlink - Object does not exist."]}}
OTHERS_ORDER = {"number": "100001", "shipping_address": None}
ORDER = {
    "number": "100006",
    "basket": BASKET["url"],
    "shipping_address": {"line1": "1 Warehouse Road", "notes": "HF-é/1"},
}
LINE = ConfirmLine(Ref("8", "A-8"), 2)


@pytest.fixture
def oscar(httpserver: HTTPServer, settings, db) -> Gateway:
    settings.SUPPLIER_PRIVATE_NETWORKS = True
    preset = (Path(__file__).parent.parent / "presets" / "oscar.json").read_text()
    config = preset.replace("https://shop.example", httpserver.url_for("")).replace("shop.example", httpserver.host)
    secrets = seal({"basic": base64.b64encode(b"admin:secret").decode()})
    return for_supplier(
        Supplier.objects.create(slug="oscar", name="Oscar", config=json.loads(config), credentials=secrets)
    )


def staff_only(document: object) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        status = 200 if request.headers.get("Authorization") == STAFF else 403
        return Response(json.dumps(document), status, content_type="application/json")

    return answer


def open_baskets(httpserver: HTTPServer, answer: dict[str, object], status: int = 200) -> None:
    httpserver.expect_request("/api/basket/add-product/", "POST").respond_with_json(answer, status)


def orders_sent(httpserver: HTTPServer) -> list[Request]:
    return [request for request, _ in httpserver.log if request.method == "POST"]


def test_the_list_gives_what_is_not_yet_allocated(oscar, httpserver):
    httpserver.expect_request("/api/admin/products/").respond_with_handler(staff_only(PRODUCTS))

    (page,) = oscar.snapshot()

    assert [(row.uid, row.sku, row.available) for row in page.rows] == [("8", "A-8", 5), ("7", "A-7", 0)]
    assert "negative" in page.rows[1].flags


def test_a_product_is_read_directly_and_an_empty_answer_means_that_it_does_not_exist(oscar, httpserver):
    httpserver.expect_request("/api/products/8/stockrecords/").respond_with_json([STOCK_RECORD])
    httpserver.expect_request("/api/products/5/stockrecords/").respond_with_json([])

    result = oscar.fetch([Ref("8", "A-8"), Ref("5", "A-5")])

    assert [(row.uid, row.available) for row in result.rows] == [("8", 3)]
    assert (result.missing, result.unanswered) == ([Ref("5", "A-5")], [])


def test_an_order_is_a_guests_purchase_that_carries_our_reference(oscar, httpserver):
    open_baskets(httpserver, BASKET)
    httpserver.expect_request("/api/checkout/", "POST").respond_with_json(ORDER)

    result = oscar.confirm(ConfirmRequest("HF-é/1", [LINE]))

    assert (result.outcome, result.upstream_order) == (Outcome.ACCEPTED, "100006")
    into_basket, checkout = orders_sent(httpserver)
    assert into_basket.json == {"url": httpserver.url_for("/api/products/8/"), "quantity": 2}
    assert (checkout.json["basket"], checkout.json["total"]) == (BASKET["url"], "19.80")
    assert checkout.json["shipping_address"]["notes"] == "HF-é/1"
    assert into_basket.headers["Session-Id"] == checkout.headers["Session-Id"]
    # The basket of a logged-in user would be shared by all our orders.
    assert not any("Authorization" in request.headers for request in (into_basket, checkout))


def test_no_two_attempts_share_a_basket(oscar, httpserver):
    open_baskets(httpserver, SHORT, 406)

    for _ in range(2):
        oscar.confirm(ConfirmRequest("HF-1", [LINE]))

    names = [SESSION.fullmatch(request.headers["Session-Id"]) for request in orders_sent(httpserver)]
    assert [name["realm"] for name in names if name] == [httpserver.host] * 2
    assert len({name["name"] for name in names if name}) == 2


@pytest.mark.parametrize(
    ("answer", "outcome"), [(SHORT, Outcome.REJECTED_STOCK), (UNKNOWN_PRODUCT, Outcome.REJECTED_OTHER)]
)
def test_a_refused_basket_orders_nothing(oscar, httpserver, answer, outcome):
    open_baskets(httpserver, answer, 406)

    assert oscar.confirm(ConfirmRequest("HF-1", [LINE])).outcome is outcome
    assert len(orders_sent(httpserver)) == 1


def test_an_order_is_found_again_by_our_reference(oscar, httpserver):
    httpserver.expect_request("/api/admin/orders/").respond_with_handler(staff_only([OTHERS_ORDER, ORDER]))

    found = oscar.readback(ConfirmRequest("HF-é/1", [LINE]))
    missing = oscar.readback(ConfirmRequest("HF-é/2", [LINE]))

    assert (found.outcome, found.upstream_order) == (Outcome.ACCEPTED, "100006")
    assert missing.outcome is Outcome.NOT_FOUND
