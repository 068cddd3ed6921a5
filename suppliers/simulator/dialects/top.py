"""Taobao Open Platform: one URL, signed parameters, errors with 200.

Each row is an item with one SKU.  `item.quantity.update` with a negative delta is a sale; its reference, if it has
one, is `options.outer_biz_key`.
"""

import hmac
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from suppliers.simulator import errors, signatures
from suppliers.simulator.asks import Ask, Told, bad
from suppliers.simulator.ledger import Change, Ledger
from suppliers.simulator.messages import Problem, Reply, Request, json_reply

from .base import identity, number, rows_named, words
from .platforms import FIRST_ITEM, FIRST_SKU, Asked, Sheet, json_of, parameters_of

CHINA = timezone(timedelta(hours=8))
TOLERANCE_SECONDS = 600
MAX_PAGE = 200
STAMP = "%Y-%m-%d %H:%M:%S"
# What every request has; two that differ in nothing else are the same.
COMMON = {"timestamp", "sign", "app_key", "session", "v", "sign_method", "format", "partner_id", "simplify"}


class TopDialect:
    def credential(self, request: Request, secret: str, now: float) -> str:
        parameters = parameters_of(request)
        for name, code in (("timestamp", "MISSING_TIMESTAMP"), ("sign", "MISSING_SIGNATURE")):
            if not parameters.get(name):
                raise Problem(400, code, f"Missing {name}")
        if abs(now - _moment(parameters["timestamp"])) > TOLERANCE_SECONDS:
            raise Problem(400, "BAD_TIMESTAMP", "Invalid timestamp")
        if not hmac.compare_digest(parameters["sign"].encode(), signatures.top(parameters, secret).encode()):
            raise Problem(400, "BAD_SIGNATURE", "Invalid signature")
        if not parameters.get("session"):
            raise Problem(401, "MISSING_SESSION", "Missing session")
        return parameters["session"]

    def understand(self, request: Request, ledger: Ledger) -> Ask:
        asked = Asked(parameters_of(request), ledger)
        served = METHODS.get(asked.get("method"))
        if request.path != "/router/rest" or served is None:
            raise Problem(404, "NOT_FOUND", "Invalid method")
        if asked.get("format") != "json":
            raise bad("this supplier speaks only format=json; the platform's default is XML")
        return served[0](asked)

    def answer(self, ask: Ask, told: Told, ledger: Ledger) -> Reply:
        name = ask.form.removeprefix("taobao.").replace(".", "_") + "_response"
        return json_reply(200, {name: METHODS[ask.form][1](Sheet(ask, told, ledger))})

    def problem(self, problem: Problem) -> Reply:
        return errors.top(problem)


def _moment(text: str) -> float:
    try:
        return datetime.strptime(text, STAMP).replace(tzinfo=CHINA).timestamp()
    except ValueError as error:
        raise Problem(400, "BAD_TIMESTAMP", "Invalid timestamp") from error


# --- What is asked ------------------------------------------------------------------------------------------
def _identity(asked: Asked) -> str:
    return identity({name: value for name, value in asked.parameters.items() if name not in COMMON})


def _on_sale(asked: Asked) -> Ask:
    size = min(number(asked.parameters, "page_size", 40, 1), MAX_PAGE)
    start = (number(asked.parameters, "page_no", 1, 1) - 1) * size
    return Ask("list", _identity(asked), start, size, form=asked.get("method"))


def _fetch(asked: Asked, indexes: list[int]) -> Ask:
    return Ask("fetch", _identity(asked), indexes=indexes, form=asked.get("method"))


def _off_shelf(asked: Asked) -> Ask:
    return _fetch(asked, [])


def _by_item(asked: Asked) -> Ask:
    return _fetch(asked, asked.rows(words(asked.get("num_iids"))))


def _by_code(asked: Asked) -> Ask:
    return _fetch(asked, rows_named(asked.ledger, [asked.get("outer_id")], []))


def _one_item(asked: Asked) -> Ask:
    indexes = asked.rows([asked.get("num_iid")])
    if not indexes:
        raise _no_item()
    return _fetch(asked, indexes)


def _no_item() -> Problem:
    return Problem(404, "ITEM_NOT_EXIST", "Remote service error")


def _update(asked: Asked) -> Ask:
    indexes, quantity = asked.rows([asked.get("num_iid")]), asked.get("quantity")
    if not indexes:
        raise _no_item()
    if not quantity.removeprefix("-").isdecimal():
        raise bad("quantity is a whole number")
    options = json_of(asked.get("options") or "{}", "options")
    reference = str(options.get("outer_biz_key", "")) if isinstance(options, dict) else ""
    change = Change(indexes[0], int(quantity), delta=asked.get("type") == "2")
    return Ask(
        "confirm", reference or _identity(asked), reference=reference, changes=[change], form=asked.get("method")
    )


# --- What is told ---------------------------------------------------------------------------------------------
def _sku(row: Mapping[str, Any], index: int) -> dict[str, Any]:
    shown = {
        "sku_id": FIRST_SKU + index,
        "num_iid": FIRST_ITEM + index,
        "outer_id": row["sku"],
        "with_hold_quantity": 0,
        "modified": _local(row.get("updated_at")),
        "status": "normal",
    }
    return {**shown, "quantity": row["available"]} if "available" in row else shown


def _item(row: Mapping[str, Any], index: int) -> dict[str, Any]:
    sku = _sku(row, index)
    shown = {"num_iid": sku["num_iid"], "title": f"Item {row['sku']}", "outer_id": row["sku"]}
    return {**shown, "modified": sku["modified"], **({"num": sku["quantity"]} if "quantity" in sku else {})}


def _local(stamp: Any) -> Any:
    """As the platform writes times; what a wrong clock has already written otherwise stays so."""
    try:
        return datetime.fromisoformat(stamp).astimezone(CHINA).strftime(STAMP)
    except (TypeError, ValueError):
        return stamp


def _items(sheet: Sheet) -> dict[str, Any]:
    """The list is left out where it is empty."""
    items = [_item(row, index) for row, index in sheet.numbered]
    return {"total_results": sheet.total, **({"items": {"item": items}} if items else {})}


def _skus(sheet: Sheet) -> dict[str, Any]:
    skus = [_sku(row, index) for row, index in sheet.numbered]
    return {"skus": {"sku": skus}} if skus else {}


def _item_with_skus(sheet: Sheet) -> dict[str, Any]:
    numbered = sheet.numbered
    if not numbered:
        return {}
    return {"item": {**_item(*numbered[0]), "skus": {"sku": [_sku(row, index) for row, index in numbered]}}}


def _updated(sheet: Sheet) -> dict[str, Any]:
    now = datetime.fromtimestamp(sheet.told.now, CHINA).strftime(STAMP)
    return {"item": {"num_iid": FIRST_ITEM + sheet.ask.changes[0].index, "modified": now}}


METHODS: dict[str, tuple[Callable[[Asked], Ask], Callable[[Sheet], dict[str, Any]]]] = {
    "taobao.items.onsale.get": (_on_sale, _items),
    "taobao.items.inventory.get": (_off_shelf, _items),
    "taobao.item.skus.get": (_by_item, _skus),
    "taobao.skus.custom.get": (_by_code, _skus),
    "taobao.item.seller.get": (_one_item, _item_with_skus),
    "taobao.item.quantity.update": (_update, _updated),
}
