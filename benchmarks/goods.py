"""SKUs to be sold and read, made in bulk; a supplier and a storefront to go with them."""

from collections.abc import Sequence

from django.db import connection, transaction

from inventory import ledger
from inventory.ledger import Origin
from inventory.models import Offer
from storefronts.models import ApiKey, Storefront
from suppliers.models import Supplier

NAME = "bench"
PLENTY = 100_000_000  # more than any step sells


def new_key() -> str:
    """An API key with every scope."""
    storefront, _ = Storefront.objects.get_or_create(slug=NAME, defaults={"name": "Benchmark"})
    _, key = ApiKey.objects.create_key(name=NAME, storefront=storefront)
    return str(key)


def supplier() -> Supplier:
    """Whose levels all of this is.  Nobody reads it: there is no worker."""
    found, _ = Supplier.objects.get_or_create(
        slug=NAME, defaults={"name": "Benchmark", "stale_after_seconds": 86_400, "expire_after_seconds": 864_000}
    )
    return found


def add_skus(codes: Sequence[str]) -> None:
    """New SKUs that nothing is sold of yet."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inventory_sku (code, name, active, stop_selling, splittable, safety_stock,"
            "  low_stock_threshold, version, created_at)"
            " SELECT code, '', true, false, true, 0, 5, 1, now() FROM unnest(%s::text[]) AS code",
            [list(codes)],
        )


def are_sold(codes: Sequence[str]) -> bool:
    """Whether each of these SKUs has an offer."""
    return Offer.objects.filter(sku__code__in=codes).count() >= len(codes)


def add(prefix: str, count: int = 1, units: int = PLENTY) -> Sequence[str]:
    """New SKUs `<prefix>-1` …, each sold from a level of its own with so many units; their codes."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inventory_sku (code, name, active, stop_selling, splittable, safety_stock,"
            "  low_stock_threshold, version, created_at)"
            " SELECT %s || '-' || n, '', true, false, true, 0, 5, 1, now() FROM generate_series(1, %s) n",
            [prefix, count],
        )
        cursor.execute(
            "INSERT INTO inventory_stocklevel (supplier_id, external_id, location, code, reported, components, flags,"
            "  read_at, sellable, allocated, version, misses, rejections)"
            " SELECT %s, %s || '-' || n, '', %s || '-' || n, %s, '{}', '[]', now(), %s, 0, 1, 0, 0"
            " FROM generate_series(1, %s) n RETURNING id",
            [supplier().pk, prefix, prefix, units, units, count],
        )
        level_ids = [level_id for (level_id,) in cursor.fetchall()]
        cursor.execute(
            "INSERT INTO inventory_offer (sku_id, level_id, priority)"
            " SELECT sku.id, level.id, 100 FROM inventory_stocklevel level JOIN inventory_sku sku USING (code)"
            " WHERE level.id = ANY(%s)",
            [level_ids],
        )
        ledger.append_openings(level_ids, Origin(actor=NAME))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE inventory_sku, inventory_stocklevel, inventory_offer, inventory_stockmovement")
    return [f"{prefix}-{number}" for number in range(1, count + 1)]
