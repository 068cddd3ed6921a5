"""The finished answer, lost or broken on its way; its effect stands."""

import dataclasses
import gzip
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson

from suppliers.simulator.messages import BROKEN, Call, Fate, Reply

from .base import READS, Spoiler

ANSWERS = ("list", "fetch", "readback")


@dataclass(kw_only=True, eq=False)
class LostReply(Spoiler):
    """The effect stands, the client never learns of it.  mode: how the connection ends, or "504" from a proxy."""

    name = "lost_reply"
    words = {"mode": (*BROKEN, "504")}
    endpoints: Sequence[str] = ("confirm",)
    mode: str = "closed"

    def after(self, call: Call, reply: Reply) -> Reply:
        if reply.status >= HTTPStatus.MULTIPLE_CHOICES or not self.strikes(call):
            return reply
        if self.mode == "504":
            return Reply(504, b"<html><h1>504 Gateway Time-out</h1></html>", content_type="text/html")
        return Reply(0, fate=BROKEN[self.mode])


@dataclass(kw_only=True, eq=False)
class Truncated(Spoiler):
    """JSON that ends too early.  mode: "short" with a matching Content-Length, "cut" with the full one."""

    name = "truncated"
    words = {"mode": ("short", "cut")}
    endpoints: Sequence[str] = ANSWERS
    keep: float = 0.6
    mode: str = "short"

    def after(self, call: Call, reply: Reply) -> Reply:
        if not reply.body or not self.strikes(call):
            return reply
        if self.mode == "cut":
            return dataclasses.replace(reply, fate=Fate.CUT)
        return dataclasses.replace(reply, body=reply.body[: int(len(reply.body) * self.keep)])


def _not_a_number(reply: Reply) -> None:
    reply.body = re.sub(rb":-?\d+", b":NaN", reply.body, count=1)


def _mark(reply: Reply) -> None:
    reply.body = b"\xef\xbb\xbf" + reply.body


def _foreign_charset(reply: Reply) -> None:
    """UTF-8 is announced, GB18030 is sent."""
    note = '{"note":"库存有货",'.encode("gb18030")
    reply.body = note + reply.body[1:] if reply.body[:1] == b"{" else "库存".encode("gb18030") + reply.body


def _cut_gzip(reply: Reply) -> None:
    packed = gzip.compress(reply.body)
    reply.body = packed[: max(12, len(packed) // 2)]
    reply.headers["Content-Encoding"] = "gzip"


def _too_short(reply: Reply) -> None:
    reply.length = len(reply.body) * 2 // 3


def _too_long(reply: Reply) -> None:
    reply.length = len(reply.body) + 1_000


def _trailing(reply: Reply) -> None:
    reply.body += b"\n<!-- generated in 0.3 s -->"


def _twice(reply: Reply) -> None:
    reply.body += reply.body


def _nothing(reply: Reply) -> None:
    reply.body = b""


# Ways to spoil a body.
BODIES: Mapping[str, Callable[[Reply], None]] = {
    "nan": _not_a_number,
    "bom": _mark,
    "gb18030": _foreign_charset,
    "gzip_cut": _cut_gzip,
    "too_short": _too_short,
    "too_long": _too_long,
    "trailing": _trailing,
    "twice": _twice,
    "empty": _nothing,
}


@dataclass(kw_only=True, eq=False)
class Malformed(Spoiler):
    """Bodies that are not what they claim: NaN for a number, a BOM, GB18030 called UTF-8, half a gzip stream, a
    Content-Length below or above the truth, something behind the end, everything twice, nothing.
    """

    name = "malformed"
    words = {"kinds": tuple(BODIES)}
    endpoints: Sequence[str] = ANSWERS
    kinds: Sequence[str] = tuple(BODIES)

    def after(self, call: Call, reply: Reply) -> Reply:
        if reply.fate is Fate.SEND and reply.body and self.strikes(call):
            kind = self.one_of(self.kinds, call)
            call.acted[-1] = f"malformed={kind}"
            BODIES[kind](reply)
        return reply


@dataclass(kw_only=True, eq=False)
class Dribble(Spoiler):
    """The body trickles, `bps` bytes a second."""

    name = "dribble"
    endpoints: Sequence[str] = READS
    bps: float = 50.0

    def after(self, call: Call, reply: Reply) -> Reply:
        if self.strikes(call):
            reply.bytes_per_second = self.bps
        return reply


@dataclass(kw_only=True, eq=False)
class Denial(Spoiler):
    """An order that was taken is answered with "success": false beside its number."""

    name = "denial"
    endpoints: Sequence[str] = ("confirm",)

    def after(self, call: Call, reply: Reply) -> Reply:
        if reply.status < HTTPStatus.MULTIPLE_CHOICES and reply.body[:1] == b"{" and self.strikes(call):
            reply.body = orjson.dumps({**orjson.loads(reply.body), "success": False})
        return reply


QUANTITY = ("available", "quantity", "stock_quantity", "amountOnSale")
PAGING = ("total", "next", "total_results", "totalCount", "pageInfo")


@dataclass(kw_only=True, eq=False)
class SchemaDrift(Spoiler):
    """The answers change their form.  after_s: seconds since the supplier opened.

    change: "rename" and "nest" the quantity, "type" (it becomes a list), "paging" (what tells of further pages is
    called otherwise), "status" (orders are in a state that nobody knows), "wrap" (everything in `data`).
    """

    name = "schema_drift"
    words = {"change": ("rename", "nest", "type", "paging", "status", "wrap")}
    endpoints: Sequence[str] = ANSWERS
    change: str = "rename"
    after_s: float = 0.0

    def after(self, call: Call, reply: Reply) -> Reply:
        if reply.body[:1] in (b"{", b"[") and call.uptime >= self.after_s and self.strikes(call):
            document = orjson.loads(reply.body)
            reply.body = orjson.dumps({"data": document} if self.change == "wrap" else self._changed(document))
        return reply

    def _changed(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self._changed(item) for item in node]
        if not isinstance(node, dict):
            return node
        return dict(self._pair(key, value) for key, value in node.items())

    def _pair(self, key: str, value: Any) -> tuple[str, Any]:
        value = self._changed(value)
        if key in QUANTITY:
            match self.change:
                case "rename":
                    return f"{key}_v2", value
                case "nest":
                    return key, {"value": value, "unit": "pcs"}
                case "type":
                    return key, [value]
        if self.change == "paging" and key in PAGING:
            return f"{key}_v2", value
        if self.change == "status" and key == "status":
            return key, "AWAITING_CARRIER"
        return key, value
