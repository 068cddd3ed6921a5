"""Orders on 1688: preview, order, look-up, cancel."""

from typing import Any

import pytest

from suppliers.errors import Malformed, NotConfigured, Throttled, Transient
from suppliers.readings import Capability, ConfirmLine, ConfirmRequest, Outcome, Ref
from suppliers.tests.aop.platform import (
    ORDER,
    PLACED,
    PREVIEWED,
    REF,
    SPEC,
    SPLIT,
    declined,
    offer,
    sku,
    trade,
    trades,
)
from suppliers.tests.upstream import reply

DETAIL, PREVIEW = "product.search.queryProductDetail", "alibaba.createOrder.preview"
CREATE, LIST = "alibaba.trade.createCrossOrder", "alibaba.trade.getBuyerOrderList"
CANCEL = "alibaba.trade.cancel"


@pytest.fixture(autouse=True)
def _offer(platform) -> None:
    platform.answers |= {
        DETAIL: [offer(sku(31, 20), sku(32, 20, specId="2ba3d63866a71fbae83909d9b4814f01"))],
        PREVIEW: [PREVIEWED],
        CREATE: [PLACED],
        LIST: [trades()],
    }


def test_an_order_number_is_success_whatever_success_says(platform, gateway):
    result = gateway().confirm(ORDER)
    assert (result.outcome, result.upstream_order) == (Outcome.ACCEPTED, "87407346014789305")
    assert platform.sent(CREATE, "cargoParamList") == [{"offerId": 554456348334, "specId": SPEC, "quantity": 6}]
    form = platform.forms(CREATE)[0]
    assert (form["outOrderId"], form["message"], form["flow"]) == ("H-1", "H-1", "general")
    assert platform.sent(CREATE, "addressParam") == {"addressId": 593861699}
    assert platform.forms(LIST) == []


def test_an_order_may_be_split(platform, gateway):
    platform.answers[CREATE] = [SPLIT]
    result = gateway().confirm(ORDER)
    assert (result.outcome, result.upstream_order) == (Outcome.ACCEPTED, "105581756010628640,105637283010628640")


DECLINING = {"status": False, "resultCode": "500_004"}
TWO = ConfirmRequest("H-1", [ConfirmLine(REF, 6), ConfirmLine(Ref("554456348334:32", "A-32"), 3)])


@pytest.mark.parametrize(
    ("spec", "accepted"), [(SPEC, {REF.uid: 0, "554456348334:32": 3}), ("", {REF.uid: 0, "554456348334:32": 0})]
)
def test_lines_that_failed_make_it_partial(spec, accepted, platform, gateway):
    failed = {"offerId": "554456348334", "specId": spec, "errorCode": "500_004", "errorMessage": "stock"}
    platform.answers[CREATE] = [{"result": {**PLACED, "failedOfferList": [failed]}}]
    result = gateway().confirm(TWO)
    assert (result.outcome, result.accepted) == (Outcome.PARTIAL, accepted)
    assert "500_004" in result.detail


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"success": False, "errorCode": "500_004", "errorMsg": "insufficient stock"}, Outcome.REJECTED_STOCK),
        ({"success": False, "errorCode": "500_001"}, Outcome.REJECTED_STOCK),
        ({"success": False, "errorCode": "500_005"}, Outcome.REJECTED_OTHER),
        (
            {"success": True, "orderPreviewResuslt": [{"status": False, "resultCode": "500_004"}]},
            Outcome.REJECTED_STOCK,
        ),
        ({"success": False}, Outcome.REJECTED_OTHER),
        (declined("500_006"), Outcome.REJECTED_OTHER),
    ],
)
def test_what_the_preview_declines_is_not_ordered(answer, outcome, platform, gateway):
    platform.answers[PREVIEW] = [answer]
    assert gateway().confirm(ORDER).outcome is outcome
    assert platform.forms(CREATE) == []


def test_what_is_no_longer_offered_is_not_ordered(platform, gateway):
    platform.answers[DETAIL] = [offer(sku(32, 20))]
    assert gateway().confirm(ORDER).outcome is Outcome.REJECTED_STOCK
    assert (platform.forms(PREVIEW), platform.forms(CREATE)) == ([], [])


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({DETAIL: [reply(status=502)]}, Transient),
        ({PREVIEW: [reply(status=502)]}, Transient),
        ({PREVIEW: [b""]}, Transient),
        ({PREVIEW: [declined("gw.QosAppFrequencyLimit")]}, Throttled),
        ({PREVIEW: [reply(body=b"<h1>")]}, Malformed),
        ({CREATE: [declined("gw.QosAppFrequencyLimit")]}, Throttled),
    ],
)
def test_before_the_order_nothing_was_ordered(answers, error, platform, gateway):
    platform.answers |= answers
    with pytest.raises(error) as caught:
        gateway().confirm(ORDER)
    assert not getattr(caught.value, "sent", False)


