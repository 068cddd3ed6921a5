"""The newest movements are found without reading all; the table is written to meanwhile."""

from django.contrib.postgres.indexes import BrinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("inventory", "0016_learned_buffer")]

    operations = [
        AddIndexConcurrently("stockmovement", BrinIndex(fields=["at"], autosummarize=True, name="movement_at")),
    ]
