"""Whatever is sent to the order routes: the exact 4xx and code as a problem, and not a row more or less than before."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.apps import apps
from django.test import Client
from django.utils import timezone

from inventory.models import StockLevel
from orders.models import Order
from storefronts.models import ApiKey

pytestmark = pytest.mark.django_db
# Placing needs transactions of its own; refusing must not come that far.
places_orders = pytest.mark.django_db(transaction=True)

APPS = ("suppliers", "storefronts", "inventory", "orders")
ORDERS, RESERVATIONS = "/api/v1/orders", "/api/v1/reservations"
GOOD = b'{"reference":"web-1","lines":[{"sku":"A-1","quantity":1}]}'
GOOD_HOLD = b'{"lines":[{"sku":"A-1","quantity":1}],"ttl_seconds":60}'


@pytest.fixture(autouse=True)
def stock(make_level):
    make_level("A-1", 10)


def everything() -> dict[str, object]:
    """How many rows each table has, and every number of stock."""
    counts: dict[str, object] = {
        model._meta.label: model._default_manager.count()
        for app in APPS
        for model in apps.get_app_config(app).get_models()
    }
    counts["levels"] = list(StockLevel.objects.order_by("pk").values())
    return counts


def refused(send: Callable[[], Any], status: int, code: str) -> None:
    before = everything()
    answer = send()
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code), body
    assert {"type", "title", "detail", "request_id"} <= body.keys()
    assert not any(word in answer.content.decode() for word in ("Traceback", "psycopg", "django", "site-packages"))
    assert everything() == before


def post(client: Client, body: bytes, path: str = ORDERS, content_type: str = "application/json", **headers: str):
    # The test client itself would leave the type of an empty body out.
    given = {
        "Content-Type": content_type,
        "Idempotency-Key": "key-1",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return client.post(path, body, content_type, headers={k: v for k, v in given.items() if v is not None})


@places_orders
def test_the_good_order_that_the_others_are_made_of_is_placed(api_client):
    assert post(api_client, GOOD).status_code == 201
    assert post(api_client, GOOD_HOLD, RESERVATIONS).status_code == 201


QUANTITIES = {
    "invalid_quantity": [
        *("0", "-1", "2147483648", "9223372036854775808", "9" * 5000, "1.0", "1e3"),
        *('"1"', '"1_000"', '"１"', "true", "null", "[]", "{}"),
    ],
    "malformed_body": ["NaN", "Infinity", "１", "1_000", "01", ""],
}


@pytest.mark.parametrize("path", [ORDERS, RESERVATIONS])
@pytest.mark.parametrize(
    ("quantity", "code"), [(quantity, code) for code, quantities in QUANTITIES.items() for quantity in quantities]
)
def test_quantity(api_client, path, quantity, code):
    good = GOOD if path == ORDERS else GOOD_HOLD
    body = good.replace(b'"quantity":1', b'"quantity":' + quantity.encode())
    refused(lambda: post(api_client, body, path), 400, code)


def test_lines_of_one_sku_that_add_up_to_too_much(api_client):
    most = b'{"sku":"A-1","quantity":2147483647}'
    refused(lambda: post(api_client, GOOD.replace(b"[{", b"[" + most + b",{")), 400, "invalid_quantity")


SKUS = ["", "a" * 65, "a" * 200_000, "A-1\x00", "A-1\u200b", "../", "{tag}", "lock:A-1", "A 1", "Ａ", None, 1, ["A-1"]]


@pytest.mark.parametrize("sku", SKUS)
def test_sku(api_client, sku):
    body = GOOD.replace(b'"A-1"', msgspec.json.encode(sku))
    refused(lambda: post(api_client, body), 400, "invalid_sku")


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b'"\\ud800"', 400, "malformed_body"),
        (b'"A\x00"', 400, "malformed_body"),
        (b'"\xff"', 400, "malformed_body"),
        (b'"' + b"a" * 1_000_000 + b'"', 413, "body_too_large"),
    ],
)
def test_sku_that_is_not_text_or_too_much_of_it(api_client, raw, status, code):
    refused(lambda: post(api_client, GOOD.replace(b'"A-1"', raw)), status, code)


LINE = b'{"sku":"A-1","quantity":1}'
BODIES = {
    "empty": (b"", 400, "malformed_body"),
    "null": (b"null", 400, "malformed_body"),
    "array": (b"[" + GOOD + b"]", 400, "malformed_body"),
    "text": (b'"order"', 400, "malformed_body"),
    "no members": (b"{}", 400, "malformed_body"),
    "cut": (GOOD[:-1], 400, "malformed_body"),
    "two": (GOOD + GOOD, 400, "malformed_body"),
    "duplicate key": (GOOD.replace(b'"quantity":1', b'"quantity":9,"quantity":1'), 400, "malformed_body"),
    "duplicate lines": (GOOD.replace(b'"lines"', b'"lines":[],"lines"'), 400, "invalid_lines"),
    "duplicate reference": (GOOD.replace(b'"lines"', b'"reference":"x","lines"'), 400, "malformed_body"),
    "unknown field": (GOOD.replace(b'"lines"', b'"price":1,"lines"'), 400, "malformed_body"),
    "unknown field in a line": (GOOD.replace(b'"sku"', b'"price":1,"sku"'), 400, "malformed_body"),
    "nested arrays": (b"[" * 100_000, 400, "malformed_body"),
    "nested objects": (b'{"a":' * 40_000, 400, "malformed_body"),
    "nested in a known member": (b'{"reference":' + b"[" * 100_000, 400, "invalid_reference"),
    "nested lines": (b'{"reference":"web-1","lines":' + b"[" * 100_000, 400, "malformed_body"),
    "3 MB": (b" " * 3_000_000 + GOOD, 413, "body_too_large"),
    "invalid UTF-8": (GOOD.replace(b"web", b"\xc3\x28"), 400, "malformed_body"),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, 400, "malformed_body"),
    "UTF-16": (GOOD.decode().encode("utf-16"), 400, "malformed_body"),
    "no lines": (GOOD.replace(LINE, b""), 400, "invalid_lines"),
    "101 lines": (GOOD.replace(LINE, b",".join([LINE] * 101)), 400, "invalid_lines"),
    "9,000 lines": (GOOD.replace(LINE, b",".join([LINE] * 9_000)), 400, "invalid_lines"),
    "10,000 lines": (GOOD.replace(LINE, b",".join([LINE] * 10_000)), 413, "body_too_large"),
    "NUL in reference": (GOOD.replace(b"web-1", b"web\\u0000"), 400, "invalid_reference"),
    "long reference": (GOOD.replace(b"web-1", b"w" * 129), 400, "invalid_reference"),
    "reservation": (GOOD.replace(b'"lines"', b'"reservation":"1; --","lines"'), 400, "invalid_reservation"),
    "destination": (GOOD.replace(b'"lines"', b'"destination":"Lisboa","lines"'), 400, "invalid_destination"),
}


@pytest.mark.parametrize(("body", "status", "code"), BODIES.values(), ids=BODIES)
def test_body(api_client, body, status, code):
    refused(lambda: post(api_client, body), status, code)


@pytest.mark.parametrize("destination", ['""', '"de"', '"DEU"', '"D1"', '"DE "', "1", "true", "[]", '["DE"]'])
def test_destination_of_a_hold(api_client, destination):
    body = GOOD_HOLD.replace(b'"lines"', b'"destination":' + destination.encode() + b',"lines"')
    refused(lambda: post(api_client, body, RESERVATIONS), 400, "invalid_destination")


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_content_type(api_client, content_type):
    refused(lambda: post(api_client, GOOD, content_type=content_type), 415, "unsupported_media_type")


@pytest.mark.parametrize("path", [ORDERS, RESERVATIONS])
@pytest.mark.parametrize(
    ("key", "code"),
    [
        (None, "idempotency_key_missing"),
        *((key, "invalid_idempotency_key") for key in ("", " ", "k" * 256, "k" * 300, "a b", "é", "\x00", "one,two")),
    ],
)
def test_idempotency_key(api_client, path, key, code):
    good = GOOD if path == ORDERS else GOOD_HOLD
    refused(lambda: post(api_client, good, path, Idempotency_Key=key), 400, code)


@pytest.mark.parametrize("path", [ORDERS, RESERVATIONS])
@pytest.mark.parametrize("kind", ["none", "bad", "revoked", "expired", "inactive"])
def test_key(api_client, api_key, path, kind):
    prefix = api_key.partition(".")[0]
    known = ApiKey.objects.get(prefix=prefix)
    header = f"Api-Key {api_key}"
    match kind:
        case "none":
            header = ""
        case "bad":
            header = f"Api-Key {prefix}.{'x' * 32}"
        case "revoked":
            known.revoked = True
            known.save()
        case "expired":
            known.expiry_date = timezone.now() - timedelta(seconds=1)
            known.save()
        case "inactive":
            known.storefront.active = False
            known.storefront.save()
    good = GOOD if path == ORDERS else GOOD_HOLD
    code = "not_authenticated" if kind == "none" else "authentication_failed"
    refused(lambda: post(Client(headers={"Authorization": header}), good, path), 401, code)


@places_orders
@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("post", ORDERS, "orders:write"),
        ("post", RESERVATIONS, "orders:write"),
        ("delete", f"{RESERVATIONS}/0f8fad5b-d9cb-469f-a165-70867728950e", "orders:write"),
        ("post", f"{ORDERS}/{{number}}/cancel", "orders:write"),
        ("get", f"{ORDERS}/{{number}}", "orders:read"),
        ("get", f"{ORDERS}?reference=web-1", "orders:read"),
    ],
)
def test_scope(api_client, make_api_key, method, path, scope):
    number = post(api_client, GOOD).json()["number"]
    storefront = Order.objects.get().storefront
    others = [each for each in ("stock:read", "orders:read", "orders:write") if each != scope]
    narrow = Client(headers={"Authorization": f"Api-Key {make_api_key(storefront, scopes=others)}"})
    headers = {"Idempotency-Key": "key-2"}
    send = getattr(narrow, method)
    refused(
        lambda: (
            send(path.format(number=number), data=GOOD, content_type="application/json", headers=headers)
            if method == "post"
            else send(path.format(number=number))
        ),
        403,
        "missing_scope",
    )


def test_host(api_client):
    refused(lambda: post(api_client, GOOD, Host="evil.example"), 400, "host_not_allowed")


@places_orders
def test_an_order_of_another_storefront_is_not_there(api_client, make_api_key):
    number = post(api_client, GOOD).json()["number"]
    foreign = Client(headers={"Authorization": f"Api-Key {make_api_key()}"})
    refused(lambda: foreign.get(f"{ORDERS}/{number}"), 404, "not_found")
    refused(lambda: foreign.post(f"{ORDERS}/{number}/cancel"), 404, "not_found")
    assert foreign.get(f"{ORDERS}?reference=web-1").json()["results"] == []


@pytest.mark.parametrize("number", ["nobody", "%00", "x" * 5_000, "..%2e", "%ED%A0%80", "%FF", "1'--"])
def test_order_number(api_client, number):
    refused(lambda: api_client.get(f"{ORDERS}/{number}"), 404, "not_found")
    refused(lambda: api_client.post(f"{ORDERS}/{number}/cancel"), 404, "not_found")


@pytest.mark.parametrize("query", ["", "?reference=", "?reference=%00", "?reference=" + "x" * 129])
def test_reference_of_a_query(api_client, query):
    refused(lambda: api_client.get(f"{ORDERS}{query}"), 400, "invalid_reference")


@pytest.mark.parametrize("seconds", ["0", "-1", "3601", "1.0", '"60"', "true", "null", "9" * 5000])
def test_time_to_live(api_client, seconds):
    body = GOOD_HOLD.replace(b"60", seconds.encode())
    refused(lambda: post(api_client, body, RESERVATIONS), 400, "invalid_ttl_seconds")


@places_orders
def test_a_key_used_for_another_body(api_client):
    assert post(api_client, GOOD).status_code == 201
    other = GOOD.replace(b'"quantity":1', b'"quantity":2')
    refused(lambda: post(api_client, other), 422, "idempotency_key_reused")
