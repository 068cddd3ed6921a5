"""The TOP adapter against a router that a test plays.

Sources: open.taobao.com, article 101617 (the signature with its example), 102707 (error codes); the error with its
ban is an answer that the SDK's users report.  Nothing here ran against the live platform.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest

from suppliers.adapters import ADAPTERS
from suppliers.adapters.top.client import CHINA, STAMP, ban_seconds, sign
from suppliers.credentials import seal
from suppliers.errors import (
    AuthExpired,
    Forbidden,
    Malformed,
    NotConfigured,
    SupplierError,
    Throttled,
    Transient,
    WrongClock,
)
from suppliers.gateway import Gateway, for_supplier
from suppliers.models import Supplier
from suppliers.readings import Capability, ConfirmLine, ConfirmRequest, Outcome, Ref
from suppliers.tests.conftest import numbers
from suppliers.tests.upstream import Seen, reply, running_upstream

SECRETS = {"app_key": "12345678", "app_secret": "helloworld", "session": "test-session"}
PUBLISHED = {  # the example of article 101617
    "method": "taobao.item.seller.get",
    "app_key": "12345678",
    "session": "test",
    "timestamp": "2016-01-01 12:00:00",
    "format": "json",
    "v": "2.0",
    "fields": "num_iid,title,nick,price,num",
    "num_iid": "11223344",
}
REF = Ref("11223344:31", "A-31")
ORDER = ConfirmRequest("H-1", [ConfirmLine(REF, 2)])


@pytest.mark.parametrize(
    ("method", "signature"),
    [
        ("md5", "66987CB115214E59E6EC978214934FB8"),  # published
        ("hmac", "D56D7858309C31B6251083A874D48273"),  # by the published rule
        ("hmac-sha256", "04DB15AD0774D5CFCE2C837DE43E3FCEA9011ED74F3038FB6AB5F3C4CEA119E8"),
    ],
)
def test_signatures(method, signature):
    assert sign({**PUBLISHED, "sign_method": method, "sign": "ignored"}, "helloworld", method) == signature


class Router:
    """answers: by method, in turn, the last one for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Any]] = {}
        self.asked: list[dict[str, str]] = []
        self.url = ""

    def __call__(self, seen: Seen) -> bytes:
        form = dict(parse_qsl(seen.body.decode(), keep_blank_values=True))
        self.asked.append(form)
        left = self.answers[form["method"]]
        answer: Any = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, bytes):
            return answer
        name = form["method"].removeprefix("taobao.").replace(".", "_") + "_response"
        return reply(answer if "error_response" in answer else {name: answer})

    def calls(self, method: str) -> list[dict[str, str]]:
        return [form for form in self.asked if form["method"] == method]


@pytest.fixture
def router():
    router = Router()
    with running_upstream(router) as upstream:
        router.url = f"{upstream.url}/router/rest"
        yield router


@pytest.fixture
def gateway(router, loopback_suppliers) -> Callable[..., Gateway]:
    def make(**config: Any) -> Gateway:
        limits = {"rate": 1000, "burst": 1000, "attempts": 1, "breaker_failures": 1000}
        whole = {"base_url": router.url, "limits": limits, **config}
        assert ADAPTERS["top"].faults(whole) == []
        return for_supplier(
            Supplier(slug=f"top-{next(numbers)}", adapter="top", config=whole, credentials=seal(SECRETS))
        )

    return make


def stamped(form: dict[str, str]) -> datetime:
    return datetime.strptime(form["timestamp"], STAMP).replace(tzinfo=CHINA)


def failed(code: int, sub_code: str = "", sub_msg: str = "", msg: str = "App Call Limited") -> dict[str, Any]:
    return {"error_response": {"code": code, "msg": msg, "sub_code": sub_code, "sub_msg": sub_msg}}


def sku(number: int, quantity: Any, **more: Any) -> dict[str, Any]:
    stamp = "2026-11-25 20:00:00"
    return {"sku_id": number, "outer_id": f"A-{number}", "quantity": quantity, "modified": stamp, **more}


