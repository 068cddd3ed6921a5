"""Lock combining (group commit): requests for one SKU that arrive while it is being sold are placed together.

The first to come leads: it takes the SKU's lock, drains what has gathered meanwhile into one transaction, answers all
and passes the lead, and for some rounds the lock with it, to the next who waits: nobody's own answer waits for a second
batch.  So throughput on a hot SKU rises with contention, and the outcome equals placing the requests one by one in the
order of the queue.
"""

import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from threading import Lock as Mutex

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from prometheus_client import Counter, Gauge, Histogram

from inventory import sql
from orders import placement
from orders.intents import Intent, Outcome, Refused

log = structlog.get_logger(__name__)

_ROUNDS = 4  # batches under one grant; more would keep other processes waiting
_SHORT_SKUS = 10_000  # sold-out SKUs remembered; for one more, a refusal only takes the lock first

BATCH = Histogram("holdfast_combiner_batch", "Orders placed in one transaction.", buckets=[1, 2, 4, 8, 16, 32, 64, 128])
WAIT = Histogram("holdfast_combiner_lock_wait_seconds", "Waiting for a SKU's lock.")
HOLD = Histogram("holdfast_combiner_lock_hold_seconds", "Holding a SKU's lock.")
WAITING = Gauge("holdfast_combiner_waiting", "Requests waiting in this process.", multiprocess_mode="livesum")
SHED = Counter("holdfast_combiner_shed_total", "Requests that were not queued or not drained in time.", ["why"])


class QueueFullError(Exception):
    """More requests wait for this SKU than can be placed in time; try again with the same idempotency key."""


class NotDrainedError(Exception):
    """The SKU is being sold by others; nothing was placed, try again with the same idempotency key."""


class OutcomeUnknownError(Exception):
    """The order was being placed when the time ran out; the same idempotency key tells what became of it."""


class _State(Enum):
    WAITING = auto()  # in the queue; may still be taken back
    DRAINED = auto()  # in a batch; only the batch can tell
    LEADING = auto()  # promoted by the leader before it
    GONE = auto()  # its patience ended before it was drained
    DONE = auto()


@dataclass(slots=True, eq=False)
class _Ticket:
    """One request in the queue.  bell: released when its state left WAITING for LEADING or DONE."""

    intent: Intent
    state: _State = _State.WAITING
    bell: Mutex = field(default_factory=Mutex)
    outcome: Outcome | None = None
    error: BaseException | None = None

    def __post_init__(self) -> None:
        self.bell.acquire()

    def settle(self, outcome: Outcome | None = None, error: BaseException | None = None) -> None:
        self.outcome, self.error, self.state = outcome, error, _State.DONE
        self.bell.release()

    def result(self) -> Outcome:
        if self.error is not None:
            raise self.error
        assert self.outcome is not None  # noqa: S101  # DONE without either would be our own error
        return self.outcome


@dataclass(slots=True)
class _Queue:
    """The requests for one SKU in this process; exists as long as somebody leads.

    grant: the lock, if the last leader passed it on.  rounds: batches that may still be placed under it.
    """

    waiting: deque[_Ticket] = field(default_factory=deque)
    grant: ExitStack | None = None
    granted: float = 0.0
    rounds: int = 0


