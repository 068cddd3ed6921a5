"""The first page of the admin: true numbers, and never many queries."""

from collections import Counter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory import availability
from inventory.models import Alert, AlertChannel, Allocation, Discrepancy, Effect, Feed, SalesEvent, Sku, Snapshot
from inventory_project import dashboard
from suppliers.models import Switchboard

pytestmark = pytest.mark.django_db
LONG_AGO = "2020-01-01T00:00Z"


@pytest.fixture
def shelf(make_supplier, make_level, make_sku):
    """SKUs in every state that the rules know."""
    strict = make_supplier(expire_after_seconds=900, stale_after_seconds=60)
    make_level("PLENTY", 50)
    make_level("FEW", 3)
    make_level("NONE", 0)
    make_level("OLD", 9, supplier=strict, read_at=LONG_AGO)
    make_level("INHERITS", 9, supplier=strict, read_at=LONG_AGO)
    make_level("MISSED", 9, supplier=strict, read_at=LONG_AGO, misses=1)
    doubted = {"quarantined_reported": 90, "quarantined_at": LONG_AGO}
    make_level("DOUBTED", 9, supplier=strict, read_at=LONG_AGO, **doubted)
    make_level("DISABLED", 9, supplier=make_supplier(enabled=False))
    make_level("STOPPED-UPSTREAM", 9, supplier=make_supplier(stop_selling=True))
    make_level("UNREAD", 9, read_at=None)
    make_level("UNCOUNTED", 9, reported=None)
    make_sku("NO-OFFER")
    for code, fields in (
        ("SAFE", {"safety_stock": 8}),
        ("STOPPED", {"stop_selling": True}),
        ("GONE", {"active": False}),
    ):
        make_level(make_sku(code, **fields), 9)
    for code, splittable in (("SPLIT", True), ("WHOLE", False)):
        sku = make_sku(code, splittable=splittable)
        make_level(sku, 3)
        make_level(sku, 4)
    promised = make_level("PROMISED", 9, allocated=7)
    assert promised.allocated == 7
    return strict


@pytest.mark.parametrize("complete", [True, False])
def test_the_counts_are_what_storefronts_are_told(shelf, complete):
    if complete:
        Feed.objects.create(supplier=shelf, complete_as_of=timezone.now(), rows=1)
    codes = list(Sku.objects.values_list("code", flat=True))
    told = availability.read(codes, allow_cached=False).values()
    statuses = Counter("out" if not answer.available else answer.status for answer in told)
    assert dashboard.status_counts() == (len(told), statuses["out"], statuses["low_stock"])
    assert statuses["low_stock"] >= 3
    assert statuses["in_stock"] >= 2


def test_with_everything_stopped_everything_is_out(shelf):
    Switchboard.objects.update_or_create(pk=1, defaults={"stop_selling": True})
    active = Sku.objects.filter(active=True).count()
    assert dashboard.status_counts() == (active, active, 0)


def test_counting_ends_in_time(shelf, monkeypatch, admin_client):
    monkeypatch.setattr(dashboard, "_STATUS_COUNTS", "SELECT 1, 0, pg_sleep(5)")
    monkeypatch.setattr(dashboard, "COUNT_WITHIN", 50)
    assert "too many to count" in admin_client.get("/admin/").content.decode()


def test_more_of_everything_costs_no_more_queries(admin_client, make_supplier, make_level):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get("/admin/").status_code == 200
        return len(captured)

    make_supplier()
    few = queries() and queries()
    for number in range(12):
        supplier = make_supplier()
        level = make_level(f"A-{number}", supplier=supplier)
        Snapshot.objects.create(supplier=supplier, kind="full", status="refused", reason="too few rows")
        Discrepancy.objects.create(kind="lost", supplier=supplier, level=level)
        Effect.objects.create(kind="sync", supplier=supplier, target=str(level.pk), due_at=LONG_AGO)
    assert queries() <= few + 1, "the snapshots of all suppliers are one query more than none"


def told(answer):
    return {tile.title: (tile.value, tile.alarm) for _, tiles in answer.context["groups"] for tile in tiles}


def test_nothing_calls_for_somebody_where_all_is_well(admin_client):
    tiles = told(admin_client.get("/admin/"))
    assert len(tiles) == 13
    assert [title for title, (_, alarm) in tiles.items() if alarm] == []


def test_promises_alerts_and_events_call_for_somebody_too(admin_client, make_level):
    level = make_level("TEA", 9)
    promise = {"level": level, "sku": Sku.objects.get(), "quantity": 2}
    for number in (1, 1, 2):
        Allocation.objects.create(**promise, reference=f"N-{number}", state="lost", at_risk=2)
    Allocation.objects.create(**promise, reference="N-3", by_hand=True)
    channel = AlertChannel.objects.create(name="pager", email="ops@shop.example")
    for number, fields in enumerate(
        ({}, {"error": "no answer"}, {"given_up_at": LONG_AGO}, {"delivered_at": LONG_AGO})
    ):
        Alert.objects.create(channel=channel, message_id=f"m-{number}", kind="test", body={}, **fields)
    for name, on in (("Sale", True), ("Draft", False)):
        SalesEvent.objects.create(name=name, starts_at=LONG_AGO, ends_at="2099-01-01T00:00Z", switched_on=on)
    answer = admin_client.get("/admin/")
    tiles = told(answer)
    for title, count in (("Orders at risk", "2"), ("To order by hand", "1"), ("Failed alerts", "2")):
        assert tiles[title] == (count, True), title
    assert tiles["Running events"] == ("1", False)
    assert "Sale until 01 Jan 00:00 UTC" in answer.content.decode()
    shown = admin_client.get("/admin/inventory/alert/?state=failed").content.decode()
    assert shown.count('name="_selected_action"') == 2


def test_what_calls_for_somebody_is_there(admin_client, make_supplier):
    supplier = make_supplier("acme")
    Snapshot.objects.create(supplier=supplier, kind="full", status="applied")
    Snapshot.objects.create(supplier=supplier, kind="full", status="refused", reason="too few rows")
    Discrepancy.objects.create(kind="shortfall", supplier=supplier, reference="N-7")
    Effect.objects.create(kind="sync", supplier=supplier, target="1", due_at=LONG_AGO)
    Effect.objects.create(kind="sync", supplier=supplier, target="2", due_at=LONG_AGO, done_at=LONG_AGO)
    answer = admin_client.get("/admin/")
    tiles = told(answer)
    assert tiles["Open discrepancies"] == ("1", True)
    assert tiles["Overdue effects"] == ("1", True)
    assert tiles["Late suppliers"] == ("1", True)
    page = answer.content.decode()
    for text in ("never read", "refused", "too few rows", "N-7", "More is promised than the supplier has."):
        assert text in page
    assert "Nothing is sold" not in page
    Switchboard.objects.update_or_create(pk=1, defaults={"stop_selling": True})
    assert "Nothing is sold" in admin_client.get("/admin/").content.decode()
