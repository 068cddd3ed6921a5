"""The supplier behind Holdfast in these races: a chaos supplier that is calm, as a process of its own."""

import contextlib
import json
import secrets
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import requests

from benchmarks.peers.oscar.launch import PROJECT, Register, run_module
from benchmarks.polling import came_true
from inventory_project.localstack.processes import free_port, spawn, stop_group

SECONDS = 10


@dataclass(frozen=True)
class Depot:
    """A running supplier."""

    url: str
    token: str

    def ask(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = requests.get(f"{self.url}{path}", timeout=SECONDS).json()
        return found

    def objections(self, sold: Mapping[str, int]) -> list[str]:
        """What its own ledger says otherwise.  sold: code → units that Holdfast has sold."""
        truth = self.ask("/_truth")["skus"]
        wrong = [
            f"{code}: Holdfast sold {units}, its supplier delivered {truth[code]['sold']}"
            for code, units in sold.items()
            if truth[code]["sold"] != units
        ]
        duplicates = self.ask("/_audit")["duplicates"]
        return wrong + ([f"its supplier was sent orders twice: {duplicates}"] if duplicates else [])


def as_supplier(depot: Depot, stock: Mapping[str, int]) -> Register:
    """Makes the depot Holdfast's only supplier, with a SKU for every code."""
    known = {"DEPOT_URL": depot.url, "DEPOT_TOKEN": depot.token}
    return partial(run_module, "benchmarks.peers.holdfast.register", list(stock), known)


@contextlib.contextmanager
def running_depot(folder: Path, stock: Mapping[str, int]) -> Iterator[Depot]:
    """A supplier that has so many units of every code, until the block ends."""
    catalogue = folder / "catalogue.json"
    catalogue.write_text(json.dumps([{"sku": code, "stock": units} for code, units in stock.items()]))
    depot = Depot(f"http://127.0.0.1:{free_port()}", secrets.token_hex(16))
    command = [sys.executable, "-m", "suppliers.simulator", "--catalogue", catalogue]
    where = ["--port", depot.url.rpartition(":")[2], "--token", depot.token]
    with (folder / "depot.log").open("wb") as log:
        process = spawn([*command, *where], cwd=PROJECT, stdout=log, stderr=log)
        try:
            came_true(lambda: _serves(depot), SECONDS, pause=0.25)
            yield depot
        finally:
            stop_group(process, signal.SIGTERM, patience=5)


def _serves(depot: Depot) -> bool:
    with contextlib.suppress(requests.RequestException):
        return requests.get(f"{depot.url}/_healthz", timeout=SECONDS).ok
    return False
