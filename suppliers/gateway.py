"""The one way to a supplier: its adapter, under rate limit, retries, circuit breaker, deadline and size cap.

Whoever talks to a supplier calls `for_supplier` and gets an `Adapter`; nothing else in this app sends anything.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import stamina

from suppliers import clocks, importance
from suppliers.adapters import build
from suppliers.adapters.limits import Limits
from suppliers.breaker import Breaker
from suppliers.concurrency import Concurrency
from suppliers.errors import (
    AuthExpired,
    BlockedAddress,
    CircuitOpen,
    Forbidden,
    NotConfigured,
    SupplierError,
    Throttled,
    Transient,
)
from suppliers.models import Supplier
from suppliers.pace import LONGEST_PAUSE, Pace
from suppliers.quota import Quota, Today
from suppliers.readings import (
    Capability,
    ChangingAdapter,
    ConfirmRequest,
    ConfirmResult,
    FetchResult,
    Json,
    Page,
    ProbeReport,
    RecognisingAdapter,
    Ref,
)
from suppliers.transport import Deadline, Request, Response, exchange, new_session

CHANGES_SECONDS = 60.0  # between two looks at a change file, unless configured
Result = TypeVar("Result")

FIRST_WAIT = 0.2  # seconds before a read is repeated, doubled each time, with as much jitter
LONGEST_WAIT = 1.0


@dataclass(frozen=True, slots=True)
class Sending(Generic[Result]):
    """What a caller was asked to send."""

    request: Request
    read: Callable[[Response], Result]
    safe: bool
    deadline: Deadline


class PolicedCaller:
    """Sends requests of one supplier; implements `suppliers.adapters.calls.Caller`."""

    def __init__(self, name: str, limits: Limits) -> None:
        self._name = name
        self._limits = limits
        self._pace = Pace(name, limits)
        self._concurrency = Concurrency(name, limits)
        self._quota = Quota(name, limits)
        self._breaker = Breaker(name, limits)
        self._session = new_session()
        self._told: float | None = None  # how far the last answer's clock was ahead of ours

    def __call__(
        self, request: Request, read: Callable[[Response], Result], *, safe: bool, deadline: Deadline
    ) -> Result:
        """Raises: any SupplierError; what is not safe to repeat is sent at most once, but for a refused signature."""
        retries = stamina.RetryingCaller(
            attempts=self._limits.attempts if safe else 1,
            timeout=None,  # the deadline decides, in `worth_repeating`
            wait_initial=FIRST_WAIT,
            wait_max=LONGEST_WAIT,
            wait_jitter=FIRST_WAIT,
        )
        sending = Sending(request, read, safe, deadline)
        return retries(lambda error: worth_repeating(error, deadline), self._send, sending)

    def _send(self, sending: Sending[Result]) -> Result:
        ahead = clocks.offset(self._name) if sending.request.sign else 0.0
        try:
            return self._send_at(sending, ahead)
        except (AuthExpired, Forbidden):
            # Refused for its signature, the request was not worked on: even an order may be sent again, once.
            if not sending.request.sign or self._told is None or abs(self._told - ahead) < clocks.TOLERANCE:
                raise
        return self._send_at(sending, self._told)

    def _send_at(self, sending: Sending[Result], ahead: float) -> Result:
        """Send it as of a clock that is so many seconds ahead of ours."""
        self._told = None
        self._breaker.check()
        self._pace.wait(sending.deadline)
        with self._concurrency.one(sending.deadline):
            self._quota.take()
            return self._exchange(sending, ahead)

    def _exchange(self, sending: Sending[Result], ahead: float) -> Result:
        # What must not be sent twice gets a new connection: a kept one may just have been closed by the other side.
        session = self._session if sending.safe else new_session()
        sent_at = time.time()
        try:
            request = sending.request.signed(sent_at + ahead)
            response = exchange(session, request, self._limits.exchange, sending.deadline)
            self._told = clocks.learn(self._name, response.headers, sent_at)
            result = sending.read(response)
        except SupplierError as error:
            self._note(error)
            raise
        finally:
            if not sending.safe:
                session.close()
        self._breaker.answered()
        return result

    def _note(self, error: SupplierError) -> None:
        if isinstance(error, Transient):
            self._breaker.failed(error)
        elif not isinstance(error, BlockedAddress | NotConfigured):  # those are ours: nothing was sent
            self._breaker.answered()
        if isinstance(error, Throttled) and error.retry_after:
            self._pace.pause(error.retry_after)


def worth_repeating(error: Exception, deadline: Deadline) -> bool | float:
    """Whether, or after how many seconds, a failed read is tried again before the deadline."""
    if isinstance(error, CircuitOpen) or not isinstance(error, Transient | Throttled):
        return False
    if error.retry_after is None:
        return deadline.remaining > LONGEST_WAIT
    return error.retry_after if error.retry_after < min(LONGEST_PAUSE, deadline.remaining) else False


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a supplier's rate just now: calls in a window, and how many of them are free.

    rows_per_read: that a direct read brings with one call; 0: it has none.
    """

    left: int
    calls: int
    rows_per_read: int


