"""Orders that say where to: only levels that may ship there serve them, with the lock and without."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from inventory.models import Allocation, Offer, Sku
from inventory.tests.test_views import problem
from orders.models import Order, Reservation

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def goods(make_supplier, make_sku, make_level) -> Sku:
    sku: Sku = make_sku("TEA")
    make_level(sku, 5, supplier=make_supplier("america", ships_to="US"), priority=10)
    make_level(sku, 3, supplier=make_supplier("europe", ships_to="AT DE"), priority=20)
    return sku


def post(client: Client, key: str, quantity: int, path: str = "orders", **fields: object):
    body = {"lines": [{"sku": "TEA", "quantity": quantity}], **fields}
    if path == "orders":
        body["reference"] = key
    headers = {"idempotency-key": key}
    return client.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json", headers=headers)


def hold(client: Client, key: str, quantity: int, **fields: object) -> str:
    answer = post(client, key, quantity, "reservations", ttl_seconds=600, **fields)
    assert answer.status_code == 201
    return str(answer.json()["id"])


def held() -> dict[str, int]:
    """Supplier → units that holds keep there."""
    open_ones = Allocation.objects.filter(state=Allocation.State.HELD)
    return dict(open_ones.values_list("level__supplier__slug", "quantity"))


def served(answer) -> list[tuple[str, int]]:
    assert answer.status_code == 201, answer.content
    return [(part["supplier"], part["quantity"]) for part in answer.json()["lines"][0]["allocations"]]


def expire(reservation: str) -> None:
    for rows in (Reservation.objects.filter(pk=reservation), Allocation.objects.filter(reference=reservation)):
        rows.update(expires_at=timezone.now() - timedelta(seconds=1))


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


def test_a_hold_keeps_what_may_be_sent_there(goods, api_client):
    hold(api_client, "h", 2, destination="DE")
    assert held() == {"europe": 2}
    assert Allocation.objects.get().destination == "DE"
    refused = post(api_client, "i", 2, "reservations", ttl_seconds=600, destination="DE")
    assert problem(refused, 409, "insufficient_inventory")["shortages"][0]["available"] == 1


@pytest.mark.parametrize("said", [{}, {"destination": "DE"}])
def test_the_order_goes_where_its_hold_does(goods, api_client, said):
    reservation = hold(api_client, "h", 3, destination="DE")
    assert served(post(api_client, "a", 3, reservation=reservation, **said)) == [("europe", 3)]
    assert (held(), Order.objects.get().destination) == ({}, "DE")


def test_another_destination_decides_anew(goods, api_client):
    reservation = hold(api_client, "h", 3, destination="DE")
    assert served(post(api_client, "a", 3, reservation=reservation, destination="US")) == [("america", 3)]
    assert (held(), Order.objects.get().destination) == ({}, "US")
    assert api_client.get("/api/v1/stock/TEA?destination=DE").json()["available"] == 3


def test_another_destination_that_cannot_be_served_leaves_the_hold(goods, api_client):
    reservation = hold(api_client, "h", 3, destination="DE")
    refused = post(api_client, "a", 3, reservation=reservation, destination="FR")
    assert problem(refused, 409, "insufficient_inventory")["shortages"][0]["available"] == 0
    assert held() == {"europe": 3}
    assert served(post(api_client, "b", 3, reservation=reservation)) == [("europe", 3)]


def test_a_hold_that_expired_still_says_where_to(goods, api_client):
    reservation = hold(api_client, "h", 3, destination="DE")
    expire(reservation)
    answer = post(api_client, "a", 3, reservation=reservation)
    assert served(answer) == [("europe", 3)]
    assert answer.json()["reservation_expired"] is True


def test_the_destination_is_part_of_what_a_key_stands_for(goods, api_client):
    first = post(api_client, "h", 1, "reservations", ttl_seconds=600, destination="DE")
    again = post(api_client, "h", 1, "reservations", ttl_seconds=600, destination="DE")
    assert again.content == first.content
    problem(post(api_client, "h", 1, "reservations", ttl_seconds=600, destination="US"), 422, "idempotency_key_reused")
    problem(post(api_client, "h", 1, "reservations", ttl_seconds=600), 422, "idempotency_key_reused")


@pytest.mark.parametrize(("query", "available"), [("", 8), ("?destination=DE", 3), ("?destination=US", 5)])
def test_stock_as_it_is_there(goods, api_client, query, available):
    one = api_client.get(f"/api/v1/stock/TEA{query}").json()
    some = api_client.get(f"/api/v1/stock{query}{'&' if query else '?'}sku=TEA&sku=NOBODY").json()["results"]
    page = api_client.get(f"/api/v1/stock{query}").json()["results"]
    assert [answer["available"] for answer in (one, some[0], page[0])] == [available] * 3
    assert some[1] == {"sku": "NOBODY", "status": "unknown_sku"}


def test_the_number_of_a_destination_never_comes_from_or_into_the_cache(goods, api_client):
    for path, available in (("TEA", 8), ("TEA?destination=DE", 3), ("TEA", 8), ("TEA?destination=US", 5)):
        assert api_client.get(f"/api/v1/stock/{path}").json()["available"] == available
    tags = {api_client.get(f"/api/v1/stock/TEA{query}").headers["ETag"] for query in ("", "?destination=DE")}
    assert len(tags) == 2


def test_where_nothing_may_be_sent_there_is_none_and_not_an_unknown_number(goods, api_client):
    body = api_client.get("/api/v1/stock/TEA?destination=FR").json()
    assert (body["available"], body["status"], body["as_of"] is None) == (0, "out_of_stock", False)


def test_an_offer_says_more_than_its_supplier(goods, api_client):
    Offer.objects.filter(level__supplier__slug="america").update(ships_to="DE")
    assert api_client.get("/api/v1/stock/TEA?destination=DE").json()["available"] == 8


def test_pages_keep_the_destination(goods, api_client, make_level):
    make_level("MUG", 4)
    first = api_client.get("/api/v1/stock?destination=FR&limit=1").json()
    assert [(one["sku"], one["available"]) for one in first["results"]] == [("MUG", 4)]
    second = api_client.get(first["next"]).json()
    assert [(one["sku"], one["available"]) for one in second["results"]] == [("TEA", 0)]


@pytest.mark.parametrize("country", ["", "de", "D", "DEU", "D1", "ＤＥ", "%00", "DE "])
@pytest.mark.parametrize("path", ["/api/v1/stock/TEA?", "/api/v1/stock?sku=TEA&", "/api/v1/stock?"])
def test_what_is_no_country(goods, api_client, path, country):
    problem(api_client.get(f"{path}destination={country}"), 400, "invalid_destination")


def test_an_invalid_version_is_one_with_a_destination_too(goods, api_client):
    problem(api_client.get("/api/v1/stock/TEA?destination=DE&min_version=x"), 400, "invalid_min_version")
