"""Tells people outside of what disagrees: stages of discrepancies become messages, messages are delivered.

A message is a row with an effect of its own, written together with the stage that it tells of: each stage is told once
to each channel, whatever dies in between, and a repeat of a delivery carries the same id.
"""

from inventory.alerts.delivering import deliver_due, send_test
from inventory.alerts.stages import purge, raise_due
from inventory.alerts.watching import watch

__all__ = ["deliver_due", "purge", "raise_due", "send_test", "watch"]
