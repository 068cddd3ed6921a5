"""The REST adapter's configuration for a chaos supplier; docs/suppliers.md explains each key."""

from typing import Any

Json = dict[str, Any]

_MAP: Json = {
    "uid": "id",
    "sku": "sku",
    "location": "location",
    "available": "available",
    "updated_at": {"path": "updated_at", "format": "iso"},
}
_ANY_OF_OURS = "items[?ref == $ref]"  # the parts of a split order all carry our reference


def _list(dialect: str, size: int) -> Json:
    match dialect:
        case "rest_page":
            params, paginate = {"page": "$page", "size": size}, {"type": "page", "first": 1, "size": size}
            counted = {"items": "items", "total": "total"}
        case "rest_offset":
            params, paginate = {"offset": "$offset", "limit": size}, {"type": "offset", "size": size}
            counted = {"items": "items", "total": "total"}
        case "rest_cursor":
            params, paginate = {"cursor": "$cursor", "limit": size}, {"type": "cursor", "next": "next"}
            counted = {"items": "items"}
        case "rest_link":
            params, paginate = {"size": size}, {"type": "link"}
            counted = {"items": "@", "total_header": "X-Total-Count"}
        case _:
            raise ValueError(f"no dialect {dialect!r}")
    return {"request": {"path": "/stock", "params": params}, "paginate": paginate, "map": _MAP, **counted}


def rest_config(url: str, dialect: str = "rest_page", size: int = 1_000) -> Json:
    """The `config` of a supplier at this URL; its `credentials` are {"token": …}.  size: rows per page."""
    return {
        "base_url": url,
        "auth": {"type": "bearer", "token": "$secret.token"},
        "limits": {"rate": 200, "burst": 200},
        "errors": [{"when": "error.code == 'SYSTEM_BUSY'", "is": "transient"}],
        "list": _list(dialect, size),
        "fetch": {
            "request": {"path": "/stock", "params": {"id": "$uids_csv"}},
            "items": "items",
            "batch": 100,
            "absent": "missing",
        },
        "confirm": {
            "request": {"method": "POST", "path": "/orders", "json": {"ref": "$ref", "lines": "$lines"}},
            "line": {"id": "$line.uid", "quantity": "$line.quantity"},
            "accepted": "order_id",
            "order_id": "order_id",
            "stock_rejected": "error.code == 'NO_STOCK'",
            "lines": {"items": "lines", "uid": "id", "quantity": "quantity"},
        },
        "readback": {
            "request": {"path": "/orders", "params": {"ref": "$ref"}},
            "items": "items",
            "accepted": "items[?ref == $ref && status == 'accepted'] | [0]",
            "rejected": "items[?ref == $ref && status == 'cancelled'] | [0]",
            "order_id": f"join(',', {_ANY_OF_OURS}.order_id)",
            "lines": {"items": f"{_ANY_OF_OURS}.lines[]", "uid": "id", "quantity": "quantity"},
        },
        "cancel": {"request": {"method": "POST", "path": "/orders/$order_id/cancel"}},
    }
