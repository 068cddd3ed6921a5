"""A place for the rows of a snapshot until it is whole, and room on the pages of what changes most."""

from django.db import migrations

# Unlogged: no WAL for a million rows that are read once.  It is empty after a crash; whoever resumes counts first.
# The key refuses a row that comes twice, and gives the merge its order.
STAGING = """
CREATE UNLOGGED TABLE inventory_staging (
    snapshot_id bigint NOT NULL,
    uid varchar(200) NOT NULL,
    location varchar(100) NOT NULL,
    code varchar(200) NOT NULL,
    available integer,
    components jsonb NOT NULL,
    flags jsonb NOT NULL,
    read_at timestamptz NOT NULL,
    PRIMARY KEY (snapshot_id, uid, location)
)
"""


class Migration(migrations.Migration):
    dependencies = [("inventory", "0001_initial")]

    operations = [
        migrations.RunSQL(STAGING, "DROP TABLE inventory_staging"),
        # A quarter of each page stays free, so that a changed number is written beside the old one without the indexes.
        migrations.RunSQL(
            "ALTER TABLE inventory_stocklevel SET (fillfactor = 75)",
            "ALTER TABLE inventory_stocklevel RESET (fillfactor)",
        ),
        migrations.RunSQL(
            "ALTER TABLE inventory_sku SET (fillfactor = 75)", "ALTER TABLE inventory_sku RESET (fillfactor)"
        ),
    ]
