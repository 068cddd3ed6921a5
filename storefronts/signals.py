"""Facts about access, sent after the commit that made them true."""

from django.dispatch import Signal

# A key or a storefront was saved or deleted: what this process remembers of keys is void.
access_changed = Signal()
