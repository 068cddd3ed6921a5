"""Each way the chaos supplier misbehaves, shown to act; and that a seed repeats it."""

import http.client
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from suppliers.simulator.behaviours import BEHAVIOURS
from suppliers.simulator.draws import draw, lognormal
from suppliers.simulator.profiles import PROFILES
from suppliers.simulator.running import running_chaos_supplier
from suppliers.simulator.scenario import Scenario
from suppliers.tests.simulator_client import VirtualClock, client_of

SKU = "SKU-000001"


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def chaos(clock):
    with running_chaos_supplier(rows=20, stock=10, clock=clock) as running:
        yield running


@pytest.fixture
def client(chaos):
    with client_of(chaos) as client:
        yield client


# --- Repeatable ---------------------------------------------------------------------------------------
def test_a_draw_depends_on_its_arguments_alone():
    draws = [draw(7, "lost_reply", "confirm", f"ref-{number}") for number in range(10_000)]
    assert draws == [draw(7, "lost_reply", "confirm", f"ref-{number}") for number in range(10_000)]
    assert 0.49 < sum(draws) / len(draws) < 0.51
    assert sum(value < 0.02 for value in draws) == pytest.approx(200, abs=60)
    assert draws[0] != draw(8, "lost_reply", "confirm", "ref-0")


def test_latencies_are_lognormal():
    times = sorted(lognormal(draw("t", number), 800, 0.7) for number in range(2_001))
    assert times[1_000] == pytest.approx(800, rel=0.1)
    assert times[1_980] == pytest.approx(4_100, rel=0.4)


def _failed(threads: int, seed: int) -> set[str]:
    """The references of 60 orders that a flaky supplier answered with a 5xx."""
    with running_chaos_supplier(seed=seed, server_error={"p": 0.3}, latency={"median_ms": 2}) as chaos:

        def order(number: int) -> str | None:
            with client_of(chaos) as client:
                return f"r{number}" if client.order(f"r{number}", SKU, 1)[0] >= 500 else None

        with ThreadPoolExecutor(threads) as pool:
            return set(filter(None, pool.map(order, range(60))))


def test_a_seed_repeats_whatever_the_concurrency():
    alone = _failed(threads=1, seed=7)
    assert 5 < len(alone) < 35
    assert _failed(threads=8, seed=7) == alone
    assert _failed(threads=8, seed=8) != alone


def test_the_same_request_again_is_a_new_draw(chaos, client):
    chaos.set(server_error={"p": 0.5})
    statuses = [client.raw("GET", f"/stock?sku={SKU}")[0] >= 500 for _ in range(20)]
    assert 0 < sum(statuses) < 20


# --- The numbers reported -------------------------------------------------------------------------------
def test_a_lagging_report_shows_the_old_number_and_then_converges(chaos, client, clock):
    chaos.set(lag={"lag_s": 30})
    client.order("r", SKU, 4)
    clock.now += 29.9
    chaos.sell(SKU, 1)
    assert client.stock(f"sku={SKU}") == {SKU: 10}
    assert client.stock()[SKU] == 10
    clock.now += 0.1
    assert client.stock(f"sku={SKU}") == {SKU: 6}
    clock.now += 30
    assert client.stock()[SKU] == 5 == chaos.truth(SKU)[SKU]["on_hand"]


def test_the_time_of_a_row_is_that_of_the_number_shown(chaos, client, clock):
    def stamp() -> str:
        return str(client.call("GET", f"/stock?sku={SKU}")[1]["items"][0]["updated_at"])

    chaos.set(lag={"lag_s": 30})
    opened = stamp()
    clock.now += 10
    chaos.sell(SKU, 1)
    assert stamp() == opened == "2027-01-15T08:00:00.000Z"
    clock.now += 30
    assert stamp() == "2027-01-15T08:00:10.000Z"


def test_jitter_gives_each_sku_a_lag_of_its_own(chaos, client, clock):
    chaos.set(lag={"lag_s": 30, "jitter": 1.0}, seed=3)
    for sku in list(chaos.truth()):
        chaos.sell(sku, 1)
    clock.now += 30
    assert set(client.stock().values()) == {9, 10}


def test_inflation_reports_more_than_there_is_where_it_applies(chaos, client):
    chaos.set(inflation={"k": 1.5, "add": 2, "skus": "*1"})
    stock = client.stock()
    assert (stock["SKU-000001"], stock["SKU-000011"], stock["SKU-000002"]) == (17, 17, 10)
    assert client.order("r", SKU, 11)[0] == 409


