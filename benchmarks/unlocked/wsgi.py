"""The WSGI application of the service with every lock granted at once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

from orders import placement  # noqa: E402 - models can be imported only now


@contextmanager
def granted(_codes: Sequence[str], *, deadline: float) -> Iterator[bool]:  # noqa: ARG001 - the lock's signature
    """Hold nothing; the row locks remain."""
    yield True


vars(placement)["sku_locks"] = granted
