"""Orders and holds over HTTP."""

from http import HTTPStatus
from typing import Any, ClassVar
from uuid import UUID

from django.http import Http404, HttpResponse
from rest_framework.request import Request

from inventory.ledger import Origin
from inventory.locks import LockBusyError, LockUnavailableError
from orders import bodies, cancellation, reading, schema
from orders.bodies import OrderBody, ReservationBody
from orders.combiner import NotDrainedError, OutcomeUnknownError, QueueFullError, combiner
from orders.intents import Intent, KeyReused, NotOrderable, Outcome, Placed, Refused, WrongReservation
from orders.models import Order, Reservation
from orders.placement import KeyContendedError
from storefronts import sku_throttling
from storefronts.bodies import idempotency_key
from storefronts.endpoints import Endpoint, json_response, principal
from storefronts.models import Scope
from storefronts.problems import Busy, Problem, problem_response, request_id

UNDECIDED = (
    LockBusyError,
    LockUnavailableError,
    KeyContendedError,
    QueueFullError,
    NotDrainedError,
    OutcomeUnknownError,
)


def place(wanted: Intent) -> Outcome:
    """Raises: Busy where nothing was decided; the same key tells later."""
    try:
        return combiner.submit(wanted)
    except UNDECIDED as error:
        raise Busy(str(error)) from error


def answer(outcome: Outcome) -> HttpResponse:
    """Raises: Problem for what is neither placed nor refused."""
    match outcome:
        case Placed(content):
            return json_response(content, HTTPStatus.CREATED)
        case Refused(shortages):
            # Not raised: of a sold-out SKU there are thousands a second, and the way through an exception costs.
            detail = "Nothing was placed; each short line is named with what could be sold."
            return problem_response(HTTPStatus.CONFLICT, "insufficient_inventory", detail, {"shortages": shortages})
        case NotOrderable(lines):
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "quantity_not_orderable",
                "Nothing was placed; each line that lots or minimum orders do not allow is named with what they do.",
                lines=lines,
            )
        case KeyReused():
            detail = "This Idempotency-Key was used for another body; a new order needs a new key."
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail)
        case WrongReservation():
            detail = "There is no such reservation with these lines; order without it, or with its own lines."
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "reservation_mismatch", detail)


def origin(request: Request) -> Origin:
    return Origin(f"storefront:{principal(request).slug}", request_id())


def intent(request: Request, key: str, body: OrderBody | ReservationBody, **own: Any) -> Intent:
    """What orders and holds have in common.  own: what one of them has alone.  Raises: Problem 429."""
    asked, lines = origin(request), bodies.merged_lines(body.lines)
    sku_throttling.count(principal(request), [code for code, _ in lines])
    return Intent(
        storefront_id=principal(request).storefront_id,
        actor=asked.actor,
        key=key,
        fingerprint=bodies.fingerprint(body),
        lines=lines,
        destination=body.destination or "",
        request_id=asked.request_id,
        **own,
    )


class OrdersView(Endpoint):
    required_scopes: ClassVar = {"POST": Scope.ORDERS_WRITE, "GET": Scope.ORDERS_READ}

    @schema.place_order
    def post(self, request: Request) -> HttpResponse:
        key = idempotency_key(request)
        body = bodies.read_order(request)
        order = intent(
            request,
            key,
            body,
            reference=body.reference,
            reservation=UUID(body.reservation) if body.reservation else None,
        )
        return answer(place(order))

    @schema.find_orders
    def get(self, request: Request) -> HttpResponse:
        reference = request.query_params.get("reference", "")
        if not reference or len(reference) > reading.MAX_REFERENCE or "\0" in reference:
            raise Problem(HTTPStatus.BAD_REQUEST, "invalid_reference", "Give ?reference=, 1 to 128 characters.")
        return json_response(reading.orders_with_reference(reference, principal(request).storefront_id))


class OrderView(Endpoint):
    required_scopes: ClassVar = {"GET": Scope.ORDERS_READ}

    @schema.show_order
    def get(self, request: Request, number: str) -> HttpResponse:
        return json_response(reading.order(number, principal(request).storefront_id))


class CancelView(Endpoint):
    required_scopes: ClassVar = {"POST": Scope.ORDERS_WRITE}

    @schema.cancel_order
    def post(self, request: Request, number: str) -> HttpResponse:
        storefront_id = principal(request).storefront_id
        try:
            cancellation.cancel_order(number, storefront_id=storefront_id, origin=origin(request))
        except Order.DoesNotExist as error:
            raise Http404 from error
        return json_response(reading.order(number, storefront_id))


class ReservationsView(Endpoint):
    required_scopes: ClassVar = {"POST": Scope.ORDERS_WRITE}

    @schema.reserve
    def post(self, request: Request) -> HttpResponse:
        key = idempotency_key(request)
        body = bodies.read_reservation(request)
        return answer(place(intent(request, key, body, reference="", hold_seconds=body.ttl_seconds)))


class ReservationView(Endpoint):
    required_scopes: ClassVar = {"DELETE": Scope.ORDERS_WRITE}

    @schema.release
    def delete(self, request: Request, reservation: UUID) -> HttpResponse:
        try:
            cancellation.release_reservation(
                reservation, storefront_id=principal(request).storefront_id, origin=origin(request)
            )
        except Reservation.DoesNotExist as error:
            raise Http404 from error
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
