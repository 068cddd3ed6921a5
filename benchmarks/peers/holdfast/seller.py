"""Buying at Holdfast."""

import uuid
from collections.abc import Sequence

import psycopg

from benchmarks.peers.oscar.holdfast import Holdfast
from benchmarks.peers.seller import FAILED, REFUSED, SOLD, Answer, Buyer
from benchmarks.peers.verdict import Book
from benchmarks.peers.wire import Connection
from benchmarks.polling import came_true

REST_SECONDS = 60

UNSETTLED = "SELECT count(*) FROM inventory_allocation WHERE state IN ('held', 'committed', 'sending', 'confirmed')"
# What the stock API has stopped offering, against the orders themselves.
AVAILABLE = """
    SELECT sku.code, sum(greatest(0, level.sellable - level.allocated))::int
    FROM inventory_sku sku JOIN inventory_offer offer ON offer.sku_id = sku.id
    JOIN inventory_stocklevel level ON level.id = offer.level_id
    WHERE sku.code = ANY(%s) GROUP BY 1
"""
ORDERED = """
    SELECT sku.code, sum(line.quantity)::int
    FROM orders_orderline line JOIN inventory_sku sku ON sku.id = line.sku_id WHERE sku.code = ANY(%s) GROUP BY 1
"""


class HoldfastSeller:
    """One call makes a durable order; the supplier is told afterwards."""

    name, title, sells_baskets = "holdfast", "Holdfast", True
    how = (
        "`POST /api/v1/orders` with an idempotency key: one call, one durable order; a supplier behind it is told "
        "of every order, by workers on the same box"
    )

    def __init__(self, holdfast: Holdfast, stock: dict[str, int]) -> None:
        self.holdfast, self.stock = holdfast, stock
        self.port = int(holdfast.url.rpartition(":")[2])

    async def buyers(self, baskets: Sequence[Sequence[str]]) -> list[Buyer]:
        return [self._ordering(basket) for basket in baskets]

    async def impatient(self, basket: Sequence[str], times: int) -> list[Buyer]:
        return [self._ordering(basket)] * times

    def _ordering(self, basket: Sequence[str]) -> Buyer:
        key = str(uuid.uuid4())
        headers = {"Authorization": f"Api-Key {self.holdfast.api_key}", "Idempotency-Key": key}
        order = {"reference": f"race-{key}", "lines": [{"sku": code, "quantity": 1} for code in basket]}

        async def press(connection: Connection) -> Answer:
            reply = await connection.post("/api/v1/orders", order, headers)
            match reply.status:
                case 201:
                    return Answer(SOLD, reply.json()["number"])
                case 409 if reply.json()["code"] == "insufficient_inventory":
                    return Answer(REFUSED)
                case _:
                    return Answer(FAILED, pause=float(reply.headers.get("retry-after", 1)))

        return press

    def rest(self) -> None:
        """Wait until the supplier has every order and its numbers show them."""
        with psycopg.connect(self.holdfast.environment["DATABASE_URL"], autocommit=True) as connection:
            came_true(lambda: connection.execute(UNSETTLED).fetchone() == (0,), REST_SECONDS, pause=0.25)

    def books(self, codes: Sequence[str]) -> dict[str, Book]:
        with psycopg.connect(self.holdfast.environment["DATABASE_URL"]) as connection:
            available = dict(connection.execute(AVAILABLE, [list(codes)]).fetchall())
            ordered = dict(connection.execute(ORDERED, [list(codes)]).fetchall())
        return {code: Book(self.stock[code] - available[code], ordered.get(code, 0)) for code in codes}
