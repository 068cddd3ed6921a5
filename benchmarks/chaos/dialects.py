"""What our side has to know of a chaos supplier in each of its dialects: adapter, configuration, secrets, row ids."""

import base64
import copy
from typing import Any

from suppliers import presets
from suppliers.simulator.configuration import config_of
from suppliers.simulator.dialects.platforms import FIRST_SKU
from suppliers.simulator.dialects.woo import FIRST_PRODUCT, FIRST_VARIATION

PAGE = 7  # rows
DIALECTS = (
    "rest_page", "rest_offset", "rest_cursor", "rest_link", "graphql", "shopify_lite", "top", "aop1688", "woo_lite",
    "file",
)  # fmt: skip
ADAPTERS = {"shopify_lite": "shopify", "top": "top", "aop1688": "aop1688", "file": "file"}  # otherwise rest
BY_HAND = frozenset({"file"})  # cannot be told of orders: somebody places them there
CALL_SECONDS = 2.0  # the deadline of one call; a read of several has twice that
LIMITS = {
    "rate": 200,
    "burst": 200,
    "total_seconds": CALL_SECONDS,
    "read_seconds": CALL_SECONDS,
    "call_seconds": 2 * CALL_SECONDS,
    "breaker_seconds": 1,
}
PUSH_SECRET = base64.b64encode(b"a secret for the pushes of a run").decode()
PUSH = {
    "scheme": "standard_webhooks",
    "secret": "$secret.push",
    "events": "events",
    "map": {
        "uid": "id",
        "location": "location",
        "available": "available",
        "updated_at": {"path": "at", "format": "iso"},
    },
    "clock_ahead_seconds": 0,
}
# What WooCommerce says tells which row changed, by its code: its time is not that of the stock.
WOO_PUSH = {"scheme": "woocommerce", "secret": "$secret.push", "events": "events", "map": {"sku": "sku"}}
# First numbers of what a dialect numbers itself, the highest first.
FIRST_NUMBERS = (FIRST_SKU, FIRST_VARIATION, FIRST_PRODUCT)


def config(dialect: str, url: str) -> dict[str, Any]:
    """With deadlines as short as a run."""
    return {**_config(dialect, url), "limits": dict(LIMITS)}


def _config(dialect: str, url: str) -> dict[str, Any]:
    platform: dict[str, Any] = {"base_url": url, "page_size": PAGE}
    match dialect:
        case "shopify_lite":
            return {**platform, "locations": ["1"], "bulk": False}
        case "top":
            return {**platform, "base_url": f"{url}/router/rest", "deducts": "order", "writes": True}
        case "aop1688":
            return {**platform, "pool": 1, "order": {"address": {"fullName": "Chaos"}}}
        case "woo_lite":
            return _woo(url)
        case "file":
            return _file(url)
    return {**config_of(url, dialect, size=PAGE), "push": PUSH}


def secrets(token: str) -> dict[str, str]:
    """Every name under which an adapter may want the one secret that there is."""
    names = ("token", "app_secret", "session", "refresh_token", "consumer_key", "consumer_secret")
    return {"app_key": "1000000", "push": PUSH_SECRET, **dict.fromkeys(names, token)}


def pushing_to(dialect: str, url: str) -> dict[str, str]:
    """How it pushes, as the chaos supplier is told."""
    scheme = "woocommerce" if dialect == "woo_lite" else "standard_webhooks"
    return {"url": url, "secret": PUSH_SECRET, "scheme": scheme}


def row_number(uid: str) -> int:
    """Rows are numbered from 1, those of platforms from a number of their own."""
    number = int(uid.removeprefix("r").rpartition(":")[2])
    return number if uid.startswith("r") else number + 1 - next(first for first in FIRST_NUMBERS if first <= number)


def _woo(url: str) -> dict[str, Any]:
    """The shipped preset, in pages of the run's size.  This shop finds orders by their reference only, and keeps one
    key of `meta_data`; unlike WooCommerce it refuses what is not there.
    """
    config: dict[str, Any] = copy.deepcopy(presets.read("woocommerce"))
    config |= {"base_url": f"{url}/wp-json/wc/v3", "push": WOO_PUSH}
    config["list"]["paginate"]["size"] = PAGE
    config["confirm"] |= {"stock_rejected": "code == 'no_stock'", "accepted": "id && status != 'cancelled'"}
    ours = "[?meta_data[?value == $ref]]"
    config["readback"] = {
        "request": {"path": "/orders", "params": {"search": "$ref"}},
        "items": "@",
        "accepted": f"{ours} | [?status == 'processing'] | [0]",
        "rejected": f"{ours} | [?status == 'cancelled'] | [0]",
        "order_id": f"join(',', {ours}.number)",
    }
    # A row's id is the variation's where there is one.
    uid = "[variation_id, product_id][?@ != `0`] | [0]"
    config["confirm"]["lines"] = {"items": "line_items", "uid": uid, "quantity": "quantity"}
    config["readback"]["lines"] = {"items": f"{ours}.line_items[]", "uid": uid, "quantity": "quantity"}
    return config


def _file(url: str) -> dict[str, Any]:
    names = ("sku", "location", "available", "updated_at")
    return {
        "base_url": url,
        "path": "/stock.csv",
        "headers": {"Authorization": "Bearer $secret.token"},
        "format": "csv",
        "map": {"uid": "id", **{name: name for name in names}},
        "push": PUSH,
    }
