"""The manners of the gateway: how often, how long, how many times, and when not at all."""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from structlog.testing import capture_logs

from suppliers.errors import CircuitOpen, Malformed, NotConfigured, SupplierError, Throttled, Transient, UpstreamTimeout
from suppliers.gateway import Gateway, for_supplier
from suppliers.models import Supplier
from suppliers.readings import ConfirmLine, ConfirmRequest, Outcome, Ref
from suppliers.shared_state import SharedState
from suppliers.tests.conftest import MakeGateway
from suppliers.tests.upstream import Seen, reply, running_upstream

GOOD = reply({"items": [{"id": 1, "sku": "A", "stock": 3}]})
CONFIRM = {"request": {"method": "POST", "path": "/orders"}, "accepted": "id"}
ORDER = ConfirmRequest("H-1", [ConfirmLine(Ref("1", "A"), 1)])


def in_turn(*answers: bytes) -> Callable[[Seen], bytes]:
    """Each answer once, the last one for ever."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


@pytest.fixture
def without_redis(monkeypatch) -> SharedState:
    """Redis as it looks when nobody listens."""
    away = SharedState("redis://127.0.0.1:1/0")
    monkeypatch.setattr("suppliers.shared_state.shared_state_at", lambda _: away)
    assert away.client() is None
    return away


@pytest.mark.parametrize("failure", [reply(status=500), reply(status=429), b""], ids=["500", "429", "no answer"])
def test_a_read_is_repeated(failure: bytes, make_gateway: MakeGateway):
    with running_upstream(in_turn(failure, failure, GOOD)) as upstream, capture_logs() as logs:
        page = next(make_gateway(upstream, limits={"attempts": 3}).snapshot())
    assert page.rows[0].available == 3
    assert len(upstream.seen) == 3
    assert [(line["event"], line["log_level"], line["times"]) for line in logs] == [
        ("asked_again", "info", 1),
        ("asked_again", "info", 2),
    ]


def test_a_read_is_repeated_as_often_as_the_limits_say(make_gateway):
    with running_upstream(in_turn(reply(status=500))) as upstream, pytest.raises(Transient):
        next(make_gateway(upstream, limits={"attempts": 2}).snapshot())
    assert len(upstream.seen) == 2


@pytest.mark.parametrize("final", [reply(status=401), reply(status=403), reply(body=b"<h1>"), reply({})])
def test_what_will_not_get_better_is_not_repeated(final: bytes, make_gateway):
    with running_upstream(in_turn(final)) as upstream, pytest.raises(SupplierError):
        next(make_gateway(upstream, limits={"attempts": 5}).snapshot())
    assert len(upstream.seen) == 1


def test_retry_after_is_obeyed(make_gateway):
    with running_upstream(in_turn(reply(status=429, Retry_After="1"), GOOD)) as upstream:
        started = time.monotonic()
        next(make_gateway(upstream, limits={"attempts": 2}).snapshot())
    assert 1 <= time.monotonic() - started < 4
    assert len(upstream.seen) == 2


@pytest.mark.parametrize("after", ["30", "86400"])
def test_who_asks_for_more_than_we_have_is_left_alone_by_everybody(after: str, make_gateway):
    with running_upstream(in_turn(reply(status=429, Retry_After=after), GOOD)) as upstream:
        limits = {"attempts": 5, "total_seconds": 2}
        started = time.monotonic()
        for gateway in (make_gateway(upstream, slug=f"busy-{after}", limits=limits) for _ in range(2)):
            with pytest.raises(Throttled) as caught:
                next(gateway.snapshot())
        assert next(make_gateway(upstream, slug=f"calm-{after}").snapshot())
    assert time.monotonic() - started < 2
    assert caught.value.retry_after is not None
    assert 25 < caught.value.retry_after <= 60
    assert len(upstream.seen) == 2


def test_no_read_lasts_beyond_its_deadline(make_gateway):
    with running_upstream(lambda _: upstream.drip(b"HTTP/1.1 200 OK\r\n")) as upstream:
        started = time.monotonic()
        with pytest.raises(UpstreamTimeout):
            next(make_gateway(upstream, limits={"attempts": 10, "total_seconds": 1}).snapshot())
    assert time.monotonic() - started < 2


def test_all_batches_together_have_a_deadline(make_gateway):
    fetch = {"request": {"path": "/stock/$uid"}, "items": "items", "batch": 1}
    limits = {"total_seconds": 0.4, "call_seconds": 1, "rate": 1000}
    refs = [Ref(str(number), "A") for number in range(1, 10)]
    answers = {"/stock/1": GOOD}
    with running_upstream(lambda seen: answers.get(seen.path, upstream.hang)) as upstream:
        started = time.monotonic()
        result = make_gateway(upstream, fetch=fetch, limits=limits).fetch(refs)
    assert time.monotonic() - started < 2
    assert ([row.uid for row in result.rows], len(result.unanswered)) == (["1"], 8)


@pytest.mark.parametrize("redis", ["with", "without"])
def test_the_rate_holds_over_all_callers(redis: str, make_gateway, request):
    if redis == "without":
        request.getfixturevalue("without_redis")
    times: list[float] = []

    def answer(_: Seen) -> bytes:
        times.append(time.monotonic())
        return GOOD

    with running_upstream(answer) as upstream:
        limits = {"rate": 10, "burst": 10}
        gateways = [make_gateway(upstream, slug=f"paced-{redis}", limits=limits) for _ in range(3)]
        with ThreadPoolExecutor(16) as threads:
            list(threads.map(lambda number: next(gateways[number % 3].snapshot()), range(16)))
    times.sort()
    assert len(times) == 16
    # No window of a second holds more than the ten that are allowed; the clock of the limiter ticks on its own.
    assert all(later - earlier > 0.9 for earlier, later in zip(times, times[10:], strict=False))


def test_who_would_have_to_wait_beyond_the_deadline_is_told_at_once(make_gateway):
    with running_upstream(lambda _: GOOD) as upstream:
        limits = {"rate": 0.1, "burst": 1, "total_seconds": 2}
        next(make_gateway(upstream, slug="slow-pace", limits=limits).snapshot())
        started = time.monotonic()
        with pytest.raises(Throttled) as caught:
            next(make_gateway(upstream, slug="slow-pace", limits=limits).snapshot())
    assert time.monotonic() - started < 1
    assert caught.value.retry_after
    assert len(upstream.seen) == 1


@pytest.mark.parametrize("redis", ["with", "without"])
def test_a_supplier_that_fails_is_left_alone_and_tried_again(redis: str, make_gateway, request):
    if redis == "without":
        request.getfixturevalue("without_redis")
    healed = threading.Event()
    with running_upstream(lambda _: GOOD if healed.is_set() else reply(status=503)) as upstream:
        limits = {"breaker_failures": 3, "breaker_seconds": 1}

        def read():
            return next(make_gateway(upstream, slug=f"fails-{redis}", limits=limits).snapshot())

        for _ in range(3):
            with pytest.raises(Transient):
                read()
        with pytest.raises(CircuitOpen) as caught:
            read()
        assert len(upstream.seen) == 3
        assert caught.value.retry_after
        with pytest.raises(CircuitOpen):  # and nothing is ordered meanwhile: it was not sent
            make_gateway(upstream, slug=f"fails-{redis}", limits=limits, confirm=CONFIRM).confirm(ORDER)
        healed.set()
        time.sleep(caught.value.retry_after)
        assert read().rows
        assert read().rows
    assert len(upstream.seen) == 5


def test_a_supplier_that_gets_up_is_tried_by_one_at_a_time(make_gateway):
    others_refused = threading.Barrier(6)

    def answer(_: Seen) -> bytes:
        if len(upstream.seen) == 1:
            return reply(status=503)
        others_refused.wait(10)
        return GOOD

    def read(gateway: Gateway) -> str:
        try:
            next(gateway.snapshot())
        except CircuitOpen:
            others_refused.wait(10)
            return "refused"
        return "tried"

    with running_upstream(answer) as upstream:
        limits = {"breaker_failures": 1, "breaker_seconds": 1}
        gateways = [make_gateway(upstream, slug="gets-up", limits=limits) for _ in range(6)]
        with pytest.raises(Transient):
            next(gateways[0].snapshot())
        time.sleep(1.1)
        with ThreadPoolExecutor(6) as threads:
            outcomes = sorted(threads.map(read, gateways))
    assert outcomes == ["refused"] * 5 + ["tried"]


def test_nonsense_and_refusals_do_not_open_the_breaker(make_gateway):
    with running_upstream(in_turn(reply(body=b"<h1>"))) as upstream:
        gateway = make_gateway(upstream, limits={"breaker_failures": 2})
        for _ in range(4):
            with pytest.raises(Malformed):
                next(gateway.snapshot())
    assert len(upstream.seen) == 4


def test_lost_orders_open_the_breaker_too(make_gateway):
    with running_upstream(in_turn(reply(status=500))) as upstream:
        gateway = make_gateway(upstream, confirm=CONFIRM, limits={"breaker_failures": 2, "breaker_seconds": 60})
        for _ in range(2):
            assert gateway.confirm(ORDER).outcome is Outcome.UNKNOWN
        with pytest.raises(CircuitOpen):
            gateway.confirm(ORDER)
    assert len(upstream.seen) == 2


def test_a_redis_that_does_not_answer_is_asked_once_in_a_while(make_gateway, monkeypatch):
    with running_upstream(lambda _: GOOD) as upstream, socket.create_server(("127.0.0.1", 0)) as silent:
        away = SharedState(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        monkeypatch.setattr("suppliers.shared_state.shared_state_at", lambda _: away)
        started = time.monotonic()
        for _ in range(5):
            assert next(make_gateway(upstream).snapshot()).rows
    assert time.monotonic() - started < 4


@pytest.mark.parametrize("config", [{}, [], {"base_url": "https://127.1", "list": {}}])
def test_a_configuration_that_is_none_is_told(config, loopback_suppliers):
    with pytest.raises(NotConfigured):
        for_supplier(Supplier(slug="bad", config=config))


def test_an_unknown_adapter_is_told(loopback_suppliers):
    with pytest.raises(NotConfigured, match="there is rest"):
        for_supplier(Supplier(slug="bad", adapter="telex"))
