"""What guests and the shop's own staff do at the shop, over its public API."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Barrier
from typing import Any

import requests

from benchmarks.peers.oscar.launch import Register, shop_as_supplier
from benchmarks.peers.oscar.server import Shop, running_shop

SECONDS = 30


@dataclass(frozen=True)
class Books:
    """The shop's own records.

    orders: reference → units of each order that carries it.  available: code → units still to be had, below 0 if
    it sold more than it has.  allocated: code → units sold and not yet shipped.
    """

    orders: dict[str, list[int]]
    available: dict[str, int]
    allocated: dict[str, int]


def product_ids(shop: Shop) -> dict[str, int]:
    """The shop's own ids of its products, by code."""
    products = requests.get(f"{shop.url}/products/", timeout=SECONDS).json()
    return {product["upc"]: product["id"] for product in products}


def buy(shop: Shop, product: int) -> str:
    """Buy one unit as a guest.  Returns sold, refused or failed.

    A guest who is shown a server error presses the button once more: two first baskets with the same product collide
    in the shop's counter of popular goods.
    """
    answer = _try_to_buy(shop, product)
    return _try_to_buy(shop, product) if answer == "failed" else answer


def _try_to_buy(shop: Shop, product: int) -> str:
    guest = _session("guest")
    wanted = {"url": f"{shop.url}/products/{product}/", "quantity": 1}
    answer = guest.post(f"{shop.url}/basket/add-product/", json=wanted, timeout=SECONDS)
    if answer.ok:
        order = {"basket": answer.json()["url"], "guest_email": "guest@shop.example"}
        answer = guest.post(f"{shop.url}/checkout/", json=order, timeout=SECONDS)
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
    """Every order that carries a reference, with its units, and what is allocated of every product."""
    staff = _session("staff")
    login = {"username": shop.admin_user, "password": shop.admin_password}
    answer = staff.post(f"{shop.url}/login/", json=login, timeout=SECONDS)
    answer.raise_for_status()
    staff.headers["Session-Id"] = answer.headers["Session-Id"]

    def ask(url: str) -> list[dict[str, Any]]:
        answer = staff.get(url, timeout=SECONDS)
        answer.raise_for_status()
        rows: list[dict[str, Any]] = answer.json()
        return rows

    orders: dict[str, list[int]] = defaultdict(list)
    for order in ask(f"{shop.url}/admin/orders/"):
        if order["shipping_address"]:
            orders[order["shipping_address"]["notes"]].append(sum(line["quantity"] for line in ask(order["lines"])))
    records = [record for product in ask(f"{shop.url}/admin/products/") for record in product["stockrecords"]]
    in_stock = {record["partner_sku"]: record["num_in_stock"] for record in records}
    allocated = {record["partner_sku"]: record["num_allocated"] or 0 for record in records}
    return Books(dict(orders), {code: units - allocated[code] for code, units in in_stock.items()}, allocated)


@dataclass(frozen=True)
class Peer:
    """The shop as one behind Holdfast: see `benchmarks.peers.circle.Peer`."""

    shop: Shop
    products: dict[str, int]
    oversells: bool = True
    calls_off: bool = False  # deleting an order does not give its units back
    endpoints: Mapping[str, str] = field(default_factory=lambda: {"POST /api/basket/*": "login"})

    @property
    def url(self) -> str:
        return self.shop.url

    def at_the_till(self, code: str) -> Callable[[], str]:
        return partial(buy, self.shop, self.products[code])

    def books(self) -> Books:
        return read_books(self.shop)

    def as_supplier(self, codes: Sequence[str]) -> Register:
        return shop_as_supplier(self.shop, codes)


@contextmanager
def open_oscar(server: str, stock: Mapping[str, int]) -> Iterator[Peer]:
    """A fresh shop with so many units of every code, until the block ends.  server: as `running_shop`."""
    with running_shop(server, stock) as shop:
        yield Peer(shop, product_ids(shop))


def _session(who: str) -> requests.Session:
    """A visitor of the shop; the shop cuts a trailing hexadecimal part off the name, so it ends with a word."""
    session = requests.Session()
    session.headers["Session-Id"] = f"SID:ANON:127.0.0.1:{who}.{uuid.uuid4().hex}.visit"
    return session
