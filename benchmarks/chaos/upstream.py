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
from suppliers.simulator.dialects.platforms import FIRST_SKU

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
DIALECTS = ("rest_page", "rest_offset", "rest_cursor", "rest_link", "graphql", "shopify_lite", "top", "aop1688")
ADAPTERS = {
    "shopify_lite": "shopify",
    "top": "top",
    "aop1688": "aop1688",
}  # dialect → the adapter that speaks it; otherwise rest


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
        config = self._config()
        config["limits"] |= {**LIMITS, "breaker_seconds": 1}
        return Supplier.objects.create(
            slug=slug,
            name=slug,
            adapter=ADAPTERS.get(self.dialect, "rest"),
            config=config,
            credentials=seal(self._secrets()),
            settlement_lag_seconds=SETTLEMENT_LAG,
        )

    def _config(self) -> dict[str, Any]:
        platform = {"base_url": self.url, "page_size": PAGE, "limits": {"rate": 200, "burst": 200}}
        match self.dialect:
            case "shopify_lite":
                return {**platform, "locations": ["1"], "bulk": False}
            case "top":
                return {**platform, "base_url": f"{self.url}/router/rest", "deducts": "order", "writes": True}
            case "aop1688":
                return {**platform, "pool": 1, "order": {"address": {"fullName": "Chaos"}}}
        return {**config_of(self.url, self.dialect, size=PAGE), "push": PUSH}

    def _secrets(self) -> dict[str, str]:
        """Every name under which an adapter may want the one secret that there is."""
        names = ("token", "app_secret", "session", "refresh_token")
        return {"app_key": "1000000", "push": PUSH_SECRET, **dict.fromkeys(names, self.token)}

    def sku_of(self, uid: str) -> str:
        """What a row's id stands for: rows are numbered from 1, those of platforms from a number of their own."""
        number = int(uid.removeprefix("r")) if uid.startswith("r") else int(uid.rpartition(":")[2]) - FIRST_SKU + 1
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
