"""Where suppliers push to.  Whoever cannot sign learns nothing here, not even which suppliers there are."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus

import structlog
from django.conf import settings
from django.db.models import DateTimeField, Func
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from prometheus_client import Counter
from rest_framework.request import Request

from inventory import bell
from inventory.models import Effect
from inventory.snapshots import pushed
from storefronts.endpoints import Endpoint
from storefronts.problems import Busy, Problem
from suppliers import refusals
from suppliers.adapters.signatures import HmacOfBody
from suppliers.errors import BadSignature, PushRefused, ReplayedPush, UntimelyPush
from suppliers.models import Supplier

log = structlog.get_logger(__name__)
received = Counter(
    "holdfast_pushes", "Pushes of suppliers by what became of them at the door.", ["supplier", "verdict"]
)

NOBODY = "unknown"  # stands for every slug that is no supplier's: those are the caller's invention
PATIENCE_SECONDS = 2.0

REFUSALS: dict[type[PushRefused], tuple[HTTPStatus, str]] = {
    BadSignature: (HTTPStatus.UNAUTHORIZED, "bad_signature"),
    UntimelyPush: (HTTPStatus.BAD_REQUEST, "push_untimely"),
    ReplayedPush: (HTTPStatus.CONFLICT, "push_replayed"),
}
# A stranger's push costs as much as a forged one.
_nobody = HmacOfBody("x-signature", [secrets.token_bytes(32)])
# Orders share threads and connections with pushes: a burst of these waits its turn.
_turns = threading.BoundedSemaphore(settings.PUSHES_AT_ONCE)


class SupplierHook(Endpoint):
    authentication_classes = ()  # the signature is the key
    permission_classes = ()
    throttle_classes = ()

    @extend_schema(exclude=True)  # nothing for storefronts
    def post(self, request: Request, slug: str) -> HttpResponse:
        body = request.body
        with _turn():
            supplier, now = _find(slug)
            name = supplier.slug if supplier else NOBODY
            try:
                news = _receive(supplier, request, body, now)
            except PushRefused as refusal:
                raise _refused(name, refusal) from None
        received.labels(name, "taken" if news else "repeated").inc()
        if supplier and news:
            bell.ring([(Effect.Kind.PUSH, supplier.pk)])
        return HttpResponse(status=HTTPStatus.ACCEPTED)


@contextmanager
def _turn() -> Iterator[None]:
    if not _turns.acquire(timeout=PATIENCE_SECONDS):
        raise Busy("Too many pushes at once; send this one again.")
    try:
        yield
    finally:
        _turns.release()


def _find(slug: str) -> tuple[Supplier | None, datetime | None]:
    clock = Func(function="clock_timestamp", output_field=DateTimeField())
    # Only what tells whether it is its push: a burst asks a thousand times.
    known = Supplier.objects.only("slug", "adapter", "config", "credentials").annotate(now=clock)
    found = None if "\x00" in slug else known.filter(slug=slug).first()
    return found, getattr(found, "now", None)


def _receive(supplier: Supplier | None, request: Request, body: bytes, now: datetime | None) -> bool:
    if supplier is None or now is None:
        _nobody.verify({"x-signature": "-"}, body, datetime.now(UTC))
        raise BadSignature
    return pushed.receive(supplier, request.headers, body, now)


def _refused(name: str, refusal: PushRefused) -> Problem:
    status, code = REFUSALS[type(refusal)]
    received.labels(name, code).inc()
    refusals.note(name, code)
    log.info("push_refused", supplier=name, code=code)
    return Problem(status, code, str(type(refusal).__doc__))
