"""What storefronts and people see of an order that a supplier does not deliver."""

import json

import pytest
from django.test import Client

from inventory import claims
from inventory.models import Allocation
from orders.models import Order
from suppliers.models import Supplier
from suppliers.readings import ConfirmResult, Outcome

pytestmark = pytest.mark.django_db(transaction=True)
ORDERS = "/admin/orders/order/"


@pytest.fixture
def number(make_supplier, make_sku, make_level, api_client) -> str:
    """An order for 5 of 6 units of its supplier; another one has 3."""
    sku = make_sku("TEA")
    make_level(sku, 6, supplier=make_supplier("first"), priority=10)
    make_level(sku, 3, supplier=make_supplier("second", ships_to="DE"), priority=20)
    body = {"reference": "r", "lines": [{"sku": "TEA", "quantity": 5}], "destination": "DE"}
    answer = api_client.post(
        "/api/v1/orders", json.dumps(body), content_type="application/json", headers={"idempotency-key": "k"}
    )
    return str(answer.json()["number"])


def told(supplier: str, number: str, outcome: Outcome) -> None:
    claimed = claims.claim(Supplier.objects.get(slug=supplier), number, lease_seconds=60)
    assert claimed
    claims.conclude(claimed, ConfirmResult(outcome))


def line_of(api_client: Client, number: str) -> dict[str, object]:
    line: dict[str, object] = api_client.get(f"/api/v1/orders/{number}").json()["lines"][0]
    del line["version"]
    return line


def test_the_storefront_sees_who_delivers_now_and_what_is_at_risk(number, api_client):
    told("first", number, Outcome.REJECTED_STOCK)
    assert line_of(api_client, number) == {
        "sku": "TEA",
        "quantity": 5,
        "state": "at_risk",
        "at_risk": 2,
        "cancelled": 0,
        "allocations": [
            {"supplier": "first", "quantity": 5, "state": "lost"},
            {"supplier": "second", "quantity": 3, "state": "committed"},
        ],
    }


def test_the_storefront_sees_what_a_supplier_s_policy_cancels(number, api_client):
    Supplier.objects.filter(slug="first").update(on_rejection="cancel")
    told("first", number, Outcome.REJECTED_STOCK)
    line = line_of(api_client, number)
    assert (line["state"], line["at_risk"], line["cancelled"]) == ("cancelled", 0, 5)
    assert api_client.get(f"/api/v1/orders/{number}").json()["status"] == "placed"


def test_a_cancel_afterwards_takes_back_what_moved(number, api_client):
    told("first", number, Outcome.REJECTED_STOCK)
    assert api_client.post(f"/api/v1/orders/{number}/cancel").status_code == 200
    states = list(Allocation.objects.order_by("id").values_list("state", "at_risk"))
    assert states == [("lost", 0), ("released", 0)]
    assert line_of(api_client, number)["state"] == "cancelled"
    assert api_client.get("/api/v1/stock/TEA").json()["available"] == 3


def test_a_person_finds_orders_at_risk_and_looks_for_stock_again(number, admin_client, make_level):
    sku = Allocation.objects.get().sku
    assert number not in admin_client.get(ORDERS, {"at_risk": "yes"}).content.decode()
    told("first", number, Outcome.REJECTED_STOCK)
    assert number in admin_client.get(ORDERS, {"at_risk": "yes"}).content.decode()
    order = Order.objects.get()
    page = admin_client.get(f"{ORDERS}{order.pk}/change/").content.decode()
    assert "at risk" in page
    make_level(sku, 9)
    chosen = {"action": "source_again", "_selected_action": [order.pk]}
    answer = admin_client.post(ORDERS, chosen, follow=True).content.decode()
    assert "Looked at again: 1 with units at risk. Still at risk: none." in answer
    assert Allocation.objects.filter(state="committed").count() == 2