def item(number: int = 11223344, *skus: dict[str, Any], **more: Any) -> dict[str, Any]:
    whole = {"num_iid": number, "outer_id": f"I-{number}", "num": 7, "approve_status": "onsale", **more}
    return {"item": {**whole, **({"skus": {"sku": list(skus)}} if skus else {})}}


def listed(total: int, *numbers: int) -> dict[str, Any]:
    items = [{"num_iid": number} for number in numbers]
    return {"total_results": total, **({"items": {"item": items}} if items else {})}


def test_items_on_sale_and_off_the_shelf_are_listed_with_their_skus(router, gateway):
    router.answers = {
        "taobao.items.onsale.get": [listed(3, 1, 2), listed(3, 3)],
        "taobao.items.inventory.get": [listed(1, 4)],
        "taobao.item.seller.get": [
            item(1, sku(31, 5), sku(32, 6)),
            item(2),
            item(3, sku(33, 1, status="delete")),
            item(4, sku(34, 9), approve_status="instock"),
        ],
    }
    pages = list(gateway(page_size=2).snapshot())
    rows = [(row.uid, row.sku, row.available) for page in pages for row in page.rows]
    assert rows == [("1:31", "A-31", 5), ("1:32", "A-32", 6), ("2", "I-2", 7), ("3:33", "A-33", 0), ("4:34", "A-34", 0)]
    assert [page.cursor for page in pages] == [[0, 2], [1, 1], None]
    assert pages[1].rows[0].flags == {"inactive"}
    assert pages[0].rows[0].upstream_updated_at == datetime(2026, 11, 25, 12, tzinfo=UTC)
    form = router.asked[0]
    assert form["sign"] == sign(form, "helloworld", "hmac-sha256")
    assert (form["format"], form["session"]) == ("json", "test-session")
    assert abs((datetime.now(UTC) - stamped(form)).total_seconds()) < 60


def test_a_list_goes_on_where_it_stopped(router, gateway):
    router.answers = {
        "taobao.items.onsale.get": [listed(3, 3)],
        "taobao.items.inventory.get": [listed(0)],
        "taobao.item.seller.get": [item(3)],
    }
    pages = list(gateway(page_size=2).snapshot([0, 2]))
    assert [row.uid for page in pages for row in page.rows] == ["3"]
    assert router.asked[0]["page_no"] == "2"
    with pytest.raises(Malformed, match="anew"):
        next(gateway().snapshot("page 2"))


@pytest.mark.parametrize("page", [listed(9), {"items": {"item": [{"num_iid": 1}]}}, {"total_results": 1, "items": []}])
def test_a_list_that_breaks_off(page, router, gateway):
    router.answers = {"taobao.items.onsale.get": [page]}
    with pytest.raises(Malformed):
        list(gateway().snapshot())


@pytest.mark.parametrize(
    ("sub_stock", "deducts", "available"),
    [(1, "by_item", 10), (2, "by_item", 7), (None, "by_item", 7), (2, "order", 10), (1, "payment", 7)],
)
def test_units_that_wait_for_payment_count_where_an_item_deducts_on_payment(
    sub_stock, deducts, available, router, gateway
):
    router.answers = {
        "taobao.item.seller.get": [item(11223344, sku(31, 10, with_hold_quantity=3), sub_stock=sub_stock)]
    }
    (row,) = gateway(deducts=deducts).fetch([REF]).rows
    assert row.available == available
    assert int(row.components["with_hold_quantity"]) == 3


def test_rows_are_read_by_item_and_by_code(router, gateway):
    gone, other = Ref("11223344:99", "A-99"), Ref("5", "B")
    by_code, no_code = Ref("outer:A-31", "A-31"), Ref("outer:A-77", "A-77")
    router.answers = {
        "taobao.item.seller.get": [
            item(11223344, sku(31, 5)),
            failed(15, "isv.item-not-exist:invalid-numIid-or-iid", msg="Remote service error"),
        ],
        "taobao.skus.custom.get": [{"skus": {"sku": [sku(31, 5)]}}, {}],
    }
    result = gateway().fetch([REF, gone, other, by_code, no_code])
    assert [(row.uid, row.available) for row in result.rows] == [("11223344:31", 5), ("outer:A-31", 5)]
    assert result.missing == [gone, other, no_code]
    assert len(router.calls("taobao.item.seller.get")) == 2


