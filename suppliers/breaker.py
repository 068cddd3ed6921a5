"""A supplier that fails is left alone for a while, by all processes at once.

Note [Not around the call]
pybreaker's own `call` holds a lock while the call runs: two threads could not talk to one supplier.  So it is asked
before a call and told after it, and the call itself runs outside.
"""

import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NoReturn

import pybreaker
import redis

from suppliers.adapters.limits import Limits
from suppliers.errors import CircuitOpen, Transient
from suppliers.shared_state import shared_state


class Circuit:
    """pybreaker's state machine and the place where it keeps its state."""

    def __init__(self, name: str, storage: pybreaker.CircuitBreakerStorage) -> None:
        self.storage = storage
        self.breaker = pybreaker.CircuitBreaker(name=name, state_storage=storage)


class Breaker:
    """Counts failures in a row; open, it refuses every call until `breaker_seconds` have passed, then tries one.

    Redis decides while it is there.  Each process keeps its own account beside it, so that losing Redis in the middle
    of an outage does not send everybody to a supplier that is down.
    """

    def __init__(self, name: str, limits: Limits) -> None:
        self._name = name
        self._limits = limits

    def check(self) -> None:
        """Raises: CircuitOpen while the supplier is left alone."""
        storage = self._circuits()[-1].storage
        if storage.state == pybreaker.STATE_CLOSED:
            return
        opened = storage.opened_at
        reopens = (opened or datetime.min.replace(tzinfo=UTC)) + timedelta(seconds=self._limits.breaker_seconds)
        wait = (reopens - datetime.now(UTC)).total_seconds()
        if wait > 0 or not self._may_try():
            error = CircuitOpen(f"{self._name} failed too often just now.")
            error.retry_after = max(1.0, wait)
            raise error

    def answered(self) -> None:
        """The supplier is up, whatever it said."""
        for circuit in self._circuits():
            # A late answer to a call that was under way when it opened does not close it.
            with suppress(pybreaker.CircuitBreakerError):
                circuit.breaker.call(lambda: None)

    def failed(self, error: Transient) -> None:
        """The supplier did not do its part."""

        def repeat() -> NoReturn:
            raise error

        for circuit in self._circuits():
            with suppress(Transient, pybreaker.CircuitBreakerError):
                circuit.breaker.call(repeat)

    def _may_try(self) -> bool:
        """One trial at a time, over all processes: a supplier that is getting up must not be run over."""
        seconds = self._limits.total_seconds
        if not trials.begin(self._name, seconds):
            return False
        client = shared_state().client()
        if client is None:
            return True
        try:
            return bool(client.set(f"supplier:{{{self._name}}}:trial", b"1", nx=True, px=int(seconds * 1000)))
        except redis.RedisError:
            shared_state().lost()
            return True

    def _circuits(self) -> list[Circuit]:
        """The account of this process, and the shared one after it if Redis is there."""
        circuits = [process_circuit(self._name)]
        if shared_state().client() is not None:
            try:
                circuits.append(redis_circuit(self._name, shared_state().redis))
            except redis.RedisError:
                shared_state().lost()
        for circuit in circuits:
            circuit.breaker.fail_max = self._limits.breaker_failures
            circuit.breaker.reset_timeout = self._limits.breaker_seconds
        return circuits


def is_failing(name: str) -> bool:
    """Did the supplier's last call fail, or is it left alone?"""
    storage = process_circuit(name).storage
    if shared_state().client() is not None:
        storage = redis_circuit(name, shared_state().redis).storage
    try:
        return storage.state != pybreaker.STATE_CLOSED or storage.counter > 0
    except redis.RedisError:
        shared_state().lost()
        return False


class Trials:
    """Which suppliers this process is trying out, and until when at most."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def begin(self, name: str, seconds: float) -> bool:
        with self._lock:
            if time.monotonic() < self._until.get(name, 0.0):
                return False
            self._until[name] = time.monotonic() + seconds
            return True


trials = Trials()


@cache
def process_circuit(name: str) -> Circuit:
    return Circuit(name, pybreaker.CircuitMemoryStorage(pybreaker.STATE_CLOSED))


@cache
def redis_circuit(name: str, client: redis.Redis) -> Circuit:
    return Circuit(name, pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, client, f"supplier:{{{name}}}"))
