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


_LISTING = """query($first: Int!, $after: String) {
  stock(first: $first, after: $after) { nodes { id sku available location updated_at } total pageInfo { endCursor } }
}"""
_ROWS = "query($ids: [String!]) { stockRows(ids: $ids) { nodes { id sku available location updated_at } } }"
_PLACE = "mutation($ref: String!, $lines: [Line!]!) { placeOrder(ref: $ref, lines: $lines) { order { order_id } } }"
_ORDERS = "query($ref: String!) { orders(ref: $ref) { nodes { order_id ref status lines { id quantity } } } }"
_CANCEL = "mutation($id: String!) { cancelOrder(id: $id) { orders { order_id } } }"


def _asking(query: str, **variables: Any) -> Json:
    """The variables of GraphQL are not those of the adapter, which writes its own dollar sign as two."""
    return {
        "method": "POST",
        "path": "/graphql",
        "json": {"query": query.replace("$", "$$"), "variables": variables},
    }


def graphql_config(url: str, size: int = 1_000) -> Json:
    """The same for the dialect `graphql`, which is plain JSON to the adapter."""
    code, ours = "errors[0].extensions.code", "data.orders.nodes[?ref == $ref]"
    return {
        "base_url": url,
        "auth": {"type": "bearer", "token": "$secret.token"},
        "limits": {"rate": 200, "burst": 200},
        "errors": [
            {"when": f"{code} == 'SYSTEM_BUSY'", "is": "transient"},
            {"when": f"{code} == 'TOO_MANY_REQUESTS'", "is": "throttle"},
            {"when": f"{code} != 'NO_STOCK' && errors[0].message", "is": "malformed"},
        ],
        "list": {
            "request": _asking(_LISTING, first=size, after="$cursor"),
            "items": "data.stock.nodes",
            "total": "data.stock.total",
            "paginate": {"type": "cursor", "next": "data.stock.pageInfo.endCursor"},
            "map": _MAP,
        },
        "fetch": {
            "request": _asking(_ROWS, ids="$uids"),
            "items": "data.stockRows.nodes",
            "batch": 100,
            "absent": "missing",
        },
        "confirm": {
            "request": _asking(_PLACE, ref="$ref", lines="$lines"),
            "line": {"id": "$line.uid", "quantity": "$line.quantity"},
            "accepted": "data.placeOrder.order.status == 'accepted'",
            "order_id": "data.placeOrder.order.order_id",
            "stock_rejected": f"{code} == 'NO_STOCK'",
            "lines": {"items": "data.placeOrder.order.lines", "uid": "id", "quantity": "quantity"},
        },
        "readback": {
            "request": _asking(_ORDERS, ref="$ref"),
            "items": "data.orders.nodes",
            "accepted": f"{ours} | [?status == 'accepted'] | [0]",
            "rejected": f"{ours} | [?status == 'cancelled'] | [0]",
            "order_id": f"join(',', {ours}.order_id)",
            "lines": {"items": f"{ours}.lines[]", "uid": "id", "quantity": "quantity"},
        },
        "cancel": {"request": _asking(_CANCEL, id="$order_id"), "accepted": "data.cancelOrder.orders[0]"},
    }


def config_of(url: str, dialect: str, size: int = 1_000) -> Json:
    """What the REST adapter has to know of a chaos supplier in any dialect that it can speak."""
    return graphql_config(url, size) if dialect == "graphql" else rest_config(url, dialect, size)


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
