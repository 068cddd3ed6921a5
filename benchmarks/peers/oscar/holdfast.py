"""Holdfast in front of the shop: real processes, used as a storefront uses them."""

import contextlib
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import requests

from benchmarks.peers.oscar.results import PENDING, Promise
from benchmarks.peers.oscar.server import Shop
from inventory_project.localstack.processes import free_port, spawn, stop_group

PROJECT = Path(__file__).resolve().parents[3]
SECONDS = 10
PATIENCE_SECONDS = 60

PROMISES = """
    SELECT sku.code, allocation.reference, allocation.quantity, allocation.state,
           (SELECT count(*) FROM inventory_discrepancy discrepancy WHERE discrepancy.reference = allocation.reference)
    FROM inventory_allocation allocation JOIN inventory_sku sku ON sku.id = allocation.sku_id
"""
REPORTED = "SELECT reported FROM inventory_stocklevel WHERE code = %s"
BEYOND_REPORTED = """
    SELECT count(*) FROM inventory_stockmovement
    WHERE cause = 'allocate' AND allocated_after > coalesce(reported_after, 0)
"""


@dataclass(frozen=True)
class Holdfast:
    """A running installation.  environment: of its processes."""

    url: str
    api_key: str
    environment: Mapping[str, str]

    def get(self, path: str) -> requests.Response:
        """Ask the API."""
        return requests.get(f"{self.url}{path}", headers={"Authorization": f"Api-Key {self.api_key}"}, timeout=SECONDS)

    def buy(self, code: str) -> str:
        """Buy one unit; busy is tried again with the same key, as a storefront does.  sold, refused or failed."""
        headers = {"Authorization": f"Api-Key {self.api_key}", "Idempotency-Key": str(uuid.uuid4())}
        order = {"reference": f"e2e-{headers['Idempotency-Key']}", "lines": [{"sku": code, "quantity": 1}]}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            answer = requests.post(f"{self.url}/api/v1/orders", json=order, headers=headers, timeout=SECONDS)
            if answer.status_code != requests.codes.service_unavailable:
                break
            time.sleep(float(answer.headers.get("Retry-After", 1)))
        if answer.status_code == requests.codes.conflict and answer.json()["code"] == "insufficient_inventory":
            return "refused"
        return "sold" if answer.status_code == requests.codes.created else "failed"

    def sells(self, codes: Sequence[str]) -> bool:
        """Has it taken in the shop's stock, so that every code is on offer?"""
        try:
            return all(self.get(f"/api/v1/stock/{code}").json().get("available") for code in codes)
        except requests.RequestException:
            return False

    def reported(self, code: str) -> int | None:
        """What the shop has told Holdfast."""
        with psycopg.connect(self.environment["DATABASE_URL"]) as connection:
            row = connection.execute(REPORTED, (code,)).fetchone()
        return None if row is None else row[0]

    def promises(self) -> list[Promise]:
        """Everything sold, with what became of it."""
        with psycopg.connect(self.environment["DATABASE_URL"]) as connection:
            return [Promise(*row) for row in connection.execute(PROMISES)]

    def sales_beyond_reported(self) -> int:
        """Sales at whose instant more was promised than the shop had reported; the ledger keeps both numbers."""
        with psycopg.connect(self.environment["DATABASE_URL"]) as connection:
            (count,) = connection.execute(BEYOND_REPORTED).fetchone() or (0,)
        return int(count)

    def audit(self) -> str:
        """What `manage.py audit_stock` objects to; empty if nothing."""
        done = _manage(self.environment, "audit_stock", check=False)
        return (done.stdout + done.stderr) if done.returncode else ""


def wait_for(what: str, ready: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Poll until `ready`.  Raises: TimeoutError."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.25)


def wait_until_told(holdfast: Holdfast, seconds: float) -> None:
    """Return when the shop has answered every promise, or when the time is over: the verdict names what is left."""
    with contextlib.suppress(TimeoutError):
        wait_for("the shop's answers", lambda: not any(p.state in PENDING for p in holdfast.promises()), seconds)


def _manage(environment: Mapping[str, str], *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, env=environment, cwd=PROJECT, check=check, capture_output=True, text=True)


def _register(environment: Mapping[str, str], shop: Shop, codes: Sequence[str]) -> str:
    known = {"SHOP_URL": shop.url, "SHOP_USER": shop.admin_user, "SHOP_PASSWORD": shop.admin_password}
    command = [sys.executable, "-m", "benchmarks.peers.oscar.register", *codes]
    done = subprocess.run(
        command, env={**environment, **known}, cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.strip()


def _commands(port: int, folder: Path) -> dict[str, list[str]]:
    celery = [sys.executable, "-m", "celery", "--app", "inventory_project.celery"]
    return {
        "web": [
            *(sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)),
            *("--workers", "2", "--blocking-threads", "32", "--backpressure", "64"),
            "inventory_project.wsgi:application",
        ],
        "worker": [*celery, "worker", "--concurrency", "4", "--loglevel", "INFO"],
        "beat": [*celery, "beat", "--schedule", str(folder / "beat"), "--loglevel", "INFO"],
    }


@contextlib.contextmanager
def running_holdfast(servers: Mapping[str, str], folder: Path, shop: Shop, codes: Sequence[str]) -> Iterator[Holdfast]:
    """Holdfast with the shop as its only supplier and a SKU for every code, until the block ends.

    servers: environment of the settings, with an empty database.  folder: for the processes' logs.
    """
    environment = {**servers, "SUPPLIER_PRIVATE_NETWORKS": "true"}
    _manage(environment, "migrate")
    key = _register(environment, shop, codes)
    port = free_port()
    with contextlib.ExitStack() as processes:
        for name, command in _commands(port, folder).items():
            log = processes.enter_context((folder / f"{name}.log").open("wb"))
            process = spawn(command, env=environment, cwd=PROJECT, stdout=log, stderr=log)
            processes.callback(stop_group, process, signal.SIGTERM, patience=10)
        holdfast = Holdfast(f"http://127.0.0.1:{port}", key, environment)
        wait_for("Holdfast to read the shop", lambda: holdfast.sells(codes))
        yield holdfast
