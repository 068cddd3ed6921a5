"""What a buyer and the shop's own staff do at the shop, over its public API."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier
from typing import Any

import requests

from benchmarks.peers.oscar.server import Shop

SECONDS = 30


@dataclass(frozen=True)
class Stock:
    """One product as the shop counts it.  Units."""

    in_stock: int
    allocated: int


@dataclass(frozen=True)
class Books:
    """The shop's own records.  orders: reference → units of each order that carries it."""

    orders: dict[str, list[int]] = field(default_factory=dict)
    stock: dict[str, Stock] = field(default_factory=dict)


def product_ids(shop: Shop) -> dict[str, int]:
    """Code → the shop's id of the product."""
    products = requests.get(f"{shop.url}/products/", timeout=SECONDS).json()
    return {product["upc"]: product["id"] for product in products}


def buy(shop: Shop, product: int) -> str:
    """Buy one unit as a guest: into the basket, then through the checkout.  Returns sold, refused or failed."""
    session = requests.Session()
    session.headers["Session-Id"] = f"SID:ANON:127.0.0.1:guest.{uuid.uuid4().hex}.z"
    answer = session.post(
        f"{shop.url}/basket/add-product/",
        json={"url": f"{shop.url}/products/{product}/", "quantity": 1},
        timeout=SECONDS,
    )
    if answer.ok:
        order = {"basket": answer.json()["url"], "guest_email": "guest@shop.example"}
        answer = session.post(f"{shop.url}/checkout/", json=order, timeout=SECONDS)
        if answer.ok:
            return "sold"
    return "refused" if answer.status_code == requests.codes.not_acceptable else "failed"


def all_at_once(buyers: Sequence[Callable[[], str]]) -> list[str]:
    """Let every buyer start at the same instant; their answers in the same order."""
    start = Barrier(len(buyers))

    def one(buyer: Callable[[], str]) -> str:
        start.wait()
        return buyer()

    with ThreadPoolExecutor(len(buyers)) as pool:
        return list(pool.map(one, buyers))


def read_books(shop: Shop) -> Books:
    """Every order's reference with its units, and every product's stock."""
    staff = requests.Session()
    staff.headers["Session-Id"] = f"SID:ANON:127.0.0.1:staff.{uuid.uuid4().hex}.z"
    staff.auth = (shop.admin_user, shop.admin_password)

    def ask(url: str) -> list[dict[str, Any]]:
        answer = staff.get(url, timeout=SECONDS)
        answer.raise_for_status()
        rows: list[dict[str, Any]] = answer.json()
        return rows

    orders: dict[str, list[int]] = defaultdict(list)
    for order in ask(f"{shop.url}/admin/orders/"):
        if order["shipping_address"]:
            units = sum(line["quantity"] for line in ask(order["lines"]))
            orders[order["shipping_address"]["notes"]].append(units)
    stock = {}
    for product in ask(f"{shop.url}/admin/products/"):
        for record in product["stockrecords"]:
            stock[record["partner_sku"]] = Stock(record["num_in_stock"], record["num_allocated"] or 0)
    return Books(dict(orders), stock)
