"""Each fault of the chaos supplier, as the gateway tells it; the plain dialogue is in test_gateway_chaos."""

import pytest
from cryptography.fernet import Fernet

from suppliers.credentials import seal
from suppliers.errors import Malformed, SupplierError, Throttled, Transient
from suppliers.gateway import for_supplier
from suppliers.readings import ConfirmLine, ConfirmRequest, Outcome, Ref
from suppliers.simulator.configuration import rest_config
from suppliers.simulator.running import running_chaos_supplier

SKU, UID = "SKU-000001", "r0000001"


@pytest.fixture
def connected(settings, make_supplier):
    """The gateway of a supplier at this simulator; `limits` on top of its configuration's."""
    settings.SUPPLIER_PRIVATE_NETWORKS = True
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]

    def connect(chaos, **limits):
        config = rest_config(chaos.url, chaos.dialect, size=10)
        config["limits"] |= {"attempts": 1, "breaker_failures": 100} | limits
        return for_supplier(make_supplier(config=config, credentials=seal({"token": chaos.token})))

    return connect


@pytest.fixture
def chaos():
    with running_chaos_supplier(rows=25, stock=10) as running:
        yield running


def order(quantity: int = 3, reference: str = "ref-1") -> ConfirmRequest:
    return ConfirmRequest(reference, [ConfirmLine(Ref(UID, SKU, "main"), quantity)])


def test_an_order_is_taken_read_back_and_cancelled(connected, chaos):
    gateway = connected(chaos)
    taken = gateway.confirm(order())
    assert (taken.outcome, taken.accepted) == (Outcome.ACCEPTED, {UID: 3})
    assert gateway.readback(order()) == taken
    assert gateway.cancel(order(), taken.upstream_order).outcome is Outcome.ACCEPTED
    assert gateway.readback(order()).outcome is Outcome.REJECTED_OTHER
    assert gateway.readback(order(reference="never")).outcome is Outcome.NOT_FOUND
    assert chaos.truth(SKU)[SKU]["on_hand"] == 10


def test_a_short_order_is_rejected_for_stock_and_a_partial_one_says_how_much(connected, chaos):
    gateway = connected(chaos)
    assert gateway.confirm(order(11)).outcome is Outcome.REJECTED_STOCK
    chaos.set(partial=True)
    taken = gateway.confirm(order(11))
    assert (taken.outcome, taken.accepted) == (Outcome.PARTIAL, {UID: 10})
    assert gateway.readback(order(11)) == taken


@pytest.mark.parametrize("mode", ["closed", "hang"])
def test_a_lost_reply_is_unknown_and_a_readback_finds_its_one_effect(connected, chaos, mode):
    chaos.set(lost_reply={"times": 1, "mode": mode})
    gateway = connected(chaos, read_seconds=0.3, attempts=3)
    assert gateway.confirm(order()).outcome is Outcome.UNKNOWN
    assert gateway.readback(order()).outcome is Outcome.ACCEPTED
    assert chaos.audit()["duplicates"] == {}
    assert chaos.truth(SKU)[SKU]["sold"] == 3


@pytest.mark.parametrize(
    ("scenario", "error"),
    [
        ({"server_error": True}, Transient),
        ({"down": True}, Transient),
        ({"down": {"mode": "closed"}}, Transient),
        ({"latency": {"hang_p": 1, "median_ms": 0}}, Transient),
        ({"error_in_200": True}, Transient),
        ({"html_200": True}, Malformed),
        ({"truncated": True}, Malformed),
        ({"truncated": {"mode": "cut"}}, SupplierError),
    ],
)
def test_each_fault_is_the_error_it_is(connected, chaos, scenario, error):
    chaos.set(**scenario)
    gateway = connected(chaos, read_seconds=0.3)
    with pytest.raises(error):
        next(gateway.snapshot())
    with pytest.raises(error):
        gateway.fetch([Ref(UID, SKU, "main")])


def test_a_throttled_read_knows_how_long_to_wait(connected, chaos):
    chaos.set(throttle={"retry_after": 7})
    with pytest.raises(Throttled) as raised:
        next(connected(chaos).snapshot())
    assert raised.value.retry_after == 7


def test_a_read_is_repeated_until_it_succeeds(connected, chaos):
    chaos.set(server_error={"times": 2})
    assert len(next(connected(chaos, attempts=3).snapshot()).rows) == 10
    assert chaos.chaos()["requests"] == {"list": 3}
