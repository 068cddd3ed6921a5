"""No list of the admin costs more queries when it is full."""

import pytest
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory.models import (
    Alert,
    AlertChannel,
    Allocation,
    Discrepancy,
    Effect,
    Feed,
    LearnedBuffer,
    LevelPolicy,
    Push,
    SalesEvent,
    Sku,
    Snapshot,
)
from orders.models import Order, OrderLine, Reservation
from storefronts.models import ApiKey, Storefront
from suppliers.models import Switchboard

pytestmark = pytest.mark.django_db
ROWS = 51  # more than a page of most lists
# Session, person, rights, filters (one or two queries each), the count, the rows, and what belongs to all of them.
MOST_QUERIES = 16
WHEN = "2030-01-01T00:00Z"


def rows_of_everything(number, make_supplier, make_level):
    """One more row of all that the admin lists, each with everything that its line names."""
    supplier = make_supplier(f"s-{number}")
    level = make_level(f"A-{number}", 9, supplier=supplier)
    sku = Sku.objects.get(code=f"A-{number}")
    LevelPolicy.objects.create(level=level, buffer=1)
    LearnedBuffer.objects.create(supplier=supplier, level=level, buffer=2, proven=True, reason="refused")
    Feed.objects.create(supplier=supplier, complete_as_of=level.read_at, complete_until=level.read_at, rows=1)
    Snapshot.objects.create(supplier=supplier, kind="full", status="applied", total=1, seen=1)
    Push.objects.create(supplier=supplier, body=b"{}")
    Discrepancy.objects.create(kind="lost", supplier=supplier, level=level, reference=f"N-{number}")
    channel = AlertChannel.objects.create(name=f"pager {number}", email="ops@shop.example")
    Alert.objects.create(channel=channel, message_id=f"m-{number}", kind="test", body={}, delivered_at=WHEN)
    event = SalesEvent.objects.create(name=f"Sale {number}", starts_at="2020-01-01T00:00Z", ends_at=WHEN)
    event.suppliers.add(supplier)
    event.skus.add(sku)
    Effect.objects.create(kind="sync", supplier=supplier, target=str(level.pk))
    Allocation.objects.create(level=level, sku=sku, reference=f"N-{number}", quantity=2)
    shop = Storefront.objects.create(name=f"Shop {number}", slug=f"shop-{number}")
    ApiKey.objects.create_key(name="key", storefront=shop)
    bytes_of = {"fingerprint": b"f" * 32, "answer": b"{}", "storefront": shop, "idempotency_key": "k"}
    order = Order.objects.create(number=f"N-{number}", reference="R", **bytes_of)
    OrderLine.objects.create(order=order, sku=sku, quantity=2, version=sku.version)
    Reservation.objects.create(lines={sku.code: 1}, expires_at=WHEN, **bytes_of)
    person = User.objects.create_user(f"person-{number}")
    Group.objects.create(name=f"group-{number}")
    LogEntry.objects.log_actions(person.pk, [sku], CHANGE, "Stopped selling.")


def test_a_full_list_costs_no_more_queries(admin_client, make_supplier, make_level):
    def queries(url):
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(url, follow=True).status_code == 200, url
        return len(captured)

    Switchboard.objects.get_or_create(pk=1)
    rows_of_everything(0, make_supplier, make_level)
    urls = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") for model in admin.site._registry
    ]
    for url in urls:
        queries(url)  # content types are cached from here on
    few = {url: queries(url) for url in urls}
    for number in range(1, ROWS):
        rows_of_everything(number, make_supplier, make_level)
    full = {url: queries(url) for url in urls}
    dearer = {url: (few[url], count) for url, count in full.items() if count > few[url]}
    assert not dearer, "queries with one row, with many"
    assert max(full.values()) <= MOST_QUERIES, full
