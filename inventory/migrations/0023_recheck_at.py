from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("inventory", "0022_allocation_settled")]

    operations = [
        migrations.AddField(
            model_name="allocation",
            name="recheck_at",
            field=models.DateTimeField(
                blank=True,
                help_text="When to ask next whether the supplier still stands by it. Empty: no more.",
                null=True,
            ),
        ),
    ]
