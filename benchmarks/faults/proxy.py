"""A TCP proxy that can go wrong: what stands between two parts of the system while they are tested."""

import asyncio
import random
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
Address = tuple[str, int]

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no time: the close is a RST
_DRIP_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong on a way.  The default is nothing.

    refuse: every connection is reset, old and new.  black_hole: nothing passes; what was sent meanwhile arrives when it
    ends, as TCP has it, also from those who gave up.
    latency: seconds, each way.  lost_replies: share of the replies that are swallowed, and their connection reset,
    after the request was forwarded.  cut_after: a connection is reset instead of replying more
    bytes than this.  drip: replies come
    byte by byte, one each half second.
    """

    refuse: bool = False
    black_hole: bool = False
    latency: float = 0.0
    lost_replies: float = 0.0
    cut_after: int | None = None
    drip: bool = False


NONE = Trouble()


class Loop:
    """An event loop in a thread of its own, for proxies and buyers; end it with `stop`."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="wire", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout: float | None = 60) -> T:
        """Wait for its result; for other threads."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def stop(self) -> None:
        """End the thread; what still runs in it is abandoned."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()


class Proxy:
    """Forwards connections to `upstream`, and whatever `trouble` says.  Both may be changed from any thread."""

    def __init__(self, wire: Loop, upstream: Address, seed: int = 0) -> None:
        self.wire = wire
        self.upstream = upstream
        self.trouble = NONE
        self.random = random.Random(seed)
        self.pairs: set[_Near] = set()
        self.port = wire.run(self._listen())

    def set(self, trouble: Trouble) -> None:
        """Act so from now on, on open connections too."""
        self.trouble = trouble
        if trouble.refuse:
            self.reset()
        elif not trouble.black_hole:
            self.wire.loop.call_soon_threadsafe(self._for_each, _Near.release)

    def heal(self) -> None:
        """No more trouble."""
        self.set(NONE)

    def reset(self) -> None:
        """Cut every open connection."""
        self.wire.loop.call_soon_threadsafe(self._for_each, _Near.cut)

    def _for_each(self, act: Callable[["_Near"], None]) -> None:
        for near in list(self.pairs):
            act(near)

    async def _listen(self) -> int:
        server = await self.wire.loop.create_server(lambda: _Near(self), "127.0.0.1", 0, backlog=512)
        port: int = server.sockets[0].getsockname()[1]
        return port


class _Way:
    """One direction of a connection: what comes in late goes out late, in its order."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.target: asyncio.Transport | None = None
        self.held: deque[bytes] = deque()  # until the other end is connected and no black hole lies between
        self.ready_at = 0.0

    def send(self, data: bytes) -> None:
        loop, trouble = self.proxy.wire.loop, self.proxy.trouble
        if trouble.black_hole or self.target is None or self.held:
            self.held.append(data)
            return
        if not trouble.latency and self.ready_at <= loop.time():
            self._write(data)
            return
        # Never before what was sent earlier, also after the latency ended.
        self.ready_at = max(self.ready_at, loop.time() + trouble.latency)
        loop.call_at(self.ready_at, self._write, data)

    def drip(self, data: bytes) -> None:
        loop = self.proxy.wire.loop
        for byte in data:
            self.ready_at = max(self.ready_at, loop.time()) + _DRIP_SECONDS
            loop.call_at(self.ready_at, self._write, bytes([byte]))

    def connect(self, target: asyncio.Transport) -> None:
        self.target = target
        self.release()

    def release(self) -> None:
        """Send what was held, unless it still has to wait."""
        while self.held and self.target is not None and not self.proxy.trouble.black_hole:
            self._write(self.held.popleft())

    def _write(self, data: bytes) -> None:
        if self.target is not None and not self.target.is_closing():
            self.target.write(data)


class _Near(asyncio.Protocol):
    """The client's side of a connection."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.requests, self.replies = _Way(proxy), _Way(proxy)
        self.near: asyncio.Transport | None = None
        self.replied = 0
        self.given_up = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.near = transport
        self.proxy.pairs.add(self)
        if self.proxy.trouble.refuse:
            self.cut()
            return
        self.replies.connect(transport)
        self.connecting = self.proxy.wire.loop.create_task(self._connect())

    async def _connect(self) -> None:
        try:
            far, _ = await self.proxy.wire.loop.create_connection(lambda: _Far(self), *self.proxy.upstream)
        except OSError:
            self.requests.held.clear()
            self.cut()
            return
        self.requests.connect(far)
        if self.given_up:
            self.release()

    def data_received(self, data: bytes) -> None:
        self.requests.send(data)

    def reply(self, data: bytes) -> None:
        trouble = self.proxy.trouble
        if trouble.lost_replies and self.proxy.random.random() < trouble.lost_replies:
            self.cut()
            return
        self.replied += len(data)
        if trouble.cut_after is not None and self.replied > trouble.cut_after:
            self.cut()
        elif trouble.drip:
            self.replies.drip(data)
        else:
            self.replies.send(data)

    def connection_lost(self, _: Exception | None) -> None:
        self.given_up = True
        if not self.requests.held:
            self._leave()

    def release(self) -> None:
        """A black hole ended."""
        self.requests.release()
        self.replies.release()
        if self.given_up and not self.requests.held:
            self._leave()

    def _leave(self) -> None:
        self.proxy.pairs.discard(self)
        if self.requests.target is not None:
            self.requests.target.close()

    def close(self) -> None:
        """The server ended the connection: so do we, unless nobody can hear of it."""
        if self.near is not None and not self.proxy.trouble.black_hole:
            self.near.close()

    def cut(self) -> None:
        """Reset both sides."""
        self.requests.held.clear()
        for transport in (self.near, self.requests.target):
            if transport is not None and not transport.is_closing():
                opened = transport.get_extra_info("socket")
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                transport.abort()


class _Far(asyncio.Protocol):
    """The server's side of a connection."""

    def __init__(self, near: _Near) -> None:
        self.near = near

    def data_received(self, data: bytes) -> None:
        self.near.reply(data)

    def connection_lost(self, _: Exception | None) -> None:
        self.near.close()
