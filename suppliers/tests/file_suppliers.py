"""Suppliers whose catalogue is a file in a folder."""

import itertools
from pathlib import Path
from typing import Any

from suppliers.gateway import Gateway, for_supplier
from suppliers.models import Supplier
from suppliers.readings import StockRow

numbers = itertools.count(1)
MAP = {"uid": "Article", "sku": "Article", "available": "Stock"}
CSV = {"base_url": "folder:", "path": "stock.csv", "format": "csv", "map": MAP, "still_seconds": 0}
JSON_MAP = {"uid": "id", "sku": "sku", "available": "stock"}


def gateway(**config: Any) -> Gateway:
    whole = {name: value for name, value in {**CSV, **config}.items() if value is not None}
    return for_supplier(Supplier(slug=f"file-{next(numbers)}", adapter="file", config=whole))


def rows(root: Path, content: str | bytes, **config: Any) -> list[StockRow]:
    name = config.get("path", CSV["path"])
    (root / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return [row for page in gateway(**config).snapshot() for row in page.rows]


def units(root: Path, content: str | bytes, **config: Any) -> list[tuple[str, int | None]]:
    return [(row.sku, row.available) for row in rows(root, content, **config)]
