"""What a merchant fills in for a supplier."""

import json
from typing import Any

SECRET = "hunter2-very-secret"


def config(base_url: str = "https://acme.example/api", **parts: object) -> dict[str, Any]:
    listing = {
        "request": {"path": "/stock", "headers": {"X-Token": "$secret.token"}},
        "items": "items",
        "paginate": {"type": "none"},
        "map": {"uid": "id", "sku": "sku", "available": "units"},
    }
    return {"base_url": base_url, "list": listing, **parts}


def form_of(**fields: object) -> dict[str, object]:
    given = {
        "name": "Acme",
        "slug": "acme",
        "enabled": "on",
        "adapter": "rest",
        "config": config(),
        "buffer": 0,
        "haircut": "1",
        "sentinel_at": 9999,
        "sentinel_cap": 50,
        "jump_units": 5,
        "jump_ratio": 3,
        "hard_jump_ratio": 10,
        "settlement_lag_seconds": 60,
        "decrements_on": "order",
        "unsettled_after_seconds": 86_400,
        "recheck_for_seconds": 604_800,
        "stale_after_seconds": 900,
        "expire_after_seconds": "",
        "snapshot_interval_seconds": 900,
        "min_row_ratio": "0.8",
        "missing_after": 3,
        "mass_zero_share": "0.5",
        "mass_jump_share": "0.5",
        "on_rejection": "resource",
        "buffer_target": "0.001",
        "buffer_cold_start": 2,
        "buffer_at_least": 0,
        "buffer_at_most": 20,
        **fields,
    }
    if isinstance(given["config"], dict):
        given["config"] = json.dumps(given["config"])
    return given
