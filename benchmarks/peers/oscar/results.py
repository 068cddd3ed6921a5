"""What the races came to, and whether that is what was promised."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ACCEPTED = frozenset({"confirmed", "settled"})
PENDING = frozenset({"held", "committed", "sending"})


@dataclass(frozen=True)
class Promise:
    """Units that Holdfast sold: the reference it gave the shop, and how far that has come."""

    code: str
    reference: str
    units: int
    state: str
    discrepancies: int


@dataclass(frozen=True)
class Round:
    """One race for one product.

    stock: units the shop had.  reported: what it had told Holdfast when the race began, None where Holdfast was not
    in it.  sold, refused, failed: answers to the buyers of the seller under test.  elsewhere: units that other
    channels bought from the shop meanwhile.
    """

    code: str
    stock: int
    sold: int
    refused: int
    failed: int
    reported: int | None = None
    elsewhere: int = 0


@dataclass(frozen=True)
class Ledger:
    """What both sides had written down when everything had come to rest.

    orders: reference → units of each order of the shop that carries it.  available, allocated: code → units that the
    shop has left, and that it sold.  reported: code → what Holdfast believes that the shop has left.
    broken: sales that Holdfast made beyond the number it had; audit: differences its own audit found.
    """

    promises: Sequence[Promise]
    orders: Mapping[str, list[int]]
    available: Mapping[str, int]
    allocated: Mapping[str, int]
    reported: Mapping[str, int | None]
    broken: int = 0
    audit: str = ""

    def of(self, code: str) -> list[Promise]:
        """The promises for one product."""
        return [promise for promise in self.promises if promise.code == code]

    def accepted(self, code: str) -> int:
        """Units that Holdfast sold and the shop took."""
        return sum(promise.units for promise in self.of(code) if promise.state in ACCEPTED)

    def rejected(self, code: str) -> int:
        """Units that Holdfast sold and the shop refused."""
        return sum(promise.units for promise in self.of(code) if promise.state not in ACCEPTED | PENDING)

    def disagreements(self) -> list[str]:
        """Products of which Holdfast believes something else than the shop's books say; below 0 is 0."""
        return [code for code, units in self.reported.items() if units != max(0, self.available.get(code, 0))]

    def in_books(self, code: str) -> int:
        """Units of Holdfast's orders that the shop's own order list shows."""
        return sum(sum(self.orders.get(promise.reference, [])) for promise in self.of(code))


@dataclass(frozen=True)
class Results:
    """One run.

    in_turn: at the shop alone, one buyer after another.  control: at the shop alone, all at once.
    behind: through Holdfast.  beside: through Holdfast, and others at the shop meanwhile.
    shop_oversells: it is known to, alone; if it then does not, the race shows nothing.
    """

    in_turn: Round
    control: Sequence[Round]
    behind: Sequence[Round]
    beside: Sequence[Round]
    ledger: Ledger
    shop_oversells: bool = True


def judge(results: Results) -> list[str]:
    """Everything that is not as promised; nothing is good news."""
    ledger, problems = results.ledger, []
    if results.in_turn.sold != results.in_turn.stock:
        problems.append(f"one after another bought {results.in_turn.sold} at the shop: it does not count its stock")
    if results.shop_oversells and not any(race.sold > race.stock for race in results.control):
        problems.append("the shop alone oversold in no round: the race does not show what it should")
    for race in results.behind:
        if race.sold != race.stock:
            problems.append(f"{race.code}: Holdfast sold {race.sold}, not exactly {race.stock}")
        if ledger.rejected(race.code):
            problems.append(f"{race.code}: the shop refused {ledger.rejected(race.code)} that nobody else had bought")
    for race in (*results.behind, *results.beside):
        problems += judge_round(race, ledger)
    problems += [f"{code}: Holdfast never got the shop's last number" for code in ledger.disagreements()]
    if ledger.broken:
        problems.append(f"Holdfast made {ledger.broken} sales beyond what the shop had reported by then")
    if ledger.audit:
        problems.append(f"Holdfast's audit: {ledger.audit}")
    return problems


def judge_round(race: Round, ledger: Ledger) -> list[str]:
    """What is wrong with one race through Holdfast and with what both sides wrote down of it."""
    problems = []
    if race.reported is None or race.sold > race.reported:
        problems.append(f"{race.code}: Holdfast sold {race.sold} of {race.reported} that the shop had reported")
    if race.failed:
        problems.append(f"{race.code}: {race.failed} buyers got neither an order nor a refusal")
    promises = ledger.of(race.code)
    if sum(promise.units for promise in promises) != race.sold:
        problems.append(f"{race.code}: {race.sold} sold, but promises for {sum(p.units for p in promises)}")
    for promise in promises:
        problems += judge_promise(promise, ledger.orders.get(promise.reference, []))
    expected = ledger.accepted(race.code) + race.elsewhere
    if ledger.allocated.get(race.code) != expected:
        problems.append(f"{race.code}: the shop counts {ledger.allocated.get(race.code)} sold, buyers {expected}")
    return problems


def judge_promise(promise: Promise, booked: Sequence[int]) -> list[str]:
    """Is one sold unit where it must be?  booked: units of each order of the shop with the promise's reference."""
    who = f"{promise.code} {promise.reference}"
    if promise.state in PENDING:
        return [f"{who}: still {promise.state}; the shop was not told"]
    if promise.state in ACCEPTED:
        return [] if list(booked) == [promise.units] else [f"{who}: accepted, but the shop's books show {booked}"]
    problems = [f"{who}: {promise.state}, but the shop's books show {booked}"] if booked else []
    if not promise.discrepancies:
        problems.append(f"{who}: {promise.state} without a discrepancy")
    return problems
