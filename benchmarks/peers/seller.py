"""What a shop has to offer to take part."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.peers.verdict import Book
from benchmarks.peers.wire import Connection

SOLD, REFUSED, FAILED = "sold", "refused", "failed"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a buyer was told.  failed: neither yes nor no.  order: the shop's name of it.  pause: seconds to wait."""

    outcome: str
    order: str = ""
    pause: float = 1.0


Buyer = Callable[[Connection], Awaitable[Answer]]
"""Presses the button once.  The same buyer may press again, and means the same order by it."""


class Seller(Protocol):
    """A running shop, used over HTTP as its makers offer it.

    how: what a purchase is there, for the report.  sells_baskets: two SKUs in one order, all or nothing.
    """

    name: str
    title: str
    how: str
    port: int
    sells_baskets: bool

    async def buyers(self, baskets: Sequence[Sequence[str]]) -> list[Buyer]:
        """One buyer for each basket, ready to press; what does not depend on the stock is already done."""
        ...

    async def impatient(self, basket: Sequence[str], times: int) -> list[Buyer]:
        """One buyer who presses so many times at once and wants the basket once."""
        ...

    def rest(self) -> None:
        """Return when nothing is going on in the background any more: others are measured next."""
        ...

    def books(self, codes: Sequence[str]) -> dict[str, Book]:
        """Its own records of these SKUs."""
        ...
