"""Buying at Medusa: its own checkout, and its reservation call alone."""

import asyncio
import uuid
from collections.abc import Callable, Sequence

import psycopg

from benchmarks.peers.medusa.catalogue import Catalogue
from benchmarks.peers.medusa.server import Medusa
from benchmarks.peers.seller import FAILED, REFUSED, SOLD, Answer, Buyer
from benchmarks.peers.verdict import Book
from benchmarks.peers.wire import Connection, Reply

CARTS_AT_ONCE = 4

COUNTED = """
    SELECT item.sku, level.reserved_quantity::int
    FROM inventory_level level JOIN inventory_item item ON item.id = level.inventory_item_id
    WHERE item.sku = ANY(%s) AND level.deleted_at IS NULL
"""
ORDERED = """
    SELECT line.variant_sku, sum(item.quantity)::int
    FROM order_line_item line JOIN order_item item ON item.item_id = line.id JOIN "order" ON "order".id = item.order_id
    WHERE line.variant_sku = ANY(%s) AND "order".deleted_at IS NULL AND "order".canceled_at IS NULL
      AND item.deleted_at IS NULL AND line.deleted_at IS NULL
    GROUP BY 1
"""
RESERVED = """
    SELECT item.sku, sum(reservation.quantity)::int
    FROM reservation_item reservation JOIN inventory_item item ON item.id = reservation.inventory_item_id
    WHERE item.sku = ANY(%s) AND reservation.deleted_at IS NULL
    GROUP BY 1
"""


class MedusaSeller:
    """What both ways have in common."""

    promised: str
    """SQL: units that the shop has promised, by SKU."""

    def __init__(self, medusa: Medusa, catalogue: Catalogue) -> None:
        self.medusa, self.catalogue = medusa, catalogue
        self.port = medusa.port

    def rest(self) -> None:
        """Medusa has done everything when it answers."""

    def books(self, codes: Sequence[str]) -> dict[str, Book]:
        with psycopg.connect(self.medusa.database) as connection:
            counted = dict(connection.execute(COUNTED, [list(codes)]).fetchall())
            promised = dict(connection.execute(self.promised, [list(codes)]).fetchall())
        return {code: Book(counted[code], promised.get(code, 0)) for code in codes}


class Checkout(MedusaSeller):
    """The storefront's way: a guest's cart is completed, which makes an order."""

    name, title, sells_baskets, promised = "medusa", "Medusa, checkout", True, ORDERED
    how = (
        "`POST /store/carts/{id}/complete`, with the cart filled and its payment session opened beforehand "
        "(3 calls, not counted); system payment provider, nothing to ship"
    )

    async def buyers(self, baskets: Sequence[Sequence[str]]) -> list[Buyer]:
        places = asyncio.Semaphore(CARTS_AT_ONCE)

        async def ready(basket: Sequence[str]) -> Buyer:
            async with places, Connection(self.port) as connection:
                return self._completing(await self._cart(connection, basket))

        return list(await asyncio.gather(*(ready(basket) for basket in baskets)))

    async def impatient(self, basket: Sequence[str], times: int) -> list[Buyer]:
        return (await self.buyers([basket])) * times

    @property
    def _headers(self) -> dict[str, str]:
        return {"x-publishable-api-key": self.catalogue.key}

    async def _cart(self, connection: Connection, basket: Sequence[str]) -> str:
        async def post(path: str, **body: object) -> dict[str, dict[str, str]]:
            reply = await connection.post(path, body, self._headers)
            if reply.status != 200:  # noqa: PLR2004
                raise RuntimeError(f"Medusa: {path}: {reply.status} {reply.body.decode()}")
            found: dict[str, dict[str, str]] = reply.json()
            return found

        goods = self.catalogue.goods
        items = [{"variant_id": goods[code].variant, "quantity": 1} for code in basket]
        place = {"region_id": self.catalogue.region, "sales_channel_id": self.catalogue.channel}
        cart = (await post("/store/carts", **place, email=_guest(), items=items))["cart"]["id"]
        payment = (await post("/store/payment-collections", cart_id=cart))["payment_collection"]["id"]
        await post(f"/store/payment-collections/{payment}/payment-sessions", provider_id="pp_system_default")
        return cart

    def _completing(self, cart: str) -> Buyer:
        async def press(connection: Connection) -> Answer:
            reply = await connection.post(f"/store/carts/{cart}/complete", {}, self._headers)
            # A cart that is sent back with 200 was not paid for: neither an order nor a refusal.
            return answer_of(reply, lambda: reply.json()["order"]["id"] if reply.json()["type"] == "order" else "")

        return press


class Reservation(MedusaSeller):
    """The deduction alone: staff reserve a unit of an inventory item.  No cart, no price, no order."""

    name, title, sells_baskets, promised = "reservation", "Medusa, reservation only", False, RESERVED
    how = (
        "`POST /admin/reservations`: its deduction step alone, one call by staff and no order; "
        "the buyer's reference in `line_item_id`"
    )

    async def buyers(self, baskets: Sequence[Sequence[str]]) -> list[Buyer]:
        return [self._reserving(code, str(uuid.uuid4())) for (code,) in baskets]

    async def impatient(self, basket: Sequence[str], times: int) -> list[Buyer]:
        return (await self.buyers([basket])) * times

    def _reserving(self, code: str, reference: str) -> Buyer:
        wanted = {
            "inventory_item_id": self.catalogue.goods[code].item,
            "location_id": self.catalogue.location,
            "quantity": 1,
            "line_item_id": reference,
        }
        headers = {"Authorization": f"Bearer {self.catalogue.token}"}

        async def press(connection: Connection) -> Answer:
            reply = await connection.post("/admin/reservations", wanted, headers)
            return answer_of(reply, lambda: reply.json()["reservation"]["id"])

        return press


def answer_of(reply: Reply, order: Callable[[], str]) -> Answer:
    """What Medusa's answer means.  order: reads its id out of a 200, empty if there is none."""
    if reply.status == 200 and (number := order()):  # noqa: PLR2004
        return Answer(SOLD, number)
    if reply.status == 400:  # noqa: PLR2004
        said = reply.json()
        short = said.get("code") == "insufficient_inventory" or "Not enough stock" in said.get("message", "")
        return Answer(REFUSED if short else FAILED)
    return Answer(FAILED)


def _guest() -> str:
    """Somebody new: two first carts of one address at the same instant collide in its list of customers."""
    return f"{uuid.uuid4().hex}@shop.example"