def test_what_a_later_call_does_not_answer_is_unanswered(router, gateway):
    router.answers = {"taobao.item.seller.get": [item(11223344, sku(31, 5)), failed(10, "isp.http-read-timeout")]}
    others = [Ref("5", "B"), Ref("6", "C")]
    result = gateway().fetch([REF, *others])
    assert ([row.uid for row in result.rows], result.unanswered) == (["11223344:31"], others)
    assert len(router.asked) == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (failed(7, "accesscontrol.limited-by-app-access-count", "This ban will last for 1 more seconds"), Throttled),
        (failed(8), Throttled),
        (failed(27, "session-expired"), AuthExpired),
        (failed(26), AuthExpired),
        (failed(25), AuthExpired),
        (failed(11, "isv.permission-api-package-limit"), Forbidden),
        (failed(9), Forbidden),
        (failed(15, "isp.remote-service-error"), Transient),
        (failed(10), Transient),
        (failed(40, "isv.missing-parameter:fields"), Malformed),
        (failed(530, "isv.invalid-parameter"), Malformed),
        ({"error_response": {"msg": "?"}}, Malformed),
        (reply(status=500), Transient),
        (reply(body=b"<xml/>"), Malformed),
        (reply({"a": {}, "b": {}}), Malformed),
        (reply({"item_seller_get_response": {}}), Malformed),
    ],
)
def test_what_errors_mean(answer, error: type[SupplierError], router, gateway):
    router.answers = {"taobao.item.seller.get": [answer]}
    with pytest.raises(error):
        gateway().fetch([REF])


def test_a_ban_lasts_as_long_as_it_says():
    assert ban_seconds("This ban will last for 31062 more seconds") == 31_062
    assert ban_seconds("This ban will last for 1 more seconds") == 1
    assert ban_seconds("slow down") == 1


def test_a_clock_that_is_not_accepted_is_corrected_once(router, gateway):
    ahead = datetime.now(UTC) + timedelta(minutes=15)
    refusal = reply(failed(31), Date=format_datetime(ahead, usegmt=True))
    router.answers = {"taobao.item.seller.get": [refusal, item(11223344, sku(31, 5))]}
    assert gateway().fetch([REF]).rows[0].available == 5
    first, second = map(stamped, router.asked)
    assert 890 < (second - first).total_seconds() < 910
    router.answers = {"taobao.item.seller.get": [refusal]}
    with pytest.raises(WrongClock, match="ten minutes"):
        gateway().fetch([REF])


def quantities(*numbers: int) -> list[dict[str, Any]]:
    return [item(11223344, sku(31, number)) for number in numbers]


def test_an_order_is_a_difference_that_is_read_before_and_after(router, gateway):
    router.answers = {"taobao.item.seller.get": quantities(10, 8), "taobao.item.quantity.update": [{"item": {}}]}
    assert gateway(writes=True).confirm(ORDER).outcome is Outcome.ACCEPTED
    (form,) = router.calls("taobao.item.quantity.update")
    assert (form["num_iid"], form["sku_id"], form["quantity"], form["type"]) == ("11223344", "31", "-2", "2")


def test_nothing_is_deducted_where_there_is_too_little(router, gateway):
    router.answers = {"taobao.item.seller.get": quantities(1)}
    assert gateway(writes=True).confirm(ORDER).outcome is Outcome.REJECTED_STOCK
    assert router.calls("taobao.item.quantity.update") == []


