"""A supplier on a real socket that answers what a test tells it to, byte by byte if need be."""

import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

Write = Callable[[socket.socket], None]


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Upstream:
    """answer: what is called for each request; its bytes are sent, or it writes to the socket itself."""

    answer: Callable[[Seen], bytes | Write]
    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def drip(self, head: bytes, interval: float = 0.2) -> Write:
        """Send `head`, then a byte each `interval` seconds until the other side has enough of it."""

        def write(sock: socket.socket) -> None:
            sock.sendall(head)
            while not self.closing.wait(interval):
                sock.sendall(b"x")

        return write

    def hang(self, _: socket.socket) -> None:
        """Never answer."""
        self.closing.wait(30)


def reply(
    document: Any = None,
    status: int = 200,
    body: bytes | None = None,
    length: int | None = None,
    **headers: Any,
) -> bytes:
    """A complete answer.  headers: underscores stand for hyphens; length: what Content-Length claims."""
    content = json.dumps(document).encode() if body is None else body
    lines = [
        f"HTTP/1.1 {status} Any",
        f"Content-Length: {len(content) if length is None else length}",
        "Connection: close",
    ]
    fields = {"Content_Type": "application/json", **headers}
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def always(answer: bytes | Write) -> Callable[[Seen], bytes | Write]:
    return lambda _: answer


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while self._answer():
            pass

    def _answer(self) -> bool:
        """Answer one request; whether the connection is kept for another."""
        upstream: Upstream = self.server.upstream  # type: ignore[attr-defined]
        request = self._read()
        if request is None:
            return False
        upstream.seen.append(request)
        answer = upstream.answer(request)
        try:
            if isinstance(answer, bytes):
                self.connection.sendall(answer)
                return b"Connection: keep-alive" in answer
            answer(self.connection)
        except OSError:
            pass  # the client had enough
        return False

    def _read(self) -> Seen | None:
        first = self.rfile.readline().decode("latin-1").split()
        if len(first) != len(("method", "target", "version")):
            return None
        headers: dict[str, str] = {}
        while line := self.rfile.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return Seen(first[0], first[1], headers, self.rfile.read(int(headers.get("content-length", 0))))


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        # Here and not when it is accepted: a handshake must not hold up the others.
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        with suppress(OSError), self.tls.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)


@contextmanager
def running_upstream(answer: Callable[[Seen], bytes | Write], tls: ssl.SSLContext | None = None) -> Iterator[Upstream]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.tls = tls
        host, port = server.server_address[:2]
        upstream = Upstream(answer, f"http://{host!s}:{port}")
        server.upstream = upstream  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield upstream
        finally:
            upstream.closing.set()
            server.shutdown()
            thread.join()