class Gateway:
    """A supplier as the core sees it; implements `suppliers.readings.Adapter`.

    Every method may raise any SupplierError.  A gateway is cheap and belongs to one thread.
    """

    def __init__(self, supplier: Supplier) -> None:
        self._name, self._limits = supplier.slug, Limits()
        self._adapter = build(supplier, self._connect)
        self.capabilities = self._adapter.capabilities
        self.idempotent_seconds = self._adapter.idempotent_seconds

    def _connect(self, limits: Limits) -> PolicedCaller:
        self._limits = limits
        return PolicedCaller(self._name, limits)

    def allowance(self) -> Allowance:
        """How much may be asked beyond what must be; asks nothing."""
        left, calls = Pace(self._name, self._limits).left()
        today = self.today()
        if today is not None:
            left = min(left, today.left)
        rows: int = getattr(self._adapter, "rows_per_read", 1)
        return Allowance(left, calls, rows if Capability.FETCH in self.capabilities else 0)

    def today(self) -> Today | None:
        """The supplier's day: how many of its calls are used.  None: it has no daily limit."""
        return Quota(self._name, self._limits).today()

    def probe(self) -> ProbeReport:
        """Try authentication and the first page, for a person."""
        return self._adapter.probe()

    def snapshot(self, cursor: Json = None, *, unless: Json = None) -> Iterator[Page]:
        """All rows, page by page, from `cursor` (None: the first page); the request of a page is sent by `next`.

        unless: the mark of the snapshot that was applied last; `next` raises Unchanged if the whole still has it.
        """
        if unless is not None and isinstance(self._adapter, RecognisingAdapter):
            return self._adapter.snapshot_unless(unless, cursor)
        return self._adapter.snapshot(cursor)

    def changes(self, *, unless: Json = None) -> Iterator[Page]:
        """What the supplier's change file holds.  Requires: CHANGES.  `next` raises Unchanged as of a snapshot."""
        if not isinstance(self._adapter, ChangingAdapter):
            raise NotConfigured("This supplier lays out no change files.")
        return self._adapter.changes_unless(unless)

    def fetch(self, refs: Sequence[Ref]) -> FetchResult:
        """Just these rows, now."""
        return self._adapter.fetch(refs)

    def confirm(self, order: ConfirmRequest) -> ConfirmResult:
        """Place our order upstream, sent at most once.  Raises: SupplierError, and then nothing was ordered."""
        with importance.for_an_order():
            return self._adapter.confirm(order)

    def readback(self, order: ConfirmRequest) -> ConfirmResult:
        """What became of an order, asked by our reference."""
        with importance.for_an_order():
            return self._adapter.readback(order)

    def cancel(self, order: ConfirmRequest, upstream_order: str) -> ConfirmResult:
        """Tell upstream that the order is off."""
        with importance.for_an_order():
            return self._adapter.cancel(order, upstream_order)


def changing() -> dict[int, float]:
    """Suppliers that lay out change files: id → seconds between two looks at them."""
    found = Supplier.objects.filter(enabled=True, config__has_key="changes").values_list("pk", "config")
    return {pk: config["changes"].get("every_seconds", CHANGES_SECONDS) for pk, config in found}


def for_supplier(supplier: Supplier) -> Gateway:
    """Raises: NotConfigured, BlockedAddress."""
    return Gateway(supplier)
