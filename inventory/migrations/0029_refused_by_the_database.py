"""Rows from now on are checked at once: to look at those that are there would lock the tables for as long."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0028_inflation'),
    ]

    operations = [
        AddConstraintNotValid(
            model_name='allocation',
            constraint=models.CheckConstraint(condition=models.Q(('observed__lte', models.F('quantity'))), name='allocation_observed'),
        ),
        AddConstraintNotValid(
            model_name='stockmovement',
            constraint=models.CheckConstraint(condition=models.Q(('allocated_before__gte', 0), ('sellable_before__gte', 0)), name='movement_begins_not_negative'),
        ),
    ]
