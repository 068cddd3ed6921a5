"""Filling an empty Medusa over its admin API: what a shop needs before it can sell the first unit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from benchmarks.peers.medusa.server import STAFF, Medusa

SECONDS = 120
CURRENCY, COUNTRY = "eur", "de"
AT_ONCE = 25  # products in one call


@dataclass(frozen=True)
class Goods:
    """One SKU, in the shop's own ids."""

    variant: str
    item: str


@dataclass(frozen=True)
class Catalogue:
    """What buyers need.  key: of the storefront.  token: of the staff.  goods: code → ids."""

    key: str
    token: str
    region: str
    channel: str
    location: str
    goods: Mapping[str, Goods]


class Staff:
    """Somebody who may do everything in the shop."""

    def __init__(self, medusa: Medusa) -> None:
        self.url = medusa.url
        self.session = requests.Session()
        login = {"email": STAFF, "password": medusa.password}
        self.token = str(self.post("/auth/user/emailpass", login)["token"])
        self.session.headers["Authorization"] = f"Bearer {self.token}"

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._whole(self.session.post(f"{self.url}{path}", json=body, timeout=SECONDS))

    def get(self, path: str, **query: str | int) -> dict[str, Any]:
        return self._whole(self.session.get(f"{self.url}{path}", params=query, timeout=SECONDS))

    @staticmethod
    def _whole(answer: requests.Response) -> dict[str, Any]:
        if not answer.ok:
            raise RuntimeError(f"Medusa: {answer.request.method} {answer.url}: {answer.status_code} {answer.text}")
        found: dict[str, Any] = answer.json()
        return found


def fill(medusa: Medusa, stock: Mapping[str, int]) -> Catalogue:
    """Open the shop: a region, a sales channel, a location, and so many units of every code."""
    staff = Staff(medusa)
    channel = staff.post("/admin/sales-channels", {"name": "Shop"})["sales_channel"]["id"]
    key = staff.post("/admin/api-keys", {"type": "publishable", "title": "Shop"})["api_key"]
    staff.post(f"/admin/api-keys/{key['id']}/sales-channels", {"add": [channel]})
    region = {
        "name": "Home",
        "currency_code": CURRENCY,
        "countries": [COUNTRY],
        "payment_providers": ["pp_system_default"],
    }
    region_id = staff.post("/admin/regions", region)["region"]["id"]
    location = staff.post("/admin/stock-locations", {"name": "Warehouse"})["stock_location"]["id"]
    staff.post(f"/admin/stock-locations/{location}/sales-channels", {"add": [channel]})
    items = {code: _item(staff, code, units, location) for code, units in stock.items()}
    goods: dict[str, Goods] = {}
    for start in range(0, len(items), AT_ONCE):
        products = [_product(code, items[code], channel) for code in list(items)[start : start + AT_ONCE]]
        for product in staff.post("/admin/products/batch", {"create": products})["created"]:
            goods[product["title"]] = Goods(product["variants"][0]["id"], items[product["title"]])
    return Catalogue(key["token"], staff.token, region_id, channel, location, goods)


def _item(staff: Staff, code: str, units: int, location: str) -> str:
    """Put units on a shelf; returns their id."""
    item = {
        "sku": code,
        "requires_shipping": False,  # as at the other shop: the checkout needs no shipping method
        "location_levels": [{"location_id": location, "stocked_quantity": units}],
    }
    return str(staff.post("/admin/inventory-items", item)["inventory_item"]["id"])


def _product(code: str, item: str, channel: str) -> dict[str, Any]:
    variant = {
        "title": code,
        "sku": code,
        "manage_inventory": True,
        "inventory_items": [{"inventory_item_id": item, "required_quantity": 1}],
        "options": {"Kind": "plain"},
        "prices": [{"currency_code": CURRENCY, "amount": 9.9}],
    }
    return {
        "title": code,
        "status": "published",
        "options": [{"title": "Kind", "values": ["plain"]}],
        "variants": [variant],
        "sales_channels": [{"id": channel}],
    }
