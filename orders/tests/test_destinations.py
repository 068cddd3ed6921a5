"""Orders that say where to: only levels that may ship there serve them, with the lock and without."""

import json

import pytest
from django.test import Client

from inventory.models import Allocation, Sku

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def goods(make_supplier, make_sku, make_level) -> Sku:
    sku: Sku = make_sku("TEA")
    make_level(sku, 5, supplier=make_supplier("america", ships_to="US"), priority=10)
    make_level(sku, 3, supplier=make_supplier("europe", ships_to="AT DE"), priority=20)
    return sku


def post(client: Client, key: str, quantity: int, **fields: str):
    body = {"reference": key, "lines": [{"sku": "TEA", "quantity": quantity}], **fields}
    return client.post(
        "/api/v1/orders", json.dumps(body), content_type="application/json", headers={"idempotency-key": key}
    )


@pytest.mark.parametrize(("destination", "supplier"), [("DE", "europe"), ("US", "america")])
def test_an_order_is_served_where_it_may_be_sent_from(goods, api_client, destination, supplier):
    answer = post(api_client, "a", 3, destination=destination)
    assert answer.status_code == 201
    assert answer.json()["lines"][0]["allocations"] == [{"supplier": supplier, "quantity": 3}]


def test_a_refusal_says_what_is_available_there(goods, api_client):
    answers = [post(api_client, "a", 4, destination="DE"), post(api_client, "b", 1, destination="FR")]
    assert [answer.status_code for answer in answers] == [409, 409]
    assert [answer.json()["shortages"][0]["available"] for answer in answers] == [3, 0]
    assert not Allocation.objects.exists()


def test_a_refusal_without_the_lock_knows_the_destination(goods, api_client):
    """The SKU refused somebody last, so the next answers come without the lock: by the same rules."""
    post(api_client, "a", 4, destination="DE")
    refused = post(api_client, "b", 4, destination="DE")
    assert (refused.status_code, refused.json()["shortages"][0]["available"]) == (409, 3)
    assert post(api_client, "c", 4, destination="US").status_code == 201


def test_without_a_destination_everything_may_be_sold(goods, api_client):
    assert api_client.get("/api/v1/stock/TEA").json()["available"] == 8
    assert post(api_client, "a", 8).status_code == 201
