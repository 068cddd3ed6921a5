"""Lists of the chaos supplier that change while they are read."""

import pytest

from suppliers.tests.simulator_client import VirtualClock, simulated


def read(client, size=5):
    """(the ids in the order shown, the totals) of one reading, page by page until the total says it is complete."""
    shown: list[str] = []
    totals: list[int] = []
    page = 1
    while not totals or (page - 1) * size < totals[-1]:
        document = client.call("GET", f"/stock?page={page}&size={size}")[1]
        shown += [row["id"] for row in document["items"]]
        totals.append(document["total"])
        page += 1
    return shown, totals


def test_rows_come_again_where_others_are_inserted():
    with simulated(shifting_list={"mode": "insert", "shift": 2}) as (_, client):
        shown, totals = read(client)
    assert len(shown) > len(set(shown)) == 20
    assert totals == sorted(totals)
    assert totals[-1] > 20


def test_rows_are_missed_where_others_are_deleted():
    with simulated(shifting_list={"mode": "delete", "shift": 2}) as (_, client):
        shown, totals = read(client)
    assert len(set(shown)) == len(shown) < 20
    assert totals[-1] < 20


def test_each_page_may_be_in_an_order_of_its_own():
    with simulated(shifting_list={"mode": "resort"}) as (_, client):
        shown, totals = read(client)
    assert len(set(shown)) < len(shown) == 20
    assert set(totals) == {20}


def test_only_the_total_may_drift():
    with simulated(shifting_list={"mode": "drift", "shift": 1}) as (_, client):
        shown, totals = read(client)
    assert len(set(shown)) == 20
    assert totals[:3] == [20, 21, 22]


def test_a_page_past_the_end_is_the_last_one_again():
    with simulated(last_page_repeats=True) as (_, client):
        last = client.call("GET", "/stock?page=3&size=8")[1]["items"]
        assert [row["id"] for row in last] == [f"r{number:07d}" for number in range(17, 21)]
        beyond = client.call("GET", "/stock?page=9&size=8")[1]["items"]
    assert [row["id"] for row in beyond] == [row["id"] for row in last]


def test_a_cursor_expires():
    clock = VirtualClock()
    with simulated(clock, dialect="rest_cursor", cursor_expiry={"ttl_s": 30}) as (_, client):
        following = client.call("GET", "/stock?limit=5")[1]["next"]
        clock.now += 30
        assert client.call("GET", f"/stock?limit=5&cursor={following}")[0] == 200
        clock.now += 1
        status, answer = client.call("GET", f"/stock?limit=5&cursor={following}")
    assert (status, answer["error"]["code"]) == (400, "CURSOR_EXPIRED")


@pytest.mark.parametrize("query", ["sku=SKU-000003", "id=r0000003", "sku=NONE"])
def test_a_filter_is_ignored(query):
    with simulated(filter_ignored={"times": 1}) as (_, client):
        assert len(client.stock(query)) == 20
        assert len(client.stock(query)) == ("NONE" not in query)
