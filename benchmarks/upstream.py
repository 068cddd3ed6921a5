"""A supplier that costs the box as little as one can: pages made beforehand, one thread.

`python -m benchmarks.upstream PORT ROWS PERCENT` serves `/?page=0` …; PERCENT of its numbers differ from those of an
upstream with 0.
"""

import selectors
import signal
import socket
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from inventory_project.localstack.processes import free_port, spawn, stop_group, wait_until

ROWS_OF_PAGE = 5_000
# More than is ordered, less than what is taken for "declared, not counted"; numbers repeat after so many rows.
_LEAST, _DISTINCT = 5_000, 977


def quantity(row: int, percent: int) -> int:
    """The number that a row shows."""
    return _LEAST + row % _DISTINCT + (row % 100 < percent)


def _page(number: int, rows: int, percent: int) -> bytes:
    items = ",".join(
        f'{{"id":"{row:08d}","sku":"ROW-{row:08d}","available":{quantity(row, percent)}}}'
        for row in range(number * ROWS_OF_PAGE, min(rows, (number + 1) * ROWS_OF_PAGE))
    )
    body = f'{{"total":{rows},"items":[{items}]}}'.encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _serve(port: int, rows: int, percent: int) -> None:
    pages = [_page(number, rows, percent) for number in range(-(-rows // ROWS_OF_PAGE))]
    selector = selectors.DefaultSelector()
    listener = socket.create_server(("127.0.0.1", port))
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                client, _ = listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(client, selectors.EVENT_READ)
                continue
            client = key.fileobj  # type: ignore[assignment]  # only sockets are registered
            request = client.recv(65536)  # a request of ours comes in one piece
            if request:
                client.sendall(pages[int(request.partition(b"page=")[2].split(b" ")[0])])
            else:
                selector.unregister(client)
                client.close()


class Upstream:
    """Such a supplier, while the block lasts.  percent: of its rows differ from those of an upstream with 0."""

    def __init__(self, folder: Path, rows: int, percent: int) -> None:
        self.port = free_port()
        self._log = folder / "upstream.log"
        self._size = [str(rows), str(percent)]

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "benchmarks.upstream", str(self.port), *self._size]
            self._process = spawn(command, stdout=log, stderr=log)
        wait_until(self._is_open, self._process, "the upstream", self._log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stop_group(self._process, signal.SIGTERM, patience=5)

    def config(self) -> dict[str, Any]:
        """What the adapter is to know of it."""
        return {
            "base_url": f"http://127.0.0.1:{self.port}",
            "list": {
                "request": {"path": "/", "params": {"page": "$page"}},
                "paginate": {"type": "page", "first": 0, "size": ROWS_OF_PAGE},
                "items": "items",
                "total": "total",
                "map": {"uid": "id", "sku": "sku", "available": "available"},
            },
            "limits": {"rate": 1_000, "burst": 1_000},
        }

    def _is_open(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


if __name__ == "__main__":
    _serve(*map(int, sys.argv[1:]))
