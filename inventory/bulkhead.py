"""How many workers may be busy with one supplier at once: one that hangs must leave some to the others.

What finds no place is left where it is: its rows stay due, and the sweep rings for them again.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from suppliers import breaker
from suppliers.models import Supplier
from suppliers.places import Places

# A place lives as long as its worker says so: one that was killed or frozen keeps it for no longer than this.
LEASE_SECONDS = 20.0
RENEW_SECONDS = 5.0


@contextmanager
def admitted(supplier_id: int, *, for_orders: bool = False) -> Iterator[bool]:
    """Whether this worker may talk to the supplier now; it has its place until the block ends.

    for_orders: one place more than the rest may take, and the next one that is free.
    """
    places = Places(f"workers:{supplier_id}", _most(supplier_id, for_orders=for_orders))
    mark = places.take(LEASE_SECONDS, first=for_orders)
    if not mark:
        yield False
        return
    with _renewed(places, mark):
        yield True


def _most(supplier_id: int, *, for_orders: bool) -> int:
    slug = Supplier.objects.values_list("slug", flat=True).get(pk=supplier_id)
    # While calls fail one worker tries for all: many such suppliers at once must not take every worker there is.
    if breaker.is_failing(slug):
        return 1
    most: int = settings.WORKERS_PER_SUPPLIER
    return most if for_orders else max(1, most - 1)


@contextmanager
def _renewed(places: Places, mark: str) -> Iterator[None]:
    over = threading.Event()

    def renew() -> None:
        while not over.wait(RENEW_SECONDS):
            places.renew(mark, LEASE_SECONDS)

    renewing = threading.Thread(target=renew, name="bulkhead", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join()
        places.give_back(mark)
