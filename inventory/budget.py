"""What may be asked of a supplier beyond what must be."""

from django.db.models.functions import Now

from inventory.models import Effect
from suppliers.gateway import Gateway
from suppliers.models import Supplier

# Of a supplier's calls, the share that is left to confirms, and to the snapshot should one run.
RESERVED = 0.5


def spare_calls(supplier: Supplier, upstream: Gateway) -> int:
    """Calls that may go out now without taking one from confirms, waiting reads or a snapshot."""
    allowance = upstream.allowance()
    # What is due later, such as a question whether an order is paid, may wait for hours: it needs no call now.
    waiting = Effect.objects.filter(done_at=None, supplier=supplier, due_at__lte=Now()).count()
    return max(0, allowance.left - waiting - int(allowance.calls * RESERVED + 0.5))
