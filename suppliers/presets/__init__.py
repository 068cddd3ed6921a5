"""Ready configurations of well-known systems: JSON beside this file, and here what a person has to know of each."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from suppliers.adapters import kind_of
from suppliers.adapters.kinds import UNTRIED

DIRECTORY = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Preset:
    """adapter: that its configuration is for.  notes: what to put in, and what it cannot.  tried: on which system."""

    name: str
    title: str
    notes: str
    tried: str = ""
    adapter: str = "rest"

    @property
    def proof(self) -> str:
        """How far it can be trusted, for a person who chooses it."""
        return f"Tried on {self.tried}." if self.tried else f"{UNTRIED.capitalize()}."

    @property
    def config(self) -> dict[str, Any]:
        return read(self.name)

    @property
    def secrets(self) -> dict[str, str]:
        """Name → what it is."""
        return dict(kind_of(self.adapter).secrets(self.config))


@cache
def read(name: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((DIRECTORY / f"{name}.json").read_text(encoding="utf-8"))
    return config


PRESETS = (
    Preset(
        "amazon-fba",
        "Amazon FBA (SP-API)",
        "Put in the host of your region and the marketplace (granularityId and marketplaceIds). Sells what is "
        "fulfillable only. FBA stock cannot be written and no order is placed: mark orders as ordered.",
    ),
    Preset(
        "magento",
        "Magento 2 / Adobe Commerce",
        "Put in base_url and, at the end of both salable-quantity paths, your stock id. Reads the salable "
        "quantity, one call a product: source items would overstate by every order that is not shipped. "
        "Cannot place orders.",
    ),
    Preset(
        "medusa",
        "Medusa 2",
        "Put in base_url. The secret is a secret API key (sk_…). An order is a reservation that carries our "
        "reference in line_item_id; surplus reservations are taken back.",
        tried="the real shop, version 2.21",
    ),
    Preset(
        "oscar",
        "django-oscar with its API",
        "Put in base_url, its host in both Session-Id headers, the address that goods are sent to and "
        "guest_email. The secret is base64 of user:password. Cannot call orders off.",
        tried="the real shop, django-oscar 4.2 with django-oscar-api 3.3",
    ),
    Preset(
        "saleor",
        "Saleor",
        "Put in base_url. The secret is the token of an app that may manage products. Available is the "
        "quantity less what is allocated and reserved. Cannot place orders.",
    ),
    Preset(
        "woocommerce",
        "WooCommerce",
        "Put in base_url and the address that goods are sent to. The secrets are a consumer key and secret "
        "with read and write access. Variations that share their parent's stock are one row, the parent's: "
        "offer it by hand.",
    ),
)
