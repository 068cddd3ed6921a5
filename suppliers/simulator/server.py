"""The supplier on a socket: HTTP/1.1 with keep-alive, a thread per connection, and answers that can go wrong."""

import contextlib
import logging
import select
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .messages import Fate, Reply, Request, error_reply
from .operations import PREFIX, operate
from .proxy import ChaosProxy
from .supplier import ChaosSupplier

MAX_BODY = 5_000_000
logger = logging.getLogger(__name__)


class SimulatorServer(ThreadingHTTPServer):
    """Listens once constructed; `serve_forever` in a thread, then `stop`."""

    # Not daemons: `stop` waits for them, so that the books stand still afterwards.
    daemon_threads = False
    request_queue_size = 256

    def __init__(self, host: str, port: int, stopping: threading.Event) -> None:
        super().__init__((host, port), Handler)
        self.supplier: ChaosSupplier | ChaosProxy
        self.stopping = stopping
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        # Clients hang up on a supplier like this one; only what is not that is worth a line.
        if not isinstance(sys.exception(), OSError):
            logger.error("connection of %s ended badly", client_address, exc_info=sys.exception())

    def stop(self) -> None:
        """Idle connections and hanging answers end too: nothing of the server outlives this."""
        self.stopping.set()
        self.shutdown()
        with self._guard:
            still_open = list(self._open)
        for connection in still_open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: SimulatorServer
    protocol_version = "HTTP/1.1"
    server_version = "ChaosSupplier"
    disable_nagle_algorithm = True
    wbufsize = 65_536  # head and body leave in one packet where they fit
    timeout = 120  # an idle connection is not kept for ever

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        logger.debug(format, *args)

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal() or int(length) > MAX_BODY:
            # The body was not read, so the connection cannot be used again.
            self.close_connection = True
            self._send(error_reply(413, "BODY", f"Content-Length up to {MAX_BODY} is required."))
            return
        target = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(target.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, target.path, query, headers, self.rfile.read(int(length)), self.path)
        if request.path.startswith(PREFIX):
            self._deliver(operate(self.server.supplier, request))
            return
        began = time.monotonic()
        try:
            self._deliver(self.server.supplier.answer(request))
        finally:
            self.server.supplier.note_stay(time.monotonic() - began)

    def _deliver(self, reply: Reply) -> None:
        match reply.fate:
            case Fate.SEND:
                self._send(reply)
            case Fate.CUT:
                self.close_connection = True
                self._send(reply, kept=len(reply.body) // 2)
            case Fate.CLOSE:
                self.close_connection = True
            case Fate.GARBAGE:
                self.close_connection = True
                self.wfile.write(b"\x16\x03\x01\x02\x00no HTTP\r\n\r\n")
            case Fate.RESET:
                self._reset()
            case Fate.HANG:
                self.close_connection = True
                self._hang()

    def _hang(self) -> None:
        """Until the client goes away or the server stops, which also makes the socket readable."""
        while not self.server.stopping.is_set():
            if select.select([self.connection], [], [], 5)[0]:
                return

    def _reset(self) -> None:
        """Tear the connection down: with a linger of 0 seconds, closing it sends RST."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _send(self, reply: Reply, kept: int | None = None) -> None:
        length = len(reply.body) if reply.length is None else reply.length
        if length != len(reply.body):
            self.close_connection = True  # whoever believes the length would find the next answer in the wrong place
        self.send_response_only(reply.status)
        headers = {
            "Server": self.server_version,
            "Date": self.date_time_string(),
            "Content-Type": reply.content_type,
            "Content-Length": str(length),
            **reply.headers,
        }
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self._write(reply.body[:kept], reply.bytes_per_second)

    def _write(self, body: bytes, bytes_per_second: float | None) -> None:
        if bytes_per_second is None:
            self.wfile.write(body)
            return
        self.wfile.flush()
        for at in range(len(body)):
            self.wfile.write(body[at : at + 1])
            self.wfile.flush()
            if self.server.stopping.wait(1 / bytes_per_second):
                return
