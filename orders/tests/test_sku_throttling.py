"""A storefront may ask for so many orders of one SKU in a minute; no other SKU or storefront is the worse for it."""

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test import Client, override_settings
from limits import RateLimitItemPerDay

from inventory.models import Allocation
from inventory.tests.test_views import problem
from orders.models import Order
from storefronts import sku_throttling, throttling
from storefronts.models import Storefront

pytestmark = pytest.mark.django_db(transaction=True)

numbers = count(1)


@pytest.fixture(autouse=True)
def long_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """No window ends in the middle of a test."""
    monkeypatch.setattr(sku_throttling, "RateLimitItemPerMinute", RateLimitItemPerDay)


@pytest.fixture(autouse=True)
def goods(make_level) -> None:
    make_level("TEA", 100)
    make_level("MUG", 100)


@pytest.fixture
def key(make_storefront, make_api_key) -> str:
    """Of a storefront that may ask three times for a SKU."""
    return str(make_api_key(make_storefront("careful", orders_per_sku=3)))


def client_of(key: str) -> Client:
    return Client(headers={"authorization": f"Api-Key {key}"})


def ask(client: Client, *codes: str, path: str = "orders", key: str = "", **fields: Any) -> Any:
    body: dict[str, Any] = {"lines": [{"sku": code, "quantity": 1} for code in codes], **fields}
    if path == "orders":
        body["reference"] = "web"
    headers = {"idempotency-key": key or f"key-{next(numbers)}"}
    return client.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json", headers=headers)


def test_one_more_than_allowed_has_to_wait_and_nothing_is_placed(key):
    client = client_of(key)
    assert [ask(client, "TEA").status_code for _ in range(3)] == [201, 201, 201]
    refused = ask(client, "TEA")
    assert problem(refused, 429, "throttled")["sku"] == "TEA"
    assert 0 < int(refused.headers["Retry-After"]) <= 86_400
    assert (Order.objects.count(), Allocation.objects.count()) == (3, 3)
    assert ask(client, "MUG").status_code == 201


def test_lines_of_one_sku_are_one_order_and_baskets_count_for_each(key):
    client = client_of(key)
    assert [ask(client, "TEA", "TEA", "MUG").status_code for _ in range(3)] == [201, 201, 201]
    assert problem(ask(client, "MUG", "TEA"), 429, "throttled")["sku"] == "MUG"


def test_holds_count_too_and_so_do_repeats_and_refusals(key):
    client = client_of(key)
    assert ask(client, "TEA", path="reservations", ttl_seconds=60).status_code == 201
    assert ask(client, "TEA", key="same").status_code == 201
    assert ask(client, "TEA", key="same").status_code == 201
    problem(ask(client, "TEA", path="reservations", ttl_seconds=60), 429, "throttled")


def test_no_other_storefront_is_the_worse_for_it(key, api_client, make_storefront, make_api_key):
    other = client_of(make_api_key(make_storefront(orders_per_sku=3)))
    for _ in range(4):
        ask(client_of(key), "TEA")
    assert ask(other, "TEA").status_code == 201
    assert [ask(api_client, "TEA").status_code for _ in range(6)] == [201] * 6  # no number: no limit


def test_an_invalid_body_is_not_counted(key):
    client = client_of(key)
    for _ in range(5):
        problem(ask(client, "TEA", price=1), 400, "malformed_body")
    assert ask(client, "TEA").status_code == 201


def test_a_new_number_counts_anew(key):
    client = client_of(key)
    assert [ask(client, "TEA").status_code for _ in range(4)][-1] == 429
    storefront = Storefront.objects.get(slug="careful")
    storefront.orders_per_sku = 5
    storefront.save()
    assert ask(client, "TEA").status_code == 201


def test_the_limit_is_exact_under_concurrency(key):
    start = Barrier(8)

    def hurry(_: int) -> int:
        start.wait(10)
        try:
            return int(ask(client_of(key), "TEA").status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(hurry, range(8)))
    assert statuses == [201] * 3 + [429] * 5
    assert Order.objects.count() == 3


def test_without_redis_each_process_counts_for_itself(key, monkeypatch):
    throttling.shared_counter.cache_clear()
    throttling.own_counter.cache_clear()
    monkeypatch.setattr(throttling.StorefrontThrottle, "redis_paused_until", 0.0)
    with override_settings(CACHE_URL="redis://127.0.0.1:1/0"):
        assert [ask(client_of(key), "TEA").status_code for _ in range(4)] == [201, 201, 201, 429]
    throttling.shared_counter.cache_clear()


@pytest.mark.parametrize("number", [0, -1])
def test_a_number_that_would_stop_everything_is_refused(make_storefront, admin_client, number):
    page = admin_client.post("/admin/storefronts/storefront/add/", {"name": "S", "slug": "s", "orders_per_sku": number})
    assert page.status_code == 200
    assert "greater than or equal to" in page.content.decode()
    with pytest.raises(IntegrityError):
        make_storefront(orders_per_sku=number)
