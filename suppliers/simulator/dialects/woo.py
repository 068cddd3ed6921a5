"""WooCommerce REST v3: products by page and Link header, variations by one more call for each variable product.

Every tenth product is variable; its one variation carries the row.  The first `meta_data` of an order is its
reference, and a search finds it.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from suppliers.simulator import errors
from suppliers.simulator.asks import Ask, Told, bad, lines_of, parse_object, reference_of
from suppliers.simulator.ledger import Change, Ledger
from suppliers.simulator.messages import Problem, Reply, Request, json_reply

from .base import identity, nowhere, number, rows_named, words
from .platforms import Sheet, basic_password, row_of

ROOT = "/wp-json/wc/v3"
MAX_PAGE = 100
FIRST_PRODUCT, FIRST_VARIATION, FIRST_ORDER = 1_000, 5_000_000, 20_000
STATES = {"accepted": "processing", "pending": "on-hold", "cancelled": "cancelled"}


class WooDialect:
    def credential(self, request: Request, secret: str, now: float) -> str:  # noqa: ARG002
        return basic_password(request.headers.get("authorization", "")) or request.query.get("consumer_secret", "")

    def understand(self, request: Request, ledger: Ledger) -> Ask:
        if not request.path.startswith(ROOT):
            raise nowhere()
        kind, *rest = request.path.removeprefix(ROOT).strip("/").split("/")
        if kind == "products":
            return _of_products(request, rest, ledger)
        if kind == "orders":
            return _of_orders(request, rest, ledger)
        raise nowhere()

    def answer(self, ask: Ask, told: Told, ledger: Ledger) -> Reply:
        sheet = Sheet(ask, told, ledger)
        match ask.form:
            case "products":
                return _page(sheet)
            case "variations":
                rows = [_variation(row, index) for row, index in sheet.numbered]
                return json_reply(200, rows, {"X-WP-Total": str(len(rows)), "X-WP-TotalPages": "1"})
            case "product":
                return json_reply(200, _product(*sheet.numbered[0]) if told.rows else {})
            case "set":
                return json_reply(200, {"id": ask.identity})
            case "orders":
                return json_reply(200, [_trade(order, ledger) for order in told.orders])
        if not told.orders:
            raise Problem(404, "woocommerce_rest_shop_order_invalid_id", "Invalid ID.")
        return json_reply(201 if ask.endpoint == "confirm" else 200, _trade(told.orders[0], ledger))

    def problem(self, problem: Problem) -> Reply:
        return errors.woo(problem)


# --- What is asked ------------------------------------------------------------------------------------------
def _of_products(request: Request, path: list[str], ledger: Ledger) -> Ask:
    match request.method, path:
        case "GET", []:
            return _products(request, ledger)
        case "GET", [product]:
            return _rows(request, ledger, product, "product")
        case "GET", [product, "variations"]:
            return _rows(request, ledger, product, "variations")
        case (("PUT" | "POST"), [product]):
            return _set(request, ledger, product, FIRST_PRODUCT)
        case (("PUT" | "POST"), [_, "variations", variation]):
            return _set(request, ledger, variation, FIRST_VARIATION)
    raise nowhere()


def _of_orders(request: Request, path: list[str], ledger: Ledger) -> Ask:
    match request.method, path:
        case "POST", []:
            return _order(parse_object(request.body), ledger)
        case "GET", []:
            reference = request.query.get("search", "")
            return Ask("readback", identity(request.query), reference=reference, form="orders")
        case "GET", [order]:
            return Ask("readback", order, order_ids=[_order_id(order)], form="order")
        case "PUT", [order] if parse_object(request.body).get("status") == "cancelled":
            return Ask("cancel", order, order_ids=[_order_id(one) for one in order.split(",")], form="order")
    raise nowhere()


def _products(request: Request, ledger: Ledger) -> Ask:
    query = request.query
    if "sku" in query or "include" in query:
        included = [row_of(ledger, word, FIRST_PRODUCT) for word in words(query.get("include"))]
        named = rows_named(ledger, words(query.get("sku")), []) + [index for index in included if index is not None]
        return Ask("fetch", identity(query), indexes=list(dict.fromkeys(named)), form="products")
    size = min(number(query, "per_page", 10, 1), MAX_PAGE)
    return Ask("list", identity(query), (number(query, "page", 1, 1) - 1) * size, size, form="products", query=query)


def _rows(request: Request, ledger: Ledger, product: str, form: str) -> Ask:
    index = row_of(ledger, product, FIRST_PRODUCT)
    if index is None:
        raise Problem(404, "woocommerce_rest_product_invalid_id", "Invalid ID.")
    found = [index] if form == "product" or is_variable(index) else []
    return Ask("fetch", f"{request.path} {identity(request.query)}", indexes=found, form=form)


def _set(request: Request, ledger: Ledger, product: str, first: int) -> Ask:
    index, units = row_of(ledger, product, first), parse_object(request.body).get("stock_quantity")
    if index is None or type(units) is not int:
        raise bad("stock_quantity of a product that there is, a whole number")
    return Ask("confirm", product, changes=[Change(index, units, may_fall_below_zero=True)], form="set")


def _order(document: Mapping[str, Any], ledger: Ledger) -> Ask:
    meta = document.get("meta_data")
    first = meta[0].get("value") if isinstance(meta, list) and meta and isinstance(meta[0], dict) else None
    reference = reference_of(first)
    items = document.get("line_items")
    lines = [_line(item, ledger) for item in items] if isinstance(items, list) else []
    return Ask("confirm", reference, reference=reference, lines=lines_of(ledger, lines), form="order")


def _line(item: Any, ledger: Ledger) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise bad("a line is an object")
    named = item.get("variation_id") or item.get("product_id")
    # Products and variations share their numbers: a variation may be named as the product.
    index = row_of(ledger, named, FIRST_VARIATION)
    if index is None:
        index = row_of(ledger, named, FIRST_PRODUCT)
    if index is None:
        raise bad("no such product")
    return {"id": ledger.items[index].uid, "quantity": item.get("quantity")}


def _order_id(text: str) -> str:
    return f"o{int(text) - FIRST_ORDER:07d}" if re.fullmatch(r"\d{1,12}", text) else text


# --- What is told ---------------------------------------------------------------------------------------------
def is_variable(index: int) -> bool:
    return index % 10 == 9  # noqa: PLR2004 - every tenth


def _stock(row: Mapping[str, Any], index: int) -> dict[str, Any]:
    """Whether it is counted, and how many."""
    tracked = bool(row.get("tracked", True))
    units = row.get("available")
    shown = {"sku": row["sku"], "manage_stock": tracked, "backorders": "no", "date_modified_gmt": row["updated_at"]}
    status = "instock" if not isinstance(units, int) or units > 0 else "outofstock"
    counted = {"stock_quantity": units if tracked else None} if "available" in row else {}
    return {**shown, "stock_status": status, **counted, "menu_order": index}


def _product(row: Mapping[str, Any], index: int) -> dict[str, Any]:
    base = {"id": FIRST_PRODUCT + index, "name": f"Product {index}", "status": "publish"}
    if not is_variable(index):
        return {**base, "type": "simple", "variations": [], **_stock(row, index)}
    parent = {"type": "variable", "sku": "", "manage_stock": False, "stock_quantity": None, "stock_status": "instock"}
    return {**base, **parent, "variations": [FIRST_VARIATION + index]}


def _variation(row: Mapping[str, Any], index: int) -> dict[str, Any]:
    return {
        "id": FIRST_VARIATION + index,
        "parent_id": FIRST_PRODUCT + index,
        "type": "variation",
        **_stock(row, index),
    }


def _page(sheet: Sheet) -> Reply:
    if sheet.ask.endpoint == "fetch":  # a search by SKU finds variations themselves
        rows = [(_variation if is_variable(index) else _product)(row, index) for row, index in sheet.numbered]
        return json_reply(200, rows, {"X-WP-Total": str(len(rows)), "X-WP-TotalPages": "1"})
    rows = [_product(row, index) for row, index in sheet.numbered]
    pages = -(-sheet.total // sheet.ask.size)
    headers = {"X-WP-Total": str(sheet.total), "X-WP-TotalPages": str(pages)}
    page = sheet.ask.start // sheet.ask.size + 1
    if page < pages:
        following = {**sheet.ask.query, "page": str(page + 1)}
        headers["Link"] = f'<{ROOT}/products?{urlencode(following)}>; rel="next"'
    return json_reply(200, rows, headers)


def _trade(order: Mapping[str, Any], ledger: Ledger) -> dict[str, Any]:
    lines = []
    for line in order["lines"]:
        index = ledger.index_of(line["id"]) or 0
        variation = FIRST_VARIATION + index if is_variable(index) else 0
        lines.append(
            {
                "product_id": FIRST_PRODUCT + index,
                "variation_id": variation,
                "sku": line["sku"],
                "quantity": line["quantity"],
            }
        )
    shown = FIRST_ORDER + int(order["order_id"][1:])
    meta = [{"id": 1, "key": "reference", "value": order["ref"]}]
    state = STATES[order["status"]]
    return {"id": shown, "number": str(shown), "status": state, "line_items": lines, "meta_data": meta}
