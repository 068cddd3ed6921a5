"""Delivery of messages: a signed webhook or an e-mail, tried again until it is taken or given up."""

import json
import time

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from inventory import effects
from inventory.alerts.stages import message
from inventory.effects import Claimed
from inventory.models import Alert, AlertChannel, Effect
from suppliers import credentials
from suppliers.adapters.signatures import StandardWebhooks
from suppliers.errors import SupplierError, Transient
from suppliers.transport import Deadline, Limits, Request, exchange, new_session

log = structlog.get_logger(__name__)

AT_ONCE = 5  # messages of one claim: each may take its whole deadline, and the claim's lease must outlast them
SECONDS = 10.0  # a receiver has for its answer
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 3_600.0  # seconds between attempts, doubled each time
ATTEMPTS = 40  # with these pauses more than a day

LIMITS = Limits(connect_seconds=3, read_seconds=SECONDS, max_bytes=100_000)
REFUSED = "the receiver answered {status}"


class UndeliveredError(Exception):
    """The receiver did not take the message; it is tried again.  The text names no secret."""


def deliver_due() -> None:
    """Deliver what is due.  A channel that just failed is left alone in this run: others must not wait for it."""
    failed: set[int] = set()
    while claimed := effects.claim(Effect.Kind.ALERT, None, limit=AT_ONCE):
        for effect in claimed:
            _attempt(effect, failed)


def _attempt(effect: Claimed, failed: set[int]) -> None:
    alert = Alert.objects.select_related("channel").filter(pk=int(effect.target), delivered_at=None).first()
    if alert is None or not alert.channel.enabled:
        effects.close([effect.id])
        return
    if alert.channel_id in failed:
        effects.postpone([effect.id], delay=FIRST_PAUSE, error="its channel just failed", tried=False)
        return
    try:
        deliver(alert)
    except UndeliveredError as error:
        failed.add(alert.channel_id)
        _failed(effect, alert, str(error))
        return
    with transaction.atomic():
        Alert.objects.filter(pk=alert.pk).update(delivered_at=Now(), attempts=F("attempts") + 1, error="")
        effects.close([effect.id])


def _failed(effect: Claimed, alert: Alert, error: str) -> None:
    over = effect.attempts >= ATTEMPTS
    with transaction.atomic():
        Alert.objects.filter(pk=alert.pk).update(
            attempts=F("attempts") + 1, error=error[:300], given_up_at=Now() if over else None
        )
        if over:
            effects.close([effect.id])
        else:
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(effect.attempts - 1, 20))
            effects.postpone([effect.id], delay=pause, error=error)
    log.warning("alert_undelivered", alert=alert.pk, channel=alert.channel.name, error=error, given_up=over)


def send_test(channel: AlertChannel) -> None:
    """Send a message that says it is a test, now, and store none.  Raises: UndeliveredError."""
    test = message(channel, "test", {"text": "This is a test of an alert channel; nothing is wrong."})
    deliver(test)


def deliver(alert: Alert) -> None:
    """Raises: UndeliveredError."""
    try:
        if alert.channel.url:
            _post(alert)
        else:
            _mail(alert)
    except SupplierError as error:
        raise UndeliveredError(f"{type(error).__name__}: {error}") from None
    except OSError as error:  # whatever the mail server does, smtplib's errors are among these
        raise UndeliveredError(f"the mail server: {type(error).__name__}") from None


def _post(alert: Alert) -> None:
    body = json.dumps({"type": alert.kind, "id": alert.message_id, "data": alert.body}).encode()
    stamp = str(int(time.time()))
    [secret] = credentials.unseal(alert.channel.secret).values()
    signature = StandardWebhooks({}, [secret]).signatures(alert.message_id, stamp, body)[0]
    headers = {
        "Content-Type": "application/json",
        "webhook-id": alert.message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{signature}",
    }
    request = Request("POST", alert.channel.url, headers=headers, body=body)
    with new_session() as session:
        answer = exchange(session, request, LIMITS, Deadline(SECONDS))
    if answer.status >= 300:  # noqa: PLR2004 - what is not a 2xx was not taken
        raise Transient(REFUSED.format(status=answer.status))


def _mail(alert: Alert) -> None:
    EmailMessage(
        subject=f"Holdfast: {_subject(alert)}",
        body=json.dumps(alert.body, indent=2, ensure_ascii=False),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[alert.channel.email],
        headers={"Message-ID": f"<{alert.message_id}@holdfast>"},
    ).send()


def _subject(alert: Alert) -> str:
    body = alert.body
    if "discrepancies" in body:
        return f"{body['discrepancies']} discrepancies"
    if "discrepancy" in body:
        return f"{body['kind']} at {body['supplier']} {body['stage']}"
    return alert.kind
