"""What a race came to, and whether that is right.  Pure: numbers in, words out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

OURS = "holdfast"


@dataclass(frozen=True)
class Book:
    """A shop's own records of one SKU.  counted: units that its counter has given away; ordered: units in orders."""

    counted: int
    ordered: int


@dataclass(frozen=True)
class Race:
    """One scenario at one shop, once.

    wanted: orders that a shop without fault takes.  orders: different orders that buyers were told of.
    told: buyers who were told of one.  failed: buyers who got neither an order nor a refusal.
    seconds: until the last buyer had an answer; latencies: one for each buyer.
    """

    seller: str
    scenario: str
    number: int
    stock: int
    wanted: int
    orders: int
    told: int
    refused: int
    failed: int
    seconds: float
    latencies: Sequence[float] = field(repr=False)
    books: Mapping[str, Book] = field(default_factory=dict)

    @property
    def sold(self) -> int:
        """Orders taken, as buyers or the order books know them: the higher, for both are promises."""
        return max([self.orders, *(book.ordered for book in self.books.values())])

    @property
    def oversold(self) -> int:
        """Units promised that are not there."""
        return max(0, self.sold - self.stock)

    @property
    def duplicates(self) -> int:
        """Orders beyond what the buyers wanted, while there was stock."""
        return max(0, min(self.sold, self.stock) - self.wanted)

    @property
    def false_refusals(self) -> int:
        """Buyers sent away as sold out for whom there was a unit at the end."""
        return min(self.refused, max(0, self.stock - self.sold))

    @property
    def books_right(self) -> bool:
        """Do counter, order book and what buyers were told agree, for every SKU?"""
        return all(book.counted == book.ordered == self.orders for book in self.books.values())

    @property
    def rate(self) -> float:
        """Orders taken per second."""
        return self.orders / self.seconds

    @property
    def answers(self) -> float:
        """Buyers answered with yes or no per second."""
        return (self.told + self.refused) / self.seconds

    def percentile(self, share: float) -> float:
        """Seconds.  share: 0.99 for the slowest in a hundred."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(frozen=True)
class Line:
    """All rounds of one scenario at one shop: speed as medians, faults as the sum."""

    seller: str
    scenario: str
    sold: tuple[int, ...]
    stock: int
    wanted: int
    rate: float
    answers: float
    p50: float
    p99: float
    refused: int
    false_refusals: int
    failed: int
    oversold: int
    duplicates: int
    wrong_books: int

    @property
    def right(self) -> bool:
        """Was every round without fault?"""
        faults = self.false_refusals + self.failed + self.oversold + self.duplicates + self.wrong_books
        return not faults and all(sold == self.wanted for sold in self.sold)


def summarise(races: Iterable[Race]) -> list[Line]:
    """One line for each scenario and shop, in the order in which they first ran."""
    rounds: dict[tuple[str, str], list[Race]] = {}
    for race in races:
        rounds.setdefault((race.scenario, race.seller), []).append(race)
    return [_line(of_one) for of_one in rounds.values()]


def _line(races: Sequence[Race]) -> Line:
    return Line(
        seller=races[0].seller,
        scenario=races[0].scenario,
        sold=tuple(race.sold for race in races),
        stock=races[0].stock,
        wanted=races[0].wanted,
        rate=median(race.rate for race in races),
        answers=median(race.answers for race in races),
        p50=median(race.percentile(0.5) for race in races),
        p99=median(race.percentile(0.99) for race in races),
        refused=sum(race.refused for race in races),
        false_refusals=sum(race.false_refusals for race in races),
        failed=sum(race.failed for race in races),
        oversold=sum(race.oversold for race in races),
        duplicates=sum(race.duplicates for race in races),
        wrong_books=sum(not race.books_right for race in races),
    )


def judge(races: Iterable[Race], audit: str = "", supplier: Sequence[str] = ()) -> list[str]:
    """Everything that Holdfast did wrong; what others do is reported, not judged.

    audit: what its own audit objects to.  supplier: what the supplier behind it says otherwise.
    """
    problems = [problem for race in races if race.seller == OURS for problem in _faults(race)]
    if audit:
        problems.append(f"the audit of Holdfast's ledger: {audit.strip()}")
    return problems + list(supplier)


def _faults(race: Race) -> list[str]:
    found = {
        f"oversold by {race.oversold}": race.oversold,
        f"{race.duplicates} orders more than were wanted": race.duplicates,
        f"{race.sold} orders instead of {race.wanted}": race.sold != race.wanted,
        f"{race.false_refusals} buyers refused while there was stock": race.false_refusals,
        f"{race.failed} buyers got neither an order nor a refusal": race.failed,
        f"counters and orders disagree: {dict(race.books)}, buyers know of {race.orders}": not race.books_right,
    }
    return [f"Holdfast, {race.scenario}, round {race.number}: {what}" for what, wrong in found.items() if wrong]
