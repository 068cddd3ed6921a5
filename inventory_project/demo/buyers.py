"""Buyers of the demo: they look at the stock and order, and repeat with the same key whatever was not decided."""

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

TIMEOUT = 10  # seconds; no request of ours may take longer than 8
PATIENCE = 30  # seconds
UNDECIDED = 503
PLACED = 201
REFUSED = 409


@dataclass
class Tally:
    """What buyers were told.  answers: status → times, 0 for none at all; units: SKU → units of orders placed."""

    answers: Counter[int] = field(default_factory=Counter)
    units: Counter[str] = field(default_factory=Counter)
    answers_by_sku: Counter[tuple[str, int]] = field(default_factory=Counter)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def note(self, status: int, lines: dict[str, int]) -> None:
        """Count one answer to one order."""
        with self._guard:
            self.answers[status] += 1
            self.answers_by_sku.update((sku, status) for sku in lines)
            if status == PLACED:
                self.units.update(lines)

    def copy(self) -> "Tally":
        """The counts at this moment."""
        with self._guard:
            return Tally(Counter(self.answers), Counter(self.units), Counter(self.answers_by_sku))


class Shop:
    """The API as one buyer's client sees it.  Not for several threads."""

    def __init__(self, base_url: str, api_key: str, tally: Tally) -> None:
        self.url = base_url
        self.tally = tally
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Api-Key {api_key}"
        self.session.trust_env = False

    def available(self, sku: str) -> dict[str, Any] | None:
        """The stock answer; None if there is none just now."""
        try:
            answer = self.session.get(f"{self.url}/api/v1/stock/{sku}", timeout=TIMEOUT)
        except requests.RequestException:
            return None
        return answer.json() if answer.ok else None

    def order(self, lines: dict[str, int]) -> int:
        """Order until it is decided, also past closing time: what may have been placed must be known.

        Returns the status of the last answer; 0 if there was none in PATIENCE seconds.
        """
        key, deadline = uuid.uuid4().hex, time.monotonic() + PATIENCE
        body = {"reference": key[:8], "lines": [{"sku": sku, "quantity": units} for sku, units in lines.items()]}
        while True:
            status, pause = self._attempt(body, key)
            self.tally.note(status, lines)
            if status not in (0, UNDECIDED) or time.monotonic() > deadline:
                return status
            time.sleep(pause)

    def _attempt(self, body: dict[str, Any], key: str) -> tuple[int, float]:
        try:
            answer = self.session.post(
                f"{self.url}/api/v1/orders", json=body, headers={"Idempotency-Key": key}, timeout=TIMEOUT
            )
        except requests.RequestException:
            return 0, 1.0
        return answer.status_code, min(float(answer.headers.get("Retry-After", 1)), 2.0)


class Buyer(threading.Thread):
    """Buys one or two things at a time, about `rate` times a second, until told to stop."""

    def __init__(self, shop: Shop, skus: Sequence[str], seed: int, stop: threading.Event, rate: float = 2.0) -> None:
        super().__init__(name=f"buyer-{seed}")
        self.shop = shop
        self.stop = stop
        self.skus = skus
        self.random = random.Random(seed)  # noqa: S311 - a demo's choices, repeatable
        self.rate = rate

    def run(self) -> None:
        while not self.stop.is_set():
            began = time.monotonic()
            self.buy()
            self.stop.wait(max(0.0, self.random.expovariate(self.rate) - (time.monotonic() - began)))

    def buy(self) -> None:
        """Look first; order even what is said to be sold out now and then, as real buyers with old pages do."""
        skus = self.random.sample(self.skus, k=self.random.choice((1, 1, 1, 2)))
        seen = [self.shop.available(sku) for sku in skus]
        if all(stock and stock["available"] for stock in seen) or self.random.random() < 0.3:  # noqa: PLR2004
            self.shop.order({sku: self.random.choice((1, 1, 2, 3)) for sku in skus})


@contextmanager
def buying(base_url: str, api_key: str, skus: Sequence[str], buyers: int) -> Iterator[Tally]:
    """Buyers at work while the block lasts; when it ends each has the answer to its last order."""
    tally, stop = Tally(), threading.Event()
    crowd = [Buyer(Shop(base_url, api_key, tally), skus, number, stop) for number in range(1, buyers + 1)]
    for buyer in crowd:
        buyer.start()
    try:
        yield tally
    finally:
        stop.set()
        for buyer in crowd:
            buyer.join()
