"""One request to the supplier and its answer, as the behaviours see them."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from .draws import draw

ENDPOINTS = ("list", "fetch", "confirm", "readback", "cancel", "login")


class Fate(enum.Enum):
    """How an answer travels."""

    SEND = "send"
    CLOSE = "close"  # nothing is sent, the connection closes
    RESET = "reset"  # nothing is sent, the connection is torn down (RST)
    GARBAGE = "garbage"  # bytes that are no HTTP
    HANG = "hang"  # nothing is sent, the connection stays open
    CUT = "cut"  # half of what Content-Length promised, then the connection closes


# How a connection may end without an answer, by the word that scenarios use.
BROKEN: Mapping[str, Fate] = {
    "closed": Fate.CLOSE,
    "reset": Fate.RESET,
    "garbage": Fate.GARBAGE,
    "hang": Fate.HANG,
}


@dataclass(frozen=True, slots=True)
class Request:
    """query: the first value of each parameter.  target: path and query as they were sent."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    target: str = ""


@dataclass(slots=True)
class Reply:
    """length: what Content-Length says, if it lies.  bytes_per_second: how slowly the body trickles."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    fate: Fate = Fate.SEND
    length: int | None = None
    bytes_per_second: float | None = None


@dataclass(slots=True)
class Problem(Exception):
    """What went wrong, in no dialect; the dialect makes a reply of it.

    code: NO_STOCK, TOO_MANY_REQUESTS …; dialects have numbers of their own for those they know.
    more: what else a dialect may want to say (`lines`, `retry_after`).
    """

    status: int
    code: str
    message: str
    more: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Call:
    """A request that behaviours act on.

    identity and number: "the third read of page 7", so that draws repeat however requests interleave.
    skus: the SKUs that the request names; none for a page of the list.
    pause: waits for so many seconds, or says true at once when the server stops.
    now: by the ledger's clock.  uptime: seconds since the supplier opened.
    """

    endpoint: str
    identity: str
    number: int
    skus: tuple[str, ...]
    seed: int
    pause: Callable[[float], bool]
    now: float = 0.0
    uptime: float = 0.0
    acted: list[str] = field(default_factory=list)

    def draw(self, behaviour: str, about: str = "") -> float:
        return draw(self.seed, behaviour, self.endpoint, self.identity, self.number, about)


def json_reply(status: int, document: Any, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, orjson.dumps(document), dict(headers or {}))


def error_reply(status: int, code: str, message: str, **more: Any) -> Reply:
    return json_reply(status, {"error": {"code": code, "message": message, **more}})
