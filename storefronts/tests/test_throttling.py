"""A busy process takes many requests from the shared count at once, and the limit holds all the same."""

from types import SimpleNamespace
from uuid import uuid4

import pytest
from limits import RateLimitItemPerDay

from storefronts import throttling
from storefronts.keys import Principal
from storefronts.throttling import Leases, StorefrontThrottle

LIMIT = 20_000


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A limit of its own; the cost of each question to Redis."""
    limit = RateLimitItemPerDay(LIMIT, namespace=str(uuid4()))
    costs: list[int] = []
    counter = throttling.shared_counter()
    hit = counter.hit

    def count(item: object, name: str, cost: int = 1) -> bool:
        costs.append(cost)
        return hit(item, name, cost=cost)  # type: ignore[arg-type]

    monkeypatch.setattr(throttling, "rate_limit", lambda: limit)
    monkeypatch.setattr(counter, "hit", count)
    return costs


def allowed(leases: Leases, monkeypatch: pytest.MonkeyPatch) -> bool:
    """One request of the storefront in the process that has these leases."""
    monkeypatch.setattr(throttling, "leases", leases)
    request = SimpleNamespace(user=Principal(7, "shop", "prefix", frozenset()))
    return StorefrontThrottle().allow_request(request, None)  # type: ignore[arg-type]


def test_a_busy_storefront_asks_redis_rarely(asked, monkeypatch):
    process = Leases()
    assert all(allowed(process, monkeypatch) for _ in range(1_000))
    assert asked[:6] == [1, 2, 4, 8, 16, LIMIT // throttling.LEASE_SHARE]
    assert len(asked) < 60


def test_two_busy_processes_together_keep_to_the_limit(asked, monkeypatch):
    processes = [Leases(), Leases()]
    served = sum(allowed(processes[number % 2], monkeypatch) for number in range(LIMIT + 2_000))
    assert LIMIT * 0.998 <= served <= LIMIT


def test_a_lease_that_was_not_spent_in_time_is_gone_and_the_next_is_small(asked, monkeypatch):
    process = Leases()
    for _ in range(20):
        allowed(process, monkeypatch)
    lease = process._leases["7"]
    assert lease.left > 0
    lease.until = 0.0
    asked.clear()
    assert allowed(process, monkeypatch)
    assert asked == [1]
