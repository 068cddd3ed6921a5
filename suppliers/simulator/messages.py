"""One request to the supplier and its answer, as the behaviours see them."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from .draws import draw

ENDPOINTS = ("list", "fetch", "confirm", "readback", "cancel")


class Fate(enum.Enum):
    """How an answer travels."""

    SEND = "send"
    CLOSE = "close"  # nothing is sent, the connection closes
    HANG = "hang"  # nothing is sent, the connection stays open
    CUT = "cut"  # half of what Content-Length promised, then the connection closes


@dataclass(frozen=True, slots=True)
class Request:
    """query: the first value of each parameter."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(slots=True)
class Reply:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    fate: Fate = Fate.SEND


@dataclass(slots=True)
class Call:
    """A request that behaviours act on.

    identity and number: "the third read of page 7", so that draws repeat however requests interleave.
    pause: waits for so many seconds, or says true at once when the server stops.
    skus: the SKUs that the request names; none for a page of the list.
    """

    endpoint: str
    identity: str
    number: int
    skus: tuple[str, ...]
    seed: int
    pause: Callable[[float], bool]
    acted: list[str] = field(default_factory=list)

    def draw(self, behaviour: str, about: str = "") -> float:
        return draw(self.seed, behaviour, self.endpoint, self.identity, self.number, about)


def json_reply(status: int, document: Any, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, orjson.dumps(document), headers or {})


def error_reply(status: int, code: str, message: str, **more: Any) -> Reply:
    return json_reply(status, {"error": {"code": code, "message": message, **more}})
