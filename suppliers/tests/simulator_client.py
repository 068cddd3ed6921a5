"""What the tests of the simulator share: a client of its API that hides nothing."""

import contextlib
import http.client
from collections.abc import Iterator
from typing import Any, Protocol
from urllib.parse import urlsplit

import orjson

from suppliers.simulator.running import RunningChaosSupplier, running_chaos_supplier


class Reachable(Protocol):
    url: str
    token: str


class Client:
    """One keep-alive connection.  Each call gives status, headers and the decoded body."""

    def __init__(self, chaos: Reachable, timeout: float = 10) -> None:
        self._authorization = f"Bearer {chaos.token}"
        self.connection = http.client.HTTPConnection(urlsplit(chaos.url).netloc, timeout=timeout)

    def raw(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any, bytes]:
        self.connection.request(method, path, body, {"Authorization": self._authorization, **headers})
        response = self.connection.getresponse()
        return response.status, response.headers, response.read()

    def call(self, method: str, path: str, document: Any = None) -> tuple[int, Any]:
        status, _, body = self.raw(method, path, None if document is None else orjson.dumps(document))
        return status, orjson.loads(body)

    def stock(self, query: str = "page=1&size=1000") -> dict[str, int]:
        status, document = self.call("GET", f"/stock?{query}")
        assert status == 200, document
        return {row["sku"]: row["available"] for row in document["items"]}

    def order(self, reference: str, sku: str, quantity: int) -> tuple[int, Any]:
        return self.call("POST", "/orders", {"ref": reference, "lines": [{"sku": sku, "quantity": quantity}]})


@contextlib.contextmanager
def client_of(chaos: Reachable, timeout: float = 10) -> Iterator[Client]:
    client = Client(chaos, timeout)
    try:
        yield client
    finally:
        client.connection.close()


@contextlib.contextmanager
def simulated(clock: "VirtualClock | None" = None, **scenario: Any) -> Iterator[tuple[RunningChaosSupplier, Client]]:
    """A supplier of 20 rows with 10 units each, by default with this scenario, and a client of it."""
    options: dict[str, Any] = {"rows": 20, "stock": 10, **scenario}
    with running_chaos_supplier(clock=clock or VirtualClock(), **options) as chaos, client_of(chaos) as client:
        yield chaos, client


class VirtualClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
