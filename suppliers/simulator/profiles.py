"""Suppliers by temper: named scenarios to start from."""

from typing import Any

PROFILES: dict[str, dict[str, Any]] = {
    "calm": {},
    "slow": {"latency": {"median_ms": 800, "sigma": 0.7, "hang_p": 0.005}},
    "stale": {"lag": {"lag_s": 60, "jitter": 1.0}},
    "flaky": {
        "throttle": {"p": 0.05, "retry_after": 1},
        "server_error": {"p": 0.05},
        "lost_reply": {"p": 0.02},
        "truncated": {"p": 0.02},
        "html_200": {"p": 0.02},
        "error_in_200": {"p": 0.02},
    },
    "sale_day": {
        "latency": {"median_ms": 400, "sigma": 0.7, "hang_p": 0.002},
        "lag": {"lag_s": 20, "jitter": 0.5},
        "inflation": {"k": 1.5},
        "own_oversell": {"race_window_ms": 50},
        "throttle": {"rate": 20, "burst": 20, "retry_after": 1},
    },
    # Forgets to answer, takes part of an order, repeats what it is told twice.
    "amnesiac": {"lost_reply": {"p": 0.2}, "partial": {}, "late_readback": {"lag_s": 2}},
}
