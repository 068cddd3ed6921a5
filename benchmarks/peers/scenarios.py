"""What buyers do, the same for every shop."""

from collections.abc import Sequence
from dataclasses import dataclass

WARM_UP = "warm-up"


@dataclass(frozen=True)
class Scenario:
    """One kind of race.

    skus: how many different ones take part, each with `stock` units.  A basket holds one unit of each, every second
    one in the opposite order.  replays: all buyers are one, who sends the same order again and again.
    """

    name: str
    title: str
    buyers: int
    stock: int
    skus: int = 1
    replays: bool = False

    def codes(self, seller: str, number: int) -> list[str]:
        """SKUs of one round at one seller; no two races share any."""
        return [f"{self.name}-{seller}-{number}-{letter}".upper() for letter in "AB"[: self.skus]]

    def baskets(self, codes: Sequence[str]) -> list[list[str]]:
        """What each buyer wants."""
        return [list(codes) if number % 2 else list(reversed(codes)) for number in range(self.buyers)]

    @property
    def wanted(self) -> int:
        """Orders that a shop without fault takes."""
        return 1 if self.replays else min(self.buyers, self.stock)


def scenarios(*, small: bool) -> list[Scenario]:
    """Every kind of race; the first is not counted.  small: shows that all of it works, and measures nothing."""
    few, even, many, mixed = (10, 20, 40, 10) if small else (50, 100, 200, 40)
    return [
        Scenario(WARM_UP, "warm-up, not counted", 8, 8),
        Scenario("few", f"{few} buyers, {few // 5} units", few, few // 5),
        Scenario("even", f"{even} buyers, {even} units", even, even),
        Scenario("one", f"{many} buyers, 1 unit", many, 1),
        Scenario(
            "mixed", f"{mixed} buyers of two SKUs, in opposite order, {mixed // 2} units", mixed, mixed // 2, skus=2
        ),
        Scenario("again", "one order sent 20 times at once, 20 units", 20, 20, replays=True),
    ]
