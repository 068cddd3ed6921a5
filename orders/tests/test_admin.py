"""Orders in the admin: read, cancelled, found."""

import json

import pytest
from django.contrib.admin.models import LogEntry

from inventory.models import Allocation, StockLevel, StockMovement
from orders.models import Order, Reservation

LIST = "/admin/orders/order/"


@pytest.fixture
def order(transactional_db, make_level, api_client):
    """An order for 2 of 5, placed over HTTP: with a lock of its own, so in transactions of its own."""
    make_level("TEA", 5)
    body = {"reference": "cart-1", "lines": [{"sku": "TEA", "quantity": 2}]}
    headers = {"idempotency-key": "k"}
    api_client.post("/api/v1/orders", json.dumps(body), content_type="application/json", headers=headers)
    return Order.objects.get()


def test_the_page_shows_lines_and_what_upstream_knows(order, admin_client):
    page = admin_client.get(f"{LIST}{order.pk}/change/").content.decode()
    for text in ("TEA", "committed", f">{StockLevel.objects.get().supplier.slug}<"):
        assert text in page


def test_a_reference_leads_to_its_order_or_its_reservation(order, sign_in):
    client, bytes_of = sign_in("ops"), {"fingerprint": b"f" * 32, "answer": b"{}", "storefront": order.storefront}
    hold = Reservation.objects.create(idempotency_key="r", lines={"TEA": 1}, expires_at=order.placed_at, **bytes_of)
    for reference, page in (
        (order.number, f"order/{order.pk}"),
        (f"{order.number}.2", f"order/{order.pk}"),
        (str(hold.pk), f"reservation/{hold.pk}"),
    ):
        assert client.get(f"{LIST}behind/{reference}/")["Location"] == f"/admin/orders/{page}/change/"
    assert client.get(f"{LIST}behind/nobody/").status_code == 404
    assert sign_in("nobody").get(f"{LIST}behind/{order.number}/", follow=True).status_code == 403


def test_a_cancel_asks_then_releases_once_and_names_the_person(order, sign_in):
    client, dialog = sign_in("ops"), f"{LIST}{order.pk}/cancel/"
    client.get(dialog)
    assert Order.objects.get().status == "placed"
    for _ in range(2):
        answer = client.post(dialog, {"_form_submitted": "on"})
        assert answer["HX-Redirect"] == f"{LIST}{order.pk}/change/"
    assert Order.objects.get().status == "cancelled"
    assert Allocation.objects.get().state == "released"
    assert StockLevel.objects.get().allocated == 0
    released = StockMovement.objects.get(cause="release")
    assert (released.actor, bool(released.request_id)) == ("admin:ops", True)
    assert LogEntry.objects.get().change_message == "Cancelled."


def test_merchants_see_orders_and_cannot_cancel(order, sign_in):
    client = sign_in("merchant")
    assert client.get(f"{LIST}{order.pk}/change/").status_code == 200
    assert client.post(f"{LIST}{order.pk}/cancel/", {"_form_submitted": "on"}).status_code == 403
    client.post(LIST, {"action": "cancel_orders", "_selected_action": [order.pk]})
    assert Order.objects.get().status == "placed"


def test_orders_are_found_by_number_and_reference(order, admin_client):
    for term, count in ((order.number, 1), ("cart-1", 1), ("cart", 0)):
        assert len(admin_client.get(LIST, {"q": term}).context["cl"].result_list) == count
