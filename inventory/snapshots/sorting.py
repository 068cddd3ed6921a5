"""What pushed events say of our levels: numbers to take in, rows to read.  Pure functions."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from suppliers.readings import PushEvent


class Target(NamedTuple):
    """A level as pushes name it.  read_at: how new its own number is."""

    id: int
    uid: str
    location: str
    code: str
    reported: int | None
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A push says that a level has so many units since a moment, by our clock."""

    push_id: int
    level_id: int
    units: int
    at: datetime


@dataclass(slots=True)
class Sorted:
    """claims: the newest of each level.  reads: push → levels to be read.  superseded: pushes with older claims.

    unknown: push → how many of its events name no row of ours.
    """

    claims: dict[int, Claim] = field(default_factory=dict)
    reads: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    superseded: set[int] = field(default_factory=set)
    unknown: dict[int, int] = field(default_factory=lambda: defaultdict(int))


@dataclass(frozen=True, slots=True)
class Arrival:
    """A push as it was read.  received_at: no event of it is younger."""

    push_id: int
    received_at: datetime
    events: Sequence[PushEvent]


def sort(arrivals: Iterable[Arrival], targets: Sequence[Target], ahead: timedelta | None) -> Sorted:
    """ahead: how far upstream's clock is ahead of ours at most; None: nobody knows, so no number has a time."""
    found = Sorted()
    by_uid, by_code = _index(targets)
    for arrival in arrivals:
        for event in arrival.events:
            levels = _levels(event, by_uid, by_code)
            if not levels:
                found.unknown[arrival.push_id] += 1
                continue
            claim = _claim(arrival, event, levels, ahead)
            if claim is None:
                found.reads[arrival.push_id] |= {level.id for level in levels}
            else:
                _add(found, claim, levels[0])
    return found


def _index(targets: Sequence[Target]) -> tuple[Mapping[str, list[Target]], Mapping[str, list[Target]]]:
    by_uid, by_code = defaultdict(list), defaultdict(list)
    for target in targets:
        by_uid[target.uid].append(target)
        by_code[target.code].append(target)
    return by_uid, by_code


def _levels(
    event: PushEvent, by_uid: Mapping[str, list[Target]], by_code: Mapping[str, list[Target]]
) -> Sequence[Target]:
    candidates = by_uid.get(event.uid, []) if event.uid else by_code.get(event.sku, [])
    if event.location is None:
        return candidates
    return [level for level in candidates if level.location == event.location]


def _claim(arrival: Arrival, event: PushEvent, levels: Sequence[Target], ahead: timedelta | None) -> Claim | None:
    """None for what has no number, no time, or leaves open which row it is of: those are read."""
    if event.available is None or event.at is None or ahead is None or len(levels) != 1:
        return None
    at = event.at - ahead
    # From the future: then neither its clock nor what we know of it can be right.
    return Claim(arrival.push_id, levels[0].id, event.available, at) if at <= arrival.received_at else None


def _add(found: Sorted, claim: Claim, level: Target) -> None:
    rival = found.claims.get(level.id)
    if level.read_at == claim.at and level.reported != claim.units:
        # Two numbers of one instant: their order is not known, so neither is believed before a read.
        found.reads[claim.push_id].add(level.id)
        return
    if rival is None or claim.at > rival.at:
        found.claims[level.id] = claim
        found.superseded |= {rival.push_id} if rival else set()
        return
    found.superseded.add(claim.push_id)
    if claim.at == rival.at and claim.units != rival.units:
        found.reads[claim.push_id].add(level.id)
        found.claims[level.id] = min(claim, rival, key=lambda one: one.units)
