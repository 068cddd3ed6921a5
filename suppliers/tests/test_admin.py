"""A supplier in the admin: its configuration is checked, its secrets stay secret, its actions act."""

import json
from html import unescape

import pytest
from cryptography.fernet import Fernet
from django.contrib.admin.models import LogEntry

from suppliers.credentials import seal, unseal
from suppliers.models import Supplier, Switchboard
from suppliers.signals import full_snapshot_requested
from suppliers.tests.supplier_forms import SECRET, config, form_of
from suppliers.tests.upstream import reply, running_upstream

pytestmark = pytest.mark.django_db
LIST = "/admin/suppliers/supplier/"
OAUTH2 = {
    "type": "oauth2",
    "grant": "client_credentials",
    "token_url": "/token",
    "client_id": "us",
    "client_secret": "$secret.token",
}


@pytest.fixture
def supplier(make_supplier):
    return make_supplier("acme", config=config(), credentials=seal({"token": SECRET}))


@pytest.fixture
def page(supplier):
    return f"{LIST}{supplier.pk}/change/"


def act(client, action, supplier, **fields):
    form = {"action": action, "_selected_action": [supplier.pk], **fields}
    return client.post(LIST, form, follow=True).content.decode()


def test_a_supplier_is_described_and_its_secrets_are_encrypted(admin_client):
    secrets = json.dumps({"token": SECRET})
    answer = admin_client.post(f"{LIST}add/", form_of(new_credentials=secrets))
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    supplier = Supplier.objects.get()
    assert SECRET.encode() not in bytes(supplier.credentials)
    assert unseal(supplier.credentials) == {"token": SECRET}
    assert supplier.config == config()


def test_no_page_shows_a_secret(admin_client, supplier, page):
    admin_client.post(page, form_of(new_credentials=json.dumps({"token": SECRET}), buffer=2))
    version = supplier.history.first().pk
    history = page.replace("/change/", "/history/")
    for url in (LIST, page, history, f"{history}{version}/", f"{LIST}{supplier.pk}/test/"):
        answer = admin_client.get(url)
        assert answer.status_code == 200, url
        assert SECRET not in answer.content.decode(), url
    assert "token" in admin_client.get(page).content.decode()
    assert not LogEntry.objects.filter(change_message__contains=SECRET).exists()


def test_a_form_with_a_mistake_elsewhere_does_not_show_the_secret_just_typed(admin_client, page):
    answer = admin_client.post(page, form_of(name="", new_credentials=json.dumps({"token": "new-secret"})))
    assert answer.status_code == 200
    shown = answer.content.decode()
    assert "new-secret" not in shown
    assert "enter the new ones once more" in shown, "or a blank would keep the old one unnoticed"


@pytest.mark.parametrize("given", ["nonsense-secret", '["secret"]', '{"token": 5}', '{"token": {"a": "secret"}}'])
def test_credentials_that_are_no_texts_are_refused_and_not_repeated(admin_client, supplier, page, given):
    answer = admin_client.post(page, form_of(new_credentials=given))
    assert "Not a JSON object of texts" in str(answer.context["adminform"].form.errors["new_credentials"])
    assert "secret" not in str(answer.context["adminform"].form.errors).replace("secrets", "")
    supplier.refresh_from_db()
    assert unseal(supplier.credentials) == {"token": SECRET}


def test_empty_credentials_leave_the_stored_ones_and_an_empty_object_removes_them(admin_client, supplier, page):
    assert admin_client.post(page, form_of(new_credentials="", buffer=1)).status_code == 302
    supplier.refresh_from_db()
    assert (unseal(supplier.credentials), supplier.buffer) == ({"token": SECRET}, 1)
    without = config(list={**config()["list"], "request": {"path": "/stock"}})
    assert admin_client.post(page, form_of(config=without, new_credentials="{}")).status_code == 302
    supplier.refresh_from_db()
    assert unseal(supplier.credentials) == {}


