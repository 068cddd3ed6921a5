"""What upstreams do to their clients: one small class each, its fields are its parameters.

To add one: subclass the base class of the moment it acts at (`Fault` before the request takes effect, `Distortion` on
the numbers reported, `RowFault` on how a row is written, `PageFault` on what a page shows, `Spoiler` on the finished
answer, `Rule` in the decision of a sale), give it a name and defaults, and list it in `BEHAVIOURS`.
"""

from .base import Behaviour, Distortion, Fault, JsonRow, PageFault, RowFault, Rule, Spoiler
from .faults import Broken, Bursts, Down, ErrorIn200, Html200, Latency, Reject, ServerError, Sunset
from .pages import CursorExpiry, EmptyBlip, FilterIgnored, LastPageRepeats, ShiftingList, UnstablePaging
from .pushes import Webhooks
from .reports import Inflation, Lag, Phantom
from .rows import Churn, Clock, QuantityTypes, SkuVariance
from .rules import AsyncAccept, LateReadback, OwnOversell, Partial, Split
from .spoilers import Denial, Dribble, LostReply, Malformed, SchemaDrift, Truncated
from .throttle import Throttle
from .tokens import TokenBook, Tokens

# The order in which they act.
BEHAVIOURS: dict[str, type[Behaviour]] = {
    kind.name: kind
    for kind in (
        Down,
        Bursts,
        Broken,
        Latency,
        Throttle,
        Tokens,
        Sunset,
        ServerError,
        ErrorIn200,
        Html200,
        EmptyBlip,
        FilterIgnored,
        CursorExpiry,
        Reject,
        Lag,
        Phantom,
        Inflation,
        Churn,
        QuantityTypes,
        SkuVariance,
        Clock,
        ShiftingList,
        LastPageRepeats,
        UnstablePaging,
        Partial,
        Split,
        AsyncAccept,
        OwnOversell,
        LateReadback,
        Denial,
        SchemaDrift,
        LostReply,
        Malformed,
        Truncated,
        Dribble,
        Webhooks,
    )
}

__all__ = [
    "BEHAVIOURS",
    "AsyncAccept",
    "Behaviour",
    "Clock",
    "Distortion",
    "EmptyBlip",
    "Fault",
    "FilterIgnored",
    "JsonRow",
    "LateReadback",
    "OwnOversell",
    "PageFault",
    "Partial",
    "Phantom",
    "RowFault",
    "Rule",
    "Split",
    "Spoiler",
    "TokenBook",
    "Tokens",
    "Webhooks",
]
