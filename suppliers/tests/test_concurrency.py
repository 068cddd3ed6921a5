"""Calls of one supplier at once: as many as it allows, orders first, and a dead process keeps no place."""

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from suppliers.errors import Throttled
from suppliers.places import Places
from suppliers.readings import ConfirmLine, ConfirmRequest, Outcome, Ref
from suppliers.shared_state import SharedState
from suppliers.tests.upstream import Seen, Upstream, reply, running_upstream

numbers = itertools.count(1)
GOOD = reply({"items": [{"id": 1, "sku": "A", "stock": 3}], "id": 7})
CONFIRM = {"request": {"method": "POST", "path": "/orders"}, "accepted": "id"}
ORDER = ConfirmRequest("H-1", [ConfirmLine(Ref("1", "A"), 1)])


@pytest.fixture(params=["with Redis", "without"])
def name(request, monkeypatch) -> str:
    if request.param == "without":
        away = SharedState("redis://127.0.0.1:1/0")
        monkeypatch.setattr("suppliers.shared_state.shared_state_at", lambda _: away)
    return f"busy-{next(numbers)}"


class Crowd:
    """Answers after a moment, and notes how many were there at once."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._lock = threading.Lock()

    def __call__(self, _: Seen) -> bytes:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        threading.Event().wait(0.05)
        with self._lock:
            self.now -= 1
        return GOOD


def read_at_once(make_gateway, upstream: Upstream, slug: str, limits: dict[str, int]) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: next(make_gateway(upstream, slug=slug, limits=limits).snapshot()), range(12)))


def test_without_a_limit_they_all_come_at_once(make_gateway, name):
    """The control."""
    crowd = Crowd()
    with running_upstream(crowd) as upstream:
        read_at_once(make_gateway, upstream, name, {})
    assert crowd.most > 2


def test_no_more_come_at_once_than_the_supplier_takes(make_gateway, name):
    crowd = Crowd()
    with running_upstream(crowd) as upstream:
        read_at_once(make_gateway, upstream, name, {"concurrency": 2})
    assert crowd.most == 2
    assert len(upstream.seen) == 12
    assert Places(f"calls:{name}", 2).taken() == 0


def test_who_finds_no_place_in_time_sends_nothing(make_gateway, name):
    mark = Places(f"calls:{name}", 1).take(30)
    with running_upstream(lambda _: GOOD) as upstream:
        gateway = make_gateway(upstream, slug=name, limits={"concurrency": 1, "total_seconds": 0.3})
        with pytest.raises(Throttled, match="at once"):
            next(gateway.snapshot())
        assert not upstream.seen
        Places(f"calls:{name}", 1).give_back(mark)
        assert next(gateway.snapshot())


def test_the_place_of_who_died_is_free_when_its_lease_ends(name):
    places = Places(name, 1)
    assert places.take(0.3)
    assert not places.take(10)
    deadline = time.monotonic() + 5
    while not (mark := places.take(10)):
        assert time.monotonic() < deadline
    assert places.taken() == 1
    places.give_back(mark)
    assert places.taken() == 0


def test_orders_go_before_snapshots(make_gateway):
    """A snapshot asks for its next page the moment the last one is there: by chance an order would hardly get in."""
    name = f"busy-{next(numbers)}"
    places = Places(f"calls:{name}", 1)
    mark = places.take(30)
    with running_upstream(lambda _: GOOD) as upstream, ThreadPoolExecutor(1) as pool:
        gateway = make_gateway(upstream, slug=name, limits={"concurrency": 1}, confirm=CONFIRM)
        confirming = pool.submit(gateway.confirm, ORDER)
        deadline = time.monotonic() + 5
        while not places.preferred():
            assert time.monotonic() < deadline
        places.give_back(mark)
        assert places.take(1) == ""  # free, and kept
        assert confirming.result(5).outcome is Outcome.ACCEPTED
    assert places.take(1)


def test_a_lease_can_be_renewed_by_who_holds_it():
    places = Places(f"busy-{next(numbers)}", 1)
    mark = places.take(0.3)
    places.renew(mark, 30)
    deadline = time.monotonic() + 0.6
    while time.monotonic() < deadline:
        assert not places.take(30)
    places.give_back(mark)
    places.renew(mark, 30)
    assert places.taken() == 0