def test_one_secret_is_entered_and_the_others_stay(admin_client, supplier, page):
    """Blank is what stands there: the form shows the names."""
    assert json.dumps({"token": ""}, indent=2) in unescape(admin_client.get(page).content.decode())
    needs = config(headers={"X-Shop": "$secret.shop"})
    given = json.dumps({"token": "", "shop": "new-secret"})
    assert admin_client.post(page, form_of(config=needs, new_credentials=given)).status_code == 302
    supplier.refresh_from_db()
    assert unseal(supplier.credentials) == {"token": SECRET, "shop": "new-secret"}
    given = json.dumps({"token": "", "shop": "other-secret"})
    admin_client.post(page, form_of(config=needs, new_credentials=given))
    supplier.refresh_from_db()
    assert unseal(supplier.credentials) == {"token": SECRET, "shop": "other-secret"}
    shown = admin_client.get(page).content.decode()
    assert not any(secret in shown for secret in (SECRET, "new-secret", "other-secret"))


def test_a_secret_that_is_taken_out_is_forgotten_unless_it_is_needed(admin_client, supplier, page):
    supplier.credentials = seal({"token": SECRET, "old": "x"})
    supplier.save()
    answer = admin_client.post(page, form_of(new_credentials='{"old": ""}'))
    assert "It is not stored: enter it here." in str(answer.context["adminform"].form.errors["new_credentials"])
    assert admin_client.post(page, form_of(new_credentials='{"token": ""}')).status_code == 302
    supplier.refresh_from_db()
    assert unseal(supplier.credentials) == {"token": SECRET}


def test_blanks_alone_change_nothing_and_are_no_change_in_the_log(admin_client, supplier, page):
    before = bytes(supplier.credentials)
    admin_client.post(page, form_of(new_credentials='{\r\n  "token": ""\r\n}', buffer=3))
    supplier.refresh_from_db()
    assert (bytes(supplier.credentials), supplier.buffer) == (before, 3)
    assert "redentials" not in LogEntry.objects.get().change_message


def test_a_secret_that_is_kept_does_not_follow_to_another_host(admin_client, supplier, page):
    """Not even beside one that is entered for it."""
    elsewhere = config("https://evil.example/api")
    given = json.dumps({"token": "", "shop": "for the other host"})
    answer = admin_client.post(page, form_of(config=elsewhere, new_credentials=given))
    assert "names another host: enter for it token." in str(answer.context["adminform"].form.errors["new_credentials"])
    supplier.refresh_from_db()
    assert (supplier.config, unseal(supplier.credentials)) == (config(), {"token": SECRET})


def test_what_cannot_be_decrypted_any_more_is_entered_again(admin_client, supplier, page, settings):
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    answer = admin_client.post(page, form_of(new_credentials='{"token": ""}'))
    assert "encrypted with a key that" in str(answer.context["adminform"].form.errors["new_credentials"])
    given = json.dumps({"token": "new-secret"})
    assert admin_client.post(page, form_of(new_credentials=given)).status_code == 302
    supplier.refresh_from_db()
    assert unseal(supplier.credentials) == {"token": "new-secret"}


