"""What people may ask of a supplier; whoever keeps stock answers."""

from django.dispatch import Signal

# supplier_id, actor: a person asked for a full snapshot now.
full_snapshot_requested = Signal()
# supplier_id: buffers or lags were edited; stored sellable numbers must follow.  Sent in the transaction of the edit.
policy_changed = Signal()
