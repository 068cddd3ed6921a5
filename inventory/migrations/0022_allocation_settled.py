"""The orders that a level's number took in lately are found without reading all; the table is written to meanwhile."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("inventory", "0021_lag_breach")]

    operations = [
        AddIndexConcurrently(
            "allocation",
            models.Index(
                fields=["level", "closed_at"],
                condition=models.Q(state="settled", confirmed_at__isnull=False),
                name="allocation_settled",
            ),
        ),
    ]
