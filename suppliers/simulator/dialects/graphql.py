"""A supplier of its own with a GraphQL API: POST /graphql.

stock(first, after) and stockRows(skus | ids) { nodes total pageInfo } · placeOrder(ref, lines) · orders(ref) ·
cancelOrder(id).  Refusals are `errors` with an `extensions.code`.
"""

from typing import Any

from suppliers.simulator import errors
from suppliers.simulator.asks import Ask, Told, bad, lines_of, reference_of
from suppliers.simulator.ledger import Ledger
from suppliers.simulator.messages import Problem, Reply, Request, json_reply

from .base import DEFAULT_SIZE, MAX_SIZE, at_cursor, cursor, nowhere, rows_named
from .gql import Operation

FIELDS = ("stockRows", "stock", "placeOrder", "orders", "cancelOrder", "logIn")


class GraphqlDialect:
    def credential(self, request: Request, secret: str, now: float) -> str:  # noqa: ARG002
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        return bearer if scheme.lower() == "bearer" else ""

    def understand(self, request: Request, ledger: Ledger) -> Ask:
        if (request.method, request.path) != ("POST", "/graphql"):
            raise nowhere()
        operation = Operation(request, FIELDS)
        match operation.field:
            case "stock":
                start, issued_at = at_cursor(_text(operation.argument("after")) or "c0")
                size = min(operation.number("first", DEFAULT_SIZE), MAX_SIZE)
                return Ask("list", f"{start} {size}", start, size, issued_at, form="stock")
            case "stockRows":
                skus, uids = _words(operation.argument("skus")), _words(operation.argument("ids"))
                named = rows_named(ledger, skus, uids)
                return Ask("fetch", f"{skus} {uids}", indexes=named, form="stockRows")
            case "placeOrder":
                reference = reference_of(operation.argument("ref"))
                lines = lines_of(ledger, operation.argument("lines"))
                return Ask("confirm", reference, reference=reference, lines=lines, form="placeOrder")
            case "orders":
                reference = _text(operation.argument("ref"))
                return Ask("readback", reference, reference=reference, form="orders")
            case "cancelOrder":
                order_id = _text(operation.argument("id"))
                return Ask("cancel", order_id, order_ids=order_id.split(","), form="cancelOrder")
        return Ask("login", "token", form="logIn")

    def answer(self, ask: Ask, told: Told, ledger: Ledger) -> Reply:  # noqa: ARG002
        return json_reply(200, {"data": {ask.form: _shown(ask, told)}})

    def problem(self, problem: Problem) -> Reply:
        return errors.graphql(problem)


def _shown(ask: Ask, told: Told) -> Any:
    match ask.endpoint:
        case "list" | "fetch":
            window = told.window
            more = ask.endpoint == "list" and window is not None and window.stop < window.total
            info = {"hasNextPage": more, "endCursor": cursor(window.stop, told.now) if window and more else None}
            return {"nodes": told.rows, "total": window.total if window else 0, "pageInfo": info}
        case "readback":
            return {"nodes": told.orders}
        case "login":
            return {"token": told.token, "expiresIn": int(told.ttl)}
    return {"order": told.orders[0] if len(told.orders) == 1 else None, "orders": told.orders}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _words(value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise bad("skus and ids are lists")
    return [str(word) for word in value]
