"""Orders and holds over HTTP, as a storefront uses them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis_lock
from django.db import OperationalError
from django.test import Client

from inventory import locks, stock
from inventory.models import Allocation
from orders.models import Order

pytestmark = pytest.mark.django_db(transaction=True)


def post(client: Client, path: str, body: object, key: str = "k") -> Any:
    return client.post(
        f"/api/v1/{path}", json.dumps(body), content_type="application/json", headers={"idempotency-key": key}
    )


def order(*lines: tuple[str, int], **fields: object) -> dict[str, object]:
    return {"reference": "cart-1", "lines": [{"sku": sku, "quantity": units} for sku, units in lines], **fields}


@pytest.fixture
def stranger(make_api_key: Callable[..., str]) -> Client:
    return Client(headers={"authorization": f"Api-Key {make_api_key()}"})


def test_an_order_is_answered_in_full_and_again_with_the_same_bytes(make_level, api_client):
    level = make_level("TEA", 5)
    first = post(api_client, "orders", order(("TEA", 1), ("TEA", 1)))
    assert first.status_code == 201
    answer = first.json()
    assert answer == {
        "number": Order.objects.get().number,
        "reference": "cart-1",
        "status": "placed",
        "placed_at": answer["placed_at"],
        "lines": [
            {
                "sku": "TEA",
                "quantity": 2,
                "version": answer["lines"][0]["version"],
                "allocations": [{"supplier": level.supplier.slug, "quantity": 2}],
            }
        ],
    }
    api_client.post(f"/api/v1/orders/{answer['number']}/cancel")
    assert post(api_client, "orders", order(("TEA", 2))).content == first.content


def test_insufficient_inventory_is_a_problem_that_names_the_short_lines(make_level, api_client):
    make_level("TEA", 1)
    response = post(api_client, "orders", order(("TEA", 2), ("NONE", 1)))
    assert (response.status_code, response["content-type"]) == (409, "application/problem+json")
    problem = response.json()
    assert (problem["title"], problem["code"]) == ("Insufficient inventory", "insufficient_inventory")
    version = problem["shortages"][1].pop("version")
    assert problem["shortages"] == [
        {"sku": "NONE", "requested": 1, "available": 0, "version": 0},
        {"sku": "TEA", "requested": 2, "available": 1},
    ]
    assert version == api_client.get("/api/v1/stock/TEA").json()["version"]


def test_a_key_for_another_body_is_422(make_level, api_client):
    make_level("TEA", 5)
    post(api_client, "orders", order(("TEA", 1)))
    response = post(api_client, "orders", order(("TEA", 2)))
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")


def test_the_stock_api_has_the_new_number_before_the_answer(make_level, api_client):
    make_level("TEA", 5)
    assert api_client.get("/api/v1/stock/TEA").json()["available"] == 5
    version = post(api_client, "orders", order(("TEA", 2))).json()["lines"][0]["version"]
    read = api_client.get(f"/api/v1/stock/TEA?min_version={version}").json()
    assert (read["available"], read["version"]) == (3, version)


def test_an_order_is_found_by_number_and_by_reference_with_its_upstream_state(make_level, api_client):
    level = make_level("TEA", 5)
    number = post(api_client, "orders", order(("TEA", 2))).json()["number"]
    shown = api_client.get(f"/api/v1/orders/{number}").json()
    assert shown["lines"][0]["allocations"] == [{"supplier": level.supplier.slug, "quantity": 2, "state": "committed"}]
    assert api_client.get("/api/v1/orders?reference=cart-1").json() == {"results": [shown]}
    assert api_client.get("/api/v1/orders?reference=other").json() == {"results": []}
    assert api_client.get("/api/v1/orders").status_code == 400


def test_a_cancel_is_repeatable(make_level, api_client):
    make_level("TEA", 5)
    number = post(api_client, "orders", order(("TEA", 2))).json()["number"]
    first = api_client.post(f"/api/v1/orders/{number}/cancel")
    assert (first.status_code, first.json()["status"]) == (200, "cancelled")
    assert first.json()["lines"][0]["allocations"][0]["state"] == "released"
    assert api_client.post(f"/api/v1/orders/{number}/cancel").content == first.content
    assert api_client.get("/api/v1/stock/TEA").json()["available"] == 5


def test_what_another_storefront_has_does_not_exist(make_level, api_client, stranger):
    make_level("TEA", 5)
    number = post(api_client, "orders", order(("TEA", 2))).json()["number"]
    hold = post(api_client, "reservations", {"lines": [{"sku": "TEA", "quantity": 1}], "ttl_seconds": 60}).json()["id"]
    assert stranger.get(f"/api/v1/orders/{number}").status_code == 404
    assert stranger.post(f"/api/v1/orders/{number}/cancel").status_code == 404
    assert stranger.delete(f"/api/v1/reservations/{hold}").status_code == 404
    assert stranger.get("/api/v1/orders?reference=cart-1").json() == {"results": []}
    assert post(stranger, "orders", order(("TEA", 1), reservation=hold)).status_code == 422
    assert Allocation.objects.filter(state="released").count() == 0
    assert post(stranger, "orders", order(("TEA", 1))).json()["number"] != number


def test_a_hold_is_consumed_by_an_order_or_given_back(make_level, api_client):
    make_level("TEA", 5)
    body = {"lines": [{"sku": "TEA", "quantity": 5}], "ttl_seconds": 60}
    first = post(api_client, "reservations", body)
    assert first.status_code == 201
    assert post(api_client, "reservations", body).content == first.content
    hold = first.json()
    assert hold["lines"] == [{"sku": "TEA", "quantity": 5}]
    assert post(api_client, "orders", order(("TEA", 1)), key="other").status_code == 409
    assert post(api_client, "orders", order(("TEA", 4), reservation=hold["id"]), key="less").status_code == 422
    assert post(api_client, "orders", order(("TEA", 5), reservation=hold["id"])).status_code == 201
    assert api_client.delete(f"/api/v1/reservations/{hold['id']}").status_code == 204
    assert api_client.get("/api/v1/stock/TEA").json()["available"] == 0


def test_a_hold_given_back_frees_its_units_once(make_level, api_client):
    level = make_level("TEA", 5)
    body = {"lines": [{"sku": "TEA", "quantity": 5}], "ttl_seconds": 60}
    hold = post(api_client, "reservations", body).json()["id"]
    for _ in range(2):
        assert api_client.delete(f"/api/v1/reservations/{hold}").status_code == 204
    level.refresh_from_db()
    assert (level.allocated, level.version) == (0, 3)


def test_a_lock_that_is_not_granted_is_503_and_says_when_to_come_back(make_level, api_client, settings):
    settings.SKU_LOCK_ACQUIRE_SECONDS = 1
    make_level("TEA", 5)
    other = redis_lock.Lock(locks._client(settings.REDIS_URL), "{sku:TEA}", expire=30)
    other.acquire(blocking=False)
    response = post(api_client, "orders", order(("TEA", 1)))
    assert (response.status_code, response.json()["code"]) == (503, "busy")
    assert int(response["retry-after"]) >= 1
    other.release()


def test_a_database_that_fails_is_503_and_the_same_key_tells_later(make_level, api_client, monkeypatch):
    make_level("TEA", 5)

    def fail(*_: object) -> None:
        raise OperationalError

    with monkeypatch.context() as broken:
        broken.setattr(stock, "allocate", fail)
        assert post(api_client, "orders", order(("TEA", 1))).status_code == 503
    assert post(api_client, "orders", order(("TEA", 1))).status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("post", "orders", "orders:read"),
        ("get", "orders?reference=x", "orders:write"),
        ("post", "orders/HF-1/cancel", "orders:read"),
        ("post", "reservations", "stock:read"),
    ],
)
def test_every_route_asks_for_its_scope(make_api_key, method, path, scope):
    client = Client(headers={"authorization": f"Api-Key {make_api_key(scopes=[scope])}"})
    assert getattr(client, method)(f"/api/v1/{path}").status_code == 403
    assert getattr(Client(), method)(f"/api/v1/{path}").status_code == 401
