"""How platforms tell that something went wrong: one function for each, from a `Problem` to its reply."""

from http import HTTPStatus

from .messages import Problem, Reply, error_reply, json_reply

# code → (code, sub_code) of TOP; those below 100 are the platform's own.
_TOP = {
    "TOO_MANY_REQUESTS": (7, "accesscontrol.limited-by-app-access-count"),
    "UNAVAILABLE": (10, "isp.http-read-timeout"),
    "SERVER_ERROR": (15, "isp.remote-service-error"),
    "SYSTEM_BUSY": (15, "isp.remote-service-error"),
    "MISSING_SIGNATURE": (24, ""),
    "BAD_SIGNATURE": (25, ""),
    "MISSING_SESSION": (26, ""),
    "TOKEN_EXPIRED": (27, "session-expired"),
    "UNAUTHORIZED": (29, ""),
    "MISSING_TIMESTAMP": (30, ""),
    "BAD_TIMESTAMP": (31, ""),
    "NOT_FOUND": (22, ""),
    "BAD_REQUEST": (41, "isv.invalid-parameter"),
    "NO_STOCK": (15, "isv.item-quantity-not-enough"),
    "FORBIDDEN": (11, "isv.permission-api-package-limit"),
}
_AOP = {
    "TOO_MANY_REQUESTS": "gw.QosAppFrequencyLimit",
    "BAD_SIGNATURE": "gw.SignatureInvalid",
    "MISSING_SIGNATURE": "gw.SignatureInvalid",
    "UNAUTHORIZED": "gw.UnauthorizedRequest",
    "TOKEN_EXPIRED": "gw.AccessTokenExpired",
    "FORBIDDEN": "gw.APIACLDecline",
    "NOT_FOUND": "gw.APIUnsupported",
    "SYSTEM_BUSY": "gw.SystemBusy",
    "NO_STOCK": "500_004",
    "BELOW_MINIMUM": "500_005",
    "WRONG_LOT": "500_006",
    "DELISTED": "500_001",
    "PRICE_CHANGED": "500_010",
}
SHOPIFY_BUCKET = 2_000
SHOPIFY_RESTORE = 100


def rest(problem: Problem) -> Reply:
    reply = error_reply(problem.status, problem.code, problem.message, **problem.more)
    reply.headers.update(problem.headers)
    return reply


def top(problem: Problem) -> Reply:
    """200 with `error_response`; outages of the platform keep their status."""
    code, sub_code = _TOP.get(problem.code, (15, f"isv.{problem.code.lower().replace('_', '-')}"))
    document = {"code": code, "msg": problem.message, "request_id": "chaos"}
    if sub_code:
        document["sub_code"] = sub_code
    if "retry_after" in problem.more:
        document["msg"] = "App Call Limited"
        document["sub_msg"] = f"This ban will last for {problem.more['retry_after']} more seconds"
    status = problem.status if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR else HTTPStatus.OK
    return json_reply(status, {"error_response": document})


def aop(problem: Problem) -> Reply:
    """The gateway's own refusals come with 400, those of the service behind it with 200."""
    code = _AOP.get(problem.code, problem.code)
    document = {
        "error_code": code,
        "error_message": problem.message,
        "exception": problem.message,
        "request_id": "chaos",
    }
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return json_reply(problem.status, document)
    gateway = code.startswith("gw.") and problem.code not in ("TOO_MANY_REQUESTS", "SYSTEM_BUSY")
    return json_reply(HTTPStatus.BAD_REQUEST if gateway else HTTPStatus.OK, document)


def graphql(problem: Problem) -> Reply:
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR or problem.code in ("UNAUTHORIZED", "TOKEN_EXPIRED"):
        return rest(problem)
    error = {"message": problem.message, "extensions": {"code": problem.code, **problem.more}}
    return json_reply(problem.status if problem.headers else HTTPStatus.OK, {"errors": [error]}, problem.headers)


def shopify(problem: Problem) -> Reply:
    """200 with `errors`; without a valid token 401 and a text."""
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR or problem.status in (
        HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN,
    ):  # fmt: skip
        return json_reply(problem.status, {"errors": problem.message})
    if problem.code != "TOO_MANY_REQUESTS":
        return json_reply(200, {"errors": [{"message": problem.message, "extensions": {"code": problem.code}}]})
    wanted = SHOPIFY_RESTORE * int(problem.more.get("retry_after", 1))
    cost = {
        "requestedQueryCost": wanted,
        "actualQueryCost": None,
        "throttleStatus": {
            "maximumAvailable": float(SHOPIFY_BUCKET),
            "currentlyAvailable": 0,
            "restoreRate": float(SHOPIFY_RESTORE),
        },
    }
    errors = [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]
    return json_reply(200, {"errors": errors, "extensions": {"cost": cost}})


def woo(problem: Problem) -> Reply:
    code = "woocommerce_rest_cannot_view" if problem.status == HTTPStatus.UNAUTHORIZED else problem.code.lower()
    document = {"code": code, "message": problem.message, "data": {"status": problem.status, **problem.more}}
    return json_reply(problem.status, document, problem.headers)
