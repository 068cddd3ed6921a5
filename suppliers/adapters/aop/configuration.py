"""What a 1688 supplier's configuration holds."""

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

from suppliers.adapters import validation
from suppliers.adapters.platforms import platform_schema
from suppliers.adapters.schema import TEXT, record

RATE, BURST = 2.0, 4  # calls a second: the platform publishes no figure
PAGE_SIZE = 20  # offers; each costs a call of its own for its SKUs
SENTINEL = 9_999  # from here on a number is declared, not counted; the platform's own example says 99999
VALIDATOR = Draft202012Validator(
    platform_schema(
        "base_url pool",
        pool={"type": "integer", "minimum": 1},
        language=TEXT,
        page_size={"type": "integer", "minimum": 1, "maximum": 50},
        sentinel_at={"type": "integer", "minimum": 1},
        order=record("address", address={"type": "object", "minProperties": 1}, flow=TEXT, message=TEXT),
    )
)


def faults_of(config: Any) -> list[str]:
    return validation.shape_faults(VALIDATOR, config) or [
        *validation.address_faults(config),
        *validation.shared_faults(config),
    ]


def secrets_of(config: Mapping[str, Any]) -> dict[str, str]:
    own = {
        "app_key": "the application's key",
        "app_secret": "the application's secret, which signs",
        "refresh_token": "the refresh token that the buyer's authorisation gave",
    }
    return {**own, **validation.secrets_of(config)}
