"""The chaos supplier when it behaves: its API, its books, its switches."""

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from suppliers.simulator.catalogue import from_file, generated
from suppliers.simulator.ledger import Item
from suppliers.simulator.profiles import PROFILES
from suppliers.simulator.running import running_chaos_supplier
from suppliers.tests.simulator_client import client_of


@pytest.fixture
def chaos():
    with running_chaos_supplier(rows=25, prefix="A-", stock=5) as running:
        yield running


@pytest.fixture
def client(chaos):
    with client_of(chaos) as client:
        yield client


def test_pages_show_every_row_once(client):
    pages = [client.call("GET", f"/stock?page={page}&size=10")[1] for page in (1, 2, 3, 4)]
    assert [len(page["items"]) for page in pages] == [10, 10, 5, 0]
    assert {page["total"] for page in pages} == {25}
    assert len({row["id"] for page in pages for row in page["items"]}) == 25
    assert pages[0]["items"][0].keys() == {"id", "sku", "available", "location", "updated_at"}


@pytest.mark.parametrize("query", ["page=0", "page=x", "size=0", "page=-1", "page=99999999999999", "page=²"])
def test_a_bad_page_is_a_400(client, query):
    status, _, _ = client.raw("GET", "/stock?" + query.replace("²", "%C2%B2"))
    assert status == 400


def test_every_dialect_reads_the_whole_list():
    with running_chaos_supplier(rows=25, dialect="rest_offset") as chaos, client_of(chaos) as client:
        assert len(client.stock("offset=20&limit=10")) == 5
    with running_chaos_supplier(rows=25, dialect="rest_cursor") as chaos, client_of(chaos) as client:
        seen: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            _, page = client.call("GET", f"/stock?cursor={cursor}&limit=10")
            seen += page["items"]
            cursor = page["next"]
        assert len({row["id"] for row in seen}) == len(seen) == 25
    with running_chaos_supplier(rows=25, dialect="rest_link") as chaos, requests.Session() as session:
        session.headers["X-Api-Key"] = chaos.token
        seen, url = [], chaos.url + "/stock?size=10"
        while url:
            answer = session.get(url, timeout=5)
            assert answer.headers["X-Total-Count"] == "25"
            seen += answer.json()
            following = answer.links.get("next")
            url = chaos.url + following["url"] if following else ""
        assert len({row["id"] for row in seen}) == len(seen) == 25


def test_just_the_asked_rows_are_fetched(client):
    assert client.stock("sku=A-000002,A-000007,NONE") == {"A-000002": 5, "A-000007": 5}
    assert client.stock("id=r0000003") == {"A-000003": 5}


def test_an_order_takes_units_and_a_cancel_returns_them_once(chaos, client):
    status, order = client.order("ref-1", "A-000001", 3)
    assert (status, order["ref"], order["lines"][0]["quantity"]) == (201, "ref-1", 3)
    assert client.stock("sku=A-000001") == {"A-000001": 2}
    assert client.call("GET", "/orders?ref=ref-1")[1]["items"] == [order]

    for _ in range(2):
        status, cancelled = client.call("POST", f"/orders/{order['order_id']}/cancel")
        assert (status, cancelled["status"]) == (200, "cancelled")
    assert chaos.truth("A-000001")["A-000001"] == {
        "initial": 5, "restocked": 0, "sold": 3, "cancelled": 3, "lost": 0, "on_hand": 5,
    }  # fmt: skip
    assert client.call("POST", "/orders/o9/cancel")[0] == 404


def test_a_short_order_takes_nothing_of_any_line(chaos, client):
    lines = [{"sku": "A-000001", "quantity": 1}, {"id": "r0000002", "quantity": 4}, {"sku": "A-000002", "quantity": 4}]
    status, answer = client.call("POST", "/orders", {"ref": "r", "lines": lines})
    assert (status, answer["error"]["code"]) == (409, "NO_STOCK")
    assert answer["error"]["lines"] == [{"id": "r0000002", "available": 5}]
    assert chaos.audit() == {"sales": [], "duplicates": {}}


