"""Waiting for other processes, which nobody can be told of: asked again and again, until a deadline."""

import time
from collections.abc import Callable


def came_true(ready: Callable[[], bool], seconds: float, *, pause: float = 0.05) -> bool:
    """Ask `ready` until it is so or the time is over; whether it is.  It is asked once more at the end."""
    deadline = time.monotonic() + seconds
    while not (done := ready()) and time.monotonic() < deadline:
        time.sleep(pause)
    return done


def wait_for(ready: Callable[[], bool], seconds: float, what: str) -> None:
    """Return when it is so.  Raises: TimeoutError."""
    if not came_true(ready, seconds):
        raise TimeoutError(f"{what}: not after {seconds:.0f} s")
