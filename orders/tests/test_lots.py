"""Goods that upstream delivers in lots or from a minimum order on, as a storefront meets them."""

import pytest

from inventory import availability
from inventory.models import Allocation, LevelPolicy, Sku
from inventory.tests.ledgers import differences
from orders.models import Order
from orders.tests.test_views import order, post

pytestmark = pytest.mark.django_db(transaction=True)


def available(code: str = "TEA") -> int:
    return availability.read([code], allow_cached=False)[code].available


def refused(answer) -> dict[str, int | None]:
    assert (answer.status_code, answer.json()["code"]) == (422, "quantity_not_orderable")
    (line,) = answer.json()["lines"]
    return {name: line[name] for name in ("requested", "below", "above")}


def test_a_quantity_between_lots_is_refused_with_what_can_be_ordered(make_level, api_client):
    make_level("TEA", 18, lot=6)
    assert refused(post(api_client, "orders", order(("TEA", 8)))) == {"requested": 8, "below": 6, "above": 12}
    assert not Order.objects.exists()
    assert not Allocation.objects.exists()
    assert post(api_client, "orders", order(("TEA", 12))).status_code == 201
    assert available() == 6
    assert differences() == []


def test_the_key_of_a_refused_quantity_may_be_used_again(make_level, api_client):
    make_level("TEA", 18, lot=6)
    assert post(api_client, "orders", order(("TEA", 8))).status_code == 422
    assert post(api_client, "orders", order(("TEA", 6))).status_code == 201


def test_below_the_minimum_order(make_level, api_client):
    make_level("TEA", 18, min_order=10)
    assert refused(post(api_client, "orders", order(("TEA", 9)))) == {"requested": 9, "below": None, "above": 10}
    assert post(api_client, "orders", order(("TEA", 11))).status_code == 201
    assert available() == 0, "the 7 that are left are fewer than upstream takes"


def test_more_than_there_is_stays_insufficient_inventory(make_level, api_client):
    make_level("TEA", 18, lot=12)
    answer = post(api_client, "orders", order(("TEA", 13)))
    assert answer.status_code == 409
    assert answer.json()["shortages"][0]["available"] == available() == 12


def test_several_levels_serve_what_one_cannot(make_level, api_client):
    dozens = make_level("TEA", 24, lot=12, priority=1)
    single = make_level("TEA", 5)
    answer = post(api_client, "orders", order(("TEA", 14))).json()
    assert {part["supplier"]: part["quantity"] for part in answer["lines"][0]["allocations"]} == {
        dozens.supplier.slug: 12,
        single.supplier.slug: 2,
    }
    assert refused(post(api_client, "orders", order(("TEA", 8)), "k2")) == {"requested": 8, "below": 3, "above": 12}


def test_a_sku_that_is_not_split_is_served_by_a_level_whose_lots_fit(make_sku, make_level, api_client):
    sku = make_sku("TEA", splittable=False)
    make_level(sku, 24, lot=12, priority=1)
    tens = make_level(sku, 20, lot=10)
    answer = post(api_client, "orders", order(("TEA", 10))).json()
    assert [part["supplier"] for part in answer["lines"][0]["allocations"]] == [tens.supplier.slug]
    assert refused(post(api_client, "orders", order(("TEA", 14)), "k2")) == {"requested": 14, "below": 12, "above": 24}


def test_what_is_shown_beside_safety_stock_can_be_ordered(make_sku, make_level, api_client):
    make_level(make_sku("TEA", safety_stock=2), 18, lot=6)
    assert available() == 12
    assert post(api_client, "orders", order(("TEA", available()))).status_code == 201
    assert available() == 0


def test_a_hold_is_refused_alike(make_level, api_client):
    make_level("TEA", 18, lot=6)
    answer = post(api_client, "reservations", {"lines": [{"sku": "TEA", "quantity": 5}], "ttl_seconds": 60})
    assert refused(answer) == {"requested": 5, "below": None, "above": 6}


def test_a_basket_names_every_line_in_the_way_and_takes_nothing(make_level, api_client):
    for code in ("COFFEE", "TEA"):
        make_level(code, 18, lot=6)
    make_level("MILK", 3)
    answer = post(api_client, "orders", order(("COFFEE", 5), ("MILK", 2), ("TEA", 7)))
    assert [line["sku"] for line in answer.json()["lines"]] == ["COFFEE", "TEA"]
    assert not Allocation.objects.exists()
    assert available("MILK") == 3


def test_a_person_says_in_what_lots_a_level_is_sold(make_level, api_client):
    level = make_level("TEA", 18)
    before = Sku.objects.get(code="TEA").version
    LevelPolicy.objects.create(level=level, lot=5, min_order=10)
    assert Sku.objects.get(code="TEA").version > before
    assert available() == 15
    assert refused(post(api_client, "orders", order(("TEA", 6)))) == {"requested": 6, "below": None, "above": 10}


def test_of_a_stale_number_at_most_the_cap_is_sold(make_supplier, make_level, api_client):
    supplier = make_supplier(stale_after_seconds=60, stale_cap=4)
    make_level("TEA", 18, supplier=supplier, read_at="2026-01-01T00:00Z")
    assert available() == 4
    assert post(api_client, "orders", order(("TEA", 3))).status_code == 201
    assert available() == 1
    assert post(api_client, "orders", order(("TEA", 2)), "k2").status_code == 409
