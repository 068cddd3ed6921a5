"""Our orders as purchases on 1688: preview, createCrossOrder, and a look-up by our reference.

Note [Success is an order number]
The platform's own samples of placed orders say `"success": false` beside an `orderId`.  So what counts is whether there
is a number; where there is none, the list of orders is asked before anything is called refused.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from suppliers.adapters.aop.client import Client, Refusal, refusal_in, truthy, with_result
from suppliers.adapters.aop.reading import Reading, offer_of
from suppliers.adapters.listing import NextDeadline
from suppliers.adapters.platforms import refused, settled, text_of, units_by_ref, unknown, unsent
from suppliers.adapters.quantities import exact, whole_units
from suppliers.errors import Malformed, SupplierError, Throttled, Transient
from suppliers.readings import ConfirmRequest, ConfirmResult, Outcome, Ref

PREVIEW = "com.alibaba.trade:alibaba.createOrder.preview"
CREATE = "com.alibaba.trade:alibaba.trade.createCrossOrder"
LIST = "com.alibaba.trade:alibaba.trade.getBuyerOrderList"
CANCEL = "com.alibaba.trade:alibaba.trade.cancel"
NO_STOCK = {"500_004", "500_001"}  # too little; not tradable
OFF = {"cancel", "terminated"}
TOO_FAST = "CLOSE_ORDER_TOO_FAST"  # within ten seconds of its making an order cannot be called off
TOO_FAST_SECONDS = 10.0
MOST_SKUS = 50
PAGE_SIZE, MOST_PAGES = 20, 50
ORDER_LENGTH = 100


class Orders:
    """Orders of one buyer, all to one address: the merchant's own warehouse or forwarder."""

    def __init__(self, client: Client, reading: Reading, config: Mapping[str, Any]) -> None:
        self._client = client
        self._reading = reading
        self._address = config["address"]
        self._flow: str = config.get("flow", "general")
        self._message: str = config.get("message", "")

    def place(self, order: ConfirmRequest, next_deadline: NextDeadline) -> ConfirmResult:
        """Raises: any SupplierError, and then nothing was ordered."""
        units = units_by_ref(order)
        if len(units) > MOST_SKUS:
            return refused(Outcome.REJECTED_OTHER, f"1688 takes {MOST_SKUS} SKUs an order; this one has {len(units)}.")
        with unsent():
            specs = self._specs(list(units), next_deadline)
            gone = [ref.sku or ref.uid for ref in units if ref.uid not in specs]
            if gone:
                return refused(Outcome.REJECTED_STOCK, f"1688 no longer offers {', '.join(gone)}.")
            cargo = [_cargo(ref, specs[ref.uid], quantity) for ref, quantity in units.items()]
            declined = self._previewed(cargo, next_deadline)
        if declined is not None:
            return declined
        return settled(lambda: self._create(order, cargo, specs, next_deadline))

    def look_up(self, order: ConfirmRequest, next_deadline: NextDeadline) -> ConfirmResult:
        """What became of an order, by our reference.  Raises: any SupplierError, and then nothing is known."""
        found = self._listed(order.reference, next_deadline)
        if not found:
            return refused(Outcome.NOT_FOUND, "1688 does not know our reference.")
        live = [trade for trade in found if _status(trade) not in OFF]
        if not live:
            return refused(Outcome.REJECTED_OTHER, "Every order with our reference was called off there.", _ids(found))
        accepted = _accepted(live, order)
        if accepted is None:
            return ConfirmResult(Outcome.ACCEPTED, _ids(live))
        units = units_by_ref(order)
        short = any(accepted.get(ref.uid, 0) < quantity for ref, quantity in units.items())
        return ConfirmResult(Outcome.PARTIAL if short else Outcome.ACCEPTED, _ids(live), accepted)

    def call_off(self, order: ConfirmRequest, upstream_order: str, next_deadline: NextDeadline) -> ConfirmResult:
        """Every order with our reference that is not off yet.  Raises: any SupplierError; it may be tried again."""
        found = self._listed(order.reference, next_deadline)
        if not found:
            return refused(Outcome.REJECTED_OTHER, "1688 does not know our reference.", upstream_order)
        for trade in found:
            if _status(trade) in OFF:
                continue
            refusal = self._cancel(_id(trade), next_deadline)
            if refusal is not None:
                return refused(Outcome.REJECTED_OTHER, str(refusal), upstream_order)
        return ConfirmResult(Outcome.ACCEPTED, upstream_order)

    def _specs(self, refs: Sequence[Ref], next_deadline: NextDeadline) -> dict[str, str]:
        """Uid → specId, read now: an order names a SKU by it, while messages and our rows know the skuId."""
        specs: dict[str, str] = {}
        for offer_id in dict.fromkeys(offer_of(ref) for ref in refs):
            offer = self._reading.offer(offer_id, next_deadline)
            specs |= offer.specs if offer else {}
        return specs

    def _previewed(self, cargo: list[dict[str, Any]], next_deadline: NextDeadline) -> ConfirmResult | None:
        """Why 1688 would not take the order; None if it would.  It orders nothing."""
        parameters = {"addressParam": self._address, "cargoParamList": cargo, "flow": self._flow}
        try:
            answer = self._client.run(PREVIEW, parameters, next_deadline())
        except Refusal as error:
            return _declined(error)
        refusal = refusal_in(answer.document)
        for part in answer.document.get("orderPreviewResuslt") or []:  # spelt so in the documentation
            if refusal is None and isinstance(part, dict) and part.get("status") is False:
                refusal = Refusal(text_of(part.get("resultCode")) or "preview", text_of(part.get("message")))
        if refusal is None and not truthy(answer.document.get("success")):
            refusal = Refusal("preview", answer.evidence)
        return _declined(refusal) if refusal else None

    def _create(
        self,
        order: ConfirmRequest,
        cargo: list[dict[str, Any]],
        specs: Mapping[str, str],
        next_deadline: NextDeadline,
    ) -> ConfirmResult:
        parameters = {
            "flow": self._flow,
            "addressParam": self._address,
            "cargoParamList": cargo,
            "outOrderId": order.reference,
            # The list of orders shows the message again, and not the outOrderId: see `_is_ours`.
            "message": f"{self._message} {order.reference}".strip(),
        }
        try:
            answer = self._client.run(CREATE, parameters, next_deadline(), safe=False)
        except Refusal as error:
            return self._unless_placed(order, error, next_deadline)
        result = with_result(answer)
        numbers = [text_of(result.get("orderId"))]
        numbers += [text_of(one.get("orderId")) for one in result.get("orderList") or [] if isinstance(one, dict)]
        numbers = [number for number in dict.fromkeys(numbers) if number]
        if numbers:
            return _placed(order, specs, numbers, result.get("failedOfferList") or [])
        refusal = refusal_in(result) or refusal_in(answer.document)
        if refusal is None:
            return unknown(f"The answer holds neither an order number nor a reason: {answer.evidence}")
        return self._unless_placed(order, refusal, next_deadline)

    def _unless_placed(self, order: ConfirmRequest, refusal: Refusal, next_deadline: NextDeadline) -> ConfirmResult:
        """See Note [Success is an order number]."""
        try:
            found = self.look_up(order, next_deadline)
        except SupplierError as error:
            return unknown(f"{refusal}; and the orders cannot be listed: {error}")
        return _declined(refusal) if found.outcome is Outcome.NOT_FOUND else found

    def _listed(self, reference: str, next_deadline: NextDeadline) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for page in range(1, MOST_PAGES + 1):
            parameters = {"outOrderId": reference, "page": str(page), "pageSize": str(PAGE_SIZE)}
            answer = self._client.run(LIST, parameters, next_deadline())
            refusal = refusal_in(answer.document)
            if refusal is not None:
                raise refusal
            trades, total = answer.document.get("result"), exact(answer.document.get("totalRecord"))[0]
            if not isinstance(trades, list) or total is None:
                raise Malformed("The answer is not a list of orders.", answer.evidence)
            found += trades
            if len(found) >= total or not trades:
                break
        ours = [trade for trade in found if _is_ours(trade, reference)]
        if found and not ours:
            raise Malformed(f"The list was asked for {reference} and holds other orders: it was not filtered.")
        return ours

    def _cancel(self, number: str, next_deadline: NextDeadline) -> Refusal | None:
        parameters = {"webSite": "1688", "tradeID": number, "cancelReason": "buyerCancel"}
        try:
            answer = self._client.run(CANCEL, parameters, next_deadline(), safe=False)
            refusal = refusal_in(answer.document)
            if refusal is None and not truthy(answer.document.get("success")):
                raise Transient("1688 does not say whether the order is off.", sent=True)
        except Refusal as error:
            refusal = error
        if refusal is not None and refusal.code == TOO_FAST:
            raise Throttled("1688 calls off no order in its first seconds.", TOO_FAST_SECONDS)
        return refusal


