"""Our orders as differences of quantity, each read before and after.

TOP takes a difference (type 2), knows no reference of ours for it and would take it twice.  So what is there is read
first, the difference is sent once, and it counts as taken only if a read afterwards shows it.
"""

from collections.abc import Sequence

from suppliers.adapters.listing import NextDeadline
from suppliers.adapters.platforms import refused, units_by_ref, unknown, unsent
from suppliers.adapters.top.client import Client, Refusal
from suppliers.adapters.top.reading import BY_CODE, Reading
from suppliers.errors import Malformed, NotConfigured, SupplierError, Transient
from suppliers.readings import ConfirmRequest, ConfirmResult, Outcome, Ref, StockRow

DIFFERENCE = 2


class Unclear(Exception):
    """A difference was sent, and nobody knows what became of it."""


class Orders:
    """Deducts what an order asks for, line by line, and gives it back."""

    def __init__(self, client: Client, reading: Reading, stock_codes: Sequence[str]) -> None:
        self._client = client
        self._reading = reading
        self._stock_codes = set(stock_codes)

    def take(self, order: ConfirmRequest, next_deadline: NextDeadline) -> ConfirmResult:
        """Raises: any SupplierError, and then nothing was deducted."""
        units = units_by_ref(order)
        with unsent():
            before = self._read(list(units), next_deadline)
        short = [ref.sku or ref.uid for ref in units if ref not in before or (before[ref].available or 0) < units[ref]]
        if short:
            return refused(Outcome.REJECTED_STOCK, f"TOP has less than was asked for: {', '.join(short)}.")
        taken: dict[str, int] = dict.fromkeys((ref.uid for ref in units), 0)
        for ref, wanted in units.items():
            try:
                self._change(ref, -wanted, next_deadline)
                self._verify(ref, before[ref], wanted, next_deadline)
            except Unclear as unclear:
                return unknown(f"{unclear} Taken for certain before: {taken}.")
            except Refusal as refusal:
                return self._declined(refusal, taken)
            except SupplierError as error:
                if any(taken.values()):
                    return unknown(f"{error} Taken before: {taken}.")
                raise
            taken[ref.uid] = wanted
        return ConfirmResult(Outcome.ACCEPTED)

    def give_back(self, order: ConfirmRequest, next_deadline: NextDeadline) -> ConfirmResult:
        """Raises: any SupplierError before the first unit was given back."""
        given = False
        for ref, units in units_by_ref(order).items():
            try:
                self._change(ref, units, next_deadline)
            except (Unclear, Refusal) as error:
                return unknown(str(error))
            except SupplierError as error:
                if given:
                    return unknown(str(error))
                raise
            given = True
        return ConfirmResult(Outcome.ACCEPTED)

    def _read(self, refs: Sequence[Ref], next_deadline: NextDeadline) -> dict[Ref, StockRow]:
        result = self._reading.fetch(refs, next_deadline)
        if result.unanswered:
            raise Transient("TOP did not show all rows of the order.")
        rows = {row.uid: row for row in result.rows}
        return {ref: rows[ref.uid] for ref in refs if ref.uid in rows}

    def _change(self, ref: Ref, difference: int, next_deadline: NextDeadline) -> None:
        """Raises: Unclear once it may have taken effect; Refusal; any SupplierError, and then it has not."""
        if ref.uid.startswith(BY_CODE):
            raise NotConfigured("A row that is known by its code alone can be read and not changed.")
        num_iid, _, sku_id = ref.uid.partition(":")
        parameters = {"num_iid": num_iid, "quantity": difference, "type": DIFFERENCE}
        parameters |= {"sku_id": sku_id} if sku_id else {}
        try:
            self._client.run("taobao.item.quantity.update", parameters, next_deadline(), safe=False)
        except Refusal:
            raise
        except Malformed as error:
            raise Unclear(str(error)) from error
        except Transient as error:
            if error.sent:
                raise Unclear(str(error)) from error
            raise

    def _verify(self, ref: Ref, before: StockRow, wanted: int, next_deadline: NextDeadline) -> None:
        """Raises: Unclear if the number does not show what was taken."""
        try:
            after = self._read([ref], next_deadline).get(ref)
        except SupplierError as error:
            raise Unclear(f"Deducted, and then not to be read: {error}") from error
        shown = None if after is None else after.components["quantity"]
        if shown is None or shown > before.components["quantity"] - wanted:
            raise Unclear(f"{wanted} were deducted from {before.components['quantity']}, and {shown} are shown.")

    def _declined(self, refusal: Refusal, taken: dict[str, int]) -> ConfirmResult:
        if refusal.sub_code not in self._stock_codes:
            if any(taken.values()):
                return unknown(f"{refusal} Taken before: {taken}.")
            return refused(Outcome.REJECTED_OTHER, str(refusal))
        if any(taken.values()):
            return ConfirmResult(Outcome.PARTIAL, accepted=taken, detail=str(refusal)[:300])
        return refused(Outcome.REJECTED_STOCK, str(refusal))
