"""Every page of the admin, with rows in it, for everybody who may see it."""

import pytest
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.urls import reverse

from inventory import effects
from inventory.models import (
    Alert,
    AlertChannel,
    Allocation,
    Discrepancy,
    Effect,
    Feed,
    LearnedBuffer,
    LevelPolicy,
    Offer,
    Push,
    SalesEvent,
    Sku,
    Snapshot,
)
from inventory_project.roles import MORE
from orders.models import Order, OrderLine, Reservation
from suppliers.models import Supplier, Switchboard

pytestmark = pytest.mark.django_db
EVERYTHING_OURS = {"suppliers", "inventory", "orders", "admin"}


@pytest.fixture
def stock(make_supplier, make_level, make_storefront):
    """A row of everything that the admin shows."""
    supplier = make_supplier("acme", config={"base_url": "https://acme.example"})
    level = make_level("LAMP", 9, supplier=supplier, location="HAM")
    LevelPolicy.objects.create(level=level, buffer=1)
    LearnedBuffer.objects.create(supplier=supplier, level=level, buffer=2, proven=True, reason="refused too often")
    Feed.objects.create(supplier=supplier, complete_as_of=level.read_at, complete_until=level.read_at, rows=1)
    Snapshot.objects.create(supplier=supplier, kind="full", status="applied", total=1, seen=1)
    Snapshot.objects.create(supplier=supplier, kind="full", status="refused", reason="too few rows", seen=3)
    Push.objects.create(supplier=supplier, event_id="e-1", body=b'{"id": "LAMP"}', verdict="applied")
    Discrepancy.objects.create(kind="lost", supplier=supplier, level=level, reference="N-1", evidence={"a": 1})
    Switchboard.objects.get_or_create(pk=1)
    channel = AlertChannel.objects.create(name="pager", email="ops@shop.example")
    Alert.objects.create(channel=channel, message_id="msg_1", kind="test", body={"a": 1})
    SalesEvent.objects.create(name="Sale", starts_at="2020-11-27T00:00Z", ends_at="2030-11-27T00:00Z", buffer_units=3)
    effects.record([effects.Due(Effect.Kind.SYNC, str(level.pk), supplier.pk)])
    lamp = Sku.objects.get(code="LAMP")
    Allocation.objects.create(level=level, sku=lamp, reference="N-1", quantity=2)
    bytes_of = {"fingerprint": b"f" * 32, "answer": b"{}", "storefront": make_storefront("shop")}
    order = Order.objects.create(number="N-1", reference="R-1", idempotency_key="o", **bytes_of)
    OrderLine.objects.create(order=order, sku=lamp, quantity=2, version=lamp.version)
    person = User.objects.create_user("anna")
    LogEntry.objects.log_actions(person.pk, [lamp], CHANGE, "Stopped selling.")
    Reservation.objects.create(idempotency_key="r", lines={"LAMP": 1}, expires_at=level.read_at, **bytes_of)


def pages_of(app_labels: set[str]) -> dict[str, list[str]]:
    """Model label → its list and the page of its first row."""
    pages = {}
    for model, model_admin in admin.site._registry.items():
        options = model_admin.opts
        if options.app_label not in app_labels:
            continue
        name = f"admin:{options.app_label}_{options.model_name}"
        row = model._default_manager.first()
        assert row is not None, f"no {options.label} to show"
        pages[options.label] = [reverse(f"{name}_changelist"), reverse(f"{name}_change", args=[row.pk])]
    return pages


@pytest.mark.parametrize("role", ["superuser", *MORE])
def test_every_page_renders(stock, sign_in, role):
    client = sign_in(role)
    pages = pages_of(EVERYTHING_OURS)
    assert len(pages) == 19
    for urls in pages.values():
        for url in urls:
            answer = client.get(url, follow=True)
            assert answer.status_code == 200, url
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize("role", ["superuser", *MORE])
def test_every_history_renders(stock, sign_in, role):
    client = sign_in(role)
    for label, (_, url) in pages_of(EVERYTHING_OURS).items():
        history = url.replace("/change/", "/history/")
        assert client.get(history).status_code == 200, label
    for model in (Supplier, Sku, Offer):
        version = model.history.first()
        url = reverse(
            f"admin:{model._meta.app_label}_{model._meta.model_name}_simple_history", args=[version.id, version.pk]
        )
        assert client.get(url).status_code == 200, model


def test_an_empty_configuration_is_an_empty_field(sign_in):
    page = sign_in("merchant").get("/admin/suppliers/supplier/add/").content.decode()
    assert ">\nnull</textarea>" not in page


@pytest.mark.parametrize("form", ["suppliers/supplier", "inventory/sku", "inventory/offer"])
def test_every_empty_form_renders(sign_in, form):
    assert sign_in("merchant").get(f"/admin/{form}/add/").status_code == 200


def test_people_without_a_role_see_nothing(stock, sign_in):
    client = sign_in("nobody")
    for urls in pages_of(EVERYTHING_OURS).values():
        for url in urls:
            assert client.get(url).status_code == 403, url
    page = client.get("/admin/").content.decode()
    assert "Open discrepancies" not in page


def test_pages_ask_nothing_of_other_hosts(stock, admin_client):
    urls = [url for pages in pages_of(EVERYTHING_OURS).values() for url in pages]
    for url in ["/admin/", *urls]:
        page = admin_client.get(url, follow=True).content.decode()
        for attribute in ('src="http', 'src="//', 'rel="stylesheet" href="http', "@import"):
            assert attribute not in page, url


def test_nothing_of_the_ledger_can_be_posted(stock, admin_client):
    """Not even a superuser edits what only the service writes."""
    closed = {
        "StockLevel",
        "Allocation",
        "StockMovement",
        "Snapshot",
        "Discrepancy",
        "Effect",
        "Push",
        "Order",
        "Reservation",
    }
    for label, (listing, change) in pages_of({"inventory", "orders"}).items():
        if label.split(".")[1] in closed:
            assert admin_client.post(change, {"quantity": 99, "sellable": 99}).status_code == 403, label
            assert admin_client.post(f"{listing}add/", {}).status_code == 403, label
            assert admin_client.post(change.replace("/change/", "/delete/"), {"post": "yes"}).status_code == 403, label
