"""What a test finds, for a person: each with what it means and what to do next."""

from collections.abc import Sequence

from suppliers.errors import (
    AuthExpired,
    BlockedAddress,
    CircuitOpen,
    Forbidden,
    Malformed,
    NotConfigured,
    SupplierError,
    Throttled,
    Transient,
    UpstreamTimeout,
)
from suppliers.readings import Finding, Grade

ADVICE: Sequence[tuple[type[SupplierError], str]] = (
    (AuthExpired, "Check auth, and enter the credentials again: they are wrong, or no longer valid."),
    (Forbidden, "The credentials are right, but may not do this: ask the supplier for the permission to read stock."),
    (Throttled, "Wait a little; if it comes again, lower limits.rate and limits.burst."),
    (CircuitOpen, "It failed too often just now and is left alone for a while: wait half a minute, then test again."),
    (
        UpstreamTimeout,
        "Is the address right? A slow supplier needs more limits.read_seconds and limits.total_seconds.",
    ),
    (Transient, "Check base_url; if it is right, the supplier is down: test again later."),
    (BlockedAddress, "Only public addresses with https are called, and only the host of base_url."),
    (NotConfigured, "Correct the configuration or the credentials."),
    (Malformed, "Compare the answer with what list.items, list.total and list.map name."),
)


def good(subject: str, detail: str) -> Finding:
    return Finding(subject, Grade.GOOD, detail)


def note(subject: str, detail: str, advice: str) -> Finding:
    """It works, but a person ought to know."""
    return Finding(subject, Grade.NOTE, detail, advice)


def bad(subject: str, detail: str, advice: str) -> Finding:
    return Finding(subject, Grade.BAD, detail, advice)


def failure(subject: str, error: SupplierError) -> Finding:
    return Finding(subject, Grade.BAD, str(error), advice_for(error), getattr(error, "evidence", ""))


def advice_for(error: SupplierError) -> str:
    return next((advice for kind, advice in ADVICE if isinstance(error, kind)), "")


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
