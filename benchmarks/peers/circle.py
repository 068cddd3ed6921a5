"""The full circle with a real shop behind Holdfast: read, sold, told, asked, called off.

After each step the figures of both sides are read where each keeps them, and have to be equal.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from benchmarks.peers.oscar.holdfast import Holdfast
from benchmarks.peers.oscar.launch import Register, audit, read_back
from benchmarks.peers.oscar.shopping import Books
from benchmarks.peers.register import SNAPSHOT_SECONDS
from benchmarks.polling import came_true
from suppliers.simulator.running import RunningChaosProxy

SECONDS = 120  # for both sides to come to agree; longer than the lease of a claim, until which nobody asks
RARELY = 3_600  # seconds between whole snapshots, so that what is seen was read singly
NOBODYS = "NOBODYS-ORDER"
ORDERED = 2  # units, beside one that is bought at the shop and one whose order's answer is lost


Buyer = Callable[[], str]


class Peer(Protocol):
    """A shop behind Holdfast.

    oversells: known to, when left alone.  calls_off: its API can call an order off.  endpoints: which of its requests
    is what, as the chaos supplier's proxy wants it; POST is an order otherwise.
    """

    url: str
    oversells: bool
    calls_off: bool
    endpoints: Mapping[str, str]

    def at_the_till(self, code: str) -> Buyer:
        """A guest who is about to buy one unit there, past Holdfast; called: sold, refused or failed."""
        ...

    def books(self) -> Books: ...

    def as_supplier(self, codes: Sequence[str]) -> Register: ...


@dataclass(frozen=True)
class Step:
    """What was done, and what both sides say after it."""

    what: str
    ours: object
    theirs: object

    @property
    def holds(self) -> bool:
        return self.ours == self.theirs

    @property
    def difference(self) -> tuple[object, object]:
        """Both sides; of many figures only those that differ."""
        if not (isinstance(self.ours, dict) and isinstance(self.theirs, dict)):
            return self.ours, self.theirs
        differing = {name for name in {*self.ours, *self.theirs} if self.ours.get(name) != self.theirs.get(name)}
        ours, theirs = (
            {name: side[name] for name in sorted(differing) if name in side} for side in (self.ours, self.theirs)
        )
        return ours, theirs

    @property
    def verdict(self) -> str:
        return "equal" if self.holds else "NOT EQUAL"


def run_circle(holdfast: Holdfast, peer: Peer, code: str) -> list[Step]:
    """Go round once with one product of which there are four units or more."""
    steps = [snapshot(holdfast, peer)]
    holdfast.snapshot_every(RARELY)
    try:
        number, taken = incremental(holdfast, peer, code)
        steps += [*taken, confirmed(holdfast, peer, number), asked(holdfast, number)]
        steps += answer_lost(holdfast, peer, code)
        steps += called_off(holdfast, peer, code, number)
    finally:
        holdfast.snapshot_every(SNAPSHOT_SECONDS)
    return [*steps, Step("the ledger's own audit", audit(holdfast), "")]


def snapshot(holdfast: Holdfast, peer: Peer) -> Step:
    """Every product as the shop has it; what it sold more than it had is 0."""
    ours = holdfast.reported()
    theirs = peer.books().available
    return Step(f"snapshot: all {len(ours)} products", ours, {code: max(0, theirs[code]) for code in ours})


def incremental(holdfast: Holdfast, peer: Peer, code: str) -> tuple[str, list[Step]]:
    """Somebody buys at the shop, then we do: the read after our order brings both, without a snapshot."""
    sold = peer.at_the_till(code)()
    number = holdfast.order(code, ORDERED)
    agree(lambda: holdfast.reported()[code] == peer.books().available[code] and _state(holdfast, number) == "settled")
    return number, [
        Step("a buyer at the shop itself", sold, "sold"),
        Step("incremental: the product after both", holdfast.reported()[code], peer.books().available[code]),
        Step("incremental: read by", holdfast.last_reader(code), "sync"),
        Step("what a storefront is told", holdfast.available(code), peer.books().available[code]),
    ]


def confirmed(holdfast: Holdfast, peer: Peer, number: str) -> Step:
    """Our order stands in the shop's books once, under our reference."""
    sold = [promise.units for promise in holdfast.promises() if promise.reference == number]
    return Step("confirm: units under our reference", sold, peer.books().orders.get(number, []))


