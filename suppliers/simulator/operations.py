"""What no real supplier offers: the truth, the books and the switches.  For tests and for the demo's operator."""

from collections.abc import Callable
from typing import Any, TypeVar

from . import errors
from .asks import bad, line_of, parse_object
from .disturbed import Disturbed
from .ledger import OutOfStock, Terms
from .messages import Problem, Reply, Request, error_reply, json_reply
from .supplier import ChaosSupplier

PREFIX = "/_"
Server = TypeVar("Server", bound=Disturbed)


def operate(supplier: Disturbed, request: Request) -> Reply:
    """Serve a path that begins with an underscore.  These are never disturbed and need no token."""
    anywhere = SWITCHES.get((request.method, request.path))
    if anywhere:
        return _told(anywhere, supplier, request)
    if not isinstance(supplier, ChaosSupplier):
        return error_reply(404, "NOT_FOUND", "A proxy has switches, but no books.")
    route = ROUTES.get((request.method, request.path))
    if route is None:
        return error_reply(404, "NOT_FOUND", "There is nothing at this path.")
    supplier.ledger.run_due()
    return _told(route, supplier, request)


def _told(route: Callable[[Server, Request], Reply], supplier: Server, request: Request) -> Reply:
    try:
        return route(supplier, request)
    except Problem as problem:
        return errors.rest(problem)
    except OutOfStock as error:
        return error_reply(409, "NO_STOCK", str(error))
    except ValueError as error:
        return error_reply(400, "BAD_REQUEST", str(error))


def _truth(supplier: ChaosSupplier, request: Request) -> Reply:
    skus = request.query["sku"].split(",") if "sku" in request.query else None
    return json_reply(200, {"skus": supplier.ledger.truth(skus)})


def _change(supplier: Disturbed, request: Request) -> Reply:
    supplier.change(parse_object(request.body))
    return json_reply(200, chaos(supplier))


def _sell(supplier: ChaosSupplier, request: Request) -> Reply:
    return json_reply(201, {"order_id": sell(supplier, parse_object(request.body))})


def _restock(supplier: ChaosSupplier, request: Request) -> Reply:
    uid, quantity = line_of(supplier.ledger, parse_object(request.body))
    supplier.ledger.restock(uid, quantity)
    return json_reply(200, {"skus": supplier.ledger.truth([supplier.ledger.sku_of(uid)])})


def chaos(supplier: Disturbed) -> dict[str, Any]:
    return {"scenario": dict(supplier.scenario.document), **supplier.counts()}


def sell(supplier: ChaosSupplier, line: dict[str, Any]) -> str:
    """Another channel sells the goods, past the API.  Raises OutOfStock, Problem."""
    uid, quantity = line_of(supplier.ledger, line)
    reference = line.get("ref", "channel")
    if not isinstance(reference, str):
        raise bad("ref is a text")
    return supplier.ledger.sell({uid: quantity}, reference, "channel", Terms())[0].order_id


SWITCHES: dict[tuple[str, str], Callable[[Disturbed, Request], Reply]] = {
    ("GET", "/_chaos"): lambda supplier, _: json_reply(200, chaos(supplier)),
    ("PUT", "/_chaos"): _change,
}
ROUTES: dict[tuple[str, str], Callable[[ChaosSupplier, Request], Reply]] = {
    ("GET", "/_healthz"): lambda supplier, _: json_reply(200, {"status": "ok", "rows": len(supplier.ledger.items)}),
    ("GET", "/_truth"): _truth,
    ("GET", "/_audit"): lambda supplier, _: json_reply(200, supplier.ledger.audit()),
    ("POST", "/_sell"): _sell,
    ("POST", "/_restock"): _restock,
}
