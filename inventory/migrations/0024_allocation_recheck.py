"""What is due to be looked up is found without reading all; the table is written to meanwhile."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("inventory", "0023_recheck_at")]

    operations = [
        AddIndexConcurrently(
            model_name="allocation",
            index=models.Index(
                condition=models.Q(
                    ("cancel_requested_at__isnull", True),
                    ("recheck_at__isnull", False),
                    ("state__in", ["confirmed", "settled"]),
                ),
                fields=["recheck_at"],
                name="allocation_recheck",
            ),
        ),
    ]
