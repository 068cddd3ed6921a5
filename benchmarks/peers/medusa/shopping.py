"""What guests and the shop's own staff do at Medusa, over its public API."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from benchmarks.peers.medusa.catalogue import Catalogue, Staff, fill
from benchmarks.peers.medusa.server import running_medusa
from benchmarks.peers.oscar.launch import Register, as_supplier
from benchmarks.peers.oscar.shopping import Books

SECONDS = 60
PAGE = 500


@dataclass(frozen=True)
class Shop:
    """A filled shop, as one behind Holdfast: see `benchmarks.peers.circle.Peer`."""

    url: str
    catalogue: Catalogue
    staff: Staff
    oversells: bool = False
    calls_off: bool = True
    endpoints: Mapping[str, str] = field(default_factory=dict)

    def at_the_till(self, code: str) -> Callable[[], str]:
        """A guest whose cart is full and whose payment is open; called, he presses the button.

        He is told sold, refused or failed; a cart that cannot even be filled was refused.
        """
        guest = requests.Session()
        guest.headers["x-publishable-api-key"] = self.catalogue.key

        def post(path: str, **body: Any) -> requests.Response:
            return guest.post(f"{self.url}/store{path}", json=body, timeout=SECONDS)

        answer = post(
            "/carts",
            region_id=self.catalogue.region,
            sales_channel_id=self.catalogue.channel,
            email=f"{uuid.uuid4().hex}@shop.example",
            items=[{"variant_id": self.catalogue.goods[code].variant, "quantity": 1}],
        )
        if not answer.ok:
            outcome = _outcome(answer)
            return lambda: outcome
        cart = answer.json()["cart"]["id"]
        payment = post("/payment-collections", cart_id=cart).json()["payment_collection"]["id"]
        post(f"/payment-collections/{payment}/payment-sessions", provider_id="pp_system_default").raise_for_status()
        return lambda: _outcome(post(f"/carts/{cart}/complete"))

    def as_supplier(self, codes: Sequence[str]) -> Register:
        secret = self.staff.post("/admin/api-keys", {"type": "secret", "title": "Holdfast"})["api_key"]["token"]
        return as_supplier("medusa", self.url, {"https://shop.example": self.url}, {"api_key": secret}, codes)

    def books(self) -> Books:
        """Reservations by the reference they carry, and what is left and reserved of every item."""
        orders: dict[str, list[int]] = defaultdict(list)
        for reservation in self._all("/admin/reservations", "reservations", "id,line_item_id,quantity"):
            orders[reservation["line_item_id"]].append(int(reservation["quantity"]))
        available, allocated = {}, {}
        for item in self._all("/admin/inventory-items", "inventory_items", "id,sku,*location_levels"):
            available[item["sku"]] = sum(int(level["available_quantity"]) for level in item["location_levels"])
            allocated[item["sku"]] = sum(int(level["reserved_quantity"]) for level in item["location_levels"])
        return Books(dict(orders), available, allocated)

    def _all(self, path: str, name: str, fields: str) -> Iterator[dict[str, Any]]:
        offset, count = 0, 1
        while offset < count:
            page = self.staff.get(path, limit=PAGE, offset=offset, order="id", fields=fields)
            yield from page[name]
            offset, count = offset + PAGE, page["count"]


@contextmanager
def open_medusa(server: str, stock: Mapping[str, int]) -> Iterator[Shop]:
    """A fresh Medusa with so many units of every code, until the block ends.  server: as `running_medusa`."""
    with running_medusa(server) as running:
        yield Shop(running.url, fill(running, stock), Staff(running))


def _outcome(answer: requests.Response) -> str:
    if answer.ok:
        return "sold" if answer.json().get("type") == "order" else "failed"
    said = answer.json() if answer.status_code == requests.codes.bad_request else {}
    short = said.get("code") == "insufficient_inventory" or "Not enough stock" in said.get("message", "")
    return "refused" if short else "failed"
