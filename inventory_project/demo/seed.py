"""What the demo starts with: suppliers, SKUs, a storefront with a key, and an admin.  Safe to run again."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User

from inventory.models import Sku
from inventory_project.localstack.keys import keep
from storefronts.models import ApiKey, Storefront
from suppliers.credentials import seal
from suppliers.models import Supplier
from suppliers.simulator.configuration import rest_config

ADMIN = "admin"
STOREFRONT = "demo"
SHARED = {"MUG-01": 30, "MUG-02": 12, "MUG-03": 60, "MUG-04": 5}  # sold by every supplier


@dataclass(frozen=True)
class DemoSupplier:
    """A chaos supplier: its temper (a scenario), its dialect, and how far its numbers lie behind its own orders."""

    slug: str
    name: str
    dialect: str
    goods: str
    scenario: dict[str, Any] = field(default_factory=dict)
    settlement_lag_seconds: int = 2

    def catalogue(self) -> list[dict[str, Any]]:
        """What it has, in the chaos supplier's own format."""
        own = {f"{self.goods}-{number:02}": 10 + number * 7 % 45 for number in range(1, 13)}
        return [{"sku": sku, "stock": stock} for sku, stock in {**own, **SHARED}.items()]


SUPPLIERS = (
    DemoSupplier("north-depot", "North Depot (reliable)", "rest_page", "TEA"),
    DemoSupplier(
        "harbour-trading",
        "Harbour Trading (errors, lost replies)",
        "rest_cursor",
        "LAMP",
        {"profile": "flaky"},
    ),
    DemoSupplier(
        "old-mill",
        "Old Mill (slow, its numbers are seconds late)",
        "rest_offset",
        "WOOL",
        {"latency": {"median_ms": 250, "sigma": 0.5}, "lag": {"lag_s": 4, "jitter": 0.5}},
        settlement_lag_seconds=8,
    ),
)


def all_skus() -> list[str]:
    """Every SKU of the demo."""
    return sorted({line["sku"] for supplier in SUPPLIERS for line in supplier.catalogue()})


@dataclass(frozen=True)
class Address:
    """Where a demo supplier runs."""

    slug: str
    url: str
    token: str


def write_catalogue(supplier: DemoSupplier, folder: Path) -> Path:
    """The file that its chaos supplier starts from."""
    path = folder / f"{supplier.slug}.json"
    path.write_text(json.dumps(supplier.catalogue()))
    return path


def seed(addresses: Sequence[Address], folder: Path) -> dict[str, str]:
    """Bring the database to what the demo needs; returns `api_key`, `admin_user` and `admin_password`."""
    for supplier, address in zip(SUPPLIERS, addresses, strict=True):
        save_supplier(supplier, address)
    Sku.objects.bulk_create(
        [Sku(code=code, name=code.replace("-", " ").title()) for code in all_skus()], ignore_conflicts=True
    )
    return {
        "api_key": new_key(),
        "admin_user": ADMIN,
        "admin_password": save_admin(keep(folder / "admin-password", lambda: secrets.token_urlsafe(9))),
    }


def save_supplier(supplier: DemoSupplier, address: Address) -> None:
    """Create it, or point it to where it runs this time."""
    config = rest_config(address.url, supplier.dialect, size=5)
    # Soon open again: who watches wants to see it healed.
    config["limits"] |= {"breaker_seconds": 5, "total_seconds": 5, "call_seconds": 10}
    Supplier.objects.update_or_create(
        slug=supplier.slug,
        defaults={
            "name": supplier.name,
            "config": config,
            "credentials": seal({"token": address.token}),
            "settlement_lag_seconds": supplier.settlement_lag_seconds,
            "snapshot_interval_seconds": 10,
            "stale_after_seconds": 30,
            "jump_ratio": None,
        },
    )


def doubt_jumps() -> None:
    """From now on: until the first snapshot, a supplier that starts anew with all its goods is no boaster."""
    jump_ratio = Supplier._meta.get_field("jump_ratio").get_default()
    Supplier.objects.filter(slug__in=[supplier.slug for supplier in SUPPLIERS]).update(jump_ratio=jump_ratio)


def new_key() -> str:
    """A key with every scope; earlier ones of the demo end, because a key is shown only once."""
    storefront, _ = Storefront.objects.get_or_create(slug=STOREFRONT, defaults={"name": "Demo shop"})
    for earlier in ApiKey.objects.filter(storefront=storefront):
        earlier.delete()
    _, key = ApiKey.objects.create_key(name="demo", storefront=storefront)
    return str(key)


def save_admin(password: str) -> str:
    """The admin's password, in force."""
    admin, _ = User.objects.get_or_create(username=ADMIN, defaults={"is_staff": True, "is_superuser": True})
    if not admin.check_password(password):
        admin.set_password(password)
        admin.save()
    return password
