"""Answers of the chaos supplier that are broken, slow, or in a form that nobody expected; and outages."""

import gzip
import http.client
import itertools
import json
import time

import pytest

from suppliers.simulator.behaviours.faults import HTML
from suppliers.tests.simulator_client import VirtualClock, client_of, simulated

SKU = "SKU-000001"
UNREADABLE = (json.JSONDecodeError, UnicodeDecodeError, http.client.IncompleteRead, EOFError)


def document_of(client, path="/stock"):
    """What a strict client makes of the answer."""
    _, headers, body = client.raw("GET", path)
    body = gzip.decompress(body) if headers["Content-Encoding"] == "gzip" else body
    return json.loads(body.decode("utf-8"), parse_constant=pytest.fail)


# --- Broken ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["bom", "gb18030", "gzip_cut", "too_short", "too_long", "trailing", "twice", "empty"])
def test_a_body_is_not_what_it_claims(kind):
    with simulated(malformed={"kinds": [kind], "times": 1}) as (_, client):
        with pytest.raises(UNREADABLE):
            document_of(client)
        client.connection.close()
        assert len(document_of(client)["items"]) == 20


def test_a_number_may_be_none():
    with simulated(malformed={"kinds": ["nan"]}) as (_, client):
        _, headers, body = client.raw("GET", f"/stock?sku={SKU}")
    assert b'"available":NaN' in body
    assert headers["X-Chaos"] == "malformed=nan"


@pytest.mark.parametrize("page", HTML)
def test_pages_for_people_come_in_all_kinds(page):
    with simulated(html_200={"pages": [page]}) as (_, client):
        assert client.raw("GET", "/stock")[2] == HTML[page]


@pytest.mark.parametrize(
    ("mode", "error"),
    [("closed", http.client.RemoteDisconnected), ("reset", OSError), ("garbage", http.client.BadStatusLine)],
)
def test_a_connection_ends_without_an_answer_and_without_an_effect(mode, error):
    with simulated(broken={"modes": [mode]}) as (chaos, client):
        with pytest.raises(error):
            client.order("r", SKU, 1)
        assert chaos.audit()["sales"] == []


def test_a_proxy_may_give_up_after_the_effect():
    with simulated(lost_reply={"mode": "504"}) as (chaos, client):
        status, headers, _ = client.raw("POST", "/orders", b'{"ref":"r","lines":[{"sku":"SKU-000001","quantity":1}]}')
        assert (status, headers["Content-Type"]) == (504, "text/html")
        assert chaos.truth(SKU)[SKU]["sold"] == 1


def test_a_body_trickles():
    with simulated(dribble={"bps": 2_000}) as (_, client):
        began = time.monotonic()
        assert client.stock(f"sku={SKU}") == {SKU: 10}
        assert time.monotonic() - began > 0.05


def test_success_is_denied_beside_the_number():
    with simulated(denial=True) as (chaos, client):
        status, answer = client.order("r", SKU, 1)
        assert (status, answer["success"], answer["order_id"]) == (201, False, "o0000001")
        assert chaos.truth(SKU)[SKU]["sold"] == 1


# --- Another form --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("rename", lambda page: page["items"][0]["available_v2"] == 10 and "available" not in page["items"][0]),
        ("nest", lambda page: page["items"][0]["available"] == {"value": 10, "unit": "pcs"}),
        ("type", lambda page: page["items"][0]["available"] == [10]),
        ("paging", lambda page: "total" not in page and page["total_v2"] == 20),
        ("wrap", lambda page: page.keys() == {"data"} and len(page["data"]["items"]) == 20),
    ],
)
def test_answers_change_their_form(change, expected):
    clock = VirtualClock()
    with simulated(clock, schema_drift={"change": change, "after_s": 60}) as (_, client):
        assert document_of(client)["items"][0]["available"] == 10
        clock.now += 60
        assert expected(document_of(client))


def test_orders_may_be_in_a_state_that_nobody_knows():
    with simulated(schema_drift={"change": "status"}) as (_, client):
        client.order("r", SKU, 1)
        assert document_of(client, "/orders?ref=r")["items"][0]["status"] == "AWAITING_CARRIER"


def test_a_version_ends():
    clock = VirtualClock()
    with simulated(clock, sunset={"after_s": 60}) as (_, client):
        assert client.raw("GET", "/stock")[0] == 200
        clock.now += 60
        assert client.raw("GET", "/stock")[0] == 410


# --- Away ------------------------------------------------------------------------------------------------------
def outages(seed):
    """Whether it was up, second by second, for ten minutes."""
    clock = VirtualClock()
    with simulated(clock, bursts={"mtbf_s": 60, "mttr_s": 20}, seed=seed) as (_, client):
        up = []
        for _ in range(600):
            up.append(client.raw("GET", f"/stock?sku={SKU}")[0] == 200)
            clock.now += 1
    return up


def test_outages_come_and_go_and_a_seed_repeats_them():
    up = outages(seed=3)
    turns = sum(before != after for before, after in itertools.pairwise(up))
    assert 0.4 < sum(up) / 600 < 0.95
    assert 4 < turns < 40, "in bursts, not request by request"
    assert outages(seed=3) == up != outages(seed=4)


# --- Slow down -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("top", lambda body: body["error_response"]["sub_msg"] == "This ban will last for 7 more seconds"),
        ("aop", lambda body: body["error_code"] == "gw.QosAppFrequencyLimit"),
        ("shopify", lambda body: body["extensions"]["cost"]["requestedQueryCost"] == 700),
    ],
)
def test_platforms_hide_the_hint_in_the_body(style, expected):
    with simulated(throttle={"retry_after": 7, "style": style}) as (_, client):
        status, body = client.call("GET", "/stock")
    assert status == 200
    assert expected(body)


def test_a_ban_lasts_and_its_rest_is_told():
    clock = VirtualClock()
    with simulated(clock, throttle={"p": 1, "ban": True, "retry_after": 60}) as (chaos, client):
        assert client.raw("GET", "/stock")[1]["Retry-After"] == "60"
        clock.now += 20
        assert client.raw("GET", "/stock")[1]["Retry-After"] == "40"
        chaos.set(throttle=None)
        assert client.raw("GET", "/stock")[0] == 200


def test_a_daily_quota_is_used_up_until_tomorrow():
    clock = VirtualClock()
    with simulated(clock, throttle={"daily": 3}) as (_, client):
        assert [client.raw("GET", "/stock")[0] for _ in range(5)] == [200, 200, 200, 429, 429]
        wait = int(client.raw("GET", "/stock")[1]["Retry-After"])
        clock.now += wait
        assert client.raw("GET", "/stock")[0] == 200


def test_another_client_of_the_same_supplier_is_not_cut_off_by_a_broken_connection():
    with simulated(broken={"modes": ["reset"], "times": 1}) as (chaos, client), client_of(chaos) as other:
        with pytest.raises(OSError):
            client.stock()
        assert other.stock()[SKU] == 10
