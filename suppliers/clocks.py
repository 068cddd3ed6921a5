"""How far a supplier's clock runs ahead of ours, learned from the Date of its answers, known to all processes.

What a supplier pushes is as old as its own clock says.  Were that clock fast and we did not know, an old number would
look new and settle orders that it does not include.  So for those times an upper bound is kept: a moment that is
corrected by it is never later than the true one.

A signature needs no bound but the likeliest value: its time must be near the supplier's own.  That is the median of
what the last answers said, so that a slow one, or one with a wrong Date, does not count.
"""

import statistics
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import redis

from suppliers.shared_state import shared_state

# The largest of an hour counts: slow answers and caches make a single one say too much or too little.
KEPT_SECONDS = 3_600
ROUNDING = 1.0  # seconds; Date and Age are cut to whole ones
KEPT_READINGS = 15  # of which the median counts
TOLERANCE = 5.0  # seconds; a smaller offset is the noise of rounding and of the way, and no signature fails for it


def learn(name: str, headers: Mapping[str, str], sent_at: float) -> float | None:
    """Note what an answer says; the seconds that it is ahead of ours by, None if it does not tell.

    sent_at: `time.time()` when its request left.
    """
    ahead = bound(headers, sent_at)
    if ahead is None:
        return None
    # The bound is from when the request left; most likely Date was written, and cut, half-way to its answer.
    likely = ahead - ROUNDING / 2 - (time.time() - sent_at) / 2
    client = shared_state().client()
    if client is not None:
        try:
            _keep(client, name, ahead, likely)
        except redis.RedisError:
            shared_state().lost()
    return likely


def offset(name: str) -> float:
    """Seconds to add to our time for a supplier that checks it; 0 while nothing else is known, or needed."""
    client = shared_state().client()
    if client is None:
        return 0.0
    try:
        said = [float(one) for one in client.lrange(_readings_key(name), 0, -1)]
    except redis.RedisError:
        shared_state().lost()
        return 0.0
    likely = statistics.median(said) if said else 0.0
    return likely if abs(likely) >= TOLERANCE else 0.0


def _keep(client: redis.Redis, name: str, ahead: float, likely: float) -> None:
    key = _readings_key(name)
    known = client.get(_key(name))
    with client.pipeline(transaction=False) as pipe:
        if known is None or ahead > float(known):
            pipe.set(_key(name), repr(ahead), ex=KEPT_SECONDS)
        pipe.lpush(key, repr(likely))
        pipe.ltrim(key, 0, KEPT_READINGS - 1)
        pipe.expire(key, KEPT_SECONDS)
        pipe.execute()


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


def _readings_key(name: str) -> str:
    return f"supplier:{{{name}}}:clock-readings"


def _key(name: str) -> str:
    return f"supplier:{{{name}}}:clock"
