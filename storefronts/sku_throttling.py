"""So many orders and holds of one storefront for one SKU in a minute, counted once for all processes.

Off unless the storefront has a number for it.  Every ask counts, also one that is refused or repeated: it is the crowd
before a SKU that is kept in bounds.  While Redis is away each process counts for itself, as with all requests.
"""

import math
import time
from collections.abc import Iterable
from http import HTTPStatus

from limits import RateLimitItemPerMinute
from limits.strategies import FixedWindowRateLimiter

from storefronts import throttling
from storefronts.keys import Principal
from storefronts.problems import Problem


def count(asking: Principal, codes: Iterable[str]) -> None:
    """Count an order or a hold for these SKUs.  Raises: Problem 429 for the first of which there were enough."""
    if asking.orders_per_sku is None:
        return
    limit = RateLimitItemPerMinute(asking.orders_per_sku, namespace="orders")
    for code in codes:
        counter, allowed = throttling.hit(limit, str(asking.storefront_id), code)
        if not allowed:
            raise _enough(asking, code, counter, limit)


def _enough(asking: Principal, code: str, counter: FixedWindowRateLimiter, limit: RateLimitItemPerMinute) -> Problem:
    window_ends = counter.get_window_stats(limit, str(asking.storefront_id), code).reset_time
    return Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        "throttled",
        f"This storefront may ask for {limit.amount} orders of {code} in a minute. Nothing was placed; try later.",
        headers={"Retry-After": str(max(1, math.ceil(window_ends - time.time())))},
        sku=code,
    )
