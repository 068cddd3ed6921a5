"""Our orders upstream: place, look up, call off.  Whatever is not certain is UNKNOWN and left to the read-back."""

from collections.abc import Mapping
from typing import Any

from suppliers.adapters.answers import Answer, Judge
from suppliers.adapters.calls import Caller, RequestForm
from suppliers.adapters.expressions import bind, compile_path, holds
from suppliers.adapters.listing import Listing, NextDeadline
from suppliers.adapters.quantities import exact, whole_units
from suppliers.adapters.steps import Progress, Steps, Unsettled, of_item
from suppliers.errors import Malformed, SupplierError
from suppliers.readings import ConfirmRequest, ConfirmResult, Outcome
from suppliers.transport import Deadline

CONFLICT = 409
NOT_FOUND = 404
UPSTREAM_ORDER_LENGTH = 100
DETAIL_CHARACTERS = 300


class Verdict:
    """Reads from a document what became of an order."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config

    def of(self, document: Any, order: ConfirmRequest, variables: Mapping[str, Any]) -> ConfirmResult | None:
        """None if the document says nothing clear."""
        if self._says("stock_rejected", document, variables):
            return ConfirmResult(Outcome.REJECTED_STOCK, detail="Refused for lack of stock.")
        if self._says("rejected", document, variables):
            return ConfirmResult(Outcome.REJECTED_OTHER, detail="Refused.")
        if not self._says("accepted", document, variables):
            return None
        accepted = self._lines(document, order, variables)
        asked = units_of(order)
        short = accepted and any(accepted.get(uid, 0) < units for uid, units in asked.items())
        outcome = Outcome.PARTIAL if short else Outcome.ACCEPTED
        counted = self._says("counted", document, variables)
        return ConfirmResult(outcome, self._order_id(document, variables), accepted, counted=counted)

    def refuses(self, document: Any, variables: Mapping[str, Any]) -> bool:
        return self._says("stock_rejected", document, variables) or self._says("rejected", document, variables)

    def _says(self, name: str, document: Any, variables: Mapping[str, Any]) -> bool:
        if name not in self._config or document is None:
            return False
        try:
            return holds(bind(self._config[name], variables)(document))
        except Malformed:
            return False  # the expression does not fit this document, so the document does not say it

    def _order_id(self, document: Any, variables: Mapping[str, Any]) -> str:
        if "order_id" not in self._config:
            return ""
        value = bind(self._config["order_id"], variables)(document)
        if isinstance(value, bool) or not isinstance(value, str | int):
            return ""
        return str(value)[:UPSTREAM_ORDER_LENGTH]

    def _lines(self, document: Any, order: ConfirmRequest, variables: Mapping[str, Any]) -> dict[str, int]:
        if "lines" not in self._config:
            return {}
        config = self._config["lines"]
        key = "uid" if "uid" in config else "sku"
        uid_of = {getattr(line.ref, key): line.ref.uid for line in order.lines}
        accepted = dict.fromkeys(units_of(order), 0)
        items = bind(config["items"], variables)(document)
        if not isinstance(items, list):
            raise Malformed("The lines of the order are not a list.")
        for item in items:
            uid = uid_of.get(str(compile_path(config[key])(item)))
            number, _ = exact(compile_path(config["quantity"])(item))
            if uid is not None and number is not None:
                accepted[uid] += whole_units(number)[0]
        if "surplus" in config:  # what is beyond the order is taken back
            asked = units_of(order)
            accepted = {uid: min(units, asked[uid]) for uid, units in accepted.items()}
        return accepted


class Ordering:
    """`confirm` of one supplier."""

    def __init__(self, config: Mapping[str, Any], form: RequestForm, call: Caller, judge: Judge) -> None:
        self._verdict = Verdict(config)
        self._steps = Steps(config, form, call, judge, self._verdict.refuses)

    def confirm(self, order: ConfirmRequest, deadline: Deadline) -> ConfirmResult:
        """Raises: any SupplierError, and then nothing was ordered."""
        progress = self._steps.start(order)
        try:
            answer = self._steps.run(order, progress, deadline)
            return self._read(answer, order, progress)
        except Unsettled as unsettled:
            return _unknown(str(unsettled))
        except SupplierError as error:
            if progress.ordered:
                return _unknown(str(error))
            raise

    def _read(self, answer: Answer, order: ConfirmRequest, progress: Progress) -> ConfirmResult:
        result = self._verdict.of(answer.document, order, progress.variables)
        if answer.ok:
            return result or _unknown("The answer does not say what became of the order.")
        out_of_stock = result is not None and result.outcome is Outcome.REJECTED_STOCK
        if progress.ordered:
            placed = {uid: progress.placed.get(uid, 0) for uid in units_of(order)}
            if out_of_stock and progress.placed:
                return ConfirmResult(Outcome.PARTIAL, accepted=placed, detail="Some lines were refused.")
            return _unknown(f"A part was taken, then upstream answered {answer.status}.")
        if out_of_stock:
            return ConfirmResult(Outcome.REJECTED_STOCK, detail=answer.evidence[:DETAIL_CHARACTERS])
        if answer.status == CONFLICT and not (result and result.outcome is Outcome.REJECTED_OTHER):
            # "There is one already" may well be ours.
            return _unknown("Upstream reports a conflict (409).")
        detail = f"{answer.status}: {answer.evidence}"[:DETAIL_CHARACTERS]
        return ConfirmResult(Outcome.REJECTED_OTHER, detail=detail)


class Readback:
    """Looks an order up by our reference."""

    def __init__(self, config: Mapping[str, Any], form: RequestForm, call: Caller, judge: Judge) -> None:
        self._listing = Listing(config, form, call, judge)
        self._verdict = Verdict(config)
        self._is_list = "items" in config
        self._not_found: str | None = config.get("not_found")
        self._surplus = Surplus(config["lines"], form, call, judge) if "surplus" in config.get("lines", {}) else None

    def readback(self, order: ConfirmRequest, next_deadline: NextDeadline) -> ConfirmResult:
        """NOT_FOUND only if every page of a list was read, or upstream said that there is no such order.

        Raises: any SupplierError, and then nothing is known.
        """
        variables = {"ref": order.reference}
        for sheet in self._listing.sheets(None, variables, next_deadline):
            if not sheet.answer.ok:
                return _not_found()
            result = self._verdict.of(sheet.answer.document, order, variables)
            if result is not None:
                if self._surplus:
                    self._surplus.drop(sheet.answer.document, order, next_deadline)
                return result
            if self._not_found and holds(bind(self._not_found, variables)(sheet.answer.document)):
                return _not_found()
        # A document that is no list, and says neither yes nor no, may be one whose fields were renamed.
        return _not_found() if self._is_list else _unknown("The answer does not say whether the order is known.")


class Surplus:
    """Takes back what upstream holds for us beyond an order: a request that came twice had two effects."""

    def __init__(self, config: Mapping[str, Any], form: RequestForm, call: Caller, judge: Judge) -> None:
        self._config, self._form, self._call = config, form, call
        self._read = judge.success_or(NOT_FOUND)

    def drop(self, document: Any, order: ConfirmRequest, next_deadline: NextDeadline) -> None:
        """Raises: any SupplierError, and then some of it is left for the next read-back."""
        left = units_of(order)
        for item in bind(self._config["items"], {"ref": order.reference})(document):
            uid = str(compile_path(self._config["uid"])(item))
            number, _ = exact(compile_path(self._config["quantity"])(item))
            if left.get(uid, 0) > 0:
                left[uid] -= whole_units(number or 0)[0]
            elif uid in left:
                request = self._form.request(self._config["surplus"], of_item(item))
                self._call(request, self._read, safe=True, deadline=next_deadline())


class Cancelling:
    """`cancel` of one supplier."""

    def __init__(self, config: Mapping[str, Any], form: RequestForm, call: Caller, judge: Judge) -> None:
        self._verdict = Verdict({"accepted": "@", **config})
        self._steps = Steps(config, form, call, judge, self._verdict.refuses)
        self._any_2xx = "accepted" not in config
        self._done: list[int] = config.get("done_status", [])

    def cancel(self, order: ConfirmRequest, upstream_order: str, deadline: Deadline) -> ConfirmResult:
        """ACCEPTED: it is off.  Raises: any SupplierError, and then it may be tried again."""
        progress = self._steps.start(order, order_id=upstream_order)
        try:
            answer = self._steps.run(order, progress, deadline)
        except Unsettled as unsettled:
            return _unknown(str(unsettled))
        if answer.status in self._done or (answer.ok and self._any_2xx):
            return ConfirmResult(Outcome.ACCEPTED, upstream_order)
        result = self._verdict.of(answer.document, order, progress.variables)
        if answer.ok:
            return result or _unknown("The answer does not say whether the order is off.")
        return ConfirmResult(
            Outcome.REJECTED_OTHER, upstream_order, detail=f"{answer.status}: {answer.evidence}"[:DETAIL_CHARACTERS]
        )


def units_of(order: ConfirmRequest) -> dict[str, int]:
    """Uid → whole units asked for; two lines of one row are one."""
    units: dict[str, int] = {}
    for line in order.lines:
        units[line.ref.uid] = units.get(line.ref.uid, 0) + line.quantity
    return units


def _not_found() -> ConfirmResult:
    return ConfirmResult(Outcome.NOT_FOUND, detail="Upstream does not know our reference.")


def _unknown(detail: str) -> ConfirmResult:
    return ConfirmResult(Outcome.UNKNOWN, detail=detail[:DETAIL_CHARACTERS])