# --- Before the effect ----------------------------------------------------------------------------------
def test_latency_delays_the_answer_and_says_so(chaos, client):
    chaos.set(latency={"median_ms": 60, "sigma": 0})
    began = time.monotonic()
    _, headers, _ = client.raw("GET", f"/stock?sku={SKU}")
    assert time.monotonic() - began >= 0.06
    assert headers["X-Chaos"] == "latency=60ms"
    assert chaos.chaos()["acted"] == {"latency": 1}


def test_a_hang_is_never_answered_and_has_no_effect(chaos):
    chaos.set(latency={"median_ms": 0, "hang_p": 1})
    with client_of(chaos, timeout=0.2) as client, pytest.raises(TimeoutError):
        client.order("r", SKU, 1)
    assert chaos.audit()["sales"] == []


def test_an_impatient_client_does_not_stop_the_effect():
    with running_chaos_supplier(latency={"median_ms": 300, "sigma": 0, "endpoints": ["confirm"]}) as chaos:
        with client_of(chaos, timeout=0.1) as client, pytest.raises(TimeoutError):
            client.order("r", SKU, 1)
        while not chaos.audit()["sales"]:
            time.sleep(0.005)


def test_a_stop_ends_hanging_answers_and_delays():
    with running_chaos_supplier(latency={"median_ms": 60_000, "sigma": 0}) as chaos:
        failed = threading.Event()

        def wait_in_vain() -> None:
            with client_of(chaos, timeout=30) as client, pytest.raises((OSError, http.client.HTTPException)):
                client.order("r", SKU, 1)
            failed.set()

        waiting = threading.Thread(target=wait_in_vain)
        waiting.start()
        while not chaos.chaos()["requests"]:
            time.sleep(0.005)
    waiting.join(5)
    assert failed.is_set()
    assert chaos.audit()["sales"] == []


@pytest.mark.parametrize(("style", "hint"), [("seconds", "7"), ("absurd", "86400"), ("absent", None)])
def test_throttled_answers_carry_their_style_of_hint(chaos, client, style, hint):
    chaos.set(throttle={"retry_after": 7, "style": style})
    status, headers, _ = client.raw("GET", "/stock")
    assert (status, headers["Retry-After"]) == (429, hint)


def test_a_hint_may_be_a_date(chaos, client):
    chaos.set(throttle={"style": "date"})
    assert client.raw("GET", "/stock")[1]["Retry-After"].endswith("GMT")


def test_a_token_bucket_lets_the_burst_through(chaos, client):
    chaos.set(throttle={"rate": 0.001, "burst": 3})
    assert [client.raw("GET", "/stock")[0] for _ in range(5)] == [200, 200, 200, 429, 429]
    chaos.set(inflation=True)
    assert client.raw("GET", "/stock")[0] == 429, "a change elsewhere must not fill the bucket"


def test_server_errors_come_in_all_their_statuses(chaos, client):
    chaos.set(server_error=True)
    statuses = {client.raw("GET", f"/stock?page={page}")[0] for page in range(1, 60)}
    assert statuses == {500, 502, 503, 504}


def test_down_is_down_for_everything_until_it_is_up_again(chaos, client):
    chaos.set(down=True)
    assert client.order("r", SKU, 1)[0] == client.raw("GET", "/stock")[0] == 503
    chaos.set(down={"mode": "closed"})
    with pytest.raises(http.client.RemoteDisconnected):
        client.raw("GET", "/stock")
    assert client.call("GET", "/_healthz")[0] == 200, "the operator's side stays"
    chaos.set(down=False)
    assert client.stock()[SKU] == 10
    assert chaos.audit()["sales"] == []


def test_errors_hide_in_200(chaos, client):
    chaos.set(error_in_200=True)
    status, answer = client.order("r", SKU, 1)
    assert (status, answer["error"]["code"]) == (200, "SYSTEM_BUSY")
    assert chaos.audit()["sales"] == []


def test_html_comes_with_200(chaos, client):
    chaos.set(html_200=True)
    status, headers, body = client.raw("GET", "/stock")
    assert (status, headers["Content-Type"], body[:9]) == (200, "text/html; charset=utf-8", b"<!doctype")


