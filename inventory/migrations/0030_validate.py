"""Alone, so that the lock of the migration before is gone: this one lets orders go on."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0029_refused_by_the_database'),
    ]

    operations = [
        ValidateConstraint(model_name='allocation', name='allocation_observed'),
        ValidateConstraint(model_name='stockmovement', name='movement_begins_not_negative'),
    ]
