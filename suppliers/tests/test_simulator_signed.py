"""The same ledger as TOP and 1688: signed requests, errors with 200."""

from datetime import UTC, datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import orjson
import pytest

from suppliers.simulator import signatures
from suppliers.tests.simulator_client import VirtualClock, simulated

SKU, TOKEN = "SKU-000001", "chaos-supplier"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def post(client, path, form, **headers):
    status, _, body = client.raw("POST", path, urlencode(form).encode(), **FORM, **headers)
    return status, orjson.loads(body)


# --- Signatures ---------------------------------------------------------------------------------------------
TOP_VECTOR = {
    "method": "taobao.item.seller.get", "app_key": "12345678", "session": "test", "timestamp": "2016-01-01 12:00:00",
    "format": "json", "v": "2.0", "fields": "num_iid,title,nick,price,num", "num_iid": "11223344",
}  # fmt: skip


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("md5", "66987CB115214E59E6EC978214934FB8"),  # as published
        ("hmac", "D56D7858309C31B6251083A874D48273"),
        ("hmac-sha256", "04DB15AD0774D5CFCE2C837DE43E3FCEA9011ED74F3038FB6AB5F3C4CEA119E8"),
    ],
)
def test_top_requests_are_signed_as_published(method, expected):
    assert signatures.top({**TOP_VECTOR, "sign_method": method}, "helloworld") == expected


def test_1688_requests_are_signed_as_published():
    signature = signatures.aop("param2/1/system/currentTime/1000000", {"a": "1", "b": "2"}, "test123")
    assert signature == "33E54F4F7B989E3E0E912D3FBD2F1A03CA7CCE88"


# --- TOP ------------------------------------------------------------------------------------------------------
class Top:
    def __init__(self, chaos, client, clock):
        self.chaos, self.client, self.clock = chaos, client, clock

    def __call__(self, method, skew=0, sign_method="md5", **parameters):
        now = datetime.fromtimestamp(self.clock.now + skew, UTC).astimezone(ZoneInfo("Asia/Shanghai"))
        common = {
            "method": method, "app_key": "1", "session": TOKEN, "timestamp": now.strftime("%Y-%m-%d %H:%M:%S"),
            "format": "json", "v": "2.0", "sign_method": sign_method,
        }  # fmt: skip
        form = {**common, **{name: str(value) for name, value in parameters.items()}}
        form.setdefault("sign", signatures.top(form, TOKEN))
        status, answer = post(self.client, "/router/rest", form)
        assert status == 200
        return answer


@pytest.fixture
def top():
    clock = VirtualClock()
    with simulated(clock, dialect="top") as (chaos, client):
        yield Top(chaos, client, clock)


@pytest.mark.parametrize("method", ["md5", "hmac", "hmac-sha256"])
def test_top_lists_items_and_their_skus(top, method):
    page = top("taobao.items.onsale.get", page_no=2, page_size=15, sign_method=method)["items_onsale_get_response"]
    assert (page["total_results"], len(page["items"]["item"])) == (20, 5)
    numbers = ",".join(str(item["num_iid"]) for item in page["items"]["item"])
    skus = top("taobao.item.skus.get", num_iids=numbers)["item_skus_get_response"]["skus"]["sku"]
    assert [(sku["outer_id"], sku["quantity"]) for sku in skus] == [(f"SKU-0000{n}", 10) for n in range(16, 21)]
    [same] = top("taobao.skus.custom.get", outer_id="SKU-000016")["skus_custom_get_response"]["skus"]["sku"]
    assert same == skus[0]
    item = top("taobao.item.seller.get", num_iid=skus[0]["num_iid"])["item_seller_get_response"]["item"]
    assert (item["num"], item["skus"]["sku"]) == (10, [same])


def test_top_takes_deltas_as_sales_and_refuses_what_is_not_there(top):
    item = top("taobao.skus.custom.get", outer_id=SKU)["skus_custom_get_response"]["skus"]["sku"][0]["num_iid"]
    options = '{"outer_biz_key":"ref-1"}'
    update = "taobao.item.quantity.update"
    assert "item_quantity_update_response" in top(update, num_iid=item, quantity=-3, type=2, options=options)
    assert top.chaos.audit()["sales"][0]["ref"] == "ref-1"
    refused = top(update, num_iid=item, quantity=-8, type=2)["error_response"]
    assert refused["sub_code"] == "isv.item-quantity-not-enough"
    assert top.chaos.truth(SKU)[SKU]["on_hand"] == 7
    top(update, num_iid=item, quantity=9, type=1)
    assert top.chaos.truth(SKU)[SKU] == {
        "initial": 10, "restocked": 2, "sold": 3, "cancelled": 0, "lost": 0, "on_hand": 9,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"sign": "0" * 32}, 25), ({"sign": ""}, 24), ({"skew": 601}, 31), ({"skew": -601}, 31),
        ({"session": ""}, 26), ({"session": "stolen"}, 29),
    ],
)  # fmt: skip
def test_top_refuses_with_200_and_its_own_codes(top, parameters, code):
    assert top("taobao.items.onsale.get", **parameters)["error_response"]["code"] == code
    assert "error_response" not in top("taobao.items.onsale.get", skew=599)


def test_top_checks_times_by_its_own_wrong_clock(top):
    top.chaos.set(clock={"skew_s": 900})
    assert top("taobao.items.onsale.get")["error_response"]["code"] == 31
    assert "error_response" not in top("taobao.items.onsale.get", skew=900)


