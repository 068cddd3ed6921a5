"""Fill an empty shop: `python -m shop.seed CODE=UNITS…` gives every code a product with so many units."""

import os
import sys

import django


def seed(stock: dict[str, int]) -> None:
    from django.contrib.auth import get_user_model  # noqa: PLC0415  # importable only after django.setup()
    from oscar.core.loading import get_model  # noqa: PLC0415

    get_user_model().objects.create_superuser("admin", "admin@shop.example", os.environ["SHOP_ADMIN_PASSWORD"])
    get_model("address", "Country").objects.create(
        iso_3166_1_a2="CN",
        iso_3166_1_a3="CHN",
        iso_3166_1_numeric="156",
        printable_name="China",
        name="China",
        is_shipping_country=True,
    )
    product_class = get_model("catalogue", "ProductClass").objects.create(name="goods", requires_shipping=False)
    partner = get_model("partner", "Partner").objects.create(name="Warehouse")
    for code, units in stock.items():
        product = get_model("catalogue", "Product").objects.create(
            upc=code, title=code, product_class=product_class, is_public=True
        )
        get_model("partner", "StockRecord").objects.create(
            product=product, partner=partner, partner_sku=code, num_in_stock=units, price="9.90", price_currency="GBP"
        )


if __name__ == "__main__":
    django.setup()
    goods = (argument.rpartition("=") for argument in sys.argv[1:])
    seed({code: int(units) for code, _, units in goods})
