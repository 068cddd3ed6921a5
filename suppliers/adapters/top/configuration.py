"""What a TOP supplier's configuration holds."""

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

from suppliers.adapters import validation
from suppliers.adapters.platforms import platform_schema
from suppliers.adapters.schema import TEXT

PAGE_SIZE = 20  # items; each costs a call of its own for its SKUs
# What says that the stock does not suffice is not in the published list of codes: these are set as they are met.
STOCK_SUB_CODES = ("isv.item-quantity-not-enough",)
VALIDATOR = Draft202012Validator(
    platform_schema(
        "base_url",
        sign_method={"enum": ["md5", "hmac", "hmac-sha256"]},
        deducts={"enum": ["by_item", "order", "payment"]},
        page_size={"type": "integer", "minimum": 1, "maximum": 200},
        writes={"type": "boolean"},
        stock_sub_codes={"type": "array", "items": TEXT, "maxItems": 20},
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
        "session": "the session key that the seller's authorisation gave",
    }
    return {**own, **validation.secrets_of(config)}