def test_a_reference_sent_twice_is_sold_twice_unless_the_supplier_is_idempotent(chaos, client):
    first, second = client.order("r", "A-000001", 1)[1], client.order("r", "A-000001", 1)[1]
    assert first["order_id"] != second["order_id"]
    assert chaos.audit()["duplicates"] == {"r": 2}

    chaos.set(idempotent=True)
    assert client.order("r", "A-000001", 1) == (201, first)
    assert chaos.truth("A-000001")["A-000001"]["sold"] == 2


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", b'{"ref":"r"}', b'{"ref":"r","lines":[]}',
        b'{"ref":"","lines":[{"sku":"A-000001","quantity":1}]}',
        b'{"ref":"r","lines":[7]}', b'{"ref":"r","lines":[{"sku":"NONE","quantity":1}]}', b"\xff\xfe",
        b'{"ref":"r","lines":[{"sku":"A-000001","quantity":0}]}',
        b'{"ref":"r","lines":[{"sku":"A-000001","quantity":true}]}',
        b'{"ref":"r","lines":[{"sku":["A-000001"],"quantity":1}]}',
        b'{"ref":"r","lines":[{"sku":"A-000001","quantity":1.0}]}',
    ],
)  # fmt: skip
def test_a_bad_order_is_a_400_and_sells_nothing(chaos, client, body):
    status, _, _ = client.raw("POST", "/orders", body)
    assert status == 400
    assert chaos.audit()["sales"] == []


def test_only_the_token_opens_the_api(chaos, client):
    for headers in ({"Authorization": ""}, {"Authorization": "Bearer wrong"}, {"Authorization": "", "X-Api-Key": "é"}):
        assert client.raw("GET", "/stock", **headers)[0] == 401
    assert client.raw("GET", "/stock", **{"Authorization": "", "X-Api-Key": chaos.token})[0] == 200
    assert client.raw("DELETE", "/stock")[0] == 404
    assert client.raw("GET", "/nowhere")[0] == 404


def test_the_operator_sees_and_moves_the_truth(chaos, client):
    assert client.call("GET", "/_healthz")[1] == {"status": "ok", "rows": 25}
    assert client.call("POST", "/_sell", {"sku": "A-000001", "quantity": 4})[0] == 201
    assert client.call("POST", "/_sell", {"sku": "A-000001", "quantity": 2})[0] == 409
    assert client.call("POST", "/_restock", {"sku": "A-000001", "quantity": 10})[0] == 200
    assert client.call("GET", "/_truth?sku=A-000001")[1]["skus"]["A-000001"]["on_hand"] == 11
    assert len(client.call("GET", "/_truth")[1]["skus"]) == 25
    [sale] = client.call("GET", "/_audit")[1]["sales"]
    assert (sale["source"], sale["lines"][0]["quantity"]) == ("channel", 4)
    assert client.call("GET", "/_nothing")[0] == 404


def test_the_scenario_is_merged_at_run_time_or_left_as_it_was(chaos, client):
    _, shown = client.call("PUT", "/_chaos", {"seed": 9, "lag": {"lag_s": 5}, "inflation": True})
    assert shown["scenario"] == {"seed": 9, "idempotent": False, "lag": {"lag_s": 5}, "inflation": {}}
    _, shown = client.call("PUT", "/_chaos", {"lag": {"jitter": 0.5}, "inflation": None})
    assert shown["scenario"] == {"seed": 9, "idempotent": False, "lag": {"lag_s": 5, "jitter": 0.5}}
    wrong: dict[str, Any]
    for wrong in (
        {"nonsense": {}}, {"lag": 5}, {"lag": {"lag_s": "5"}}, {"lag": {"unknown": 1}}, {"seed": "7"},
        {"profile": "none"},
        {"lag": {"endpoints": ["nowhere"]}}, {"lag": {"endpoints": [[]]}}, {"lag": {"p": 2}}, {"down": {"mode": "x"}},
        {"calm": {}, "seed": 1},
    ):  # fmt: skip
        assert client.call("PUT", "/_chaos", wrong)[0] == 400, wrong
    assert client.call("GET", "/_chaos")[1]["scenario"] == shown["scenario"]
    _, shown = client.call("PUT", "/_chaos", {"profile": "calm"})
    assert shown["scenario"] == {"seed": 9, "idempotent": False}


