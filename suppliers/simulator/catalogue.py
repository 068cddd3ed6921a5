"""What the supplier has to sell at the start."""

import json
from pathlib import Path

from .ledger import Item


def generated(rows: int, prefix: str = "SKU-", stock: int = 50) -> list[Item]:
    """`rows` items with `stock` units each; the same arguments give the same catalogue."""
    return [Item(f"r{number:07d}", f"{prefix}{number:06d}", "main", stock) for number in range(1, rows + 1)]


def from_file(path: Path) -> list[Item]:
    """A JSON list of {"sku", "stock", "id"?, "location"?}.  Raises ValueError on anything else."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return [
            Item(
                str(entry.get("id", f"r{number:07d}")),
                str(entry["sku"]),
                str(entry.get("location", "main")),
                int(entry["stock"]),
            )
            for number, entry in enumerate(entries, start=1)
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: not a list of {{sku, stock}} objects ({error!r})") from error
