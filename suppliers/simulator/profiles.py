"""Suppliers by temper: named scenarios to start from."""

from typing import Any

Scenario = dict[str, dict[str, Any]]

SLOW: Scenario = {"latency": {"median_ms": 800, "sigma": 0.7, "hang_p": 0.005}, "dribble": {"p": 0.01, "bps": 200}}
STALE: Scenario = {"lag": {"lag_s": 60, "jitter": 1.0, "replicas": 3, "cache_ttl_s": 300}}
FLAKY: Scenario = {
    "throttle": {"p": 0.05, "retry_after": 1},
    "bursts": {"mtbf_s": 60, "mttr_s": 5},
    "broken": {"p": 0.02},
    "server_error": {"p": 0.05},
    "lost_reply": {"p": 0.02},
    "truncated": {"p": 0.02},
    "malformed": {"p": 0.03},
    "html_200": {"p": 0.02},
    "error_in_200": {"p": 0.02},
}
LIAR: Scenario = {
    "inflation": {"k": 1.5},
    "phantom": {"share": 0.1},
    "quantity_types": {"share": 0.1},
    "sku_variance": {"share": 0.1},
    "reject": {"p": 0.05},
}
PAGING_HELL: Scenario = {
    "shifting_list": {"p": 0.3, "mode": "insert"},
    "unstable_paging": {"p": 0.3},
    "last_page_repeats": {},
    "filter_ignored": {"p": 0.2},
    "empty_blip": {"p": 0.2},
    "cursor_expiry": {},
}
AMNESIAC: Scenario = {
    "lost_reply": {"p": 0.2},
    "partial": {},
    "split": {"p": 0.2},
    "async_accept": {"p": 0.3, "after_s": 1, "cancel_p": 0.1, "cancel_after_s": 5},
    "late_readback": {"lag_s": 2},
}

# Says what changed, but late, doubled, out of order, forged or never; where to, a scenario or PUT /_chaos has to tell.
WEBHOOK_STORM: Scenario = {
    "webhooks": {
        "sigma": 1.5,
        "reorder_s": 2,
        "late_p": 0.05,
        "late_s": 20,
        "dup_p": 0.2,
        "lost_p": 0.05,
        "bad_signature_p": 0.05,
        "replay_p": 0.1,
        "burst": 5,
    }
}

PROFILES: dict[str, Scenario] = {
    "calm": {},
    "slow": SLOW,
    "stale": STALE,
    "flaky": FLAKY,
    "sale_day": {
        "latency": {"median_ms": 400, "sigma": 0.7, "hang_p": 0.002},
        "lag": {"lag_s": 20, "jitter": 0.5},
        "inflation": {"k": 1.5},
        "own_oversell": {"race_window_ms": 50},
        "throttle": {"rate": 20, "burst": 20, "retry_after": 1},
    },
    "liar": LIAR,
    "webhook_storm": WEBHOOK_STORM,
    "paging_hell": PAGING_HELL,
    # Forgets to answer, takes part of an order or splits it, repeats what it is told twice, thinks better of it later.
    "amnesiac": AMNESIAC,
    # All of it, each a little: for long runs.
    "everything": {
        **{name: {**parameters, "p": min(0.05, parameters.get("p", 1))} for name, parameters in FLAKY.items()},
        **PAGING_HELL,
        **AMNESIAC,
        **LIAR,
        **WEBHOOK_STORM,
        "latency": {"median_ms": 100, "sigma": 0.7, "hang_p": 0.002},
        "lag": {"lag_s": 5, "jitter": 0.5, "replicas": 2},
        "own_oversell": {"p": 0.05},
        "denial": {"p": 0.05},
        "clock": {"skew_s": 300, "formats": ["iso", "naive", "epoch_ms_text"]},
        "churn": {"share": 0.1, "period_s": 30},
        "schema_drift": {"p": 0.02},
    },
}
