"""HTTP for a crowd of buyers in one thread: so small that it costs the box little beside the shops under test."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer.  headers: names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """One kept-alive connection to a port of this machine; opened again when the server has closed it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self.port, limit=2**20)

    async def close(self) -> None:
        if self._streams:
            writer, self._streams = self._streams[1], None
            writer.close()
            with contextlib.suppress(OSError):  # the server may have been first
                await writer.wait_closed()

    async def post(self, path: str, body: Any, headers: Mapping[str, str]) -> Reply:
        """Send JSON.  Raises: OSError, EOFError if there is no whole answer."""
        content = json.dumps(body).encode()
        lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        request = "\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""]).encode() + content
        fresh = self._streams is None
        try:
            return await self._exchange(request)
        except (ConnectionResetError, BrokenPipeError, asyncio.IncompleteReadError) as error:
            await self.close()
            # An idle connection may be closed under our hands; then no byte came, and nothing was asked.
            partial = error.partial if isinstance(error, asyncio.IncompleteReadError) else b""
            if fresh or partial:
                raise
            return await self._exchange(request)

    async def _exchange(self, request: bytes) -> Reply:
        await self.open()
        assert self._streams
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await _body(reader, headers)
        if headers.get("connection", "").lower() == "close":
            await self.close()
        return Reply(int(head[0].split(" ", 2)[1]), headers, body)


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    parts = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readline()
    return b"".join(parts)
