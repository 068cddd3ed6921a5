"""The next page of a catalogue, asked for while the last one is being stored."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from suppliers.readings import Page


def read_ahead(pages: Iterator[Page]) -> Iterator[Page]:
    """The same pages, up to and with the last one; never more than one of them waits.

    The request for the next page leaves as soon as the caller is given a page.  `pages` belongs to one thread of ours;
    when the caller stops early, the request that is under way ends by its own deadline and its answer is dropped.
    """
    reader = ThreadPoolExecutor(1, "snapshot-reader")
    try:
        coming = reader.submit(next, pages, None)
        while page := coming.result():
            if page.cursor is None:
                yield page
                return
            coming = reader.submit(next, pages, None)
            yield page
    finally:
        reader.shutdown(wait=False, cancel_futures=True)
