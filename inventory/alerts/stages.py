"""Which stage of a discrepancy was not told yet, and the messages that tell it: one each, or a digest in a storm."""

import secrets
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from inventory import effects
from inventory.effects import Due
from inventory.models import Alert, AlertChannel, Discrepancy, Effect

AT_ONCE = 500  # discrepancies of one look
SINGLE = 5  # more than that at once are told in one digest
DIGEST_EVERY = timedelta(seconds=30)  # while a storm goes on
SHOWN = 20  # discrepancies that a digest names
KEEP_DAYS = 30

Stage = Discrepancy.Stage


def raise_due() -> int:
    """Write messages for every stage that was not told; how many.  Twice at once each finds its own rows."""
    with transaction.atomic():
        found = list(_untold().select_for_update(of=("self",), skip_locked=True)[:AT_ONCE])
        if len(found) > SINGLE and Alert.objects.filter(created_at__gt=Now() - DIGEST_EVERY).exists():
            return 0  # a storm: what comes meanwhile is told together
        alerts = [alert for channel in AlertChannel.objects.filter(enabled=True) for alert in _messages(channel, found)]
        Alert.objects.bulk_create(alerts)
        effects.record([Due(Effect.Kind.ALERT, str(alert.pk)) for alert in alerts])
        for stage in (Stage.OPENED, Stage.ESCALATED, Stage.RESOLVED):
            Discrepancy.objects.filter(pk__in=[one.pk for one in found if stage_of(one) == stage]).update(told=stage)
    return len(alerts)


def _untold() -> QuerySet[Discrepancy]:
    late = Now() - timedelta(seconds=settings.ALERT_ESCALATE_SECONDS)
    news = (
        Q(state=Discrepancy.State.RESOLVED)
        | Q(told=Stage.NONE)
        | Q(told=Stage.OPENED, acknowledged_at=None, opened_at__lt=late)
    )
    return (
        Discrepancy.objects.exclude(told=Stage.RESOLVED).filter(news).select_related("supplier", "level").order_by("pk")
    )


def stage_of(discrepancy: Discrepancy) -> Stage:
    """The stage that is to be told now.  Requires: one is."""
    if discrepancy.state == Discrepancy.State.RESOLVED:
        return Stage.RESOLVED
    return Stage.OPENED if discrepancy.told == Stage.NONE else Stage.ESCALATED


def _messages(channel: AlertChannel, found: Sequence[Discrepancy]) -> list[Alert]:
    # What was over before anybody was told of it is no news.
    news = [one for one in found if not (stage_of(one) == Stage.RESOLVED and one.told == Stage.NONE)]
    mine = [one for one in news if not channel.kinds or one.kind in channel.kinds]
    if len(mine) > SINGLE:
        return [message(channel, "discrepancies.digest", _digest(mine))]
    return [message(channel, f"discrepancy.{stage_of(one)}", describe(one)) for one in mine]


def message(channel: AlertChannel, kind: str, data: dict[str, Any]) -> Alert:
    """A message that is not stored yet."""
    return Alert(channel=channel, message_id=f"msg_{secrets.token_hex(16)}", kind=kind, body=data)


def describe(one: Discrepancy) -> dict[str, Any]:
    """What a receiver is told of a discrepancy."""
    return {
        "discrepancy": one.pk,
        "stage": str(stage_of(one)),
        "kind": one.kind,
        "supplier": one.supplier.slug,
        "level": one.level.external_id if one.level else None,
        "code": one.level.code if one.level else None,
        "reference": one.reference,
        "evidence": one.evidence,
        "opened_at": one.opened_at.isoformat(),
        "times": one.times,
        "resolution": one.resolution,
    }


def _digest(found: Sequence[Discrepancy]) -> dict[str, Any]:
    counts = Counter((str(stage_of(one)), one.kind, one.supplier.slug) for one in found)
    return {
        "discrepancies": len(found),
        "counts": [
            {"stage": stage, "kind": kind, "supplier": supplier, "count": count}
            for (stage, kind, supplier), count in counts.most_common()
        ],
        "first": [describe(one) for one in found[:SHOWN]],
    }


def purge() -> int:
    """Delete messages that ended long ago; how many went."""
    ended = Alert.objects.filter(created_at__lt=Now() - timedelta(days=KEEP_DAYS))
    return ended.exclude(Q(delivered_at=None) & Q(given_up_at=None)).delete()[0]
