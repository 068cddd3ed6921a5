"""The stock API, as a storefront sees it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from inventory import availability
from inventory.models import Sku, StockLevel

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_epoch(monkeypatch):
    """The process forgets the policy epoch of the test before, and keeps what this test reads first."""
    monkeypatch.setattr(availability, "_epoch", availability._Epoch())
    monkeypatch.setattr(availability, "_EPOCH_SECONDS", 60)


def problem(answer, status: int, code: str):
    body = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert "Traceback" not in answer.content.decode()
    return body


def test_one_sku(api_client, make_level):
    level = make_level("A-1", 7)
    answer = api_client.get("/api/v1/stock/A-1")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    body = answer.json()
    assert list(body) == ["sku", "available", "status", "as_of", "age_seconds", "stale", "version"]
    version = Sku.objects.get(code="A-1").version
    assert (body["sku"], body["available"], body["status"], body["version"]) == ("A-1", 7, "in_stock", version)
    assert body["as_of"].endswith("Z")
    assert datetime.fromisoformat(body["as_of"]) == level.read_at
    assert (body["stale"], body["age_seconds"]) == (False, 0)


@pytest.mark.parametrize(
    ("sellable", "status"), [(6, "in_stock"), (5, "low_stock"), (1, "low_stock"), (0, "out_of_stock")]
)
def test_the_status_in_words(api_client, make_level, sellable, status):
    make_level("A-1", sellable)
    body = api_client.get("/api/v1/stock/A-1").json()
    assert (body["available"], body["status"]) == (sellable, status)


def test_a_sku_that_nobody_counted_is_unknown(api_client, make_sku):
    make_sku("A-1")
    body = api_client.get("/api/v1/stock/A-1").json()
    assert (body["available"], body["status"], body["as_of"], body["age_seconds"]) == (0, "unknown", None, None)
    assert body["stale"] is True


def test_an_old_number_says_so(api_client, make_level, make_supplier):
    supplier = make_supplier(stale_after_seconds=60)
    make_level("NEW", supplier=supplier, read_at=timezone.now() - timedelta(seconds=50))
    make_level("OLD", supplier=supplier, read_at=timezone.now() - timedelta(seconds=70))
    new, old = api_client.get("/api/v1/stock?sku=NEW&sku=OLD").json()["results"]
    assert (new["stale"], old["stale"]) == (False, True)
    assert (50 <= new["age_seconds"] <= 55, 70 <= old["age_seconds"] <= 75) == (True, True)


def test_a_cached_answer_ages(api_client, make_level, make_supplier, time_machine):
    make_level("A-1", supplier=make_supplier(stale_after_seconds=60))
    fresh = api_client.get("/api/v1/stock/A-1")
    time_machine.move_to(datetime.now(UTC) + timedelta(seconds=90))
    old = api_client.get("/api/v1/stock/A-1", headers={"If-None-Match": fresh.headers["ETag"]})
    assert (fresh.json()["stale"], old.json()["stale"]) == (False, True)
    assert old.json()["age_seconds"] >= 90


def test_a_cached_answer_needs_no_query(api_client, make_level, django_assert_num_queries):
    make_level("A-1")
    first = api_client.get("/api/v1/stock/A-1").json()
    availability.current_epoch()  # asked for twice a second, by whoever finds a cached answer
    with django_assert_num_queries(0):
        assert api_client.get("/api/v1/stock/A-1").json() == first


def test_after_a_change_of_policy_the_cache_fills_again(api_client, make_level, django_assert_num_queries, monkeypatch):
    level = make_level("A-1", 7)
    assert api_client.get("/api/v1/stock/A-1").json()["available"] == 7
    level.supplier.stop_selling = True
    level.supplier.save()
    monkeypatch.setattr(availability, "_EPOCH_SECONDS", 0)
    assert api_client.get("/api/v1/stock/A-1").json()["available"] == 0
    with django_assert_num_queries(1):  # the epoch; the SKU itself comes from the cache
        assert api_client.get("/api/v1/stock/A-1").json()["available"] == 0


def test_an_entity_tag_spares_the_body(api_client, make_level):
    make_level("A-1")
    tag = api_client.get("/api/v1/stock/A-1").headers["ETag"]
    assert tag.startswith('W/"')
    for known in (tag, f'"x", {tag}', tag.removeprefix("W/"), "*"):
        answer = api_client.get("/api/v1/stock/A-1", headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)
    for other in ('"x"', "W/x", "", tag[:-2] + '"'):
        assert api_client.get("/api/v1/stock/A-1", headers={"If-None-Match": other}).status_code == 200


def test_the_entity_tag_changes_with_version_and_policy(api_client, make_level):
    level = make_level("A-1")
    tags = [api_client.get("/api/v1/stock/A-1?min_version=1").headers["ETag"]]
    sku = Sku.objects.get(code="A-1")
    sku.safety_stock = 1
    sku.save()
    newer = Sku.objects.get(code="A-1").version
    tags.append(api_client.get(f"/api/v1/stock/A-1?min_version={newer}").headers["ETag"])
    level.supplier.stale_after_seconds += 1
    level.supplier.save()
    tags.append(api_client.get(f"/api/v1/stock/A-1?min_version={newer + 1}").headers["ETag"])
    assert len(set(tags)) == 3


def test_reading_ones_own_write(api_client, make_level):
    make_level("A-1", 7)
    before = api_client.get("/api/v1/stock/A-1").json()
    Sku.objects.filter(code="A-1").update(safety_stock=3)  # its trigger raises the version; the cache does not know
    assert api_client.get("/api/v1/stock/A-1").json()["available"] == 7
    after = api_client.get(f"/api/v1/stock/A-1?min_version={before['version'] + 1}").json()
    assert (after["available"], after["version"]) == (4, before["version"] + 1)


@pytest.mark.parametrize("version", ["", "-1", "+1", "1.0", "x", "１", "1_0", " 1", "9" * 19, "9" * 5000, "%00"])
def test_a_wrong_version_is_400(api_client, make_level, version):
    make_level("A-1")
    problem(api_client.get(f"/api/v1/stock/A-1?min_version={version}"), 400, "invalid_min_version")


def test_some_skus_in_the_order_asked(api_client, make_level):
    make_level("A", 1)
    make_level("B", 2)
    body = api_client.get("/api/v1/stock?sku=B&sku=nobody&sku=A&sku=B").json()
    assert list(body) == ["results"]
    assert [each["sku"] for each in body["results"]] == ["B", "nobody", "A", "B"]
    assert body["results"][1] == {"sku": "nobody", "status": "unknown_sku"}
    assert [each.get("available") for each in body["results"]] == [2, None, 1, 2]


def test_two_hundred_skus_at_once_and_no_more(api_client, make_level, django_assert_max_num_queries):
    make_level("A")
    query = "&".join(f"sku=S-{number}" for number in range(199))
    with django_assert_max_num_queries(6):  # the key and its use, the epoch, one SELECT for all SKUs
        assert len(api_client.get(f"/api/v1/stock?sku=A&{query}").json()["results"]) == 200
    problem(api_client.get(f"/api/v1/stock?sku=A&sku=A&{query}"), 400, "invalid_sku")
    problem(api_client.get("/api/v1/stock?" + "sku=A&" * 2_000), 400, "bad_request")


def test_an_inactive_sku_is_unknown(api_client, make_level):
    make_level("A-1")
    Sku.objects.update(active=False)
    problem(api_client.get("/api/v1/stock/A-1"), 404, "unknown_sku")
    assert api_client.get("/api/v1/stock?sku=A-1").json()["results"][0]["status"] == "unknown_sku"
    assert api_client.get("/api/v1/stock").json()["results"] == []


def test_an_unknown_sku_is_404_and_named(api_client):
    assert problem(api_client.get("/api/v1/stock/nobody"), 404, "unknown_sku")["sku"] == "nobody"


WRONG_SKUS = [
    "a" * 65,
    "a" * 5_000,
    "A%00",
    "%00",
    "A%E2%80%8B",
    "..%2e",
    "{tag}",
    "lock:A",
    "%ED%A0%80",
    "%FF",
    "-A",
    "A%20",
]


@pytest.mark.parametrize("sku", WRONG_SKUS)
def test_a_sku_that_cannot_be_is_400(api_client, make_level, sku):
    make_level("A")
    problem(api_client.get(f"/api/v1/stock/{sku}"), 400, "invalid_sku")
    problem(api_client.get(f"/api/v1/stock?sku=A&sku={sku}"), 400, "invalid_sku")


def test_an_empty_sku_is_400_and_a_path_within_is_404(api_client):
    problem(api_client.get("/api/v1/stock?sku="), 400, "invalid_sku")
    problem(api_client.get("/api/v1/stock/"), 404, "not_found")
    problem(api_client.get("/api/v1/stock/..%2F..%2Fadmin"), 404, "not_found")


def test_all_skus_in_pages(api_client, make_level, make_sku):
    for code in ("b", "A", "C", "a-1"):
        make_level(code, 3)
    make_sku("D")
    seen, url = [], "/api/v1/stock?limit=2"
    while url:
        page = api_client.get(url).json()
        assert len(page["results"]) <= 2
        seen += [each["sku"] for each in page["results"]]
        url = page["next"]
        assert url is None or url.startswith("http://testserver/api/v1/stock?limit=2&cursor=")
    assert sorted(seen) == ["A", "C", "D", "a-1", "b"]
    assert api_client.get("/api/v1/stock").json()["next"] is None
    assert len(api_client.get("/api/v1/stock?limit=1000").json()["results"]) == 5


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "1000000000", "9" * 5000, "", "x", "1.0", "１", "%00"])
def test_a_wrong_limit_is_400(api_client, limit):
    problem(api_client.get(f"/api/v1/stock?limit={limit}"), 400, "invalid_limit")


def test_a_forged_cursor_is_400(api_client, make_level):
    for code in ("A", "B", "C"):
        make_level(code)
    cursor = api_client.get("/api/v1/stock?limit=1").json()["next"].partition("cursor=")[2]
    for forged in ("", "A", "A:x", "%00", "B" + cursor[1:], cursor[:-1], cursor + "x", "x" * 5_000):
        problem(api_client.get(f"/api/v1/stock?limit=1&cursor={forged}"), 400, "invalid_cursor")
    assert api_client.get(f"/api/v1/stock?cursor={cursor}").json()["results"][0]["sku"] == "B"


@pytest.mark.parametrize("path", ["/api/v1/stock/A", "/api/v1/stock?sku=A", "/api/v1/stock"])
def test_stock_needs_its_scope(make_api_key, make_level, path):
    make_level("A")
    problem(Client().get(path), 401, "not_authenticated")
    narrow = Client(headers={"authorization": f"Api-Key {make_api_key(scopes=['orders:read', 'orders:write'])}"})
    problem(narrow.get(path), 403, "missing_scope")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_stock_is_read_only(api_client, make_level, method):
    make_level("A", 7)
    before = list(StockLevel.objects.values())
    for path in ("/api/v1/stock/A", "/api/v1/stock"):
        answer = getattr(api_client, method)(path, data=b"{}", content_type="application/json")
        problem(answer, 405, "method_not_allowed")
    assert list(StockLevel.objects.values()) == before


def test_head_answers_without_a_body(api_client, make_level):
    make_level("A")
    answer = api_client.head("/api/v1/stock/A")
    assert (answer.status_code, answer.content) == (200, b"")
