"""Holdfast in front of the shop: real processes, used as a storefront uses them."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
import requests

from benchmarks.peers.oscar.results import Promise

SECONDS = 10
PATIENCE_SECONDS = 60

PROMISES = """
    SELECT sku.code, allocation.reference, allocation.quantity, allocation.state,
           (SELECT count(*) FROM inventory_discrepancy discrepancy WHERE discrepancy.reference = allocation.reference)
    FROM inventory_allocation allocation JOIN inventory_sku sku ON sku.id = allocation.sku_id
"""
REPORTED = "SELECT code, reported FROM inventory_stocklevel"
LAST_READER = """
    SELECT movement.actor
    FROM inventory_stockmovement movement JOIN inventory_stocklevel level ON level.id = movement.level_id
    WHERE level.code = %s AND movement.request_id LIKE 'snapshot-%%' ORDER BY movement.version DESC LIMIT 1
"""
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

    def order(self, code: str, units: int) -> str:
        """Buy so many units; the order's number, which the supplier gets as our reference."""
        headers = {"Authorization": f"Api-Key {self.api_key}", "Idempotency-Key": str(uuid.uuid4())}
        order = {"reference": "circle", "lines": [{"sku": code, "quantity": units}]}
        answer = requests.post(f"{self.url}/api/v1/orders", json=order, headers=headers, timeout=SECONDS)
        answer.raise_for_status()
        return str(answer.json()["number"])

    def cancel(self, number: str) -> None:
        """Call an order off."""
        headers = {"Authorization": f"Api-Key {self.api_key}"}
        requests.post(f"{self.url}/api/v1/orders/{number}/cancel", headers=headers, timeout=SECONDS).raise_for_status()

    def available(self, code: str) -> int:
        """What a storefront is told."""
        return int(self.get(f"/api/v1/stock/{code}").json()["available"])

    def snapshot_every(self, seconds: int) -> None:
        """Let whole snapshots be so rare, or so frequent."""
        with psycopg.connect(self.environment["DATABASE_URL"]) as connection:
            connection.execute("UPDATE suppliers_supplier SET snapshot_interval_seconds = %s", [seconds])

    def supplier_is_at(self, url: str) -> None:
        """Call the supplier at this address from now on."""
        with psycopg.connect(self.environment["DATABASE_URL"]) as connection:
            connection.execute(
                "UPDATE suppliers_supplier SET config = jsonb_set(config, '{base_url}', to_jsonb(%s::text))", [url]
            )

    def last_reader(self, code: str) -> str:
        """Who stored the last number: snapshot or sync, which is a read of single levels."""
        with psycopg.connect(self.environment["DATABASE_URL"]) as connection:
            (actor,) = connection.execute(LAST_READER, [code]).fetchone() or ("",)
        return str(actor)

    def sells(self, codes: Sequence[str]) -> bool:
        """Has it taken in the shop's stock, so that every code is on offer?"""
        try:
            return all(self.get(f"/api/v1/stock/{code}").json().get("available") for code in codes)
        except requests.RequestException:
            return False

    def reported(self) -> dict[str, int | None]:
        """What the shop has told Holdfast, by code."""
        with psycopg.connect(self.environment["DATABASE_URL"]) as connection:
            return dict(connection.execute(REPORTED).fetchall())

    def promises(self) -> list[Promise]:
        """Everything sold, with what became of it."""
        with psycopg.connect(self.environment["DATABASE_URL"]) as connection:
            return [Promise(*row) for row in connection.execute(PROMISES)]

    def sales_beyond_reported(self) -> int:
        """Sales at whose instant more was promised than the shop had reported; the ledger keeps both numbers."""
        with psycopg.connect(self.environment["DATABASE_URL"]) as connection:
            (count,) = connection.execute(BEYOND_REPORTED).fetchone() or (0,)
        return int(count)