def test_stored_secrets_do_not_follow_to_another_host(admin_client, supplier, page):
    elsewhere = config("https://evil.example/api")
    answer = admin_client.post(page, form_of(config=elsewhere))
    assert "names another host" in str(answer.context["adminform"].form.errors["new_credentials"])
    supplier.refresh_from_db()
    assert supplier.config["base_url"] == "https://acme.example/api"
    tokens_elsewhere = config(auth={**OAUTH2, "token_url": "https://evil.example/token"})
    answer = admin_client.post(page, form_of(config=tokens_elsewhere))
    assert "names another host" in str(answer.context["adminform"].form.errors["new_credentials"])
    fresh = json.dumps({"token": "for the other host"})
    assert admin_client.post(page, form_of(config=elsewhere, new_credentials=fresh)).status_code == 302


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (config(limits={"rate": "fast"}), "limits.rate: "),
        (config(list={**config()["list"], "items": "items["}), "list.items: "),
        (config("http://127.0.0.1/"), "base_url: "),
        (config("file:///etc/passwd"), "base_url: "),
        ('{"base_url": "x",\n  list: 1}', "Line 2, column 3: Expecting property name"),
        ('{"auth": {}, "auth": {}}', "'auth' stands 2 times in one object"),
        ('{"base_url": NaN}', "NaN is no number"),
        ("[" * 100_000, "This is not JSON"),
        ("[" * 41 + "]" * 41, "nested more than 40 levels"),
        (config("https://0x7f.1/"), "base_url: "),
        (config("https://[::ffff:127.0.0.1]/"), "base_url: "),
        (config("https://user:pass@acme.example/"), "base_url: The URL holds a user name or password"),
        (
            config(errors=[{"when": "a", "is": "throttle", "after": "b", "after_regex": "(a+)+$"}]),
            "errors.0.after_regex: ",
        ),
    ],
)
def test_a_bad_configuration_is_explained_at_its_field_and_saves_nothing(
    admin_client, supplier, page, settings, bad, message
):
    settings.SUPPLIER_PRIVATE_NETWORKS = False
    fresh = json.dumps({"token": "x"})
    answer = admin_client.post(page, form_of(config=bad, new_credentials=fresh, buffer=9))
    assert message in "\n".join(answer.context["adminform"].form.errors["config"])
    supplier.refresh_from_db()
    assert (supplier.config, supplier.buffer) == (config(), 0)


@pytest.mark.parametrize("given", ["", '{"other": "x"}', '{"token": ""}'])
def test_a_secret_that_the_configuration_names_must_be_there(admin_client, supplier, page, given):
    needs = config(auth={"type": "bearer", "token": "$secret.token"}, headers={"X-Shop": "$secret.shop"})
    answer = admin_client.post(page, form_of(config=needs, new_credentials=given))
    assert "shop: used as $secret.shop. It is not stored" in str(answer.context["adminform"].form.errors)
    supplier.refresh_from_db()
    assert supplier.config == config()


@pytest.mark.parametrize("role", ["superuser", "merchant", "ops"])
def test_no_old_version_is_brought_back(sign_in, supplier, role):
    supplier.buffer = 5
    supplier.save()
    first = supplier.history.last()
    answer = sign_in(role).post(f"{LIST}{supplier.pk}/history/{first.pk}/", form_of())
    assert answer.status_code == 403
    supplier.refresh_from_db()
    assert supplier.buffer == 5


def test_a_test_asks_before_it_calls_and_shows_what_it_understood(loopback_suppliers, sign_in, supplier):
    client = sign_in("ops")
    with running_upstream(lambda _: reply({"items": [{"id": "r1", "sku": "LAMP", "units": 7}]})) as upstream:
        supplier.config = config(upstream.url)
        supplier.save()
        assert client.get(f"{LIST}{supplier.pk}/test/").status_code == 200
        assert upstream.seen == []
        shown = client.post(f"{LIST}{supplier.pk}/test/").content.decode()
    assert upstream.seen[0].headers["x-token"] == SECRET
    assert "It works." in shown
    assert "LAMP" in shown
    assert SECRET not in shown
    assert "→" in shown
    assert LogEntry.objects.get().change_message == "Tested: it works."


def test_a_test_of_what_cannot_work_says_why(sign_in, supplier):
    supplier.config = {"base_url": "https://acme.example"}
    supplier.save()
    shown = sign_in("ops").post(f"{LIST}{supplier.pk}/test/").content.decode()
    assert "It does not work." in shown
    assert "list" in shown
    assert "Correct the configuration or the credentials." in shown


