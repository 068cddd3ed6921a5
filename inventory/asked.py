"""All that one order asks of one supplier, as the supplier is told it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from inventory import attempts
from suppliers.models import Supplier
from suppliers.readings import ConfirmLine, ConfirmRequest, Ref


@dataclass(frozen=True, slots=True)
class Part:
    """Units of one level in an order.  id: of the allocation.  expected_available: see ConfirmLine."""

    id: int
    level_id: int
    ref: Ref
    quantity: int
    expected_available: int | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """All that one order asks of one supplier, at one attempt.

    reference: the name that the supplier knows it by.  lease_until: when whoever sent it has surely stopped.
    sent_at: when upstream may first have seen this very request.
    """

    supplier: Supplier
    reference: str
    parts: Sequence[Part]
    lease_until: datetime | None = None
    upstream_order: str = ""
    sent_at: datetime | None = None

    @property
    def request(self) -> ConfirmRequest:
        """The order as upstream is told it.  The reference is unique there: each attempt has its own."""
        lines = [ConfirmLine(part.ref, part.quantity, part.expected_available) for part in self.parts]
        return ConfirmRequest(self.reference, lines, self.sent_at.isoformat() if self.sent_at else "")

    @property
    def order(self) -> str:
        """The reference of the order, whichever attempt this is."""
        return attempts.split(self.reference)[0]

    @property
    def ids(self) -> list[int]:
        return [part.id for part in self.parts]

    @property
    def level_ids(self) -> list[int]:
        return sorted({part.level_id for part in self.parts})