def test_top_bans_and_sessions_end_in_its_own_words(top):
    top.chaos.set(throttle={"retry_after": 42})
    banned = top("taobao.items.onsale.get")["error_response"]
    assert (banned["code"], banned["sub_msg"]) == (7, "This ban will last for 42 more seconds")
    top.chaos.set(throttle=None, tokens={"style": "200"})
    assert top("taobao.items.onsale.get")["error_response"]["code"] == 27


# --- 1688 -----------------------------------------------------------------------------------------------------
class Aop:
    def __init__(self, chaos, client):
        self.chaos, self.client = chaos, client

    def __call__(self, name, **parameters):
        namespace, _, method = name.partition(":")
        path = f"param2/1/{namespace}/{method}/1000000"
        form = {
            key: value if isinstance(value, str) else orjson.dumps(value).decode() for key, value in parameters.items()
        }
        form = {"access_token": TOKEN, **form}
        form.setdefault("_aop_signature", signatures.aop(path, form, TOKEN))
        return post(self.client, f"/openapi/{path}", form)


@pytest.fixture
def aop():
    with simulated(dialect="aop1688") as (chaos, client):
        yield Aop(chaos, client)


POOL = "com.alibaba.fenxiao.crossborder:pool.product"
TRADE = "com.alibaba.trade:alibaba"


def offer_of(aop, number):
    param = {"offerId": 600_000_000_000 + number - 1, "country": "en"}
    name = "com.alibaba.fenxiao.crossborder:product.search.queryProductDetail"
    return aop(name, offerDetailParam=param)[1]["result"]["result"]


def test_1688_lists_offers_and_details_one_by_one(aop):
    assert aop(f"{POOL}.total")[1]["result"]["model"] == 20
    offers = aop(f"{POOL}.pull", offerPoolQueryParam={"pageNo": 2, "pageSize": 15})[1]["result"]["result"]
    assert [offer["offerId"] for offer in offers] == list(range(600_000_000_015, 600_000_000_020))
    [sku] = offer_of(aop, 1)["productSkuInfos"]
    assert (sku["cargoNumber"], sku["amountOnSale"]) == (SKU, 10)


def order_at(aop, reference, *lines):
    cargo = []
    for number, quantity in lines:
        [sku] = offer_of(aop, number)["productSkuInfos"]
        cargo.append({"offerId": 600_000_000_000 + number - 1, "specId": sku["specId"], "quantity": quantity})
    return aop(f"{TRADE}.trade.createCrossOrder", outOrderId=reference, cargoParamList=cargo)


def test_1688_takes_shows_and_cancels_an_order(aop):
    number = order_at(aop, "ref-1", (1, 4))[1]["result"]["orderId"]
    shown = aop(f"{TRADE}.trade.get.buyerView", orderId=number)[1]["result"]
    assert (shown["baseInfo"]["buyerFeedback"], shown["productItems"][0]["quantity"]) == ("ref-1", 4.0)
    [listed] = aop(f"{TRADE}.trade.getBuyerOrderList", outOrderId="ref-1")[1]["result"]
    assert listed == shown
    assert aop(f"{TRADE}.trade.cancel", tradeID=number)[1] == {"success": True}
    assert aop.chaos.truth(SKU)[SKU]["on_hand"] == 10


def test_1688_previews_and_refuses_with_its_codes(aop):
    [sku] = offer_of(aop, 1)["productSkuInfos"]
    cargo = [{"offerId": 600_000_000_000, "specId": sku["specId"], "quantity": 11}]
    assert aop(f"{TRADE}.createOrder.preview", cargoParamList=cargo)[1]["error_code"] == "500_004"
    cargo[0]["quantity"] = 10
    assert aop(f"{TRADE}.createOrder.preview", cargoParamList=cargo)[1]["success"] is True
    assert order_at(aop, "ref-1", (1, 11))[1]["error_code"] == "500_004"
    cargo[0]["specId"] = "another"
    refused = aop(f"{TRADE}.trade.createCrossOrder", outOrderId="r", cargoParamList=cargo)
    assert refused[1]["error_code"] == "500_003"
    assert aop.chaos.audit()["sales"] == []


def test_1688_splits_orders_fills_them_in_part_and_denies_success(aop):
    aop.chaos.set(split={"parts": 2})
    split = order_at(aop, "ref-1", (1, 1), (2, 1))[1]["result"]
    assert (split["orderId"], len(split["orderList"])) == ("", 2)
    aop.chaos.set(split=None, partial=True)
    partial = order_at(aop, "ref-2", (3, 12))[1]["result"]
    assert (partial["success"], partial["orderId"] != "") == (False, True)
    assert partial["failedOfferList"] == [{"offerId": 600_000_000_002, "errorCode": "500_004"}]


def test_1688_refuses_bad_signatures_and_old_tokens(aop):
    assert aop(f"{POOL}.total", _aop_signature="0")[1]["error_code"] == "gw.SignatureInvalid"
    assert aop(f"{POOL}.total", access_token="stolen")[1]["error_code"] == "gw.UnauthorizedRequest"
    aop.chaos.set(throttle=True)
    assert aop(f"{POOL}.total") == (
        200,
        {
            "error_code": "gw.QosAppFrequencyLimit", "error_message": "Slow down", "exception": "Slow down",
            "request_id": "chaos",
        },
    )  # fmt: skip


def test_1688_gives_out_tokens_whose_life_is_a_text(aop):
    aop.chaos.set(tokens={"ttl_s": 36_000})
    path = "/openapi/http/1/system.oauth2/getToken/1000000"
    assert post(aop.client, path, {"client_secret": "wrong"})[1]["error_code"] == "gw.UnauthorizedRequest"
    token = post(aop.client, path, {"client_secret": TOKEN})[1]
    assert token["expires_in"] == "36000"
    assert aop(f"{POOL}.total", access_token=token["access_token"])[0] == 200
