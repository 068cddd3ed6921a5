"""One HTTP exchange that cannot outlast its deadline, outgrow its cap or leave its host.

Note [Deadline]
The timeouts of requests bound single socket operations: a server that drips a byte each half second holds a call with
a read timeout of 2 s for as long as it likes, in the headers as well as in the body.  So a timer shuts the socket down
when the deadline has passed; whoever reads from it then wakes up with an error or an early end, and `Watch.expired`
tells which.  The timer works on a duplicate of the descriptor: it stays valid when TLS wraps the socket, and its number
cannot be reused for another connection meanwhile.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from io import BytesIO
from typing import Any, BinaryIO

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.connection import create_connection

from suppliers import guard
from suppliers.errors import Malformed, NotConfigured, SupplierError, Transient, UpstreamTimeout

CHUNK_BYTES = 65_536
USER_AGENT = "Holdfast/1"
CONDITIONS = frozenset({"If-None-Match", "If-Modified-Since"})


class Deadline:
    """A point in time that nothing may pass.  seconds: from now."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._at - time.monotonic())

    def within(self, seconds: float) -> "Deadline":
        """The earlier of this deadline and one so many seconds away."""
        return Deadline(min(seconds, self.remaining))


@dataclass(frozen=True, slots=True)
class Limits:
    """seconds and bytes of one exchange; bytes are counted after decompression."""

    connect_seconds: float = 3
    read_seconds: float = 10
    max_bytes: int = 5_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """json: sent as a JSON body unless `form` or `body` is given; None sends no body.

    sign: makes the request that is sent, given the time by the supplier's clock (seconds of the epoch), at each
    sending anew: a signature holds a time and a number used once.
    into: a file that takes the body of a 2xx answer in place of `Response.body`, from its beginning and not decoded.
    """

    method: str
    url: str
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    form: Mapping[str, Any] | None = None
    body: bytes | None = None
    sign: "Callable[[Request, float], Request] | None" = None
    into: BinaryIO | None = None

    def signed(self, now: float) -> "Request":
        """The request that is sent.  now: see `sign`."""
        return self if self.sign is None else self.sign(self, now)


