"""A chaos supplier in a process of its own, and the supplier row that speaks to it."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from subprocess import PIPE
from typing import Any

import requests

from inventory_project.localstack.processes import spawn, stop_group
from suppliers.credentials import seal
from suppliers.models import Supplier

from . import dialects
from .tempers import SETTLEMENT_LAG

ROWS, UNITS = 30, 8
STOP_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where it runs, and what of it is ours."""

    url: str
    token: str
    dialect: str
    prefix: str

    @property
    def skus(self) -> list[str]:
        return [self._sku(number) for number in range(1, ROWS + 1)]

    @property
    def is_by_hand(self) -> bool:
        """Whether it cannot be told of orders."""
        return self.dialect in dialects.BY_HAND

    def sku_of(self, uid: str) -> str:
        """What a row's id stands for."""
        return self._sku(dialects.row_number(uid))

    def connect(self, slug: str) -> Supplier:
        """The row."""
        return Supplier.objects.create(
            slug=slug,
            name=slug,
            adapter=dialects.ADAPTERS.get(self.dialect, "rest"),
            config=dialects.config(self.dialect, self.url),
            credentials=seal(dialects.secrets(self.token)),
            settlement_lag_seconds=SETTLEMENT_LAG,
        )

    def ask(self, what: str, change: dict[str, Any] | None = None) -> Any:
        """Look behind its API, or change how it behaves; never disturbed."""
        method = "GET" if change is None else "PUT"
        answer = requests.request(method, f"{self.url}/_{what}", json=change, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def truth(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = self.ask("truth")["skus"]
        return found

    def sell(self, sku: str, quantity: int) -> bool:
        """Order past the API, as a person does; False if it is not there."""
        return self._move("sell", sku, quantity).status_code == HTTPStatus.CREATED

    def restock(self, sku: str, quantity: int) -> None:
        self._move("restock", sku, quantity).raise_for_status()

    def _move(self, what: str, sku: str, quantity: int) -> requests.Response:
        return requests.post(f"{self.url}/_{what}", json={"sku": sku, "quantity": quantity}, timeout=10)

    def _sku(self, number: int) -> str:
        return f"{self.prefix}{number:06d}"


@contextmanager
def running(dialect: str, prefix: str, seed: int, log: Path) -> Iterator[Upstream]:
    """While the block lasts."""
    options = {"--rows": ROWS, "--stock": UNITS, "--prefix": prefix, "--seed": seed, "--dialect": dialect}
    arguments = [str(part) for pair in options.items() for part in pair]
    with log.open("ab") as errors:
        process = spawn([sys.executable, "-m", "suppliers.simulator", *arguments], stdout=PIPE, stderr=errors)
    try:
        assert process.stdout
        ready = json.loads(process.stdout.readline())
        yield Upstream(ready["url"], ready["token"], dialect, prefix)
    finally:
        stop_group(process, signal.SIGTERM, patience=STOP_SECONDS)
        if process.stdout:
            process.stdout.close()
