"""Facts about orders, sent once each, after the commit that made them true."""

from django.dispatch import Signal

# lanes: [(effect kind, supplier id or None), …] that the commit wrote effects for.
order_placed = Signal()
order_cancelled = Signal()
# codes: [SKU, …], each short line of each refusal.  Nothing was committed, so it may be lost.
order_refused = Signal()
