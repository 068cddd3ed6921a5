"""Lock combining (group commit): requests for one SKU that arrive while it is being sold are placed together.

So are baskets of the same SKUs.  The first to come leads: it takes the locks, drains what has gathered meanwhile into
one transaction, gives the locks back and has all of them told; then the next who waits leads.  So throughput on a hot
SKU rises with contention, and the outcome equals placing the requests one by one in the order of the queue.

Note [One is told after the other]
A batch that is settled could wake all who wait for it at once.  They would all want the interpreter, and the next
leader would stand in line behind them each time it comes back from Redis or PostgreSQL, with the lock in its hand.  So
each wakes only the next, and the last of them the next leader: meanwhile more come, and the larger batch costs each of
them less.  For the same reason the lock is given back after each batch: another process places the next one while the
crowd of this one is told.
"""

import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
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

_SHORT_SKUS = 10_000  # sold-out SKUs remembered; for one more, a refusal only takes the lock first

BATCH = Histogram("holdfast_combiner_batch", "Orders placed in one transaction.", buckets=[1, 2, 4, 8, 16, 32, 64, 128])
WAIT = Histogram("holdfast_combiner_lock_wait_seconds", "Waiting for a SKU's lock.")
HOLD = Histogram("holdfast_combiner_lock_hold_seconds", "Holding a SKU's lock.")
WAITING = Gauge("holdfast_combiner_waiting", "Requests waiting in this process.", multiprocess_mode="livesum")
SHED = Counter("holdfast_combiner_shed_total", "Requests that were not queued or not drained in time.", ["why"])


_Skus = tuple[str, ...]


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
    GONE = auto()  # its patience ended: nobody listens for its bell
    DONE = auto()


@dataclass(slots=True, eq=False)
class _Ticket:
    """One request in the queue.

    bell: released once its state is LEADING, or DONE and it is its turn to be told.  after: who is told next.
    """

    intent: Intent
    state: _State = _State.WAITING
    bell: Mutex = field(default_factory=Mutex)
    after: "_Ticket | None" = None
    outcome: Outcome | None = None
    error: BaseException | None = None

    def __post_init__(self) -> None:
        self.bell.acquire()

    def settle(self, outcome: Outcome | None = None, error: BaseException | None = None) -> None:
        self.outcome, self.error = outcome, error

    def result(self) -> Outcome:
        if self.error is not None:
            raise self.error
        if self.outcome is None:  # the leader was torn away in the middle of its work
            raise OutcomeUnknownError(OutcomeUnknownError.__doc__)
        return self.outcome