def test_orders_are_rejected_though_there_is_stock(chaos, client):
    chaos.set(reject={"skus": "*1"})
    status, answer = client.order("r", SKU, 1)
    assert (status, answer["error"]["code"]) == (409, "NO_STOCK")
    assert client.order("r", "SKU-000002", 1)[0] == 201


# --- Pages ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dialect", ["rest_page", "rest_offset", "rest_cursor", "rest_link"])
def test_the_list_is_empty_for_once(dialect):
    with running_chaos_supplier(rows=5, dialect=dialect, empty_blip={"times": 1}) as chaos, client_of(chaos) as client:
        blip, after = (client.call("GET", "/stock")[1] for _ in range(2))
    empty = {"rest_cursor": {"items": [], "next": None}, "rest_link": []}.get(dialect, {"items": [], "total": 0})
    assert blip == empty
    assert len(after if dialect == "rest_link" else after["items"]) == 5


def test_rows_are_shown_twice_or_not_at_all(chaos, client):
    chaos.set(unstable_paging={"dup_p": 0.3, "drop_p": 0.3})
    readings = [[row["id"] for row in client.call("GET", "/stock?page=1")[1]["items"]] for _ in range(3)]
    assert all(len(set(rows)) < 20 for rows in readings), "some were dropped"
    assert all(len(set(rows)) < len(rows) for rows in readings), "some were doubled"
    assert readings[0] != readings[1] != readings[2]
    assert client.call("GET", "/stock?page=1")[1]["total"] == 20


# --- The finished answer ------------------------------------------------------------------------------------
def test_a_lost_reply_has_exactly_one_effect(chaos, client):
    chaos.set(lost_reply={"times": 1})
    with pytest.raises(http.client.RemoteDisconnected):
        client.order("r", SKU, 3)
    assert [sale["ref"] for sale in chaos.audit()["sales"]] == ["r"]
    assert chaos.truth(SKU)[SKU]["on_hand"] == 7
    assert len(client.call("GET", "/orders?ref=r")[1]["items"]) == 1, "a read-back finds it"


def test_a_lost_reply_may_also_hang(chaos):
    chaos.set(lost_reply={"mode": "hang"})
    with client_of(chaos, timeout=0.3) as client, pytest.raises(TimeoutError):
        client.order("r", SKU, 3)
    assert chaos.truth(SKU)[SKU]["sold"] == 3


def test_json_ends_too_early(chaos, client):
    chaos.set(truncated={"mode": "short"})
    status, _, body = client.raw("GET", "/stock")
    assert status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)
    chaos.set(truncated={"mode": "cut"})
    with pytest.raises(http.client.IncompleteRead):
        client.raw("GET", "/stock")


# --- The decision of a sale ---------------------------------------------------------------------------------
def test_a_short_order_is_filled_as_far_as_it_goes(chaos, client):
    chaos.set(partial=True)
    status, order = client.order("r", SKU, 14)
    line = {"id": "r0000001", "sku": SKU, "quantity": 10, "requested": 14}
    assert (status, order["lines"]) == (201, [line])
    assert client.order("s", SKU, 1)[0] == 409
    assert chaos.truth(SKU)[SKU]["on_hand"] == 0


def test_a_supplier_that_looks_and_then_sells_oversells_by_itself():
    with running_chaos_supplier(stock=1, own_oversell={"race_window_ms": 300}) as chaos:

        def buy(number: int) -> int:
            with client_of(chaos) as client:
                return client.order(f"r{number}", SKU, 1)[0]

        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(buy, range(4)))
        sold = answers.count(201)
        assert sold > 1
        assert chaos.truth(SKU)[SKU]["on_hand"] == 1 - sold
        chaos.set(idempotent=True)
        assert buy(answers.index(201)) == 201, "a repeat is answered, not decided anew"
        assert chaos.truth(SKU)[SKU]["on_hand"] == 1 - sold


def test_an_order_is_found_late(chaos, client, clock):
    chaos.set(late_readback={"lag_s": 5})
    client.order("r", SKU, 1)
    assert client.call("GET", "/orders?ref=r")[1]["items"] == []
    clock.now += 5
    assert len(client.call("GET", "/orders?ref=r")[1]["items"]) == 1


# --- Profiles -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_is_a_scenario(profile):
    scenario = Scenario().merged({"profile": profile})
    assert scenario.behaviours.keys() == PROFILES[profile].keys() <= BEHAVIOURS.keys()
