"""The finished answer, lost or broken on its way; its effect stands."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from suppliers.simulator.messages import Call, Fate, Reply

from .base import Spoiler


@dataclass(kw_only=True, eq=False)
class LostReply(Spoiler):
    """The effect stands, the client never learns of it.  mode: "closed" or "hang"."""

    name = "lost_reply"
    words = {"mode": ("closed", "hang")}
    endpoints: Sequence[str] = ("confirm",)
    mode: str = "closed"

    def after(self, call: Call, reply: Reply) -> Reply:
        if reply.status >= HTTPStatus.MULTIPLE_CHOICES or not self.strikes(call):
            return reply
        return Reply(0, fate=Fate.HANG if self.mode == "hang" else Fate.CLOSE)


@dataclass(kw_only=True, eq=False)
class Truncated(Spoiler):
    """JSON that ends too early.  mode: "short" with a matching Content-Length, "cut" with the full one."""

    name = "truncated"
    words = {"mode": ("short", "cut")}
    endpoints: Sequence[str] = ("list", "fetch", "readback")
    keep: float = 0.6
    mode: str = "short"

    def after(self, call: Call, reply: Reply) -> Reply:
        if not reply.body or not self.strikes(call):
            return reply
        if self.mode == "cut":
            return dataclasses.replace(reply, fate=Fate.CUT)
        return dataclasses.replace(reply, body=reply.body[: int(len(reply.body) * self.keep)])
