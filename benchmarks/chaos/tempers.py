"""The chaos supplier's profiles on a clock that runs faster, so that a pair takes seconds, not hours."""

from typing import Any

from suppliers.simulator.profiles import PROFILES

# What is different from the profile: chances as they are, times shorter.
FASTER: dict[str, dict[str, Any]] = {
    "slow": {"latency": {"median_ms": 300, "hang_p": 0.02}, "dribble": {"p": 0.05, "bps": 500}},
    "stale": {"lag": {"lag_s": 0.5, "jitter": 0.2, "replicas": 2, "cache_ttl_s": 0.5}},
    "flaky": {"bursts": {"mtbf_s": 5, "mttr_s": 1}},
    "sale_day": {
        "latency": {"median_ms": 100, "hang_p": 0.01},
        "lag": {"lag_s": 1, "jitter": 0.3},
        "throttle": {"rate": 30},
    },
    "amnesiac": {"late_readback": {"lag_s": 1}, "async_accept": {"after_s": 0.5, "cancel_after_s": 3}},
    "everything": {
        "latency": {"median_ms": 50, "hang_p": 0.01},
        "lag": {"lag_s": 0.5, "jitter": 0.2},
        "late_readback": {"lag_s": 1},
        "async_accept": {"after_s": 0.5, "cancel_after_s": 3},
        "bursts": {"mtbf_s": 5, "mttr_s": 1, "p": 1},
        "churn": {"period_s": 3},
    },
}
SETTLEMENT_LAG = 3  # seconds; more than any of these lags, replicas and caches included
# Tempers that show more than there is, by so many times: below the jump that is waited with, so it is believed.
INFLATED = {"liar": 1.5, "sale_day": 1.5, "everything": 1.5}
# Tempers that sell more than they have by themselves.
OVERSELLS = frozenset({"sale_day", "everything"})
TEMPERS = tuple(PROFILES)


def scenario(temper: str, push: dict[str, str]) -> dict[str, Any]:
    """What `PUT /_chaos` takes.  push: where to, the secret and the scheme, for tempers that push."""
    told = {"profile": temper, **FASTER.get(temper, {})}
    if "webhooks" in PROFILES[temper]:
        told["webhooks"] = dict(push)
    return told
