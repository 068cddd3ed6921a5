"""What the chaos supplier says of its stock: late, doubled, not there, written oddly."""

import itertools
from datetime import datetime

import pytest

from suppliers.simulator.behaviours.rows import CODES, QUANTITIES, STAMPS
from suppliers.tests.simulator_client import VirtualClock, simulated

SKU = "SKU-000001"


def row(client, sku=SKU):
    [found] = client.call("GET", f"/stock?sku={sku}")[1]["items"]
    return found


# --- Late -----------------------------------------------------------------------------------------------
def test_replicas_let_reads_go_backwards():
    clock = VirtualClock()
    with simulated(clock, lag={"lag_s": 10, "replicas": 3}) as (chaos, client):
        chaos.sell(SKU, 4)
        clock.now += 15
        numbers = [row(client)["available"] for _ in range(20)]
    assert set(numbers) == {6, 10}
    assert any(later > earlier for earlier, later in itertools.pairwise(numbers))


def test_a_cached_answer_is_given_out_until_its_time_is_over():
    clock = VirtualClock()
    with simulated(clock, lag={"lag_s": 0, "cache_ttl_s": 60}) as (chaos, client):
        clock.now += 5
        chaos.sell(SKU, 4)
        clock.now += 54
        assert row(client)["available"] == 10
        clock.now += 1
        assert row(client)["available"] == 6


def test_inflation_lasts_as_long_as_the_event_and_rises():
    clock = VirtualClock()
    window = {"k": 3, "from_s": 10, "until_s": 100, "ramp_s": 20}
    with simulated(clock, inflation=window) as (_, client):
        seen = []
        for at in (0, 20, 30, 99, 100):
            clock.now = VirtualClock().now + at
            seen.append(row(client)["available"])
    assert seen == [10, 20, 30, 30, 10]


# --- Not there --------------------------------------------------------------------------------------------
def test_hollow_stock_is_shown_and_cannot_be_had():
    with simulated(phantom={"share": 1, "show": 12}) as (chaos, client):
        assert row(client)["available"] == 12
        status, answer = client.order("r", SKU, 1)
        assert (status, answer["error"]["code"], answer["error"]["lines"]) == (
            409, "NO_STOCK", [{"id": "r0000001", "available": 0}],
        )  # fmt: skip
        assert chaos.audit()["sales"] == []


def test_a_number_that_never_decrements_stays_after_the_stock_is_sold():
    with simulated(phantom={"share": 1, "mode": "never_decrements"}) as (_, client):
        assert client.order("r", SKU, 10)[0] == 201
        assert row(client)["available"] == 10
        assert client.order("s", SKU, 1)[0] == 409


def test_a_sentinel_says_nothing_of_the_stock():
    with simulated(phantom={"share": 0.5, "mode": "sentinel"}) as (_, client):
        assert set(client.stock().values()) == {10, 99_999}


def test_a_pool_is_shown_by_each_of_its_rows_and_sold_once():
    with simulated(phantom={"mode": "pool", "pool": 3}) as (chaos, client):
        assert [client.stock()[f"SKU-00000{number}"] for number in (1, 2, 3, 4)] == [30] * 4
        assert client.order("r", SKU, 25)[0] == 201
        assert client.stock()["SKU-000003"] == 5
        assert client.order("s", "SKU-000002", 6)[0] == 409
        assert client.order("t", "SKU-000002", 5)[0] == 201
        truth = chaos.truth()
    assert sum(truth[f"SKU-00000{number}"]["on_hand"] for number in (1, 2, 3)) == 0
    assert truth["SKU-000004"]["on_hand"] == 10


# --- Written oddly -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [kind for kind in QUANTITIES if kind != "missing"])
def test_a_quantity_is_written_as_told(kind):
    with simulated(quantity_types={"share": 1, "kinds": [kind]}) as (_, client):
        shown = row(client)["available"]
    assert shown == QUANTITIES[kind](10)
    assert type(shown) is type(QUANTITIES[kind](10))
    assert type(shown) is not int or shown < 0, "nothing that would pass for a right number"


def test_a_quantity_may_be_missing():
    with simulated(quantity_types={"share": 1, "kinds": ["missing"]}) as (_, client):
        assert "available" not in row(client)


def test_some_rows_are_odd_and_always_the_same_ones():
    with simulated(quantity_types={"share": 0.3, "kinds": ["negative"]}) as (_, client):
        readings = [{sku for sku, units in client.stock().items() if units < 0} for _ in range(3)]
    assert 0 < len(readings[0]) < 20
    assert readings[0] == readings[1] == readings[2]


@pytest.mark.parametrize("kind", CODES)
def test_a_code_is_not_what_it_was(kind):
    with simulated(sku_variance={"share": 1, "kinds": [kind]}) as (_, client):
        shown = [row["sku"] for row in client.call("GET", "/stock?page=1")[1]["items"]]
    assert shown[0] == CODES[kind](SKU) != SKU
    assert (len(set(shown)) < len(shown)) == (kind in ("empty", "shared", "exponent"))


def test_a_row_may_be_used_for_something_else_later():
    clock = VirtualClock()
    with simulated(clock, sku_variance={"share": 1, "kinds": ["reused"], "after_s": 60}) as (_, client):
        assert row(client)["sku"] == SKU
        clock.now += 60
        assert row(client)["sku"] == f"OTHER-{SKU}"


@pytest.mark.parametrize("kind", STAMPS)
def test_times_are_written_as_told(kind):
    clock = VirtualClock()
    with simulated(clock) as (chaos, client):
        chaos.set(clock={"skew_s": -900, "formats": [kind]})
        _, headers, _ = client.raw("GET", "/stock")
        shown = row(client)["updated_at"]
    moment = datetime.fromisoformat("2027-01-15T07:45:00+00:00")
    assert shown == STAMPS[kind](moment)
    assert headers["Date"] == "Fri, 15 Jan 2027 07:45:00 GMT"


# --- Goods that come and go -----------------------------------------------------------------------------------
def churned(client, clock):
    """What stands for the first row in each of twelve moments of two periods."""
    shown = []
    for _ in range(12):
        rows = client.call("GET", "/stock?page=1")[1]["items"]
        shown.append([row for row in rows if row["id"].startswith("r0000001")])
        clock.now += 10
    return shown


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("delisted", []),
        ("moved", [("r0000001", SKU, 10, "annex")]),
        ("split", [("r0000001/a", f"{SKU}-A", 5, "main"), ("r0000001/b", f"{SKU}-B", 5, "main")]),
        ("untracked", [("r0000001", SKU, None, "main")]),
        ("annex", [("r0000001", SKU, 10, "main"), ("r0000001", SKU, 0, "annex")]),
    ],
)
def test_the_catalogue_moves_and_moves_back(kind, expected):
    clock = VirtualClock()
    with simulated(clock, churn={"share": 1, "period_s": 60, "kinds": [kind]}) as (_, client):
        shown = churned(client, clock)
    usual = [("r0000001", SKU, 10, "main")]
    seen = [[(row["id"], row["sku"], row["available"], row["location"]) for row in rows] for rows in shown]
    assert seen.count(expected) == seen.count(usual) == 6


def test_a_variant_is_sold_from_the_row_it_was_split_off():
    with simulated(churn={"share": 1, "kinds": ["split"]}) as (chaos, client):
        status, _ = client.call("POST", "/orders", {"ref": "r", "lines": [{"id": "r0000001/a", "quantity": 4}]})
        assert (status, chaos.truth(SKU)[SKU]["on_hand"]) == (201, 6)
