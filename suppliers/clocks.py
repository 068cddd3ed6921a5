"""How far a supplier's clock runs ahead of ours, learned from the Date of its answers.

What a supplier pushes is as old as its own clock says.  Were that clock fast and we did not know, an old number would
look new and settle orders that it does not include.  So what is kept is an upper bound: a moment that is corrected by
it is never later than the true one.
"""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import redis

from suppliers.shared_state import shared_state

# The largest of an hour counts: slow answers and caches make a single one say too much or too little.
KEPT_SECONDS = 3_600
ROUNDING = 1.0  # seconds; Date and Age are cut to whole ones


def learn(name: str, headers: Mapping[str, str], sent_at: float) -> None:
    """Note what an answer says.  sent_at: `time.time()` when its request left."""
    ahead = bound(headers, sent_at)
    client = shared_state().client() if ahead is not None else None
    if ahead is None or client is None:
        return
    try:
        known = client.get(_key(name))
        if known is None or ahead > float(known):
            client.set(_key(name), repr(ahead), ex=KEPT_SECONDS)
    except redis.RedisError:
        shared_state().lost()


def ahead_of_ours(name: str) -> float | None:
    """Seconds by which the supplier's clock is ahead of ours at most, negative if behind; None: not known."""
    client = shared_state().client()
    if client is None:
        return None
    try:
        known = client.get(_key(name))
    except redis.RedisError:
        shared_state().lost()
        return None
    return None if known is None else float(known)


def bound(headers: Mapping[str, str], sent_at: float) -> float | None:
    """What one answer says; None if it tells no time."""
    try:
        date = parsedate_to_datetime(headers.get("Date", "")).timestamp()
        age = float(headers.get("Age", 0))
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    # Upstream wrote its Date after our request had left; a cache on the way says how long ago.
    return date + ROUNDING + (age + ROUNDING if age > 0 else 0.0) - sent_at


def _key(name: str) -> str:
    return f"supplier:{{{name}}}:clock"
