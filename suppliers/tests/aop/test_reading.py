"""Signatures, tokens, errors and rows of 1688."""

import re
import threading

import pytest

from suppliers.adapters import ADAPTERS
from suppliers.adapters.aop.client import sign
from suppliers.errors import AuthExpired, Forbidden, Malformed, SupplierError, Throttled, Transient
from suppliers.readings import Ref
from suppliers.tests.aop.platform import REF, TOKEN, declined, offer, pool, sku, total
from suppliers.tests.upstream import reply

DETAIL = "product.search.queryProductDetail"


def test_the_published_signature():
    signature = sign("param2/1/system/currentTime/1000000", {"a": "1", "b": "2"}, "test123")
    assert signature == "33E54F4F7B989E3E0E912D3FBD2F1A03CA7CCE88"


def test_the_pool_is_listed_with_the_skus_of_its_offers(platform, gateway):
    platform.answers |= {
        "pool.product.total": [total(3)],
        "pool.product.pull": [pool(1, 2), pool(3)],
        DETAIL: [
            offer(sku(31, 20), sku(32, "7"), number=1),
            offer(number=2),
            offer(sku(33, 5), number=3, status="expired"),
        ],
    }
    pages = list(gateway(page_size=2).snapshot())
    rows = [(row.uid, row.sku, row.available, row.lot, row.min_order) for page in pages for row in page.rows]
    assert rows == [
        ("1:31", "A-31", 20, 3, 2),
        ("1:32", "A-32", 7, 3, 2),
        ("2", "", 99999, 3, 2),
        ("3:33", "A-33", 0, 3, 2),
    ]
    assert [page.cursor for page in pages] == [2, None]
    flags = [row.flags for page in pages for row in page.rows]
    assert flags == [frozenset(), {"string"}, {"sentinel", "no_sku"}, {"inactive"}]
    tasks = {platform.sent("pool.product.pull", "offerPoolQueryParam")["taskId"]}
    assert tasks == {"holdfast"}


def test_a_pool_goes_on_where_it_stopped(platform, gateway):
    platform.answers |= {"pool.product.total": [total(3)], "pool.product.pull": [pool(3)], DETAIL: [offer(number=3)]}
    assert [row.uid for page in gateway(page_size=2).snapshot(2) for row in page.rows] == ["3"]
    with pytest.raises(Malformed, match="anew"):
        next(gateway().snapshot({"page": 2}))


@pytest.mark.parametrize(
    "answers",
    [
        {"pool.product.pull": [pool()]},
        {"pool.product.total": [{"result": {}}]},
        {DETAIL: [offer(number=7)]},
        {DETAIL: [{"result": {"success": "false"}}]},
        {DETAIL: [offer(sku(31, None, skuId="x"), number=1)]},
        {DETAIL: [offer(sku(31, {}), number=1)]},
    ],
)
def test_a_pool_that_makes_no_sense(answers, platform, gateway):
    platform.answers |= {"pool.product.total": [total(1)], "pool.product.pull": [pool(1)], DETAIL: [offer(number=1)]}
    platform.answers |= answers
    with pytest.raises(Malformed):
        list(gateway().snapshot())


def test_rows_are_read_offer_by_offer(platform, gateway):
    gone, other, odd = Ref("554456348334:99", "B"), Ref("7:1", "C"), Ref("x", "D")
    nowhere = {"result": {"success": "false", "code": "404", "message": "offer not found"}}
    platform.answers[DETAIL] = [offer(sku(31, 9)), nowhere]
    result = gateway().fetch([REF, gone, other, odd])
    assert [(row.uid, row.available) for row in result.rows] == [(REF.uid, 9)]
    assert result.missing == [gone, other, odd]
    platform.answers[DETAIL] = [offer(sku(31, 9)), reply(status=502)]
    assert gateway().fetch([REF, other, odd]).unanswered == [other, odd]


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("gw.QosAppFrequencyLimit", Throttled),
        ("gw.SignatureInvalid", Forbidden),
        ("gw.APIACLDecline", Forbidden),
        ("APIACLDecline", Forbidden),
        ("gw.SystemBusy", Transient),
        ("500_002", Malformed),
    ],
)
def test_errors_with_either_status(code, error: type[SupplierError], status, platform, gateway):
    platform.answers[DETAIL] = [declined(code, status)]
    with pytest.raises(error):
        gateway().fetch([REF])


@pytest.mark.parametrize("answer", [reply([]), reply(body=b"<h1>"), reply({"x": 1}, status=400)])
def test_answers_that_are_none(answer, platform, gateway):
    platform.answers[DETAIL] = [answer]
    with pytest.raises(Malformed):
        gateway().fetch([REF])


def test_a_token_is_kept_and_renewed_when_it_is_refused(platform, gateway):
    platform.answers["getToken"] = [TOKEN, {**TOKEN, "access_token": "token-2", "refresh_token": "refresh-2"}]
    platform.answers[DETAIL] = [offer(sku(31, 9))]
    for _ in range(2):
        gateway().fetch([REF])
    assert [form["refresh_token"] for form in platform.forms("getToken")] == ["refresh-1"]
    platform.answers[DETAIL] = [declined("gw.AccessTokenExpired", 400), offer(sku(31, 8))]
    assert gateway().fetch([REF]).rows[0].available == 8
    assert [form["access_token"] for form in platform.forms(DETAIL)] == ["token-1", "token-1", "token-1", "token-2"]
    platform.answers[DETAIL] = [declined("gw.UnauthorizedRequest", 400)]
    with pytest.raises(AuthExpired):
        gateway().fetch([REF])
    assert [form["refresh_token"] for form in platform.forms("getToken")][-1] == "refresh-2"


def test_without_a_token_a_person_is_told(platform, gateway):
    platform.answers["getToken"] = [reply({"error": "invalid_grant"}, status=400)]
    with pytest.raises(AuthExpired, match="authorise again"):
        gateway().fetch([REF])
    assert platform.forms(DETAIL) == []


@pytest.mark.django_db(transaction=True)
def test_many_threads_ask_for_one_token(platform, gateway):
    platform.answers[DETAIL] = [offer(sku(31, 9))]
    threads = [threading.Thread(target=gateway().fetch, args=([REF],)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(platform.forms("getToken")), len(platform.forms(DETAIL))) == (1, 6)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"pool": "111"}, "pool: "),
        ({"page_size": 51}, "page_size: "),
        ({"order": {}}, "order: "),
        ({"order": {"address": {}}}, "order.address: "),
        ({"base_url": "http://gw.open.1688.com"}, "base_url: .*https"),
    ],
)
def test_faults_name_their_path(change, fault):
    (found,) = ADAPTERS["aop1688"].faults({"base_url": "https://gw.open.1688.com", "pool": 1, **change})
    assert re.match(fault, found), found
