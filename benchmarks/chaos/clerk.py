"""The person at a supplier that cannot be told of orders: places them there by hand, and marks them here."""

from collections.abc import Sequence

from inventory import attempts, marks
from inventory.marks import Mark, Said
from inventory.models import Allocation

from .upstream import Upstream
from .verdict import Side

REASON = "ordered by hand"
Line = tuple[str, int]  # SKU, units


class Clerk:
    def __init__(self, side: Side) -> None:
        self._upstream = side.upstream
        self._supplier = side.supplier

    def work(self) -> None:
        """Whatever waits for a person now."""
        waiting = Allocation.objects.filter(
            level__supplier=self._supplier, state=Allocation.State.COMMITTED, by_hand=True
        )
        orders: dict[str, list[Line]] = {}
        for reference, attempt, uid, units in waiting.values_list(
            "reference", "attempt", "level__external_id", "quantity"
        ):
            line = (self._upstream.sku_of(uid), units)
            orders.setdefault(attempts.name(reference, attempt), []).append(line)
        for reference, lines in orders.items():
            self._order(reference, lines)

    def _order(self, reference: str, lines: Sequence[Line]) -> None:
        taken = [line for line in lines if self._upstream.sell(*line)]
        said = Said.ORDERED if len(taken) == len(lines) else Said.LOST
        if said is Said.LOST or not self._mark(reference, said):
            give_back(self._upstream, taken)
        if said is Said.LOST:
            self._mark(reference, said)

    def _mark(self, reference: str, said: Said) -> bool:
        """False if the buyer thought better of it meanwhile."""
        try:
            return marks.mark(Mark(self._supplier.pk, reference, said, REASON))
        except marks.Refused:
            return False


def give_back(upstream: Upstream, lines: Sequence[Line]) -> None:
    for line in lines:
        upstream.restock(*line)
