"""Rings for workers without making anybody wait.

Whoever commits effects rings; a thread of this process publishes to the broker.  What is lost here, with a full queue,
a dead broker or a killed process, the sweep of overdue effects finds.  While no worker takes them up, one message of a
lane waits in the broker for all processes: see `inventory.rung`.
"""

import os
import threading
import time
from collections.abc import Iterable
from queue import Full, Queue
from typing import Any

import structlog
from django.conf import settings
from prometheus_client import Counter

from inventory import rung, tasks
from inventory.rung import Publishable

log = structlog.get_logger(__name__)
unheard = Counter("holdfast_bell_unheard", "Messages not published; the sweep makes them good.", ["reason"])

# Between two messages of one lane: one stands for all that was committed meanwhile.  Publishing costs a millisecond of
# this process, as much as placing an order, and a hot SKU commits hundreds a second.
PAUSE_SECONDS = 0.1

Message = tuple[Publishable, tuple[Any, ...]]


class Bell:
    """One queue and one thread; the thread starts with the first message."""

    def __init__(self, size: int) -> None:
        self._queue: Queue[Message] = Queue(size)
        self._waiting: set[Message] = set()
        self._mutex = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pause = threading.Event()  # never set: the thread ends with its process
        self._published: dict[Message, float] = {}  # time.monotonic(); as many as there are lanes

    def post(self, task: Publishable, *arguments: Any) -> None:
        """Have a task published soon; a message that waits already stands for both.  Never blocks, never raises."""
        message = (task, arguments)
        with self._mutex:
            if message in self._waiting:
                return
            try:
                self._queue.put_nowait(message)
            except Full:
                unheard.labels("full").inc()
                return
            self._waiting.add(message)
            if self._thread is None:
                self._thread = threading.Thread(target=self._publish_for_ever, name="bell", daemon=True)
                self._thread.start()

    def join(self) -> None:
        """Wait until every message that was posted has been published or given up."""
        self._queue.join()

    def _publish_for_ever(self) -> None:
        while True:
            message = self._queue.get()
            self._pause.wait(max(0.0, self._published.get(message, 0.0) + PAUSE_SECONDS - time.monotonic()))
            with self._mutex:
                self._waiting.discard(message)  # before publishing: what is posted from now on is news
            self._publish(*message)
            self._published[message] = time.monotonic()
            self._queue.task_done()

    def _publish(self, task: Publishable, arguments: tuple[Any, ...]) -> None:
        try:
            rung.publish(task, arguments)
        except Exception as error:  # noqa: BLE001 - whatever the broker's client raises, the thread goes on
            unheard.labels("broker").inc()
            log.warning("bell_unheard", task=task.name, error=repr(error))


class _Bells:
    """The bell of this process."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.bell = Bell(settings.BELL_QUEUE_SIZE)


_bells = _Bells()
# A child of a fork has the queue but not the thread that empties it.
os.register_at_fork(after_in_child=_bells.renew)


def ring(lanes: Iterable[tuple[str, int | None]]) -> None:
    """Have these lanes of effects worked on now.  Call it after the commit that wrote them; it never blocks."""
    for kind, supplier_id in lanes:
        post(tasks.drain, str(kind), supplier_id)


def post(task: Publishable, *arguments: Any) -> None:
    """Have a task published soon; it never blocks."""
    _bells.bell.post(task, *arguments)


def join() -> None:
    """Wait until every message has been published or given up."""
    _bells.bell.join()
