"""One call to the gateway of 1688: signed form, token, and what its errors mean."""

import hmac
import json
from collections.abc import Mapping
from typing import Any, NoReturn

from suppliers import guard
from suppliers.adapters.answers import Answer, Judge
from suppliers.adapters.auth import slow_hash
from suppliers.adapters.calls import Caller
from suppliers.adapters.platforms import any_answer, text_of, unsent
from suppliers.adapters.tokens import TokenKeeper, early, seconds_of
from suppliers.errors import AuthExpired, Forbidden, Malformed, Throttled, Transient
from suppliers.token_slots import Token
from suppliers.transport import Deadline, Request, Response

PREFIX = "/openapi/"
TEN_HOURS = 36_000.0
BACK_OFF = 10.0  # seconds; the gateway does not say how long it wants to be left alone
THROTTLED = {"gw.QosAppFrequencyLimit", "gw.QosAppQpsLimit"}
SIGNATURE = "gw.SignatureInvalid"
UNAUTHORISED = {"gw.UnauthorizedRequest", "gw.AuthorizationFailed"}
FORBIDDEN = {"gw.APIACLDecline", "APIACLDecline", "gw.APIUnsupported"}


class Refusal(Malformed):
    """The platform understood, and declined.  code: as in its documentation, such as 500_004."""

    def __init__(self, code: str, detail: str, evidence: str = "") -> None:
        super().__init__(f"1688 declined: {code} {detail}".strip(), evidence)
        self.code = code


def sign(path: str, parameters: Mapping[str, str], secret: str) -> str:
    """Over the path from `param2` on and every parameter, sorted, name and value.  Source: doc/signature.htm."""
    text = path + "".join(name + parameters[name] for name in sorted(parameters) if name != "_aop_signature")
    return hmac.digest(secret.encode(), text.encode(), "sha1").hex().upper()


class Client:
    """The gateway for one application and one buyer."""

    def __init__(self, config: Mapping[str, Any], secrets: Mapping[str, str], call: Caller, judge: Judge) -> None:
        self._base = config["base_url"].rstrip("/")
        self._secrets = secrets
        self._call = call
        self._judge = judge
        # The token belongs to who authorised which application where, however the configuration is edited.
        identity = json.dumps([self._base, dict(secrets)], sort_keys=True)
        self._keeper = TokenKeeper(slow_hash(identity), self._obtain)
        guard.check_url(self._base)

    @property
    def app_key(self) -> str:
        return self._secrets["app_key"]

    def run(self, api: str, parameters: Mapping[str, Any], deadline: Deadline, *, safe: bool = True) -> Answer:
        """api: `namespace:name`.  parameters: objects and lists are sent as JSON texts.

        Raises: Refusal, and any other SupplierError.
        """
        namespace, _, name = api.partition(":")
        path = f"param2/1/{namespace}/{name}/{self.app_key}"
        form = {
            key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for key, value in parameters.items()
        }

        def send(token: str) -> Answer:
            self._judge.redact.learn(token)
            signed = {**form, "access_token": token}
            signed["_aop_signature"] = sign(path, signed, self._secrets["app_secret"])
            request = Request("POST", f"{self._base}{PREFIX}{path}", form=signed)
            return self._call(request, self._read, safe=safe, deadline=deadline)

        return self._keeper.use(deadline, send)

    def _obtain(self, refresh: str, deadline: Deadline) -> Token:
        """A new token.  Source: system.oauth2 getToken, whose `expires_in` is a text."""
        refresh = refresh or self._secrets["refresh_token"]
        url = f"{self._base}{PREFIX}http/1/system.oauth2/getToken/{self.app_key}"
        form = {
            "grant_type": "refresh_token",
            "client_id": self.app_key,
            "client_secret": self._secrets["app_secret"],
            "refresh_token": refresh,
        }
        with unsent():
            answer = self._call(Request("POST", url, form=form), self._read_token, safe=False, deadline=deadline)
        access = text_of(answer.document.get("access_token"))
        renewed = text_of(answer.document.get("refresh_token")) or refresh
        for secret in (access, renewed):
            self._judge.redact.learn(secret)
        return Token(access, renewed, early(seconds_of(answer.document.get("expires_in"), TEN_HOURS)))

    def _read_token(self, response: Response) -> Answer:
        answer = any_answer(self._judge)(response)
        document = answer.document
        if isinstance(document, dict) and text_of(document.get("access_token")):
            return answer
        raise AuthExpired(
            "1688 gave no token: check app_key and app_secret, or let the buyer authorise again and enter the new"
            " refresh token."
        )

    def _read(self, response: Response) -> Answer:
        answer = any_answer(self._judge)(response)
        if not isinstance(answer.document, dict):
            raise Malformed(f"1688 answered {answer.status} without a JSON object.", answer.evidence)
        code = text_of(answer.document.get("error_code"))
        if code:
            _fail(code, text_of(answer.document.get("error_message")), answer)
        if not answer.ok:
            raise Malformed(f"1688 answered {answer.status} without an error code.", answer.evidence)
        return answer


def _fail(code: str, detail: str, answer: Answer) -> NoReturn:
    if code in THROTTLED:
        raise Throttled(f"1688 limits the calls ({code}).", BACK_OFF)
    if code == SIGNATURE:
        raise Forbidden(f"1688 does not accept the signature ({code}); check app_key and app_secret.")
    if code in UNAUTHORISED or (code.startswith("gw.") and "Token" in code):
        raise AuthExpired(f"1688 does not accept the token ({code}).")
    if code in FORBIDDEN:
        raise Forbidden(f"The application is not entitled to this ({code}).")
    if code.startswith("gw."):
        raise Transient(f"The gateway of 1688 failed ({code} {detail}).", sent=True)
    raise Refusal(code, detail, answer.evidence)


def refusal_in(document: Mapping[str, Any]) -> Refusal | None:
    """What a service behind the gateway declined, by whatever name it gives its code; None if it names none."""
    code = text_of(document.get("errorCode")) or text_of(document.get("code"))
    if code in ("", "0", "200"):
        return None
    detail = next(
        (text for name in ("errorMessage", "errorMsg", "message") if (text := text_of(document.get(name)))), ""
    )
    return Refusal(code, detail)


def truthy(value: Any) -> bool:
    """`success` is a boolean here and a text there."""
    return value is True or value == "true"


def with_result(answer: Answer) -> Mapping[str, Any]:
    """What lies in `result`, or the document itself where an API answers flat."""
    result = answer.document.get("result")
    document: Mapping[str, Any] = result if isinstance(result, dict) else answer.document
    return document
