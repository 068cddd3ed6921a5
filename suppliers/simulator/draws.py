"""Chance that repeats: every decision is a hash of what it is about, never a global random state."""

import hashlib
import math
from statistics import NormalDist

_NORMAL = NormalDist()


def draw(*about: object) -> float:
    """A number in (0, 1) that depends on its arguments alone, so that concurrency cannot change it."""
    text = "\x1f".join(map(str, about))
    number = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
    return (number + 0.5) / 2**64


def lognormal(chance: float, median: float, sigma: float) -> float:
    """The value of a lognormal distribution at this quantile: what response times and delays look like."""
    return median * math.exp(sigma * _NORMAL.inv_cdf(min(chance, 1 - 1e-12)))