class Combiner:
    """The queues of one process.  All state is guarded by one mutex that is never held while anything is waited for."""

    def __init__(self) -> None:
        self._mutex = Mutex()
        # What nobody has drained yet, by the SKUs that it names, ascending; a queue exists until all of its last
        # batch are told.
        self._queues: dict[_Skus, deque[_Ticket]] = {}
        # SKUs that refused somebody last: there a leader answers the true refusals without the lock first.
        self._short: set[_Skus] = set()

    def submit(self, intent: Intent) -> Outcome:
        """Place one order or hold together with whoever wants the same SKU now.

        Raises: what `placement.under_lock` and `placement.place_locked` raise; QueueFullError, NotDrainedError: nothing
        was placed; OutcomeUnknownError.
        """
        skus = tuple(intent.codes)
        ticket = _Ticket(intent)
        if self._join(skus, ticket):
            self._lead(skus, ticket)
        else:
            # A pooled connection kept through the wait would make the pool's size the length of the queue.
            connection.close()
            self._follow(skus, ticket)
        return ticket.result()

    def _join(self, skus: _Skus, ticket: _Ticket) -> bool:
        """Queue up; True for the one who has to lead."""
        with self._mutex:
            queue = self._queues.get(skus)
            leads = queue is None
            if queue is None:
                queue = self._queues[skus] = deque()
            elif len(queue) >= settings.COMBINER_QUEUE:
                SHED.labels("full").inc()
                raise QueueFullError(QueueFullError.__doc__)
            queue.append(ticket)
        WAITING.inc()
        return leads

    def _follow(self, skus: _Skus, ticket: _Ticket) -> None:
        """Wait to be answered, or to be promoted."""
        answered = ticket.bell.acquire(timeout=settings.COMBINER_PATIENCE_SECONDS)
        if not answered and self._take_back(skus, ticket):
            raise NotDrainedError(NotDrainedError.__doc__)
        answered = answered or ticket.bell.acquire(timeout=settings.COMBINER_PATIENCE_SECONDS)
        if not answered:
            if self._give_up(ticket):
                raise OutcomeUnknownError(OutcomeUnknownError.__doc__)
            ticket.bell.acquire()
        if ticket.state is _State.LEADING:
            self._lead(skus, ticket)
        else:
            self._go_on(skus, ticket)

    def _take_back(self, skus: _Skus, ticket: _Ticket) -> bool:
        """Leave the queue; False if it is drained already."""
        with self._mutex:
            undrained = ticket.state is _State.WAITING
            if undrained:
                self._queues[skus].remove(ticket)
                ticket.state = _State.GONE
        if undrained:
            WAITING.dec()
            SHED.labels("not drained").inc()
        return undrained

    def _give_up(self, ticket: _Ticket) -> bool:
        """Leave the batch; False if it is to be told, or to lead, at this moment."""
        with self._mutex:
            undecided = ticket.state is _State.DRAINED
            if undecided:
                ticket.state = _State.GONE
        if undecided:
            SHED.labels("unknown").inc()
        return undecided

    def _lead(self, skus: _Skus, own: _Ticket) -> None:
        """Place one batch, the leader's own ticket first, and have all others told."""
        drained: list[_Ticket] = []
        try:
            self._answer_refusals(skus, drained)
            # Who came during that read gets another: to most of them the lock would tell nothing else.
            if own not in drained:
                self._place_batch(skus, drained)
        except BaseException as error:  # each who waits raises it in its own thread
            # Nobody's order was touched without the lock, and who waits behind would not get it sooner.
            waiting = self._take(skus)
            for ticket in waiting:
                ticket.settle(error=error)
            drained += waiting
            if not isinstance(error, Exception):
                raise
        finally:
            self._line_up(own, drained)
            self._go_on(skus, own)

    def _answer_refusals(self, skus: _Skus, drained: list[_Ticket]) -> None:
        """One read answers the repeats and the true refusals of all who came before it."""
        with self._mutex:
            asked = list(self._queues[skus]) if skus in self._short else []
        if not asked:
            return
        answers = placement.answer_without_lock([ticket.intent for ticket in asked])
        with self._mutex:
            # Somebody's patience may have ended meanwhile.
            settled = [(asked[at], outcome) for at, outcome in answers.items() if asked[at].state is not _State.GONE]
            for ticket, _ in settled:
                self._queues[skus].remove(ticket)
                ticket.state = _State.DRAINED
        WAITING.dec(len(settled))
        for ticket, outcome in settled:
            ticket.settle(outcome)
            drained.append(ticket)

    def _place_batch(self, skus: _Skus, drained: list[_Ticket]) -> None:
        """Place whoever waits when the lock is granted."""
        asked = time.monotonic()
        with placement.under_lock(skus):
            granted = time.monotonic()
            batch = self._take(skus)
            drained += batch
            self._remember(skus, short=_place(batch))
        WAIT.observe(granted - asked)
        HOLD.observe(time.monotonic() - granted)
        BATCH.observe(len(batch))

    def _remember(self, skus: _Skus, *, short: bool) -> None:
        with self._mutex:
            if not short:
                self._short.discard(skus)
            elif len(self._short) < _SHORT_SKUS:
                self._short.add(skus)

    def _take(self, skus: _Skus) -> list[_Ticket]:
        with self._mutex:
            queue = self._queues[skus]
            most = max(1, settings.COMBINER_BATCH // len(skus))
            batch = [queue.popleft() for _ in range(min(len(queue), most))]
            for ticket in batch:
                ticket.state = _State.DRAINED
        WAITING.dec(len(batch))
        return batch

    def _line_up(self, own: _Ticket, settled: Iterable[_Ticket]) -> None:
        """Line up those who still listen.  See Note [One is told after the other]"""
        last = own
        with self._mutex:
            for ticket in settled:
                if ticket is not own and ticket.state is not _State.GONE:
                    ticket.state = _State.DONE
                    last.after = last = ticket

    def _go_on(self, skus: _Skus, told: _Ticket) -> None:
        """Tell the next of the batch; if there is none, make the next who waits the leader, or forget the queue."""
        if told.after is not None:
            told.after.bell.release()
            return
        with self._mutex:
            queue = self._queues[skus]
            if queue:
                queue[0].state = _State.LEADING
                queue[0].bell.release()
            else:
                del self._queues[skus]


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
