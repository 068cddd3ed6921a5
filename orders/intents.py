"""What a storefront wants placed, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from inventory.sourcing import Shortage, Unorderable


@dataclass(frozen=True, slots=True)
class Intent:
    """One order or one hold to be placed.

    lines: (sku, whole units), ascending by SKU, each SKU once.  fingerprint: SHA-256 of the validated body.
    hold_seconds: makes it a hold of that length.  reservation: a hold that the order consumes.
    """

    storefront_id: int
    actor: str
    key: str
    fingerprint: bytes
    reference: str
    lines: Sequence[tuple[str, int]]
    destination: str = ""
    reservation: UUID | None = None
    hold_seconds: int | None = None
    request_id: str = ""

    @property
    def identity(self) -> tuple[int, str, bool]:
        """What makes two intents the same one: the storefront's key, apart for orders and holds."""
        return self.storefront_id, self.key, self.hold_seconds is not None

    @property
    def codes(self) -> list[str]:
        """The SKUs it names, ascending."""
        return [code for code, _ in self.lines]


@dataclass(frozen=True, slots=True)
class Placed:
    """answer: the bytes of the 201, the same for every repeat of the key."""

    answer: bytes
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was placed; the key may be tried again."""

    shortages: Sequence[Shortage]


@dataclass(frozen=True, slots=True)
class NotOrderable:
    """Nothing was placed: no supplier delivers these quantities.  The key may be tried again."""

    lines: Sequence[Unorderable]


@dataclass(frozen=True, slots=True)
class KeyReused:
    """The key was used for another body."""


@dataclass(frozen=True, slots=True)
class WrongReservation:
    """The order names a hold that the storefront does not have, or whose lines are others."""


Outcome = Placed | Refused | NotOrderable | KeyReused | WrongReservation
