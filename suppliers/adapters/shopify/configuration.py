"""What a Shopify supplier's configuration holds."""

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

from suppliers.adapters import validation
from suppliers.adapters.platforms import platform_schema
from suppliers.adapters.schema import TEXT

VERSION = "2026-04"
PAGE_SIZE = 50  # items of a page; each costs about a point for itself and for each selected location
VALIDATOR = Draft202012Validator(
    platform_schema(
        "base_url locations",
        # From 2026-01 on an adjustment compares with `changeFromQuantity` and knows `@idempotent`.
        version={"type": "string", "pattern": "^(2026-(01|04|07|10)|202[7-9]-(01|04|07|10))$"},
        locations={
            "type": "array",
            "items": {"type": "string", "pattern": "^[0-9]{1,20}$"},
            "minItems": 1,
            "maxItems": 20,
            "uniqueItems": True,
        },
        bulk={"type": "boolean"},
        result_hosts={"type": "array", "items": TEXT, "minItems": 1, "maxItems": 5},
        page_size={"type": "integer", "minimum": 1, "maximum": 250},
        poll_seconds={"type": "number", "minimum": 0.01, "maximum": 60},
    )
)


def faults_of(config: Any) -> list[str]:
    return validation.shape_faults(VALIDATOR, config) or [
        *validation.address_faults(config),
        *validation.shared_faults(config),
    ]


def secrets_of(config: Mapping[str, Any]) -> dict[str, str]:
    return {"token": "the Admin API access token", **validation.secrets_of(config)}
