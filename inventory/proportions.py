"""Exact confidence limits of a proportion.  Pure functions, on weighted counts as on whole ones.

Source: Clopper–Pearson limits as quantiles of the beta distribution; the incomplete beta function by the continued
fraction of DLMF 8.17.22, with Lentz's algorithm.
"""

import math

_TINY = 1e-300
_PRECISION = 1e-12
_ROUNDS = 1_000


def upper_limit(hits: float, trials: float, confidence: float) -> float:
    """The largest proportion that hits in trials leave plausible, at this one-sided confidence."""
    if trials <= 0 or hits >= trials:
        return 1.0
    low, high = hits / trials, 1.0
    while high - low > 1e-4 * high:  # finer than any target is meant
        middle = (low + high) / 2
        if incomplete_beta(middle, hits + 1, trials - hits) < confidence:
            low = middle
        else:
            high = middle
    return high


def exceeds(hits: float, trials: float, proportion: float, confidence: float) -> bool:
    """Whether the true proportion is above this one, at this one-sided confidence."""
    if hits <= 0:
        return False
    return incomplete_beta(proportion, hits, max(0.0, trials - hits) + 1) < 1 - confidence


def incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function: P(X ≤ x) of a beta distribution with a, b > 0."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    # The fraction converges fast on this side of the mean only.
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, _inverse(1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, _ROUNDS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = _inverse(1 + term * d)
            c = _away_from_zero(1 + term / c)
            result *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return result


def _inverse(value: float) -> float:
    return 1 / _away_from_zero(value)


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
