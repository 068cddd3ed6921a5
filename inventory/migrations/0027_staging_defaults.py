"""What hardly a row of a snapshot has need not be sent for each of a million."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("inventory", "0026_stock_change")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE inventory_staging ALTER COLUMN components SET DEFAULT '{}', ALTER COLUMN flags SET DEFAULT '[]'",
            migrations.RunSQL.noop,
        ),
    ]
