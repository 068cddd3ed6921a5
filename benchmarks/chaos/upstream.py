"""A chaos supplier in a process of its own, and the supplier row that speaks to it."""

import base64
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import Any

import requests

from inventory_project.localstack.processes import spawn, stop_group
from suppliers.credentials import seal
from suppliers.models import Supplier
from suppliers.simulator.configuration import config_of

from .tempers import SETTLEMENT_LAG

ROWS, UNITS, PAGE = 30, 8, 7
STOP_SECONDS = 5
PUSH_SECRET = base64.b64encode(b"a secret for the pushes of a run").decode()
PUSH = {
    "scheme": "standard_webhooks",
    "secret": "$secret.push",
    "events": "events",
    "map": {
        "uid": "id",
        "location": "location",
        "available": "available",
        "updated_at": {"path": "at", "format": "iso"},
    },
    "clock_ahead_seconds": 0,
}
CALL_SECONDS = 2.0  # the deadline of one call; a read of several has twice that
LIMITS = {"total_seconds": CALL_SECONDS, "read_seconds": CALL_SECONDS, "call_seconds": 2 * CALL_SECONDS}
DIALECTS = ("rest_page", "rest_offset", "rest_cursor", "rest_link", "graphql")


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where it runs, and what of it is ours."""

    url: str
    token: str
    dialect: str
    prefix: str

    def ask(self, what: str, change: dict[str, Any] | None = None) -> Any:
        """Look behind its API, or change how it behaves; never disturbed."""
        method = "GET" if change is None else "PUT"
        answer = requests.request(method, f"{self.url}/_{what}", json=change, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def truth(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = self.ask("truth")["skus"]
        return found

    @property
    def skus(self) -> list[str]:
        return [f"{self.prefix}{number:06d}" for number in range(1, ROWS + 1)]

    def connect(self, slug: str) -> Supplier:
        """The row, with deadlines as short as the run."""
        config = config_of(self.url, self.dialect, size=PAGE)
        config["limits"] |= {**LIMITS, "breaker_seconds": 1}
        config["push"] = PUSH
        return Supplier.objects.create(
            slug=slug,
            name=slug,
            config=config,
            credentials=seal({"token": self.token, "push": PUSH_SECRET}),
            settlement_lag_seconds=SETTLEMENT_LAG,
        )


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
