"""A gateway of 1688 that a test plays, with answers as its documentation prints them.

Sources: open.1688.com, doc/signature.htm (the signature with its example) and the API pages of pool.product.pull,
pool.product.total, product.search.queryProductDetail, alibaba.createOrder.preview, alibaba.trade.createCrossOrder
("success": false beside an orderId; orderList), alibaba.trade.getBuyerOrderList, alibaba.trade.cancel.
Nothing here ran against the live platform.
"""

import json
from typing import Any
from urllib.parse import parse_qsl

from suppliers.adapters.aop.client import sign
from suppliers.readings import ConfirmLine, ConfirmRequest, Ref
from suppliers.tests.upstream import Seen, reply

SECRETS = {"app_key": "1000000", "app_secret": "test123", "refresh_token": "refresh-1"}
SPEC = "b266e0726506185beaf205cbae88530d"
REF = Ref("554456348334:31", "A-31")
ORDER = ConfirmRequest("H-1", [ConfirmLine(REF, 6)])
TOKEN = {"access_token": "token-1", "expires_in": "36000", "aliId": "1", "resource_owner": "buyer"}


class Platform:
    """answers: by the name of the API, in turn, the last one for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Any]] = {"getToken": [TOKEN]}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.url = ""

    def __call__(self, seen: Seen) -> bytes:
        form = dict(parse_qsl(seen.body.decode(), keep_blank_values=True))
        path = seen.path.removeprefix("/openapi/")
        name = path.split("/")[-2]
        self.asked.append((name, form))
        if name != "getToken":
            assert form["_aop_signature"] == sign(path, form, SECRETS["app_secret"])
        left = self.answers[name]
        answer: Any = left.pop(0) if len(left) > 1 else left[0]
        return answer if isinstance(answer, bytes) else reply(answer)

    def forms(self, name: str) -> list[dict[str, str]]:
        return [form for asked, form in self.asked if asked == name]

    def sent(self, name: str, parameter: str) -> Any:
        return json.loads(self.forms(name)[-1][parameter])


def sku(number: int, amount: Any, **more: Any) -> dict[str, Any]:
    return {"skuId": number, "specId": SPEC, "cargoNumber": f"A-{number}", "amountOnSale": amount, **more}


def offer(*skus: dict[str, Any], number: int = 554456348334, **more: Any) -> dict[str, Any]:
    detail = {
        "offerId": number,
        "status": "published",
        "minOrderQuantity": 2,
        "batchNumber": 3,
        "productSaleInfo": {"amountOnSale": 99999},
        "productSkuInfos": list(skus),
        **more,
    }
    return {"result": {"success": "true", "code": "200", "result": detail}}


def pool(*numbers: int) -> dict[str, Any]:
    return {"result": {"success": "true", "code": "200", "result": [{"offerId": number} for number in numbers]}}


def total(number: int) -> dict[str, Any]:
    return {"result": {"success": "true", "code": "200", "model": number}}


def trade(number: str = "87407346014789305", status: str = "waitbuyerpay", units: Any = 6.0, **base: Any) -> Any:
    items = [{"productID": 554456348334, "skuID": 31, "specId": SPEC, "quantity": units}]
    return {"baseInfo": {"idOfStr": number, "status": status, "buyerFeedback": "H-1", **base}, "productItems": items}


def trades(*found: Any) -> dict[str, Any]:
    return {"result": list(found), "totalRecord": len(found)}


def declined(code: str, status: int = 200) -> bytes:
    document = {"error_code": code, "error_message": "no", "exception": "no", "request_id": "1"}
    return reply(document, status=status)


PREVIEWED = {"success": True, "orderPreviewResuslt": [{"status": True, "sumPayment": 156800}]}
PLACED = {"totalSuccessAmount": 156800, "orderId": "87407346014789305", "success": False}
SPLIT = {
    "result": {
        "success": True,
        "orderList": [{"orderId": "105581756010628640"}, {"orderId": "105637283010628640"}],
    },
    "success": True,
}
