from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False  # an index that is built while orders go on

    dependencies = [
        ('inventory', '0018_exclusive'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='allocation',
            index=models.Index(condition=models.Q(('confirmed_at__isnull', True), ('state', 'settled')), fields=['level'], name='allocation_unproven'),
        ),
    ]