def _cargo(ref: Ref, spec: str, quantity: int) -> dict[str, Any]:
    line: dict[str, Any] = {"offerId": int(offer_of(ref)), "quantity": quantity}
    return {**line, "specId": spec} if spec else line


def _declined(refusal: Refusal) -> ConfirmResult:
    outcome = Outcome.REJECTED_STOCK if refusal.code in NO_STOCK else Outcome.REJECTED_OTHER
    return refused(outcome, str(refusal))


def _placed(
    order: ConfirmRequest, specs: Mapping[str, str], numbers: Sequence[str], failed: Sequence[Any]
) -> ConfirmResult:
    """failed: lines that are in no order.  Several numbers: 1688 split the order."""
    upstream_order = _joined(numbers)
    failures = [(text_of(one.get("offerId")), text_of(one.get("specId"))) for one in failed if isinstance(one, dict)]
    if not failures:
        return ConfirmResult(Outcome.ACCEPTED, upstream_order)
    accepted = {}
    for ref, quantity in units_by_ref(order).items():
        is_failed = any(offer_of(ref) == offer and spec in ("", specs[ref.uid]) for offer, spec in failures)
        accepted[ref.uid] = 0 if is_failed else quantity
    detail = "; ".join(
        f"{one.get('errorCode')} {one.get('errorMessage', '')}" for one in failed if isinstance(one, dict)
    )
    return ConfirmResult(Outcome.PARTIAL, upstream_order, accepted, detail=detail[:300])


