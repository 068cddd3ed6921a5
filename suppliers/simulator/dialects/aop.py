"""1688 (AOP): signed forms in which objects are JSON texts, orders that may be split, one call for each offer.

Each row is an offer with one SKU, sold by the `specId` and reported by the `skuId`.  What the product pool's list
looks like is not published; it is guessed here.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from suppliers.simulator import errors, signatures
from suppliers.simulator.asks import Ask, Told, bad, lines_of, reference_of
from suppliers.simulator.ledger import Ledger
from suppliers.simulator.messages import Problem, Reply, Request, json_reply

from .base import identity, nowhere, words
from .platforms import FIRST_ITEM, FIRST_SKU, Asked, Sheet, json_of, parameters_of

MAX_PAGE = 50
TOKEN_PATH = "http/1/system.oauth2/getToken/"  # noqa: S105 - a path
COMMON = {"access_token", "_aop_signature", "_aop_timestamp"}


class AopDialect:
    def credential(self, request: Request, secret: str, now: float) -> str:  # noqa: ARG002 - its time is not checked
        parameters = parameters_of(request)
        path = request.path.removeprefix("/openapi/")
        if path.startswith(TOKEN_PATH):
            if not hmac.compare_digest(parameters.get("client_secret", "").encode(), secret.encode()):
                raise Problem(401, "UNAUTHORIZED", "client_secret is wrong")
            return ""
        given = parameters.get("_aop_signature", "").encode()
        if not hmac.compare_digest(given, signatures.aop(path, parameters, secret).encode()):
            raise Problem(400, "BAD_SIGNATURE", "Invalid signature")
        return parameters.get("access_token", "")

    def understand(self, request: Request, ledger: Ledger) -> Ask:
        path = request.path.removeprefix("/openapi/")
        if path.startswith(TOKEN_PATH):
            return Ask("login", "token")
        protocol, _, rest = path.partition("/1/")
        name = ":".join(rest.split("/")[:2])
        if request.method != "POST" or protocol != "param2" or name not in METHODS:
            raise nowhere()
        ask = METHODS[name][0](Asked(parameters_of(request), ledger))
        return replace(ask, form=name)

    def answer(self, ask: Ask, told: Told, ledger: Ledger) -> Reply:
        if ask.endpoint == "login":
            token = {"access_token": told.token, "expires_in": str(int(told.ttl)), "refresh_token": told.token}
            return json_reply(200, token)
        return json_reply(200, METHODS[ask.form][1](Sheet(ask, told, ledger)))

    def problem(self, problem: Problem) -> Reply:
        return errors.aop(problem)


# --- What is asked ------------------------------------------------------------------------------------------
def _identity(asked: Asked) -> str:
    return identity({name: value for name, value in asked.parameters.items() if name not in COMMON})


def _object(asked: Asked, name: str) -> Mapping[str, Any]:
    value = json_of(asked.get(name) or "{}", name)
    if not isinstance(value, dict):
        raise bad(f"{name} is an object")
    return value


def _list(asked: Asked) -> Ask:
    query = _object(asked, "offerPoolQueryParam")
    page, size = query.get("pageNo", 1), query.get("pageSize", 20)
    if type(page) is not int or type(size) is not int or page < 1 or size < 1:
        raise bad("pageNo and pageSize are whole numbers from 1")
    size = min(size, MAX_PAGE)
    return Ask("list", _identity(asked), (page - 1) * size, size)


def _total(asked: Asked) -> Ask:
    return Ask("list", _identity(asked), 0, 1)


def _detail(asked: Asked) -> Ask:
    indexes = asked.rows([_object(asked, "offerDetailParam").get("offerId", "")])
    return Ask("fetch", _identity(asked), indexes=indexes)


def _lines(asked: Asked) -> dict[str, int]:
    cargo = json_of(asked.get("cargoParamList") or asked.get("cargoList") or "[]", "cargoParamList")
    if not isinstance(cargo, list):
        raise bad("cargoParamList is a list")
    lines = []
    for line in cargo:
        index = asked.rows([line.get("offerId", "")]) if isinstance(line, dict) else []
        if not index or line.get("specId") != spec_of(index[0]):
            raise Problem(400, "500_003", "the specification is not one of the offer")
        quantity = line.get("quantity")
        whole = isinstance(quantity, int | float) and float(quantity).is_integer()
        lines.append({"id": asked.ledger.items[index[0]].uid, "quantity": int(quantity) if whole else quantity})
    return lines_of(asked.ledger, lines)


def _preview(asked: Asked) -> Ask:
    return Ask("confirm", _identity(asked), lines=_lines(asked), dry=True)


def _order(asked: Asked) -> Ask:
    reference = reference_of(asked.get("outOrderId"))
    return Ask("confirm", reference, reference=reference, lines=_lines(asked))


def _one_order(asked: Asked) -> Ask:
    return Ask("readback", _identity(asked), order_ids=words(_order_id(asked.get("orderId"))))


def _orders(asked: Asked) -> Ask:
    return Ask("readback", _identity(asked), reference=asked.get("outOrderId"))


def _cancel(asked: Asked) -> Ask:
    return Ask("cancel", asked.get("tradeID"), order_ids=[_order_id(asked.get("tradeID"))])


# --- What is told ---------------------------------------------------------------------------------------------
def spec_of(index: int) -> str:
    """What an order names; the inventory message and the detail name the skuId too."""
    return hashlib.md5(f"spec-{index}".encode(), usedforsecurity=False).hexdigest()


def _order_id(number: str) -> str:
    return f"o{int(number) - FIRST_ITEM:07d}" if number.isdecimal() and int(number) >= FIRST_ITEM else number


def _number_of(order: Mapping[str, Any]) -> str:
    return str(FIRST_ITEM + int(order["order_id"][1:]))


def _offers(sheet: Sheet) -> dict[str, Any]:
    offers = [{"offerId": FIRST_ITEM + index, "itemId": index} for _, index in sheet.numbered]
    return {"result": {"success": True, "code": "200", "result": offers}}


def _count(sheet: Sheet) -> dict[str, Any]:
    return {"result": {"success": True, "code": "200", "model": sheet.total}}


def _offer(sheet: Sheet) -> dict[str, Any]:
    if not sheet.told.rows:
        return {"result": {"success": False, "code": "404", "message": "offer not found"}}
    skus = [_sku(row, index) for row, index in sheet.numbered]
    first = sheet.numbered[0][1]
    offer = {
        "offerId": FIRST_ITEM + first,
        "subject": f"Offer {skus[0]['cargoNumber']}",
        "status": "published",
        "minOrderQuantity": 1,
        "batchNumber": 1,
        "productSkuInfos": skus,
        "productSaleInfo": {"amountOnSale": skus[0].get("amountOnSale")},
    }
    return {"result": {"success": True, "code": "200", "result": offer}}


def _sku(row: Mapping[str, Any], index: int) -> dict[str, Any]:
    shown = {
        "skuId": FIRST_SKU + index,
        "specId": spec_of(index),
        "cargoNumber": row["sku"],
        "price": "9.90",
    }
    return {**shown, "amountOnSale": row["available"]} if "available" in row else shown


def _previewed(sheet: Sheet) -> dict[str, Any]:
    return {"success": True, "orderPreviewResuslt": [{"status": True, "sumPayment": 990 * len(sheet.ask.lines)}]}


def _placed(sheet: Sheet) -> dict[str, Any]:
    """The success flag is of no use; whether there is a number is what counts."""
    orders = sheet.told.orders
    failed = [
        {"offerId": FIRST_ITEM + (sheet.ledger.index_of(line["id"]) or 0), "errorCode": "500_004"}
        for order in orders
        for line in order["lines"]
        if line["quantity"] < line["requested"]
    ]
    single = _number_of(orders[0]) if len(orders) == 1 else ""
    many = [{"orderId": _number_of(order)} for order in orders] if len(orders) > 1 else []
    placed = {"totalSuccessAmount": 990 * len(orders), "orderId": single, "orderList": many, "failedOfferList": failed}
    return {"result": {**placed, "success": not failed}}


STATES = {"accepted": "waitbuyerpay", "pending": "waitsellerconfirm", "cancelled": "cancel"}


def _trade(order: Mapping[str, Any], ledger: Ledger) -> dict[str, Any]:
    items = [
        {
            "productID": FIRST_ITEM + (ledger.index_of(line["id"]) or 0),
            "skuID": FIRST_SKU + (ledger.index_of(line["id"]) or 0),
            "specId": spec_of(ledger.index_of(line["id"]) or 0),
            "cargoNumber": line["sku"],
            "quantity": float(line["quantity"]),
        }
        for line in order["lines"]
    ]
    base = {"id": int(_number_of(order)), "idOfStr": _number_of(order), "status": STATES[order["status"]]}
    # The platform shows the buyer's message again; whoever orders writes the reference into it.
    return {"baseInfo": {**base, "buyerFeedback": order["ref"]}, "productItems": items}


def _shown(sheet: Sheet) -> dict[str, Any]:
    if not sheet.told.orders:
        return {"success": "false", "errorCode": "ORDER_NOT_FOUND", "errorMessage": "no such order"}
    return {"success": "true", "result": _trade(sheet.told.orders[0], sheet.ledger)}


def _listed(sheet: Sheet) -> dict[str, Any]:
    orders = [_trade(order, sheet.ledger) for order in sheet.told.orders]
    return {"result": orders, "totalRecord": len(orders)}


def _cancelled(sheet: Sheet) -> dict[str, Any]:  # noqa: ARG001
    return {"success": True}


METHODS: dict[str, tuple[Callable[[Asked], Ask], Callable[[Sheet], dict[str, Any]]]] = {
    "com.alibaba.fenxiao.crossborder:pool.product.pull": (_list, _offers),
    "com.alibaba.fenxiao.crossborder:pool.product.total": (_total, _count),
    "com.alibaba.fenxiao.crossborder:product.search.queryProductDetail": (_detail, _offer),
    "com.alibaba.trade:alibaba.createOrder.preview": (_preview, _previewed),
    "com.alibaba.trade:alibaba.trade.createCrossOrder": (_order, _placed),
    "com.alibaba.trade:alibaba.trade.get.buyerView": (_one_order, _shown),
    "com.alibaba.trade:alibaba.trade.getBuyerOrderList": (_orders, _listed),
    "com.alibaba.trade:alibaba.trade.cancel": (_cancel, _cancelled),
}