@dataclass(frozen=True, slots=True)
class Response:
    """A complete answer of any status but a redirect.  body: decoded bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Watch:
    """Guards the exchange of one thread: knows its socket, cuts it at the deadline, remembers what left."""

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self.sent = False
        self.expired = False
        self._handle: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(deadline.remaining, self._cut)
        self._timer.daemon = True

    def attach(self, sock: socket.socket) -> None:
        """Take over a connection, new or kept alive."""
        with self._lock:
            self._release()
            # Not sock.dup(): a TLS socket refuses that.
            self._handle = socket.fromfd(sock.fileno(), sock.family, sock.type)
            if self.expired:
                self._shut()

    def _cut(self) -> None:
        with self._lock:
            self.expired = True
            self._shut()

    def _shut(self) -> None:
        if self._handle is not None:
            with suppress(OSError):  # the other side may have closed it already
                self._handle.shutdown(socket.SHUT_RDWR)

    def _release(self) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    @contextmanager
    def running(self) -> Iterator[None]:
        token = current_watch.set(self)
        self._timer.start()
        try:
            yield
        finally:
            self._timer.cancel()
            current_watch.reset(token)
            with self._lock:
                self._release()


current_watch: ContextVar[Watch] = ContextVar("current_watch")


class WatchedConnection(HTTPConnection):
    """Connects to checked addresses only, under the watch of the current exchange."""

    def _new_conn(self) -> socket.socket:
        watch = current_watch.get()
        addresses = guard.resolve(self.host, self.port or self.default_port, watch.deadline.remaining)
        sock = self._connect_first(addresses, watch)
        watch.attach(sock)
        return sock

    def _connect_first(self, addresses: list[str], watch: Watch) -> socket.socket:
        limit = self.timeout if isinstance(self.timeout, int | float) else watch.deadline.remaining
        until = watch.deadline.within(limit)
        refusal = "no address"
        for address in addresses:
            if not until.remaining:
                break
            try:
                return create_connection(
                    (address, self.port or self.default_port), until.remaining, socket_options=self.socket_options
                )
            except TimeoutError:
                raise UpstreamTimeout(f"{self.host} accepted no connection in time.") from None
            except OSError as error:
                refusal = error.strerror or "refused"
        raise Transient(f"{self.host} cannot be reached: {refusal}.")

    def send(self, data: Any) -> None:
        watch = current_watch.get()
        if self.sock is None:
            self.connect()
        elif not watch.sent:
            watch.attach(self.sock)
        watch.sent = True
        super().send(data)


class WatchedTlsConnection(WatchedConnection, HTTPSConnection):
    """The same over TLS; the certificate is checked against the host name, not the address."""


class WatchedPool(HTTPConnectionPool):
    ConnectionCls = WatchedConnection


class WatchedTlsPool(HTTPSConnectionPool):
    ConnectionCls = WatchedTlsConnection


class WatchedAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": WatchedPool, "https": WatchedTlsPool}


def new_session() -> requests.Session:
    """A session that takes nothing from the environment and keeps no cookies."""
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers = CaseInsensitiveDict({"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"})
    for scheme in ("http://", "https://"):
        session.mount(scheme, WatchedAdapter(max_retries=0))
    return session


def exchange(session: requests.Session, request: Request, limits: Limits, deadline: Deadline) -> Response:
    """Send one request and read the whole answer, before the deadline or not at all.

    Requires: a request that is signed, and a URL that `guard.check_url` accepts; it is checked again, and so is every
    address it resolves to.
    Raises: UpstreamTimeout and Transient (`sent` says whether it may have taken effect), BlockedAddress,
    NotConfigured (no such request can be formed), Malformed (redirected or oversize).  No message holds a query,
    a header or a body of ours.
    """
    guard.check_url(request.url)
    watch = Watch(deadline)
    where = f"{request.method} {request.url.split('?')[0]}"
    if not deadline.remaining:
        raise UpstreamTimeout(f"{where}: no time was left to send it.")
    try:
        with watch.running():
            return _converse(session, request, limits, watch)
    except SupplierError as error:
        if watch.expired and not isinstance(error, UpstreamTimeout):
            raise UpstreamTimeout(f"{where}: the deadline passed.", sent=watch.sent) from None
        raise
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        # `from None`: these exceptions carry the whole URL, and with it keys in the query.
        raise _translate(error, where, watch) from None


def _converse(session: requests.Session, request: Request, limits: Limits, watch: Watch) -> Response:
    remaining = watch.deadline.remaining
    answer = session.request(
        request.method,
        request.url,
        params=request.params,
        headers=dict(request.headers),
        json=request.json if request.form is None and request.body is None else None,
        data=request.form if request.body is None else request.body,
        stream=True,
        allow_redirects=False,
        timeout=(min(limits.connect_seconds, remaining), min(limits.read_seconds, remaining)),
    )
    with answer:
        unchanged = answer.status_code == HTTPStatus.NOT_MODIFIED and request.headers.keys() & CONDITIONS
        if HTTPStatus.MULTIPLE_CHOICES <= answer.status_code < HTTPStatus.BAD_REQUEST and not unchanged:
            raise Malformed(f"{request.method} was redirected ({answer.status_code}); redirects are not followed.")
        body = _read(answer, limits.max_bytes, request.into)
    if watch.expired:
        # A body that ends with the connection looks complete when the timer cut it.
        raise UpstreamTimeout("The deadline passed while the answer was read.", sent=True)
    return Response(answer.status_code, answer.headers, body)


def _read(answer: requests.Response, max_bytes: int, into: BinaryIO | None) -> bytes:
    sink = into if into is not None and answer.ok else BytesIO()
    sink.seek(0)
    sink.truncate()  # a first try may have left its part
    size = 0
    # A file is kept as it came: urllib3 takes a packed body that was cut for a whole one, and who unpacks it does not.
    for chunk in answer.raw.stream(CHUNK_BYTES, decode_content=sink is not into):
        size += len(chunk)
        if size > max_bytes:
            raise Malformed(f"The answer is larger than {max_bytes:,} bytes; it was not read further.")
        sink.write(chunk)
    return sink.getvalue() if isinstance(sink, BytesIO) else b""


def _translate(error: Exception, where: str, watch: Watch) -> SupplierError:
    if watch.expired or not watch.deadline.remaining:
        return UpstreamTimeout(f"{where}: the deadline passed.", sent=watch.sent)
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return UpstreamTimeout(f"{where}: no answer in time.", sent=watch.sent)
    if isinstance(error, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        return Transient(f"{where}: the certificate or TLS handshake was not accepted.", sent=watch.sent)
    if isinstance(error, urllib3.exceptions.DecodeError):
        return Malformed(f"{where}: the answer cannot be decompressed.")
    if isinstance(error, requests.exceptions.InvalidURL | ValueError) and not watch.sent:
        return NotConfigured(f"{where}: the request cannot be formed ({type(error).__name__}).")
    return Transient(f"{where}: the connection broke ({type(error).__name__}).", sent=watch.sent)