def yielding_clock() -> float:
    """The ledger reads the time between its look and its sale: others get their turn there."""
    time.sleep(0.0005)
    return time.time()


def test_what_is_there_is_sold_exactly_to_many_buyers():
    with running_chaos_supplier(rows=3, stock=20, clock=yielding_clock) as chaos:
        answers = _stampede(chaos, buyers=8, orders=12)
        truth = chaos.truth()
    assert {row["on_hand"] for row in truth.values()} == {0}
    assert answers.count(201) == sum(row["sold"] for row in truth.values()) == 60
    assert answers.count(409) == 8 * 12 - 60


def _stampede(chaos, buyers: int, orders: int) -> list[int]:
    start = threading.Barrier(buyers)
    answers: list[int] = []

    def buy(buyer: int) -> None:
        with client_of(chaos) as client:
            start.wait()
            for number in range(orders):
                status, _ = client.order(f"{buyer}-{number}", f"SKU-00000{1 + number % 3}", 1)
                answers.append(status)

    threads = [threading.Thread(target=buy, args=(buyer,)) for buyer in range(buyers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_a_hundred_thousand_rows_are_served_in_pages_of_a_thousand():
    with running_chaos_supplier(rows=100_000, lag={"lag_s": 60}) as chaos, client_of(chaos) as client:
        before = time.process_time()
        seen: set[str] = set()
        for page in range(1, 101):
            seen |= client.stock(f"page={page}&size=1000").keys()
        used = time.process_time() - before
    assert len(seen) == 100_000
    # Client and server together; 10 ms were measured, so this only catches a page that became linear in the catalogue.
    assert used / 100 < 0.1, f"{used * 10:.1f} ms per page"


def test_several_rows_may_carry_one_sku(tmp_path):
    file = tmp_path / "catalogue.json"
    file.write_text('[{"sku": "X", "stock": 1}, {"sku": "X", "stock": 2, "id": "two", "location": "east"}]')
    with running_chaos_supplier(items=from_file(file)) as chaos, client_of(chaos) as client:
        _, page = client.call("GET", "/stock?sku=X")
        assert [(row["id"], row["available"], row["location"]) for row in page["items"]] == [
            ("r0000001", 1, "main"),
            ("two", 2, "east"),
        ]
        assert chaos.truth()["X"]["initial"] == 3
    file.write_text('[{"stock": 1}]')
    with pytest.raises(ValueError, match="catalogue"):
        from_file(file)
    with pytest.raises(ValueError, match="same id"), running_chaos_supplier(items=[Item("a", "X", "", 1)] * 2):
        pass
    assert generated(3, "P-", 7)[2] == Item("r0000003", "P-000003", "main", 7)


@pytest.mark.parametrize("command", [["manage.py", "chaos_supplier"], ["-m", "suppliers.simulator"]])
def test_it_runs_as_a_process_of_its_own(command):
    arguments = [
        "--profile",
        "stale",
        "--rows",
        "30",
        "--seed",
        "7",
        "--prefix",
        "A-",
        "--scenario",
        '{"inflation": {"k": 2}}',
    ]
    process = subprocess.Popen(
        [sys.executable, *command, *arguments], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    with process:
        try:
            assert process.stdout
            ready = json.loads(process.stdout.readline())
            assert ready["pid"] == process.pid
            with client_of(SimpleNamespace(**ready)) as client:
                assert client.stock()["A-000030"] == 100
                scenario = client.call("GET", "/_chaos")[1]["scenario"]
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
    assert (scenario["seed"], scenario["lag"]) == (7, PROFILES["stale"]["lag"])
