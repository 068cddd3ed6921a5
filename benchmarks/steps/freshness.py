"""P11: how soon every web process tells a new number."""

import json
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from queue import SimpleQueue
from typing import Any

from django.db import connection

from benchmarks import goods
from benchmarks.registry import Figure, at_most, step
from benchmarks.run import Run
from benchmarks.web import Web


@dataclass
class Client:
    """One kept connection to one web process."""

    web: Web
    key: str
    http: HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.http = HTTPConnection("127.0.0.1", self.web.port, timeout=10)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
        """The answer's body; raises RuntimeError for anything but 200 and 201."""
        sent = None if body is None else json.dumps(body)
        headers |= {"Authorization": f"Api-Key {self.key}", "Content-Type": "application/json"}
        self.http.request(method, f"/api/v1/{path}", sent, headers)
        answer = self.http.getresponse()
        content: dict[str, Any] = json.loads(answer.read())
        if answer.status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {answer.status} {content}")
        return content

    def version(self, code: str) -> int:
        """Of the stock answer, which may come from the cache."""
        return int(self.ask("GET", f"stock/{code}")["version"])


@dataclass
class Seen:
    """seconds: from the last look that did not see a commit to the first answer with its number, so rather too long.

    late: answers after the buyer's own that were older than it.
    """

    seconds: list[float] = field(default_factory=list)
    late: int = 0


@step("P11")
def freshness(run: Run) -> Iterator[Figure]:
    """Order and cancel at one web process, and watch the database and the stock API of another."""
    (code,) = goods.add("P11")
    seen = Seen()
    with run.web(name="seller", workers=1) as seller, run.web(name="reader", workers=1) as reader:
        buyer, other = Client(seller, run.key), Client(reader, run.key)
        for number in range(20 if run.small else 300):
            order = _watched(seen, code, other, lambda n=number: _order(buyer, code, n))
            if order["lines"][0]["version"] > other.version(code):
                seen.late += 1
            _watched(seen, code, other, lambda n=order["number"]: buyer.ask("POST", f"orders/{n}/cancel"))
    run.sold[code] += 0  # each was cancelled
    ordered = sorted(1e3 * seconds for seconds in seen.seconds)
    yield Figure(
        "P11",
        "COMMIT of an order or cancel to the new number at another web process, p99; before the buyer's own answer",
        at_most(10, " ms"),
        ordered[int(0.99 * len(ordered))],
        unit=" ms",
        also=seen.late == 0,
        notes=[
            f"{len(ordered)} changes, median {statistics.median(ordered):.1f} ms, longest {ordered[-1]:.1f} ms",
            f"{seen.late} answers at the other process were older than the buyer's own answer before it",
            "counted from the last look at the database that did not see the commit: up to one look too long",
        ],
    )


def _order(buyer: Client, code: str, number: int) -> dict[str, Any]:
    body = {"reference": "bench", "lines": [{"sku": code, "quantity": 1}]}
    return buyer.ask("POST", "orders", body, **{"Idempotency-Key": f"p11-{number}"})


def _watched(seen: Seen, code: str, other: Client, change: Any) -> dict[str, Any]:
    """Make a change in a thread and note how long the other process took to tell it."""
    answers: SimpleQueue[dict[str, Any] | Exception] = SimpleQueue()

    def work() -> None:
        try:
            answers.put(change())
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            answers.put(error)

    before = other.version(code)
    thread = threading.Thread(target=work)
    thread.start()
    seen.seconds.append(_until_told(code, before, other))
    thread.join()
    answer = answers.get()
    if isinstance(answer, Exception):
        raise answer
    return answer


def _until_told(code: str, before: int, other: Client) -> float:
    committed, uncommitted_at = before, time.perf_counter()
    deadline = uncommitted_at + 10
    with connection.cursor() as cursor:
        while time.perf_counter() < deadline:
            if committed == before:
                looked = time.perf_counter()
                cursor.execute("SELECT version FROM inventory_sku WHERE code = %s", [code])
                (committed,) = cursor.fetchone()
                uncommitted_at = looked if committed == before else uncommitted_at
            elif other.version(code) > before:
                return time.perf_counter() - uncommitted_at
    raise TimeoutError(f"{code} never told its version after {before}")