def asked(holdfast: Holdfast, number: str) -> Step:
    """The shop knows our order by its reference, and no other."""
    return Step("read-back", read_back(holdfast, number, NOBODYS), {number: "accepted", NOBODYS: "not_found"})


def answer_lost(holdfast: Holdfast, peer: Peer, code: str) -> list[Step]:
    """The shop takes an order and its answer never arrives: found by our reference, not sent again."""
    with losing_answers(holdfast, peer):
        number = holdfast.order(code, 1)
        agree(lambda: _state(holdfast, number) == "settled")
    return [
        Step("answer lost: what became of our order", _state(holdfast, number), "settled"),
        Step("answer lost: units under its reference", [1], peer.books().orders.get(number, [])),
        Step("answer lost: the product", holdfast.reported()[code], peer.books().available[code]),
    ]


@contextmanager
def losing_answers(holdfast: Holdfast, peer: Peer) -> Iterator[None]:
    """Between Holdfast and the shop stands somebody who lets orders through and no answer to them."""
    scenario = {"lost_reply": {"endpoints": ["confirm"]}}
    shop = urlsplit(peer.url)
    proxy = RunningChaosProxy(f"{shop.scheme}://{shop.netloc}", scenario=scenario, endpoints=peer.endpoints)
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    holdfast.supplier_is_at(proxy.url + shop.path)
    try:
        yield
    finally:
        holdfast.supplier_is_at(peer.url)
        proxy.stop()
        thread.join()


def called_off(holdfast: Holdfast, peer: Peer, code: str, number: str) -> list[Step]:
    """The order goes and its units come back; where the shop cannot call off, neither does, and it is on record."""
    holdfast.cancel(number)
    if peer.calls_off:
        agree(lambda: number not in peer.books().orders and holdfast.available(code) == peer.books().available[code])
        left: Sequence[int] = []
    else:
        agree(lambda: _doubts(holdfast, number) > 0)
        left = [ORDERED]
    steps = [
        Step("cancel: units left under our reference", list(left), peer.books().orders.get(number, [])),
        Step("cancel: the product", holdfast.reported()[code], peer.books().available[code]),
        Step("cancel: what a storefront is told", holdfast.available(code), peer.books().available[code]),
    ]
    if not peer.calls_off:
        on_record = "on record" if _doubts(holdfast, number) else "forgotten"
        steps.append(Step("cancel: that the shop cannot", on_record, "on record"))
    return steps


def agree(done: Callable[[], bool]) -> None:
    """Wait until it is so, or has had its time: the step says which."""
    came_true(done, SECONDS, pause=0.25)


def _state(holdfast: Holdfast, number: str) -> str:
    return next(promise.state for promise in holdfast.promises() if promise.reference == number)


def _doubts(holdfast: Holdfast, number: str) -> int:
    return next(promise.discrepancies for promise in holdfast.promises() if promise.reference == number)


def as_table(steps: Sequence[Step]) -> str:
    """Step by step, as a Markdown table."""
    rows = [(step.what, _short(step.ours), _short(step.theirs), step.verdict) for step in steps]
    head = ("step", "Holdfast", "the shop", "")
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(["", *("| " + " | ".join(line) + " |" for line in lines), ""])


def problems(steps: Sequence[Step]) -> list[str]:
    """Where both sides differ, and in what."""
    differing = [(step.what, *step.difference) for step in steps if not step.holds]
    return [f"{what}: Holdfast {ours!r}, the shop {theirs!r}" for what, ours, theirs in differing]


def _short(value: object) -> str:
    if isinstance(value, dict) and value and all(isinstance(units, int) for units in value.values()):
        return f"{sum(value.values())} units of {len(value)} products"
    return ", ".join(value.values()) if isinstance(value, dict) else str(value) or "nothing"
