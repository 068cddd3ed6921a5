"""Each stage of a discrepancy is told once to each channel, signed, and again until it is taken."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core import mail
from django.db.models.functions import Now

from inventory import alerts, operations
from inventory.discrepancies import Finding, report, resolve
from inventory.models import Alert, AlertChannel, Discrepancy, Effect, Feed
from inventory.signals import discrepancies_opened
from inventory.tests.promises import make_due
from inventory.tests.receivers import Receiver, running_receiver
from suppliers import credentials
from suppliers.adapters.signatures import StandardWebhooks
from suppliers.models import Supplier

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
Kind = Discrepancy.Kind
MakeChannel = Callable[..., AlertChannel]


@pytest.fixture(autouse=True)
def reachable(settings):
    settings.SUPPLIER_PRIVATE_NETWORKS = True
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def make_channel(receiver: Receiver) -> MakeChannel:
    def make(**fields: object) -> AlertChannel:
        values = {"name": "pager", "url": receiver.url, "secret": credentials.seal({"secret": SECRET}), **fields}
        return AlertChannel.objects.create(**values)

    return make


@pytest.fixture
def supplier(make_supplier: Callable[..., Supplier]) -> Supplier:
    return make_supplier("acme")


def find(supplier: Supplier, *references: str, kind: Kind = Kind.LOST) -> None:
    report([Finding(kind, supplier.pk, reference=reference, evidence={"units": 3}) for reference in references])


def tell() -> int:
    count = alerts.raise_due()
    alerts.deliver_due()
    return count


def bodies(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(body) for _, body in receiver.got]


def stages(receiver: Receiver) -> list[str]:
    return [body["data"]["stage"] for body in bodies(receiver)]


def test_opened_escalated_and_resolved_are_told_once_each(supplier, make_channel, receiver, settings):
    make_channel()
    find(supplier, "N-1")
    find(supplier, "N-1")  # seen again
    assert [tell(), tell()] == [1, 0]
    Discrepancy.objects.update(opened_at=Now() - timedelta(seconds=settings.ALERT_ESCALATE_SECONDS + 1))
    assert [tell(), tell()] == [1, 0]
    resolve(Kind.LOST, supplier.pk, "N-1", resolution="found")
    assert [tell(), tell()] == [1, 0]
    assert stages(receiver) == ["opened", "escalated", "resolved"]
    data = bodies(receiver)[0]["data"]
    assert (data["kind"], data["supplier"], data["reference"]) == ("lost", "acme", "N-1")
    assert data["evidence"] == {"units": 3}


def test_what_somebody_is_at_is_not_escalated(supplier, make_channel, receiver, settings):
    make_channel()
    find(supplier, "N-1")
    tell()
    assert operations.acknowledge([Discrepancy.objects.get().pk], actor="anna") == 1
    Discrepancy.objects.update(opened_at=Now() - timedelta(seconds=settings.ALERT_ESCALATE_SECONDS + 1))
    assert tell() == 0
    operations.resolve(Discrepancy.objects.get().pk, resolution="counted", actor="anna")
    found = Discrepancy.objects.get()
    assert (found.acknowledged_by, found.resolved_by, found.resolution) == ("anna", "anna", "counted")


def test_what_was_over_before_anybody_was_told_is_no_news(supplier, make_channel, receiver):
    make_channel()
    find(supplier, "N-1")
    resolve(Kind.LOST, supplier.pk, "N-1", resolution="found")
    assert tell() == 0
    assert not Discrepancy.objects.exclude(told="resolved").exists()


def test_messages_verify_by_the_standard_webhooks_scheme(supplier, make_channel, receiver):
    make_channel()
    find(supplier, "N-1")
    tell()
    headers, body = receiver.got[0]
    StandardWebhooks({}, [SECRET]).verify(headers, body, datetime.now(UTC))
    assert json.loads(body)["id"] == headers["webhook-id"]


def test_a_receiver_that_fails_gets_the_same_id_again_until_it_takes_it(supplier, make_channel, receiver):
    make_channel()
    receiver.answers = [500, 302, 204]
    find(supplier, "N-1")
    tell()
    for _ in range(3):
        make_due("alert")
        tell()
    assert len(receiver.ids) == 3
    assert len(set(receiver.ids)) == 1
    alert = Alert.objects.get()
    assert (alert.attempts, alert.error, alert.delivered_at is not None) == (3, "", True)
    assert not Effect.objects.filter(kind="alert", done_at=None).exists()


def test_what_is_never_taken_is_given_up_and_can_be_sent_again_by_hand(supplier, make_channel, receiver):
    make_channel()
    receiver.answers = [500]
    find(supplier, "N-1")
    alerts.raise_due()
    Effect.objects.filter(kind="alert").update(attempts=39)
    alerts.deliver_due()
    alert = Alert.objects.get()
    assert alert.given_up_at
    assert "500" in alert.error
    assert "hidden" not in alert.error
    operations.send_again([alert.pk])
    alerts.deliver_due()
    alert.refresh_from_db()
    assert alert.delivered_at
    assert len(set(receiver.ids)) == 1


def test_a_dead_channel_does_not_hold_up_another(supplier, make_channel, receiver):
    make_channel(name="dead", url="http://127.0.0.1:1/")
    make_channel()
    find(supplier, "N-1", "N-2")
    tell()
    assert Alert.objects.filter(channel__name="pager").exclude(delivered_at=None).count() == 2
    # One attempt told enough of the dead one.
    assert list(Alert.objects.filter(channel__name="dead").order_by("id").values_list("attempts", flat=True)) == [1, 0]


def test_a_storm_is_a_digest_and_then_silence_for_a_while(supplier, make_channel, receiver):
    make_channel()
    find(supplier, *[f"N-{number}" for number in range(40)])
    assert tell() == 1
    [digest] = bodies(receiver)
    assert digest["type"] == "discrepancies.digest"
    assert digest["data"]["counts"] == [{"stage": "opened", "kind": "lost", "supplier": "acme", "count": 40}]
    assert len(digest["data"]["first"]) == 20
    find(supplier, *[f"M-{number}" for number in range(40)])
    assert tell() == 0
    Alert.objects.update(created_at=Now() - timedelta(minutes=1))
    assert tell() == 1
    assert tell() == 0


def test_channels_get_the_kinds_they_want(supplier, make_channel, receiver):
    make_channel(kinds=["shortfall"])
    find(supplier, "N-1")
    assert tell() == 0
    find(supplier, "N-2", kind=Kind.SHORTFALL)
    assert tell() == 1


def test_our_own_network_is_no_address(supplier, make_channel, receiver, settings):
    settings.SUPPLIER_PRIVATE_NETWORKS = False
    make_channel(url="https://169.254.169.254/latest")
    find(supplier, "N-1")
    tell()
    assert "BlockedAddress" in Alert.objects.get().error
    assert receiver.got == []


def test_a_mail_names_what_it_is_about(supplier, make_channel):
    make_channel(url="", email="ops@shop.example")
    find(supplier, "N-1")
    tell()
    [sent] = mail.outbox
    assert sent.subject == "Holdfast: lost at acme opened"
    assert Alert.objects.get().message_id in sent.extra_headers["Message-ID"]


def test_a_snapshot_that_does_not_come_is_a_discrepancy_until_it_does(supplier):
    assert alerts.watch() == 0
    Supplier.objects.update(created_at=Now() - timedelta(days=1))
    assert [alerts.watch(), alerts.watch()] == [1, 1]
    found = Discrepancy.objects.get()
    assert (found.kind, found.state, found.times) == ("late", "open", 2)
    Feed.objects.create(supplier=supplier, complete_as_of=Now(), complete_until=Now())
    assert alerts.watch() == 0
    found.refresh_from_db()
    assert (found.state, found.resolution) == ("resolved", "it is in time again")


def test_effects_that_do_not_get_done_are_a_discrepancy_until_they_are(supplier):
    old = Now() - timedelta(seconds=61)
    Effect.objects.create(kind="sync", target="1", supplier=supplier, due_at=old)
    # Put off again and again, so never overdue.
    Effect.objects.create(kind="confirm", target="N-1", supplier=supplier, attempts=5, error="502", created_at=old)
    assert alerts.watch() == 2
    assert set(Discrepancy.objects.values_list("kind", "reference")) == {("overdue", "sync"), ("overdue", "confirm")}
    Effect.objects.filter(kind="sync").update(done_at=Now())
    assert alerts.watch() == 1
    assert Discrepancy.objects.get(state="resolved").reference == "sync"


def test_opening_is_signalled_and_seeing_again_is_not(supplier):
    heard: list[object] = []

    def hear(sender: object, **_: object) -> None:
        heard.append(sender)

    discrepancies_opened.connect(hear)
    find(supplier, "N-1")
    find(supplier, "N-1")
    discrepancies_opened.disconnect(hear)
    assert heard == [Discrepancy]
