"""Facts about stock, sent after the commit that made them true."""

from django.dispatch import Signal

# Nothing more: rows tell which.  Who misses it is told by the sweep.
discrepancies_opened = Signal()
