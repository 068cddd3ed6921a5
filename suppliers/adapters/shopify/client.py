"""One GraphQL call: its errors, its cost, and the version that answered."""

from collections.abc import Mapping
from typing import Any, NoReturn

from suppliers import guard
from suppliers.adapters.answers import Answer, Judge
from suppliers.adapters.calls import Caller
from suppliers.adapters.platforms import any_answer
from suppliers.adapters.shopify.configuration import VERSION
from suppliers.errors import Forbidden, Malformed, Throttled, Transient
from suppliers.transport import Deadline, Request, Response

DEFAULT_WAIT = 2.0  # seconds; a full bucket refills in ten
FORBIDDEN = {"ACCESS_DENIED", "SHOP_INACTIVE"}


class Client:
    """The Admin API of one shop, in one pinned version."""

    def __init__(self, config: Mapping[str, Any], token: str, call: Caller, judge: Judge) -> None:
        self.version: str = config.get("version", VERSION)
        self.judge = judge
        self._url = f"{config['base_url'].rstrip('/')}/admin/api/{self.version}/graphql.json"
        self._headers = {"X-Shopify-Access-Token": token}
        self._call = call
        guard.check_url(self._url)

    def run(self, query: str, variables: Mapping[str, Any], deadline: Deadline, *, safe: bool = True) -> Answer:
        """A good answer; its document holds `data`.

        Raises: any SupplierError; Malformed if the answer came from another version than the pinned one, for its fields
        may mean something else.
        """
        request = Request("POST", self._url, headers=self._headers, json={"query": query, "variables": dict(variables)})
        return self._call(request, self._read, safe=safe, deadline=deadline)

    def _read(self, response: Response) -> Answer:
        answer = any_answer(self.judge)(response)
        document = answer.document
        if not isinstance(document, dict):
            raise Malformed(f"Shopify answered {answer.status} without a JSON object.", answer.evidence)
        errors = document.get("errors")
        if errors or not answer.ok:
            _fail(errors, document, answer)
        served = answer.headers.get("X-Shopify-API-Version", self.version)
        if served != self.version:
            raise Malformed(f"Version {self.version} is no longer served; {served} answered. Pin a newer one.")
        if not isinstance(document.get("data"), dict):
            raise Malformed("The answer holds no data.", answer.evidence)
        return answer


def _fail(errors: Any, document: Mapping[str, Any], answer: Answer) -> NoReturn:
    """errors: a list of GraphQL errors, or whatever stands in its place where the request did not get that far."""
    codes, messages = set(), []
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, dict):
            messages.append(str(error.get("message", ""))[:200])
            extensions = error.get("extensions")
            codes.add(str(extensions.get("code", "")) if isinstance(extensions, dict) else "")
    if "THROTTLED" in codes or "Throttled" in messages:
        raise Throttled("Shopify's cost bucket is empty.", wait_of(document))
    if codes & FORBIDDEN:
        raise Forbidden(
            "Shopify refuses this: check the app's scopes, read_inventory, write_inventory, read_locations."
        )
    if "INTERNAL_SERVER_ERROR" in codes:
        raise Transient("Shopify failed inside.", sent=True)
    raise Malformed(f"Shopify answered {answer.status}: {'; '.join(messages) or 'no reason'}.", answer.evidence)


def wait_of(document: Mapping[str, Any]) -> float:
    """Seconds until the bucket holds what the refused query asked for."""
    try:
        cost = document["extensions"]["cost"]
        status = cost["throttleStatus"]
        missing = float(cost["requestedQueryCost"]) - float(status["currentlyAvailable"])
        return max(0.1, missing / float(status["restoreRate"]))
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return DEFAULT_WAIT


def number_of(gid: Any) -> str:
    """The number at the end of `gid://shopify/Kind/123`.  Raises: Malformed."""
    number = gid.rpartition("/")[2].partition("?")[0] if isinstance(gid, str) else ""
    if not number.isdigit():
        raise Malformed(f"{str(gid)[:60]!r} is not an identifier of Shopify.")
    return number


def gid(kind: str, number: str) -> str:
    return f"gid://shopify/{kind}/{number}"


def part(document: Any, *path: str, of: type | tuple[type, ...]) -> Any:
    """What lies at this path of an answer.  of: the type it must have.  Raises: Malformed."""
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    if not isinstance(document, of):
        raise Malformed(f"The answer holds no {'.'.join(path)}.")
    return document
