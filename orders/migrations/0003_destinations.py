from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0012_resourcing"),
        ("orders", "0002_order_placed_at"),
    ]

    operations = [
        # Promises know where to, so that they move to no level that may not ship there.
        migrations.RunSQL(
            "UPDATE inventory_allocation allocation SET destination = placed.destination FROM orders_order placed"
            " WHERE placed.number = allocation.reference AND placed.destination <> ''"
            " AND allocation.state IN ('committed', 'sending', 'confirmed')",
            migrations.RunSQL.noop,
        ),
    ]
