"""What upstreams do to their clients: one small class each, its fields are its parameters.

To add one: subclass the base class of the moment it acts at (`Fault` before the request takes effect, `Distortion` on
the numbers reported, `PageFault` on the rows of a page, `Spoiler` on the finished answer, `Rule` in the decision of a
sale), give it a name and defaults, and list it in `BEHAVIOURS`.
"""

from .base import Behaviour, Distortion, Fault, JsonRow, PageFault, Rule, Spoiler
from .faults import Down, ErrorIn200, Html200, Latency, Reject, ServerError, Throttle
from .reports import EmptyBlip, Inflation, Lag, UnstablePaging
from .rules import LateReadback, OwnOversell, Partial
from .spoilers import LostReply, Truncated

__all__ = [
    "BEHAVIOURS",
    "Behaviour",
    "Distortion",
    "EmptyBlip",
    "Fault",
    "JsonRow",
    "LateReadback",
    "OwnOversell",
    "PageFault",
    "Partial",
    "Rule",
    "Spoiler",
]

# The order in which they act.
BEHAVIOURS: dict[str, type[Behaviour]] = {
    kind.name: kind
    for kind in (
        Down,
        Latency,
        Throttle,
        ServerError,
        ErrorIn200,
        Html200,
        EmptyBlip,
        Reject,
        Lag,
        Inflation,
        UnstablePaging,
        Partial,
        OwnOversell,
        LateReadback,
        LostReply,
        Truncated,
    )
}
