"""Whether this web process was told to end.

The server waits for what is under way before it ends, and is not asked by what would go on: streams have to notice.
Its own handlers of signals stay; Python writes the number of each signal into a pipe beside them.
"""

import os
import signal
import threading
from contextlib import suppress


class Ending:
    """One per process.  It is told nothing before `watch`."""

    def __init__(self) -> None:
        self._read_end: int | None = None
        self._told = False

    def watch(self) -> None:
        """Begin to look, where that is possible: in the main thread, before the server serves."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._read_end, write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)

    def told(self) -> bool:
        """Whether it has come to that."""
        if self._read_end is not None and not self._told:
            with suppress(BlockingIOError):
                self._told = bool({signal.SIGTERM, signal.SIGINT} & set(os.read(self._read_end, 512)))
        return self._told


ending = Ending()
