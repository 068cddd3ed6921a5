"""Rows out of offers: the product pool lists their numbers, each offer's SKUs cost a call of its own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from suppliers.adapters.aop.client import Client, refusal_in, truthy, with_result
from suppliers.adapters.aop.configuration import PAGE_SIZE, SENTINEL
from suppliers.adapters.listing import NextDeadline
from suppliers.adapters.mapping import normalise_sku
from suppliers.adapters.platforms import text_of
from suppliers.adapters.quantities import exact, whole_units
from suppliers.errors import Malformed, SupplierError
from suppliers.readings import FetchResult, Json, Page, Ref, StockRow

POOL = "com.alibaba.fenxiao.crossborder:pool.product.pull"
TOTAL = "com.alibaba.fenxiao.crossborder:pool.product.total"
DETAIL = "com.alibaba.fenxiao.crossborder:product.search.queryProductDetail"
TASK = "holdfast"  # the same for all pages of a list: 1688 tells by it which pages belong together
PUBLISHED = "published"
GONE = {"404", "OFFER_NOT_FOUND", "offer.not.exist"}


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer as it is now.  specs: uid → what an order calls the SKU, "" for an offer without SKUs."""

    number: str
    rows: list[StockRow]
    specs: Mapping[str, str]


class Reading:
    """The offers of one product pool."""

    def __init__(self, client: Client, config: Mapping[str, Any]) -> None:
        self._client = client
        self._pool: int = config["pool"]
        self._language: str = config.get("language", "en")
        self._size: int = config.get("page_size", PAGE_SIZE)
        self._sentinel: int = config.get("sentinel_at", SENTINEL)

    def pages(self, cursor: Json, next_deadline: NextDeadline) -> Iterator[Page]:
        """A page of the pool with the SKUs of its offers.  Raises: any SupplierError."""
        page = 1 if cursor is None else cursor
        if type(page) is not int or page < 1:
            raise Malformed("The stored position is not one of 1688's; start the list anew.")
        total = self._total(next_deadline)
        while True:
            query = {"offerPoolId": self._pool, "taskId": TASK, "language": self._language}
            query |= {"pageNo": page, "pageSize": self._size}
            answer = self._client.run(POOL, {"offerPoolQueryParam": query}, next_deadline())
            offers = with_result(answer).get("result")
            if not isinstance(offers, list) or (not offers and (page - 1) * self._size < total):
                raise Malformed("The pool ends before its total.", answer.evidence)
            rows: list[StockRow] = []
            for entry in offers:
                offer = self.offer(_digits(entry, "offerId"), next_deadline)
                rows += offer.rows if offer else ()
            last = page * self._size >= total
            yield Page(rows, None if last else page + 1, None, evidence=answer.evidence)
            if last:
                return
            page += 1

    def fetch(self, refs: Sequence[Ref], next_deadline: NextDeadline) -> FetchResult:
        """Raises: SupplierError if the first offer fails; when a later one does, what is left is unanswered."""
        result = FetchResult([], [], [])
        by_offer: dict[str, list[Ref]] = {}
        for ref in refs:
            by_offer.setdefault(offer_of(ref), []).append(ref)
        for number, (offer_id, asked) in enumerate(by_offer.items()):
            try:
                offer = self.offer(offer_id, next_deadline)
            except SupplierError:
                if number == 0:
                    raise
                left = list(by_offer.values())[number:]
                result.unanswered.extend(ref for refs_of_one in left for ref in refs_of_one)
                break
            found = {row.uid: row for row in offer.rows} if offer else {}
            result.rows.extend(found[ref.uid] for ref in asked if ref.uid in found)
            result.missing.extend(ref for ref in asked if ref.uid not in found)
        return result

    def offer(self, offer_id: str, next_deadline: NextDeadline) -> Offer | None:
        """The offer as it is now; None if there is none.  Raises: any SupplierError."""
        if not offer_id.isdigit():
            return None
        query = {"offerId": int(offer_id), "country": self._language}
        answer = self._client.run(DETAIL, {"offerDetailParam": query}, next_deadline())
        wrapped = with_result(answer)
        if not truthy(wrapped.get("success")):
            refusal = refusal_in(wrapped)
            if refusal is not None and refusal.code in GONE:
                return None
            raise refusal or Malformed("The answer holds no offer and does not say why.", answer.evidence)
        detail = wrapped.get("result")
        if not isinstance(detail, dict) or _digits(detail, "offerId") != offer_id:
            raise Malformed("The answer is not about the offer that was asked for.", answer.evidence)
        return self._read(offer_id, detail)

    def _total(self, next_deadline: NextDeadline) -> int:
        # The page that documents it names no access right of the pool's owner, only application and pool.
        answer = self._client.run(TOTAL, {"appKey": self._client.app_key, "palletId": self._pool}, next_deadline())
        total, _ = exact(with_result(answer).get("model"))
        if total is None:
            raise Malformed("The answer does not hold the total of the pool.", answer.evidence)
        return int(total)

    def _read(self, offer_id: str, detail: Mapping[str, Any]) -> Offer:
        skus = detail.get("productSkuInfos") or []
        if not isinstance(skus, list):
            raise Malformed("productSkuInfos is not a list.")
        if not skus:
            whole = detail.get("productSaleInfo")
            amount = whole.get("amountOnSale") if isinstance(whole, dict) else None
            return Offer(offer_id, [self._row(offer_id, amount, "", detail)], {offer_id: ""})
        rows, specs = [], {}
        for sku in skus:
            uid = f"{offer_id}:{_digits(sku, 'skuId')}"
            specs[uid] = text_of(sku.get("specId"))
            rows.append(self._row(uid, sku.get("amountOnSale"), sku.get("cargoNumber"), detail))
        return Offer(offer_id, rows, specs)

    def _row(self, uid: str, amount: Any, code: Any, detail: Mapping[str, Any]) -> StockRow:
        number, flags = exact(amount)
        sku, raw_sku, more = normalise_sku(code)
        available = None
        if number is not None:
            available, rounded = whole_units(number)
            flags |= rounded
            flags |= {"sentinel"} if available >= self._sentinel else set()
        if detail.get("status", PUBLISHED) != PUBLISHED:
            available, flags = 0, flags | {"inactive"}
        return StockRow(
            uid=uid,
            sku=sku,
            raw_sku=raw_sku,
            location="",
            available=available,
            lot=_count(detail.get("batchNumber")),
            min_order=_count(detail.get("minOrderQuantity")),
            flags=flags | more,
        )


def offer_of(ref: Ref) -> str:
    return ref.uid.partition(":")[0]


def _digits(document: Any, name: str) -> str:
    value = text_of(document.get(name)) if isinstance(document, dict) else ""
    if not value.isdigit():
        raise Malformed(f"{name} is {value[:40]!r}, which is no number.")
    return value


def _count(value: Any) -> int:
    number, _ = exact(value)
    return max(1, int(-(-number // 1))) if number is not None else 1
