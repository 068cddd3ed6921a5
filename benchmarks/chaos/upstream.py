"""A chaos supplier in a process of its own, and the supplier row that speaks to it."""

import base64
import copy
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
from suppliers import presets
from suppliers.credentials import seal
from suppliers.models import Supplier
from suppliers.simulator.configuration import config_of
from suppliers.simulator.dialects.platforms import FIRST_SKU
from suppliers.simulator.dialects.woo import FIRST_PRODUCT, FIRST_VARIATION

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
# What WooCommerce says tells which row changed, by its code: its time is not that of the stock.
WOO_PUSH = {"scheme": "woocommerce", "secret": "$secret.push", "events": "events", "map": {"sku": "sku"}}
DIALECTS = (
    "rest_page", "rest_offset", "rest_cursor", "rest_link", "graphql", "shopify_lite", "top", "aop1688", "woo_lite",
    "file",
)  # fmt: skip
ADAPTERS = {
    "shopify_lite": "shopify",
    "top": "top",
    "aop1688": "aop1688",
    "file": "file",
}  # dialect → the adapter that speaks it; otherwise rest
# First numbers of what a dialect numbers itself, the highest first.
FIRST_NUMBERS = (FIRST_SKU, FIRST_VARIATION, FIRST_PRODUCT)
BY_HAND = frozenset({"file"})  # cannot be told of orders: somebody places them there


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

    def sell(self, sku: str, quantity: int) -> bool:
        """Order past the API, as a person does; False if it is not there."""
        answer = requests.post(f"{self.url}/_sell", json={"sku": sku, "quantity": quantity}, timeout=10)
        return answer.status_code == HTTPStatus.CREATED

    def restock(self, sku: str, quantity: int) -> None:
        requests.post(f"{self.url}/_restock", json={"sku": sku, "quantity": quantity}, timeout=10).raise_for_status()

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

    def pushing_to(self, url: str) -> dict[str, str]:
        """How it pushes."""
        scheme = "woocommerce" if self.dialect == "woo_lite" else "standard_webhooks"
        return {"url": url, "secret": PUSH_SECRET, "scheme": scheme}

    def _config(self) -> dict[str, Any]:
        platform: dict[str, Any] = {"base_url": self.url, "page_size": PAGE, "limits": {"rate": 200, "burst": 200}}
        match self.dialect:
            case "shopify_lite":
                return {**platform, "locations": ["1"], "bulk": False}
            case "top":
                return {**platform, "base_url": f"{self.url}/router/rest", "deducts": "order", "writes": True}
            case "aop1688":
                return {**platform, "pool": 1, "order": {"address": {"fullName": "Chaos"}}}
            case "woo_lite":
                return _woo_config(self.url, platform["limits"])
            case "file":
                return {**_file_config(self.url), "limits": dict(platform["limits"])}
        return {**config_of(self.url, self.dialect, size=PAGE), "push": PUSH}

    def _secrets(self) -> dict[str, str]:
        """Every name under which an adapter may want the one secret that there is."""
        names = ("token", "app_secret", "session", "refresh_token", "consumer_key", "consumer_secret")
        return {"app_key": "1000000", "push": PUSH_SECRET, **dict.fromkeys(names, self.token)}

    def sku_of(self, uid: str) -> str:
        """What a row's id stands for: rows are numbered from 1, those of platforms from a number of their own."""
        number = int(uid.removeprefix("r").rpartition(":")[2])
        if not uid.startswith("r"):
            number += 1 - next(first for first in FIRST_NUMBERS if first <= number)
        return f"{self.prefix}{number:06d}"


def _woo_config(url: str, limits: dict[str, Any]) -> dict[str, Any]:
    """The shipped preset, in pages of the run's size.  This shop finds orders by their reference only, and keeps one
    key of `meta_data`; unlike WooCommerce it refuses what is not there.
    """
    config: dict[str, Any] = copy.deepcopy(presets.read("woocommerce"))
    config |= {"base_url": f"{url}/wp-json/wc/v3", "limits": dict(limits), "push": WOO_PUSH}
    config["list"]["paginate"]["size"] = PAGE
    config["confirm"] |= {"stock_rejected": "code == 'no_stock'", "accepted": "id && status != 'cancelled'"}
    ours = "[?meta_data[?value == $ref]]"
    config["readback"] = {
        "request": {"path": "/orders", "params": {"search": "$ref"}},
        "items": "@",
        "accepted": f"{ours} | [?status == 'processing'] | [0]",
        "rejected": f"{ours} | [?status == 'cancelled'] | [0]",
        "order_id": f"join(',', {ours}.number)",
    }
    # A row's id is the variation's where there is one.
    uid = "[variation_id, product_id][?@ != `0`] | [0]"
    config["confirm"]["lines"] = {"items": "line_items", "uid": uid, "quantity": "quantity"}
    config["readback"]["lines"] = {"items": f"{ours}.line_items[]", "uid": uid, "quantity": "quantity"}
    return config


def _file_config(url: str) -> dict[str, Any]:
    names = ("sku", "location", "available", "updated_at")
    return {
        "base_url": url,
        "path": "/stock.csv",
        "headers": {"Authorization": "Bearer $secret.token"},
        "format": "csv",
        "map": {"uid": "id", **{name: name for name in names}},
        "push": PUSH,
    }


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
