"""A server that just failed is left alone for a moment, so that requests do not queue for its timeouts."""

import time

import structlog

log = structlog.get_logger(__name__)

_SECONDS = 1.0  # a new number that is not announced meanwhile is announced by its effect


class Away:
    """Whether this process thinks that a server is away.  event: what the log calls it."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._until = 0.0

    def __bool__(self) -> bool:
        return time.monotonic() < self._until

    def mark(self, error: Exception) -> None:
        """It just failed."""
        self._until = time.monotonic() + _SECONDS
        log.warning(self._event, error=str(error))

    def clear(self) -> None:
        """Ask it again at once."""
        self._until = 0.0
