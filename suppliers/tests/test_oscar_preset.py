"""The preset of an Oscar shop, against answers recorded from django-oscar-api 3.3.0.

`make e2e` runs it against the shop itself.
"""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from suppliers.credentials import seal
from suppliers.gateway import Gateway, for_supplier
from suppliers.models import Supplier
from suppliers.readings import ConfirmLine, ConfirmRequest, Outcome, Ref
from suppliers.tests.upstream import Seen, Upstream, reply, running_upstream

HOST = "127.0.0.1"
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


class RecordedShop:
    """Answers as the shop does.  answers: path → document, with its status where that is not 200."""

    upstream: Upstream

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}

    def __call__(self, request: Seen) -> bytes:
        if "/admin/" in request.path and request.headers.get("authorization") != STAFF:
            return reply({"detail": "Authentication credentials were not provided."}, 403)
        answer = self.answers[request.path.removeprefix("/api")]
        status, document = answer if isinstance(answer, tuple) else (200, answer)
        return reply(document, status)


@pytest.fixture
def shop() -> Iterator[RecordedShop]:
    recorded = RecordedShop()
    with running_upstream(recorded) as recorded.upstream:
        yield recorded


@pytest.fixture
def oscar(shop, settings, db) -> Gateway:
    settings.SUPPLIER_PRIVATE_NETWORKS = True
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    preset = (Path(__file__).parent.parent / "presets" / "oscar.json").read_text()
    config = json.loads(preset.replace("https://shop.example", shop.upstream.url).replace("shop.example", HOST))
    return for_supplier(
        Supplier.objects.create(slug="oscar", name="Oscar", config=config, credentials=seal({"basic": STAFF[6:]}))
    )


def test_the_list_gives_what_is_not_yet_allocated(oscar, shop):
    shop.answers = {"/admin/products/": PRODUCTS}

    (page,) = oscar.snapshot()

    assert [(row.uid, row.sku, row.available) for row in page.rows] == [("8", "A-8", 5), ("7", "A-7", 0)]
    assert "negative" in page.rows[1].flags


def test_a_product_is_read_directly_and_an_empty_answer_means_that_it_does_not_exist(oscar, shop):
    shop.answers = {"/products/8/stockrecords/": [STOCK_RECORD], "/products/5/stockrecords/": []}

    result = oscar.fetch([Ref("8", "A-8"), Ref("5", "A-5")])

    assert [(row.uid, row.available) for row in result.rows] == [("8", 3)]
    assert (result.missing, result.unanswered) == ([Ref("5", "A-5")], [])


def test_an_order_is_a_guests_purchase_that_carries_our_reference(oscar, shop):
    shop.answers = {"/basket/add-product/": BASKET, "/checkout/": ORDER}

    result = oscar.confirm(ConfirmRequest("HF-é/1", [LINE]))

    assert (result.outcome, result.upstream_order) == (Outcome.ACCEPTED, "100006")
    into_basket, checkout = shop.upstream.seen
    assert into_basket.json == {"url": f"{shop.upstream.url}/api/products/8/", "quantity": 2}
    assert (checkout.json["basket"], checkout.json["total"]) == (BASKET["url"], "19.80")
    assert checkout.json["shipping_address"]["notes"] == "HF-é/1"
    assert into_basket.headers["session-id"] == checkout.headers["session-id"]
    # The basket of a logged-in user would be shared by all our orders.
    assert not any("authorization" in request.headers for request in (into_basket, checkout))


def test_no_two_attempts_share_a_basket(oscar, shop):
    shop.answers = {"/basket/add-product/": (406, SHORT)}

    for _ in range(2):
        oscar.confirm(ConfirmRequest("HF-1", [LINE]))

    names = [SESSION.fullmatch(request.headers["session-id"]) for request in shop.upstream.seen]
    assert [name["realm"] for name in names if name] == [HOST] * 2
    assert len({name["name"] for name in names if name}) == 2


@pytest.mark.parametrize(
    ("answer", "outcome"), [(SHORT, Outcome.REJECTED_STOCK), (UNKNOWN_PRODUCT, Outcome.REJECTED_OTHER)]
)
def test_a_refused_basket_orders_nothing(oscar, shop, answer, outcome):
    shop.answers = {"/basket/add-product/": (406, answer)}

    assert oscar.confirm(ConfirmRequest("HF-1", [LINE])).outcome is outcome
    assert len(shop.upstream.seen) == 1


def test_an_order_is_found_again_by_our_reference(oscar, shop):
    shop.answers = {"/admin/orders/": [OTHERS_ORDER, ORDER]}

    found = oscar.readback(ConfirmRequest("HF-é/1", [LINE]))
    missing = oscar.readback(ConfirmRequest("HF-é/2", [LINE]))

    assert (found.outcome, found.upstream_order) == (Outcome.ACCEPTED, "100006")
    assert missing.outcome is Outcome.NOT_FOUND
