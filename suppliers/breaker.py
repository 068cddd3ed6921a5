"""A supplier that fails is left alone for a while, by all processes at once.

Note [Not around the call]
pybreaker's own `call` holds a lock while the call runs: two threads could not talk to one supplier.  So it is asked
before a call and told after it, and the call itself runs outside.
"""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NoReturn

import pybreaker
import redis

from suppliers.adapters.limits import Limits
from suppliers.errors import CircuitOpen, SupplierError, Transient
from suppliers.shared_state import shared_state


class Circuit:
    """pybreaker's state machine and the place where it keeps its state."""

    def __init__(self, name: str, storage: pybreaker.CircuitBreakerStorage) -> None:
        self.storage = storage
        self.breaker = pybreaker.CircuitBreaker(name=name, state_storage=storage)


class Breaker:
    """Counts failures in a row; open, it refuses every call until `breaker_seconds` have passed, then tries one."""

    def __init__(self, name: str, limits: Limits) -> None:
        self._name = name
        self._limits = limits

    def check(self) -> None:
        """Raises: CircuitOpen while the supplier is left alone."""
        storage = self._circuit().storage
        if storage.state == pybreaker.STATE_CLOSED:
            return
        opened = storage.opened_at
        reopens = (opened or datetime.min.replace(tzinfo=UTC)) + timedelta(seconds=self._limits.breaker_seconds)
        wait = (reopens - datetime.now(UTC)).total_seconds()
        if wait > 0 or not self._may_try():
            error = CircuitOpen(f"{self._name} failed too often just now.")
            error.retry_after = max(1.0, wait)
            raise error

    def succeeded(self) -> None:
        # A late answer to a call that was under way when it opened does not close it.
        with suppress(pybreaker.CircuitBreakerError):
            self._circuit().breaker.call(lambda: None)

    def failed(self, error: SupplierError) -> None:
        """Only what says that the supplier is down counts; a refusal or nonsense comes from one that is up."""
        if not isinstance(error, Transient) or isinstance(error, CircuitOpen):
            return

        def repeat() -> NoReturn:
            raise error

        with suppress(SupplierError, pybreaker.CircuitBreakerError):
            self._circuit().breaker.call(repeat)

    def _may_try(self) -> bool:
        """One trial at a time, over all processes: a supplier that is getting up must not be run over."""
        client = shared_state().client()
        if client is None:
            return True
        key = f"supplier:{{{self._name}}}:trial"
        try:
            return bool(client.set(key, b"1", nx=True, px=int(self._limits.total_seconds * 1000)))
        except redis.RedisError:
            shared_state().lost()
            return True

    def _circuit(self) -> Circuit:
        circuit = process_circuit(self._name)
        client = shared_state().client()
        if client is not None:
            try:
                circuit = redis_circuit(self._name, shared_state().redis)
            except redis.RedisError:
                shared_state().lost()
        circuit.breaker.fail_max = self._limits.breaker_failures
        circuit.breaker.reset_timeout = self._limits.breaker_seconds
        return circuit


@cache
def process_circuit(name: str) -> Circuit:
    return Circuit(name, pybreaker.CircuitMemoryStorage(pybreaker.STATE_CLOSED))


@cache
def redis_circuit(name: str, client: redis.Redis) -> Circuit:
    return Circuit(name, pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, client, f"supplier:{{{name}}}"))
