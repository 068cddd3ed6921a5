"""A sign of life of processes that serve no port: a file that they touch while they do their work.

A worker touches it with each heartbeat that it sends over the broker, beat with each task that it has published.
Both happen every two seconds, and neither while the broker is away.
"""

from pathlib import Path
from typing import Any

from celery.signals import after_task_publish, beat_init, heartbeat_sent
from django.conf import settings
from prometheus_client import Gauge

PULSE = Gauge("holdfast_pulse_seconds", "Unix time of the last sign of life.", multiprocess_mode="max")


def touch(**_signal: Any) -> None:
    """Renew the sign: as a figure, and as a file where there is a place for it."""
    PULSE.set_to_current_time()
    if settings.PULSE_FILE:
        Path(settings.PULSE_FILE).touch()


def follow_beat(**_signal: Any) -> None:
    """In beat alone: others publish too, and their messages say nothing about the schedule."""
    after_task_publish.connect(touch, weak=False)


def install() -> None:
    """Listen to what Celery says of itself."""
    heartbeat_sent.connect(touch, weak=False)
    beat_init.connect(follow_beat, weak=False)
