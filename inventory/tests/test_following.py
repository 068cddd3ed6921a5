"""Following stock over HTTP, as a storefront does."""

from datetime import datetime

import pytest
from django.test import Client

from inventory import change_log, following
from inventory.models import Sku
from inventory.tests.promises import place
from inventory.tests.test_views import problem

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "/api/v1/stock/changes"


def start(client: Client) -> str:
    body = client.get(PATH).json()
    assert body["results"] == []
    return str(body["cursor"])


def test_start_then_follow(api_client, make_level):
    make_level("A", 7)
    cursor = start(api_client)
    place("order-1", {"A": 2})
    body = api_client.get(PATH, {"after": cursor}).json()
    assert list(body) == ["results", "cursor"]
    [change] = body["results"]
    assert list(change) == ["sku", "available", "version", "at", "valid_until"]
    assert (change["sku"], change["available"], change["version"]) == ("A", 5, Sku.objects.get().version)
    assert change["at"].endswith("Z")
    assert datetime.fromisoformat(change["at"]).tzinfo
    again = api_client.get(PATH, {"after": body["cursor"]}).json()
    assert again == {"results": [], "cursor": body["cursor"]}


def test_pages_of_one(api_client, make_level):
    for code in ("A", "B"):
        make_level(code, 7)
    cursor = start(api_client)
    place("order-1", {"A": 2, "B": 3})
    found = []
    for _ in range(3):
        body = api_client.get(PATH, {"after": cursor, "limit": 1}).json()
        found.append([(change["sku"], change["available"]) for change in body["results"]])
        cursor = body["cursor"]
    assert sorted(found[:2]) == [[("A", 5)], [("B", 4)]]
    assert found[2] == []


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "1000000000", "1.0", "١", "", "x", "%00"])
def test_limit(api_client, limit):
    problem(api_client.get(PATH, {"limit": limit}), 400, "invalid_limit")


@pytest.mark.parametrize(
    "after", ["", "x", "x:y", "1", "\x00", "é", "WzEsWyJhIiwxLDEsMV1d:forged", "x" * 5_000, "null", "[]"]
)
def test_a_forged_cursor(api_client, after):
    problem(api_client.get(PATH, {"after": after}), 400, "invalid_after")


def test_a_cursor_of_a_list_is_none_of_ours(api_client, make_level):
    for code in ("A", "B"):
        make_level(code)
    listed = api_client.get("/api/v1/stock", {"limit": 1}).json()["next"]
    problem(api_client.get(PATH, {"after": listed.rpartition("cursor=")[2]}), 400, "invalid_after")


def test_a_cursor_of_another_storefront(api_client, make_api_key):
    cursor = start(api_client)
    foreign = Client(headers={"authorization": f"Api-Key {make_api_key()}"})
    problem(foreign.get(PATH, {"after": cursor}), 400, "invalid_after")
    assert api_client.get(PATH, {"after": cursor}).status_code == 200


def test_an_expired_cursor(api_client, make_storefront, make_api_key):
    storefront = make_storefront()
    client = Client(headers={"authorization": f"Api-Key {make_api_key(storefront)}"})
    elsewhere = change_log.Cursor("1-00000001", 5, 5, 1)
    answer = client.get(PATH, {"after": following.write_cursor(elsewhere, storefront.pk)})
    assert "list all stock" in problem(answer, 410, "cursor_expired")["detail"]


def test_who_may_follow(make_api_key):
    problem(Client().get(PATH), 401, "not_authenticated")
    narrow = Client(headers={"authorization": f"Api-Key {make_api_key(scopes=['orders:read', 'orders:write'])}"})
    problem(narrow.get(PATH), 403, "missing_scope")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_only_reading(api_client, method):
    problem(getattr(api_client, method)(PATH), 405, "method_not_allowed")


def test_a_sku_with_such_a_code_is_asked_for_in_the_query(api_client, make_level):
    make_level("changes", 3)
    assert api_client.get("/api/v1/stock", {"sku": "changes"}).json()["results"][0]["available"] == 3
