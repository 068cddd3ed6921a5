"""A supplier's row as the policy that the pure rules take."""

from inventory import trust
from suppliers.models import Supplier

# The columns of a supplier in the order of `trust.Policy`.
COLUMNS = (
    "buffer",
    "stale_after_seconds",
    "expire_after_seconds",
    "haircut",
    "sentinel_at",
    "sentinel_cap",
    "jump_ratio",
    "jump_units",
    "hard_jump_ratio",
)


def policy_of(supplier: Supplier) -> trust.Policy:
    """How far the supplier's numbers are believed, as the given row says."""
    return trust.Policy(*[getattr(supplier, column) for column in COLUMNS])
