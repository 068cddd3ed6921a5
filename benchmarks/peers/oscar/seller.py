"""Buying at the Oscar shop."""

import uuid
from collections.abc import Sequence

import psycopg

from benchmarks.peers.oscar.server import Shop
from benchmarks.peers.seller import FAILED, REFUSED, SOLD, Answer, Buyer
from benchmarks.peers.verdict import Book
from benchmarks.peers.wire import Connection, Reply

COUNTED = "SELECT partner_sku, coalesce(num_allocated, 0) FROM partner_stockrecord WHERE partner_sku = ANY(%s)"
ORDERED = "SELECT partner_sku, sum(quantity)::int FROM order_line WHERE partner_sku = ANY(%s) GROUP BY 1"


class OscarSeller:
    """A guest fills a basket and checks out; stock is looked at when the basket is filled."""

    name, title, sells_baskets = "oscar", "django-oscar-api", True
    how = (
        "`POST /api/basket/add-product/` for each SKU, where it looks at the stock, then `POST /api/checkout/`; "
        "a guest, nothing to ship"
    )

    def __init__(self, shop: Shop, products: dict[str, int]) -> None:
        self.shop, self.products = shop, products
        self.port = shop.port

    async def buyers(self, baskets: Sequence[Sequence[str]]) -> list[Buyer]:
        return [self._shopping(basket) for basket in baskets]

    async def impatient(self, basket: Sequence[str], times: int) -> list[Buyer]:
        """The basket is filled once; the order button is pressed so many times."""
        guest = _guest()
        async with Connection(self.port) as connection:
            reply = await self._fill(connection, basket, guest)
        if not _fine(reply):
            raise RuntimeError(f"Oscar: {reply.status} {reply.body.decode()}")
        basket_url = reply.json()["url"]

        async def press(connection: Connection) -> Answer:
            return await self._check_out(connection, basket_url, guest)

        return [press] * times

    def _shopping(self, basket: Sequence[str]) -> Buyer:
        async def press(connection: Connection) -> Answer:
            # Pressed again: a new guest, because the basket of the one before may already hold the goods.
            guest = _guest()
            reply = await self._fill(connection, basket, guest)
            if not _fine(reply):
                return _answer(reply)
            return await self._check_out(connection, reply.json()["url"], guest)

        return press

    async def _fill(self, connection: Connection, basket: Sequence[str], guest: dict[str, str]) -> Reply:
        """Put every SKU into the guest's basket; the last answer, or the first that is not fine."""
        for code in basket:
            wanted = {"url": f"{self.shop.url}/products/{self.products[code]}/", "quantity": 1}
            reply = await connection.post("/api/basket/add-product/", wanted, guest)
            if not _fine(reply):
                break
        return reply

    async def _check_out(self, connection: Connection, basket_url: str, guest: dict[str, str]) -> Answer:
        order = {"basket": basket_url, "guest_email": "guest@shop.example"}
        return _answer(await connection.post("/api/checkout/", order, guest))

    def rest(self) -> None:
        """The shop has done everything when it answers."""

    def books(self, codes: Sequence[str]) -> dict[str, Book]:
        with psycopg.connect(self.shop.database) as connection:
            counted = dict(connection.execute(COUNTED, [list(codes)]).fetchall())
            ordered = dict(connection.execute(ORDERED, [list(codes)]).fetchall())
        return {code: Book(counted[code], ordered.get(code, 0)) for code in codes}


def _guest() -> dict[str, str]:
    """A visitor of the shop; it cuts a trailing hexadecimal part off the name, so that ends with a word."""
    return {"Session-Id": f"SID:ANON:127.0.0.1:guest.{uuid.uuid4().hex}.visit"}


def _fine(reply: Reply) -> bool:
    return 200 <= reply.status < 300  # noqa: PLR2004


def _answer(reply: Reply) -> Answer:
    if _fine(reply):
        return Answer(SOLD, str(reply.json()["number"]))
    # It says 406 to much; for want of stock with a reason, which for an unknown product is an object.
    short = reply.status == 406 and isinstance(reply.json().get("reason"), str)  # noqa: PLR2004
    return Answer(REFUSED if short else FAILED)