def _is_ours(trade: Any, reference: str) -> bool:
    base = trade.get("baseInfo") if isinstance(trade, dict) else None
    if not isinstance(base, dict):
        raise Malformed("An order of the list has no baseInfo.")
    # As a whole word: H-1 is part of H-12.
    return base.get("outOrderId") == reference or reference in text_of(base.get("buyerFeedback")).split()


def _accepted(trades: Sequence[Mapping[str, Any]], order: ConfirmRequest) -> dict[str, int] | None:
    """Uid → units in these orders; None if they do not list their goods."""
    accepted = dict.fromkeys((ref.uid for ref in units_by_ref(order)), 0)
    for trade in trades:
        items = trade.get("productItems")
        if not isinstance(items, list):
            return None
        for item in items:
            offer, sku = text_of(item.get("productID")), text_of(item.get("skuID"))
            uid = next((uid for uid in (f"{offer}:{sku}", offer) if uid in accepted), None)
            number, _ = exact(item.get("quantity"))
            if uid is not None and number is not None:
                accepted[uid] += whole_units(number)[0]
    return accepted


def _status(trade: Mapping[str, Any]) -> str:
    return text_of(trade["baseInfo"].get("status"))


def _id(trade: Mapping[str, Any]) -> str:
    number = text_of(trade["baseInfo"].get("idOfStr")) or text_of(trade["baseInfo"].get("id"))
    if not number.isdigit():
        raise Malformed("An order of the list has no number.")
    return number


def _ids(trades: Sequence[Mapping[str, Any]]) -> str:
    return _joined([_id(trade) for trade in trades])


def _joined(numbers: Sequence[str]) -> str:
    """As many whole numbers as there is room for: what is called off is looked up anew."""
    kept = ""
    for number in numbers:
        longer = f"{kept},{number}" if kept else number
        if len(longer) > ORDER_LENGTH:
            break
        kept = longer
    return kept
