"""Whether a call is for an order, which goes first and may use what is kept back of a budget."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_for_an_order: ContextVar[bool] = ContextVar("for_an_order", default=False)


@contextmanager
def for_an_order() -> Iterator[None]:
    """Whatever is sent inside is about an order: placing it, what that needs, asking for it, calling it off."""
    token = _for_an_order.set(True)
    try:
        yield
    finally:
        _for_an_order.reset(token)


def is_for_an_order() -> bool:
    return _for_an_order.get()
