"""How the chaos supplier takes orders: in parts, for now, and not for long."""

import pytest

from suppliers.tests.simulator_client import VirtualClock, simulated

SKU = "SKU-000001"


def basket(client, reference="r", **units):
    lines = [{"sku": sku, "quantity": quantity} for sku, quantity in units.items()]
    return client.call("POST", "/orders", {"ref": reference, "lines": lines})


def test_one_order_becomes_several_and_is_one_effect():
    with simulated(split={"parts": 2}) as (chaos, client):
        status, answer = basket(client, **{SKU: 3, "SKU-000002": 4})
        assert (status, answer["order_id"], len(answer["orders"])) == (201, None, 2)
        found = client.call("GET", "/orders?ref=r")[1]["items"]
        assert sorted((line["sku"], line["quantity"]) for order in found for line in order["lines"]) == [
            (SKU, 3), ("SKU-000002", 4),
        ]  # fmt: skip
        assert chaos.audit()["duplicates"] == {}

        numbers = ",".join(order["order_id"] for order in found)
        assert client.call("POST", f"/orders/{numbers}/cancel")[0] == 200
        assert chaos.truth(SKU)[SKU]["on_hand"] == chaos.truth("SKU-000002")["SKU-000002"]["on_hand"] == 10


def test_a_single_line_is_split_by_its_units():
    with simulated(split={"parts": 3}) as (chaos, client):
        orders = client.order("r", SKU, 5)[1]["orders"]
        assert sorted(order["lines"][0]["quantity"] for order in orders) == [1, 2, 2]
        assert chaos.truth(SKU)[SKU]["sold"] == 5
        assert client.order("s", SKU, 1)[1]["lines"][0]["quantity"] == 1


def test_an_order_is_pending_and_then_accepted():
    clock = VirtualClock()
    with simulated(clock, async_accept={"after_s": 5, "cancel_p": 0}) as (_, client):
        status, order = client.order("r", SKU, 3)
        assert (status, order["status"]) == (202, "pending")
        clock.now += 5
        assert client.call("GET", "/orders?ref=r")[1]["items"][0]["status"] == "accepted"


@pytest.mark.parametrize(("returns", "left"), [(True, 10), (False, 7)])
def test_the_supplier_thinks_better_of_it(returns, left):
    clock = VirtualClock()
    rule = {"after_s": 0, "cancel_p": 1, "cancel_after_s": 30, "returns": returns}
    with simulated(clock, async_accept=rule) as (_, client):
        assert client.order("r", SKU, 3)[0] == 201
        clock.now += 29
        assert client.call("GET", "/orders?ref=r")[1]["items"][0]["status"] == "accepted"
        clock.now += 1
        assert client.call("GET", "/orders?ref=r")[1]["items"][0]["status"] == "cancelled"
        assert client.call("GET", "/_audit")[1]["sales"][0]["cancelled_by"] == "supplier"
        row = client.call("GET", f"/_truth?sku={SKU}")[1]["skus"][SKU]
    assert row["on_hand"] == left == row["initial"] - row["sold"] + row["cancelled"] - row["lost"]


@pytest.mark.parametrize("code", ["NO_STOCK", "BELOW_MINIMUM", "WRONG_LOT", "PRICE_CHANGED", "DELISTED"])
def test_orders_are_refused_for_a_reason(code):
    with simulated(reject={"code": code}) as (chaos, client):
        status, answer = client.order("r", SKU, 1)
        assert (status, answer["error"]["code"], chaos.audit()["sales"]) == (409, code, [])


# --- Tokens ------------------------------------------------------------------------------------------------
def log_in(client):
    answer = client.call("POST", "/token", {})[1]
    assert answer["expires_in"] > 0
    return answer["access_token"]


def status_with(client, token):
    return client.raw("GET", "/stock", Authorization=f"Bearer {token}")[0]


def test_tokens_come_from_the_login_and_live_for_a_while():
    clock = VirtualClock()
    with simulated(clock, tokens={"ttl_s": 60}) as (chaos, client):
        assert client.raw("GET", "/stock")[0] == 401, "the secret itself opens nothing"
        token = log_in(client)
        assert status_with(client, token) == 200
        clock.now += 60
        assert status_with(client, token) == 401
        assert chaos.chaos()["acted"] == {"tokens": 2}
        chaos.set(tokens=None)
        assert client.raw("GET", "/stock")[0] == status_with(client, token) == 200


def test_a_token_may_die_early():
    clock = VirtualClock()
    with simulated(clock, tokens={"ttl_s": 100, "revoke_p": 0.5}) as (_, client):
        tokens = [log_in(client) for _ in range(20)]
        clock.now += 11
        alive = [status_with(client, token) for token in tokens].count(200)
    assert 0 < alive < 20


def test_a_refresh_kills_the_token_before_it():
    with simulated(tokens={"rotate": True}) as (_, client):
        first, second = log_in(client), log_in(client)
        assert (status_with(client, first), status_with(client, second)) == (401, 200)


@pytest.mark.parametrize("style", ["401", "403", "200"])
def test_a_dead_token_is_refused_in_its_style(style):
    with simulated(tokens={"style": style}) as (_, client):
        status, answer = client.call("GET", "/stock")
    assert (status, answer["error"]["code"]) == (int(style), "TOKEN_EXPIRED")