@pytest.mark.parametrize(
    "answer", [b"", reply(status=502), reply(body=b"<h1>"), {"success": True}, declined("gw.Busy")]
)
def test_an_order_without_a_clear_answer_is_unknown(answer, platform, gateway):
    platform.answers[CREATE] = [answer]
    assert gateway().confirm(ORDER).outcome is Outcome.UNKNOWN


REFUSED = {"success": False, "code": "400", "message": "AddressId invalid:AddressId invalid"}


@pytest.mark.parametrize(
    ("answer", "listed", "outcome"),
    [
        (REFUSED, trades(), Outcome.REJECTED_OTHER),
        (declined("500_004"), trades(), Outcome.REJECTED_STOCK),
        (REFUSED, trades(trade()), Outcome.ACCEPTED),  # declined, it says, and there it is
        (REFUSED, reply(status=502), Outcome.UNKNOWN),
    ],
)
def test_a_refusal_counts_once_the_orders_were_looked_through(answer, listed, outcome, platform, gateway):
    platform.answers |= {CREATE: [answer], LIST: [listed]}
    assert gateway().confirm(ORDER).outcome is outcome
    assert platform.forms(LIST)[0]["outOrderId"] == "H-1"


@pytest.mark.parametrize(
    ("listed", "outcome", "upstream_order", "accepted"),
    [
        (trades(), Outcome.NOT_FOUND, "", {}),
        (trades(trade()), Outcome.ACCEPTED, "87407346014789305", {REF.uid: 6}),
        (trades(trade(buyerFeedback="", outOrderId="H-1")), Outcome.ACCEPTED, "87407346014789305", {REF.uid: 6}),
        (trades(trade(units=2), trade("2", units="4")), Outcome.ACCEPTED, "87407346014789305,2", {REF.uid: 6}),
        (trades(trade(units=2)), Outcome.PARTIAL, "87407346014789305", {REF.uid: 2}),
        (trades(trade("1", "cancel"), trade("2")), Outcome.ACCEPTED, "2", {REF.uid: 6}),
        (trades(trade(status="cancel")), Outcome.REJECTED_OTHER, "87407346014789305", {}),
    ],
)
def test_an_order_is_looked_up_by_our_reference(listed, outcome, upstream_order, accepted, platform, gateway):
    platform.answers[LIST] = [listed]
    result = gateway().readback(ORDER)
    assert (result.outcome, result.upstream_order, result.accepted) == (outcome, upstream_order, accepted)


def test_a_long_list_is_read_to_its_end(platform, gateway):
    strangers = [trade(str(number), buyerFeedback="H-12") for number in range(1, 21)]
    first, second = ({"result": part, "totalRecord": 21} for part in (strangers, [trade("99")]))
    platform.answers[LIST] = [first, second]
    assert gateway().readback(ORDER).upstream_order == "99"
    assert [form["page"] for form in platform.forms(LIST)] == ["1", "2"]


@pytest.mark.parametrize(
    "listed",
    [
        trades(trade(buyerFeedback="H-12")),  # the filter was ignored
        {"result": None, "totalRecord": 0},
        {"result": []},
        {"result": [{}], "totalRecord": 1},
        {"errorCode": "SYSTEM", "errorMessage": "x"},
    ],
)
def test_a_list_that_proves_nothing(listed, platform, gateway):
    platform.answers[LIST] = [listed]
    with pytest.raises(Malformed):
        gateway().readback(ORDER)


def test_every_order_with_our_reference_is_called_off(platform, gateway):
    platform.answers |= {LIST: [trades(trade("1"), trade("2", "cancel"), trade("3"))], CANCEL: [{"success": "true"}]}
    assert gateway().cancel(ORDER, "1,3").outcome is Outcome.ACCEPTED
    assert [form["tradeID"] for form in platform.forms(CANCEL)] == ["1", "3"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"success": False, "errorCode": "CLOSE_ORDER_TOO_FAST"}, Throttled),
        ({"success": False}, Transient),
        (reply(status=502), Transient),
    ],
)
def test_a_cancel_that_may_be_tried_again(answer, error, platform, gateway):
    platform.answers |= {LIST: [trades(trade())], CANCEL: [answer]}
    with pytest.raises(error):
        gateway().cancel(ORDER, "1")


def test_a_cancel_that_is_declined(platform, gateway):
    declining: Any = {"success": False, "errorCode": "ORDER_STATUS", "errorMessage": "paid already"}
    platform.answers |= {LIST: [trades(trade())], CANCEL: [declining]}
    result = gateway().cancel(ORDER, "1")
    assert (result.outcome, "paid already" in result.detail) == (Outcome.REJECTED_OTHER, True)


def test_an_order_larger_than_1688_takes(platform, gateway):
    lines = [ConfirmLine(Ref(f"1:{number}", ""), 1) for number in range(51)]
    assert gateway().confirm(ConfirmRequest("H-1", lines)).outcome is Outcome.REJECTED_OTHER
    assert platform.asked == []


def test_without_an_address_it_only_reads(platform, gateway):
    reading = gateway(order=None)
    assert reading.capabilities == Capability.SNAPSHOT | Capability.FETCH
    with pytest.raises(NotConfigured):
        reading.confirm(ORDER)
