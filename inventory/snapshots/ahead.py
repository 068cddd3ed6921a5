"""The next page of a catalogue or window of a merge, made while the last one is being stored."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

Item = TypeVar("Item")


def ahead(items: Iterator[Item], is_last: Callable[[Item], bool] = lambda _: False) -> Iterator[Item]:
    """The same items, up to and with the last one; never more than one of them waits.

    Work on the next one begins as soon as the caller is given one.  `items` belongs to one thread of ours, with a
    database connection of its own; when the caller stops early, what is under way there ends by its own deadline and
    is dropped.
    """
    worker = ThreadPoolExecutor(1, "snapshot-ahead")
    coming = worker.submit(next, items, None)
    try:
        while (item := coming.result()) is not None:
            if is_last(item):
                yield item
                return
            coming = worker.submit(next, items, None)
            yield item
    finally:
        coming.cancel()
        worker.submit(connections.close_all)
        worker.shutdown(wait=False)
