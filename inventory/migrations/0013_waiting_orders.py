from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models


class Migration(migrations.Migration):
    """What reads whole tables, so that nobody waits for it."""

    atomic = False

    dependencies = [
        ("inventory", "0012_resourcing"),
    ]

    operations = [
        ValidateConstraint(model_name="allocation", name="allocation_at_risk"),
        ValidateConstraint(model_name="stockmovement", name="movement_no_oversell_by_move"),
        AddIndexConcurrently(
            model_name="allocation",
            index=models.Index(
                condition=models.Q(("at_risk__gt", 0)), fields=["reference"], name="allocation_waiting"
            ),
        ),
    ]
