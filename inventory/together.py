"""Reads that arrive while one is under way share the next one.

A value is never older than the question: the shared read starts after everyone whose answer it carries has asked.
They are told one after the other, and the last of them wakes the next reader: all at once they would stand in each
other's way at the interpreter, and while they are told more come, who make the next read worth more.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock as Mutex
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(slots=True, eq=False)
class _Ticket(Generic[Value]):
    """One who asks.  bell: released when it is answered, or has to read for all who wait.  after: who is told next."""

    key: str
    leads: bool = False
    value: Value | None = None
    bell: Mutex = field(default_factory=Mutex)
    after: "_Ticket[Value] | None" = None


class Together(Generic[Value]):
    """One reader at a time in this process, for all who asked until it starts.  read: keys → what was found."""

    def __init__(self, read: Callable[[Iterable[str]], Mapping[str, Value]]) -> None:
        self._read = read
        self._mutex = Mutex()
        self._waiting: list[_Ticket[Value]] = []
        self._reading = False

    def get(self, key: str) -> Value | None:
        """The value, None if there is none, or if whoever read for us failed."""
        ticket: _Ticket[Value] = _Ticket(key)
        with self._mutex:
            if self._reading:
                ticket.bell.acquire()
                self._waiting.append(ticket)
            else:
                self._reading = ticket.leads = True
        if not ticket.leads:
            ticket.bell.acquire()
        if ticket.leads:
            return self._lead(ticket)
        self._go_on(ticket)
        return ticket.value

    def _lead(self, own: _Ticket[Value]) -> Value | None:
        with self._mutex:
            others, self._waiting = self._waiting, []
        found: Mapping[str, Value] = {}
        try:
            found = self._read({own.key, *(other.key for other in others)})
        finally:
            # Also if the read raised: nobody may be left waiting.
            last = own
            for other in others:
                other.value = found.get(other.key)
                last.after = last = other
            self._go_on(own)
        return found.get(own.key)

    def _go_on(self, told: _Ticket[Value]) -> None:
        """Tell the next; if there is none, let the first who waits read."""
        if told.after is not None:
            told.after.bell.release()
            return
        with self._mutex:
            if not self._waiting:
                self._reading = False
                return
            heir = self._waiting.pop(0)
        heir.leads = True
        heir.bell.release()