def test_stopping_and_resuming_is_kept_in_history_and_log(sign_in, supplier):
    client = sign_in("ops")
    for action, stopped, message in (("stop_selling", True, "Stopped"), ("resume_selling", False, "Resumed")):
        epoch = Switchboard.objects.values_list("epoch", flat=True).first() or 1
        assert "Why?" in act(client, action, supplier)
        supplier.refresh_from_db()
        assert supplier.stop_selling is not stopped, "nothing happens before there is a reason"
        act(client, action, supplier, confirmed="yes", reason="a fire")
        supplier.refresh_from_db()
        assert supplier.stop_selling is stopped
        assert Switchboard.objects.get().epoch > epoch
        last = supplier.history.first()
        told = (last.stop_selling, last.history_user.username, last.history_change_reason)
        assert told == (stopped, "ops", "a fire")
        assert LogEntry.objects.latest("pk").change_message == f"{message} selling: a fire"


def test_a_full_snapshot_is_asked_for_in_the_name_of_the_person(sign_in, supplier):
    asked = []

    def listen(supplier_id: int, actor: str, **_: object) -> None:
        asked.append((supplier_id, actor))

    full_snapshot_requested.connect(listen)
    try:
        client = sign_in("ops")
        act(client, "full_snapshot", supplier)
        dialog = f"{LIST}{supplier.pk}/full-snapshot/"
        client.get(dialog)
        assert len(asked) == 1, "opening the dialog only asks"
        answer = client.post(dialog, {"_form_submitted": "on"})
    finally:
        full_snapshot_requested.disconnect(listen)
    assert answer["HX-Redirect"] == f"{LIST}{supplier.pk}/change/"
    assert asked == [(supplier.pk, "admin:ops")] * 2


def test_who_sets_policy_does_not_operate_and_the_other_way_round(sign_in, supplier, page):
    merchant, ops = sign_in("merchant"), sign_in("ops")
    act(merchant, "stop_selling", supplier, confirmed="yes", reason="so")
    assert merchant.post(f"{LIST}{supplier.pk}/test/").status_code == 403
    assert merchant.post(f"{LIST}{supplier.pk}/full-snapshot/", {"_form_submitted": "on"}).status_code == 403
    assert merchant.post("/admin/suppliers/switchboard/1/stop/", {"_form_submitted": "on"}).status_code == 403
    assert ops.post(page, form_of(buffer=7)).status_code == 403
    supplier.refresh_from_db()
    assert (supplier.stop_selling, supplier.buffer) == (False, 0)
    assert merchant.post(page, form_of(buffer=7)).status_code == 302
    supplier.refresh_from_db()
    assert supplier.buffer == 7


def test_the_switchboard_stops_everything_after_a_question(sign_in):
    client = sign_in("ops")
    assert client.get("/admin/suppliers/switchboard/", follow=True).status_code == 200
    client.get("/admin/suppliers/switchboard/1/stop/")
    assert not Switchboard.objects.get().stop_selling
    client.post("/admin/suppliers/switchboard/1/stop/", {"_form_submitted": "on"})
    assert not Switchboard.objects.get().stop_selling, "not without a reason"
    client.post("/admin/suppliers/switchboard/1/stop/", {"_form_submitted": "on", "reason": "a <b>fire</b>"})
    assert Switchboard.objects.get().stop_selling
    page = client.get("/admin/suppliers/switchboard/1/change/").content.decode()
    assert "Stopped selling everything: a &lt;b&gt;fire" in page
    assert "switchboard/1/stop/" not in page
    client.post("/admin/suppliers/switchboard/1/resume/", {"_form_submitted": "on", "reason": "it is out"})
    assert not Switchboard.objects.get().stop_selling
    messages = set(LogEntry.objects.values_list("change_message", flat=True))
    assert messages == {"Stopped selling everything: a <b>fire</b>", "Resumed selling: it is out"}
    assert client.post("/admin/suppliers/switchboard/1/change/", {"stop_selling": "on"}).status_code == 403
