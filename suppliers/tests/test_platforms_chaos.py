"""The platform adapters against the chaos supplier: two programs that know each other by HTTP alone."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from suppliers.credentials import seal
from suppliers.errors import AuthExpired, Conflict, Forbidden, SupplierError, Throttled, Transient
from suppliers.gateway import Gateway, for_supplier
from suppliers.models import Supplier
from suppliers.readings import Capability, ConfirmLine, ConfirmRequest, Outcome, Ref
from suppliers.simulator.ledger import Item
from suppliers.simulator.running import RunningChaosSupplier, running_chaos_supplier
from suppliers.tests.conftest import numbers

LOCATION = "1"  # of "main"
ITEMS = [Item(f"r{number}", f"SKU-{number}", "main", 10) for number in range(1, 8)]
DIALECTS = {"shopify": "shopify_lite", "top": "top", "aop1688": "aop1688"}
CONFIGS: dict[str, Callable[[str], dict[str, Any]]] = {
    "shopify": lambda url: {
        "base_url": url,
        "locations": [LOCATION],
        "page_size": 3,
        "bulk": False,  # the chaos supplier writes another form of file
    },
    "top": lambda url: {"base_url": f"{url}/router/rest", "writes": True, "page_size": 3},
    "aop1688": lambda url: {"base_url": url, "pool": 1, "page_size": 3, "order": {"address": {"addressId": 1}}},
}


def secrets_of(token: str) -> dict[str, str]:
    own = {"token": token, "session": token, "refresh_token": token}
    return {**own, "app_key": "1000000", "app_secret": token}


Connect = Callable[..., Gateway]


@pytest.fixture(params=DIALECTS)
def adapter(request) -> str:
    name: str = request.param
    return name


@pytest.fixture
def chaos(adapter):
    with running_chaos_supplier(items=ITEMS, dialect=DIALECTS[adapter]) as running:
        yield running
        assert running.audit()["duplicates"] == {}


@pytest.fixture
def connect(db, adapter, chaos, loopback_suppliers) -> Connect:
    def connected(secrets: dict[str, str] | None = None, **config: Any) -> Gateway:
        limits = {"rate": 1000, "burst": 1000, "attempts": 1, "breaker_failures": 1000, "total_seconds": 2}
        whole = {**CONFIGS[adapter](chaos.url), "limits": limits, **config}
        sealed = seal({**secrets_of(chaos.token), **(secrets or {})})
        slug = f"chaos-{adapter}-{next(numbers)}"
        return for_supplier(Supplier(slug=slug, adapter=adapter, config=whole, credentials=sealed))

    return connected


def rows(gateway: Gateway, cursor: Any = None) -> dict[str, Ref]:
    pages = list(gateway.snapshot(cursor))
    assert pages[-1].cursor is None
    return {row.sku: Ref(row.uid, row.sku, row.location) for page in pages for row in page.rows}


def order(reference: str, ref: Ref, quantity: int, expected: int | None = None) -> ConfirmRequest:
    return ConfirmRequest(reference, [ConfirmLine(ref, quantity, expected)], attempt="1")


def on_hand(chaos: RunningChaosSupplier) -> int:
    return chaos.truth("SKU-1")["SKU-1"]["on_hand"]


def available(gateway: Gateway, ref: Ref) -> int | None:
    (row,) = gateway.fetch([ref]).rows
    return row.available


def test_every_row_is_read_once_and_a_list_goes_on(connect):
    gateway = connect()
    pages = [page for page in gateway.snapshot() if not page.pending]
    found = [(row.sku, row.available) for page in pages for row in page.rows]
    assert found == [(f"SKU-{number}", 10) for number in range(1, 8)]
    if pages[0].cursor is not None:
        resumed = [row.sku for page in connect().snapshot(pages[0].cursor) for row in page.rows]
        assert resumed == [sku for sku, _ in found[len(pages[0].rows) :]]


def test_orders_are_taken_and_called_off(connect, chaos):
    gateway = connect()
    ref = rows(gateway)["SKU-1"]
    taken = gateway.confirm(order("H-1", ref, 3, expected=10))
    assert taken.outcome is Outcome.ACCEPTED
    assert (available(gateway, ref), on_hand(chaos)) == (7, 7)
    assert gateway.cancel(order("H-1", ref, 3), taken.upstream_order).outcome is Outcome.ACCEPTED
    assert on_hand(chaos) == 10


def test_more_than_there_is_is_not_taken(adapter, connect, chaos):
    gateway = connect()
    ref = rows(gateway)["SKU-1"]
    chaos.sell("SKU-1", 8)
    if Capability.CAS in gateway.capabilities:
        with pytest.raises(Conflict):
            gateway.confirm(order("H-1", ref, 3, expected=10))
    else:
        assert gateway.confirm(order("H-1", ref, 3)).outcome is Outcome.REJECTED_STOCK
    assert on_hand(chaos) == 2


def test_an_order_that_took_effect_unanswered_has_one_effect(adapter, connect, chaos):
    gateway = connect()
    ref = rows(gateway)["SKU-1"]
    chaos.set(lost_reply={"times": 1, "endpoints": ["confirm"]})
    wanted = order("H-1", ref, 3, expected=10)
    if adapter == "aop1688":
        # The preview goes to the same place as the order and loses its answer first: nothing was ordered.
        with pytest.raises(Transient) as caught:
            gateway.confirm(wanted)
        assert not caught.value.sent
        return
    assert gateway.confirm(wanted).outcome is Outcome.UNKNOWN
    if Capability.IDEMPOTENT in gateway.capabilities:
        assert gateway.confirm(wanted).outcome is Outcome.ACCEPTED
    else:
        assert gateway.readback(wanted).outcome is Outcome.UNKNOWN
    assert on_hand(chaos) == 7


def test_a_row_that_is_not_there_is_missing(adapter, connect):
    uids = {"shopify": "999", "top": "999:1", "aop1688": "999:1"}
    ref = Ref(uids[adapter], "GONE", LOCATION if adapter == "shopify" else "")
    assert connect().fetch([ref]).missing == [ref]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"throttle": {"retry_after": 7}}, Throttled),
        ({"server_error": True}, Transient),
        ({"latency": {"median_ms": 5_000, "sigma": 0.0}}, Transient),
    ],
    ids=["throttled", "failed", "slow"],
)
def test_faults_keep_their_kind(fault, error: type[SupplierError], connect, chaos):
    gateway = connect()
    ref = rows(gateway)["SKU-1"]
    chaos.set(**fault)
    started = time.monotonic()
    with pytest.raises(error) as caught:
        gateway.fetch([ref])
    assert time.monotonic() - started < 4
    if error is Throttled:
        assert caught.value.retry_after


def test_a_wrong_secret_is_told(adapter, connect):
    wrong = {"shopify": {"token": "wrong"}, "top": {"app_secret": "wrong"}, "aop1688": {"app_secret": "wrong"}}
    with pytest.raises((AuthExpired, Forbidden)):
        list(connect(secrets=wrong[adapter]).snapshot())


@pytest.mark.parametrize("method", ["md5", "hmac", "hmac-sha256"])
@pytest.mark.parametrize("adapter", ["top"], indirect=True)
def test_every_signature_of_top_is_accepted(method, connect):
    assert len(rows(connect(sign_method=method))) == 7


@pytest.mark.parametrize("adapter", ["top"], indirect=True)
def test_a_clock_of_top_that_is_off_is_met(connect, chaos):
    ref = rows(connect())["SKU-1"]
    chaos.set(clock={"skew_s": 900})
    assert available(connect(), ref) == 10


@pytest.mark.parametrize("adapter", ["aop1688"], indirect=True)
def test_an_order_at_1688_is_found_by_our_reference(connect, chaos):
    gateway = connect()
    ref = rows(gateway)["SKU-1"]
    wanted = order("H-1", ref, 3)
    assert gateway.readback(wanted).outcome is Outcome.NOT_FOUND
    placed = gateway.confirm(wanted)
    found = gateway.readback(wanted)
    assert (found.outcome, found.accepted) == (Outcome.ACCEPTED, {ref.uid: 3})
    assert found.upstream_order == placed.upstream_order


@pytest.mark.parametrize("adapter", ["aop1688"], indirect=True)
def test_an_order_at_1688_that_is_split_is_called_off_whole(connect, chaos):
    gateway = connect()
    found = rows(gateway)
    chaos.set(split={"parts": 2})
    both = ConfirmRequest("H-1", [ConfirmLine(found["SKU-1"], 3), ConfirmLine(found["SKU-2"], 2)])
    assert len(gateway.confirm(both).upstream_order.split(",")) == 2
    assert gateway.cancel(both, "").outcome is Outcome.ACCEPTED
    assert on_hand(chaos) == 10
