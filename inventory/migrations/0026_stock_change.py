"""A row for each new version of a SKU, for those who follow; `inventory.change_log` says how it is read."""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations

# The key is all that it is searched by; an index by SKU would cost every order.
CHANGES = """
CREATE TABLE inventory_stockchange (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    id bigint GENERATED ALWAYS AS IDENTITY,
    sku varchar(64) NOT NULL,
    version bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (xid, id)
)
"""


class Migration(migrations.Migration):
    dependencies = [("inventory", "0025_changes")]

    operations = [
        migrations.RunSQL(CHANGES, "DROP TABLE inventory_stockchange"),
        pgtrigger.migrations.AddTrigger(
            model_name="sku",
            trigger=pgtrigger.compiler.Trigger(
                name="log_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="INSERT INTO inventory_stockchange (sku, version) SELECT code, version FROM told; RETURN NULL;",
                    hash="e36ee185c4a7b9418f1f88116cede89c4501bd9d",
                    level="STATEMENT",
                    operation="INSERT",
                    pgid="pgtrigger_log_insert_ea705",
                    referencing="REFERENCING NEW TABLE AS told ",
                    table="inventory_sku",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="sku",
            trigger=pgtrigger.compiler.Trigger(
                name="log_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="INSERT INTO inventory_stockchange (sku, version) SELECT code, version FROM told; RETURN NULL;",
                    hash="61f092dcee325cc4c52b60199771b9ce592ef598",
                    level="STATEMENT",
                    operation="UPDATE",
                    pgid="pgtrigger_log_update_c9bf8",
                    referencing="REFERENCING NEW TABLE AS told ",
                    table="inventory_sku",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="sku",
            trigger=pgtrigger.compiler.Trigger(
                name="log_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="INSERT INTO inventory_stockchange (sku, version) SELECT code, version FROM told; RETURN NULL;",
                    hash="61fa51190249f6fc6e8809bbc90aa0989f33b398",
                    level="STATEMENT",
                    operation="DELETE",
                    pgid="pgtrigger_log_delete_4737f",
                    referencing="REFERENCING OLD TABLE AS told ",
                    table="inventory_sku",
                    when="AFTER",
                ),
            ),
        ),
    ]
