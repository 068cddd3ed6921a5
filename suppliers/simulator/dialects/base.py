"""What a dialect does: it reads requests and writes answers; nothing else differs between suppliers."""

from collections.abc import Mapping
from typing import Protocol

from suppliers.simulator.asks import Ask, Told, bad
from suppliers.simulator.ledger import Ledger
from suppliers.simulator.messages import Problem, Reply, Request

DEFAULT_SIZE, MAX_SIZE, MAX_DIGITS = 100, 1_000, 12
Query = Mapping[str, str]


class Dialect(Protocol):
    def credential(self, request: Request, secret: str, now: float) -> str:
        """The token that the client shows; signatures are checked with the secret and the supplier's time.

        Raises Problem.
        """
        ...

    def understand(self, request: Request, ledger: Ledger) -> Ask:
        """Raises Problem for what is not served or not understood."""
        ...

    def answer(self, ask: Ask, told: Told, ledger: Ledger) -> Reply: ...

    def problem(self, problem: Problem) -> Reply: ...


def nowhere() -> Problem:
    """Made anew each time: an exception that is raised again keeps what it was raised through before."""
    return Problem(404, "NOT_FOUND", "There is nothing at this path.")


def number(query: Query, name: str, default: int, least: int) -> int:
    """A whole number of the query.  Raises Problem."""
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS and int(text) >= least):
        raise bad(f"{name} is a whole number from {least}")
    return int(text)


def cursor(start: int, now: float) -> str:
    return f"c{start}t{int(now * 100)}"


def at_cursor(text: str) -> tuple[int, float | None]:
    """Where it points to and when it was given out.  Raises Problem."""
    start, _, issued = text.removeprefix("c").partition("t")
    if not text.startswith("c"):
        raise bad("cursor is one of ours")
    at = number({"cursor": issued}, "cursor", 0, 0) / 100 if issued else None
    return number({"cursor": start}, "cursor", 0, 0), at


def words(text: str | None) -> list[str]:
    return [word for word in (text or "").split(",") if word]


def identity(query: Query) -> str:
    """The request without what differs each time it is sent: cursors carry a time."""
    return "&".join(
        f"{name}={value.partition('t')[0] if name == 'cursor' else value}" for name, value in sorted(query.items())
    )


def rows_named(ledger: Ledger, skus: list[str], uids: list[str]) -> list[int]:
    by_sku = [index for sku in skus for index in ledger.indexes_of_sku(sku)]
    by_uid = [index for uid in uids if (index := ledger.index_of(uid)) is not None]
    return list(dict.fromkeys(by_sku + by_uid))
