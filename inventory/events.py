"""Sales events: what one would do, switching it on and off, and writing down when the clock did.

Note [Time]
Decision and reads take an event from its rows, by the statement's time: it starts and ends without anybody's doing.
What runs here beside it only writes that down; the new policy epoch that this makes is a second reason for cached
answers to change, should the clock of the process that serves them be wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from inventory import positions, sql
from inventory.caution import Caution
from inventory.models import Offer, SalesEvent, Sku
from inventory.positions import Position

MOST = 500  # SKUs that a preview counts; a page must not add up a catalogue

Phase = SalesEvent.Phase


class EventError(Exception):
    """The event cannot be switched so; the message says why."""


@dataclass(frozen=True, slots=True)
class Line:
    """One SKU of an event.  before, during: whole units available."""

    code: str
    before: int
    during: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What an event does to what is available now, the most affected SKUs first.  more: it has others, not counted."""

    lines: Sequence[Line]
    more: bool

    def __str__(self) -> str:
        before, during = sum(line.before for line in self.lines), sum(line.during for line in self.lines)
        first = "the first " if self.more else ""
        return f"{first}{len(self.lines)} SKUs: {before} → {during} available"


def levels_of(event: SalesEvent) -> QuerySet[Offer]:
    """The offers whose levels it acts on, as its scope is chosen now."""
    offers = Offer.objects.all()
    if event.suppliers.exists():
        offers = offers.filter(level__supplier__in=event.suppliers.all())
    if event.skus.exists():
        offers = offers.filter(sku__in=event.skus.all())
    return offers


def skus_of(event: SalesEvent) -> QuerySet[Sku]:
    """What is sold from its levels."""
    sold = Offer.objects.filter(level__in=levels_of(event).values("level"))
    return Sku.objects.filter(active=True, pk__in=sold.values("sku"))


def preview(event: SalesEvent) -> Preview:
    """What would be available if it ran now, with the events that do."""
    codes = list(skus_of(event).order_by("code").values_list("code", flat=True)[: MOST + 1])
    current = positions.load(codes[:MOST])
    levels = {level.id for position in current.values() for level in position.levels}
    affected = set(levels_of(event).filter(level__in=levels).values_list("level", flat=True))
    lines = [_line(position, affected, caution_of(event)) for position in current.values()]
    lines.sort(key=lambda line: (line.during - line.before, line.code))
    return Preview(lines, len(codes) > MOST)


def caution_of(event: SalesEvent) -> Caution:
    """What it holds back while it runs."""
    return Caution(event.buffer_units, event.buffer_share, event.stop_selling, event.hold_seconds)


def _line(position: Position, affected: set[int], caution: Caution) -> Line:
    levels = [
        replace(level, caution=level.caution.with_event(caution)) if level.id in affected else level
        for level in position.levels
    ]
    return Line(position.code, position.available(), replace(position, levels=levels).available())


def switch_on(event_id: int, *, reason: str = "") -> SalesEvent:
    """From now on it acts in its time, in every process within a second.

    reason: a person's, for the history; empty: what it does is noted instead.
    Raises: EventError if it is on already, or over before it began.
    """
    with transaction.atomic():
        event = SalesEvent.objects.select_for_update().get(pk=event_id)
        now = _now()
        if event.switched_on:
            raise EventError("It is on already.")
        if event.ends_at <= now:
            raise EventError("Its end has passed: give it another time.")
        event.starts_at = max(event.starts_at, now)
        event.every_supplier, event.every_sku = not event.suppliers.exists(), not event.skus.exists()
        event.switched_on = True
        _note(event, now, f"Switched on: {reason}" if reason else f"Switched on; {preview(event)}")
    return event


def switch_off(event_id: int, *, reason: str = "") -> SalesEvent:
    """End it now; one that has not begun becomes a draft again.

    reason: a person's, for the history.
    Raises: EventError if it is not on, or over.
    """
    with transaction.atomic():
        event = SalesEvent.objects.select_for_update().get(pk=event_id)
        now = _now()
        if not event.switched_on or event.ends_at <= now:
            raise EventError("It is not on.")
        if event.starts_at < now:
            event.ends_at = now
        else:
            event.switched_on = False
        _note(event, now, f"Switched off: {reason}" if reason else "Switched off")
    return event


def note_passed() -> int:
    """Write down which events have started and ended since somebody last looked; how many."""
    open_ones = SalesEvent.objects.filter(switched_on=True).exclude(phase=Phase.OVER)
    noted = 0
    with transaction.atomic():
        now = _now()
        for event in open_ones.select_for_update(skip_locked=True):
            if event.phase != phase_of(event, now):
                _note(event, now, "Started by the clock" if event.ends_at > now else "Ended by the clock")
                noted += 1
    return noted


def phase_of(event: SalesEvent, now: datetime) -> Phase:
    """Where it stands at `now`, by the database's clock."""
    if not event.switched_on:
        return Phase.DRAFT
    if now < event.starts_at:
        return Phase.PLANNED
    return Phase.RUNNING if now < event.ends_at else Phase.OVER


def _note(event: SalesEvent, now: datetime, reason: str) -> None:
    event.phase = phase_of(event, now)
    event._change_reason = reason[:100]  # type: ignore[attr-defined]  # noqa: SLF001 - how the history takes it
    event.save()


def _now() -> datetime:
    [(now,)] = sql.rows(sql.execute("SELECT clock_timestamp()", []))
    moment: datetime = now
    return moment