@pytest.mark.parametrize(
    ("reads", "write", "outcome"),
    [
        ((10, 10), {"item": {}}, Outcome.UNKNOWN),  # deducted, says the answer, and it is not to be seen
        ((10, 9), {"item": {}}, Outcome.UNKNOWN),
        ((10, 5), {"item": {}}, Outcome.ACCEPTED),  # others bought as well
        ((10, 8), b"", Outcome.UNKNOWN),
        ((10, 8), reply(status=502), Outcome.UNKNOWN),
        ((10, 8), reply(body=b"<h1>"), Outcome.UNKNOWN),
        ((10, 8), failed(15, "isp.remote-service-error"), Outcome.UNKNOWN),
        ((10, 8), failed(15, "isv.item-quantity-not-enough"), Outcome.REJECTED_STOCK),
        ((10, 8), failed(15, "isv.item-is-locked"), Outcome.REJECTED_OTHER),
    ],
)
def test_what_becomes_of_a_difference(reads, write, outcome, router, gateway):
    router.answers = {"taobao.item.seller.get": quantities(*reads), "taobao.item.quantity.update": [write]}
    assert gateway(writes=True).confirm(ORDER).outcome is outcome
    assert len(router.calls("taobao.item.quantity.update")) == 1


TWO = ConfirmRequest("H-2", [ConfirmLine(REF, 2), ConfirmLine(Ref("11223344:32", "A-32"), 1)])


@pytest.mark.parametrize(
    ("second", "outcome", "accepted"),
    [
        (failed(15, "isv.item-quantity-not-enough"), Outcome.PARTIAL, {"11223344:31": 2, "11223344:32": 0}),
        (failed(15, "isv.item-is-locked"), Outcome.UNKNOWN, {}),
        (failed(7), Outcome.UNKNOWN, {}),
        (failed(27), Outcome.UNKNOWN, {}),
    ],
)
def test_when_the_second_line_fails(second, outcome, accepted, router, gateway):
    both = [item(11223344, sku(31, number), sku(32, 5)) for number in (10, 8)]
    router.answers = {"taobao.item.seller.get": both, "taobao.item.quantity.update": [{"item": {}}, second]}
    result = gateway(writes=True).confirm(TWO)
    assert (result.outcome, result.accepted) == (outcome, accepted)


@pytest.mark.parametrize(
    ("reads", "write", "error"),
    [
        ([reply(status=502)], {"item": {}}, Transient),
        (quantities(10), failed(7, "", "This ban will last for 9 more seconds"), Throttled),
        (quantities(10), failed(27), AuthExpired),
    ],
)
def test_before_the_first_difference_nothing_was_deducted(reads, write, error, router, gateway):
    router.answers = {"taobao.item.seller.get": reads, "taobao.item.quantity.update": [write]}
    with pytest.raises(error) as caught:
        gateway(writes=True).confirm(ORDER)
    assert not getattr(caught.value, "sent", False)


def test_a_cancel_gives_back_once(router, gateway):
    router.answers = {"taobao.item.quantity.update": [{"item": {}}]}
    assert gateway(writes=True).cancel(ORDER, "").outcome is Outcome.ACCEPTED
    assert router.asked[0]["quantity"] == "2"
    router.answers = {"taobao.item.quantity.update": [b""]}
    unclear = gateway(writes=True).cancel(ORDER, "")
    assert (unclear.outcome, "by hand" in unclear.detail) == (Outcome.REJECTED_OTHER, True)


def test_without_leave_to_write_it_only_reads(router, gateway):
    assert gateway().capabilities == Capability.SNAPSHOT | Capability.FETCH
    with pytest.raises(NotConfigured):
        gateway().confirm(ORDER)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"sign_method": "sha1"}, "sign_method: "),
        ({"deducts": "never"}, "deducts: "),
        ({"page_size": 201}, "page_size: "),
        ({"base_url": "http://gw.api.taobao.com/router/rest"}, "base_url: .*https"),
        ({"session": "x"}, "configuration: .*session"),
    ],
)
def test_faults_name_their_path(change, fault):
    (found,) = ADAPTERS["top"].faults({"base_url": "https://gw.api.taobao.com/router/rest", **change})
    assert re.match(fault, found), found