class Combiner:
    """The queues of one process.  All state is guarded by one mutex that is never held while anything is waited for."""

    def __init__(self) -> None:
        self._mutex = Mutex()
        self._queues: dict[str, _Queue] = {}
        # SKUs that refused somebody last: there a leader answers the true refusals without the lock first.
        self._short: set[str] = set()

    def submit(self, intent: Intent) -> Outcome:
        """Place one order or hold together with whoever wants the same SKU now.

        Raises: what `placement.place` raises; QueueFullError, NotDrainedError: nothing was placed;
        OutcomeUnknownError.
        """
        if len(intent.lines) > 1:
            return placement.place([intent])[0]
        sku = intent.lines[0][0]
        ticket = _Ticket(intent)
        if self._join(sku, ticket):
            self._lead(sku, ticket)
        else:
            # A pooled connection kept through the wait would make the pool's size the length of the queue.
            connection.close()
            self._follow(sku, ticket)
        return ticket.result()

    def _join(self, sku: str, ticket: _Ticket) -> bool:
        """Queue up; True for the one who has to lead."""
        with self._mutex:
            queue = self._queues.get(sku)
            leads = queue is None
            if queue is None:
                queue = self._queues[sku] = _Queue()
            elif len(queue.waiting) >= settings.COMBINER_QUEUE:
                SHED.labels("full").inc()
                raise QueueFullError(QueueFullError.__doc__)
            queue.waiting.append(ticket)
        WAITING.inc()
        return leads

    def _follow(self, sku: str, ticket: _Ticket) -> None:
        """Wait to be answered, or to be promoted."""
        answered = ticket.bell.acquire(timeout=settings.COMBINER_PATIENCE_SECONDS)
        if not answered:
            with self._mutex:
                undrained = ticket.state is _State.WAITING
                if undrained:
                    self._queues[sku].waiting.remove(ticket)
                    ticket.state = _State.GONE
            if undrained:
                WAITING.dec()
                SHED.labels("not drained").inc()
                raise NotDrainedError(NotDrainedError.__doc__)
            if not ticket.bell.acquire(timeout=settings.COMBINER_PATIENCE_SECONDS):
                SHED.labels("unknown").inc()
                raise OutcomeUnknownError(OutcomeUnknownError.__doc__)
        if ticket.state is _State.LEADING:
            self._lead(sku, ticket)

    def _lead(self, sku: str, own: _Ticket) -> None:
        """Place one batch, the leader's own ticket first, and pass the lead on."""
        queue = self._queues[sku]
        try:
            if queue.grant is None:
                self._answer_refusals(sku)
            # Who came during that read gets another: to most of them the lock would tell nothing else.
            if own.state is not _State.DONE:
                self._place_batch(sku, queue)
        except BaseException as error:  # each who waits raises it in its own thread
            # Nobody's order was touched without the lock, and who waits behind would not get it sooner.
            for ticket in self._take(queue):
                ticket.settle(error=error)
            if not isinstance(error, Exception):
                raise
        finally:
            self._hand_over(sku, queue)

    def _answer_refusals(self, sku: str) -> None:
        """One read answers the repeats and the true refusals of all who came before it."""
        with self._mutex:
            asked = list(self._queues[sku].waiting) if sku in self._short else []
        if not asked:
            return
        answers = placement.answer_without_lock([ticket.intent for ticket in asked])
        with self._mutex:
            # Somebody's patience may have ended meanwhile.
            settled = [(asked[at], outcome) for at, outcome in answers.items() if asked[at].state is not _State.GONE]
            for ticket, _ in settled:
                self._queues[sku].waiting.remove(ticket)
                ticket.state = _State.DRAINED
        WAITING.dec(len(settled))
        for ticket, outcome in settled:
            ticket.settle(outcome)

    def _place_batch(self, sku: str, queue: _Queue) -> None:
        if queue.grant is None:
            asked = time.monotonic()
            grant = ExitStack()
            grant.enter_context(placement.under_lock([sku]))
            queue.grant, queue.granted, queue.rounds = grant, time.monotonic(), _ROUNDS
            WAIT.observe(queue.granted - asked)
        queue.rounds -= 1
        batch = self._take(queue)
        BATCH.observe(len(batch))
        self._remember(sku, short=_place(batch))

    def _remember(self, sku: str, *, short: bool) -> None:
        with self._mutex:
            if not short:
                self._short.discard(sku)
            elif len(self._short) < _SHORT_SKUS:
                self._short.add(sku)

    def _take(self, queue: _Queue) -> list[_Ticket]:
        with self._mutex:
            batch = [queue.waiting.popleft() for _ in range(min(len(queue.waiting), settings.COMBINER_BATCH))]
            for ticket in batch:
                ticket.state = _State.DRAINED
        WAITING.dec(len(batch))
        return batch

    def _hand_over(self, sku: str, queue: _Queue) -> None:
        """Make the next who waits the leader, with the lock while it is good for more, or forget the queue."""
        with self._mutex:
            heir = queue.waiting[0] if queue.waiting else None
            if heir:
                heir.state = _State.LEADING
            else:
                del self._queues[sku]
            grant = None if heir and queue.rounds else queue.grant
            if grant:
                queue.grant = None
        try:
            if grant:
                HOLD.observe(time.monotonic() - queue.granted)
                grant.close()
        finally:
            if heir:
                heir.bell.release()


def _place(batch: Sequence[_Ticket]) -> bool:
    """Place a batch and answer everyone in it; whether anybody was refused."""
    intents = [ticket.intent for ticket in batch]
    try:
        outcomes = placement.place_locked(intents)
    except (OperationalError, InterfaceError) as error:
        if sql.is_undecided(error):
            _answer_after_loss(batch, error)
        else:
            # To ask what is known would only wait for a connection once more.
            for ticket in batch:
                ticket.settle(error=error)
        return False
    except Exception as error:  # noqa: BLE001  # one poisonous order must not take the others with it
        if len(batch) == 1:
            batch[0].settle(error=error)
            return False
        middle = len(batch) // 2
        halves = [_place(batch[:middle]), _place(batch[middle:])]
        return any(halves)
    for ticket, outcome in zip(batch, outcomes, strict=True):
        ticket.settle(outcome)
    return any(isinstance(outcome, Refused) for outcome in outcomes)


def _answer_after_loss(batch: Sequence[_Ticket], error: Exception) -> None:
    """The database went away or gave up, perhaps after the COMMIT: only the keys can tell.

    A key that is not there yet may still come: the server can be committing while we ask.
    """
    log.warning("batch_lost", orders=len(batch), error=str(error))
    connection.close()
    known: dict[int, Outcome] = {}
    with suppress(OperationalError, InterfaceError):
        known = placement.recall([ticket.intent for ticket in batch])
    for at, ticket in enumerate(batch):
        if at in known:
            ticket.settle(known[at])
        else:
            ticket.settle(error=OutcomeUnknownError(OutcomeUnknownError.__doc__))


combiner = Combiner()
