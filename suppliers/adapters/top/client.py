"""One call to TOP: signed parameters, and what its errors mean.

Source: open.taobao.com, articles 101617 and 102707.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any, NoReturn

from suppliers import guard
from suppliers.adapters.answers import Answer, Judge
from suppliers.adapters.calls import Caller
from suppliers.adapters.platforms import any_answer, text_of
from suppliers.errors import AuthExpired, Forbidden, Malformed, Throttled, Transient, WrongClock
from suppliers.transport import Deadline, Request, Response

CHINA = timezone(timedelta(hours=8))
STAMP = "%Y-%m-%d %H:%M:%S"
THROTTLED = {4, 5, 6, 7, 8}
SIGNATURE, SESSION, TIMESTAMP, FORBIDDEN = {24, 25, 28, 29}, {26, 27}, 31, {9, 11, 12, 13}
OURS = {15, 40, 41}  # below 100 and yet not the platform's: the service behind it, or our arguments
PLATFORM = 100  # codes below are the platform's own
BAN = re.compile(r"(\d{1,6})\s+more\s+second")
SHORTEST_BAN = 1.0


class Refusal(Malformed):
    """TOP understood, and declined: an `isv.` error, which a repeat does not change."""

    def __init__(self, code: int, sub_code: str, detail: str, evidence: str) -> None:
        super().__init__(f"TOP declined: {code} {sub_code} {detail}".strip(), evidence)
        self.sub_code = sub_code


def sign(parameters: Mapping[str, str], secret: str, method: str) -> str:
    """Over every parameter but `sign`, sorted, name and value; hexadecimal in capitals."""
    text = "".join(name + parameters[name] for name in sorted(parameters) if name != "sign").encode()
    if method == "md5":
        key = secret.encode()
        return hashlib.md5(key + text + key, usedforsecurity=False).hexdigest().upper()
    return hmac.digest(secret.encode(), text, "md5" if method == "hmac" else "sha256").hex().upper()


class Client:
    """The router of one application and one seller."""

    def __init__(self, config: Mapping[str, Any], secrets: Mapping[str, str], call: Caller, judge: Judge) -> None:
        self._url = config["base_url"].rstrip("/")
        self._secrets = secrets
        self._method: str = config.get("sign_method", "hmac-sha256")
        self._call = call
        self._judge = judge
        guard.check_url(self._url)

    def run(self, method: str, parameters: Mapping[str, Any], deadline: Deadline, *, safe: bool = True) -> Answer:
        """The answer; its document is what lies below `…_response`.

        Raises: Refusal, and any other SupplierError.
        """
        form = {name: str(value) for name, value in parameters.items()} | {"method": method}
        request = Request("POST", self._url, form=form, sign=self._signed)
        return self._call(request, self._read, safe=safe, deadline=deadline)

    def _signed(self, request: Request, now: float) -> Request:
        form = {
            **(request.form or {}),
            "app_key": self._secrets["app_key"],
            "session": self._secrets["session"],
            "timestamp": datetime.fromtimestamp(now, CHINA).strftime(STAMP),
            "format": "json",  # XML otherwise
            "v": "2.0",
            "sign_method": self._method,
        }
        return replace(request, form={**form, "sign": sign(form, self._secrets["app_secret"], self._method)})

    def _read(self, response: Response) -> Answer:
        answer = any_answer(self._judge)(response)
        document = answer.document
        if isinstance(document, dict) and isinstance(document.get("error_response"), dict):
            _fail(document["error_response"], answer)
        body = document.popitem()[1] if isinstance(document, dict) and len(document) == 1 else None
        if not answer.ok or not isinstance(body, dict):
            raise Malformed(f"TOP answered {answer.status} with neither a response nor an error.", answer.evidence)
        return replace(answer, document=body)


def _fail(error: Mapping[str, Any], answer: Answer) -> NoReturn:
    code, sub_code = error.get("code"), text_of(error.get("sub_code"))
    detail = text_of(error.get("sub_msg")) or text_of(error.get("msg"))
    if not isinstance(code, int):
        raise Malformed("TOP's error has no code.", answer.evidence)
    if code in THROTTLED:
        raise Throttled(f"TOP limits the calls ({code} {sub_code}).", ban_seconds(detail))
    if code in SESSION:
        raise AuthExpired(f"The seller's session is not valid ({code}); let the seller authorise again.")
    if code in SIGNATURE:
        raise AuthExpired(f"TOP does not accept key or signature ({code}); check app_key and app_secret.")
    if code == TIMESTAMP:
        raise WrongClock(f"TOP does not accept our time ({code}): it allows ten minutes of difference.")
    if code in FORBIDDEN:
        raise Forbidden(f"The application may not call this ({code} {sub_code}).")
    # `isp.`: the service failed, so it may have taken effect.
    if sub_code.startswith("isp.") or (code < PLATFORM and code not in OURS):
        raise Transient(f"TOP failed ({code} {sub_code} {detail}).", sent=True)
    raise Refusal(code, sub_code, detail, answer.evidence)


def ban_seconds(text: str) -> float:
    """Of "This ban will last for 31062 more seconds": from a second to the rest of the day."""
    found = BAN.search(text)
    return max(SHORTEST_BAN, float(found[1])) if found else SHORTEST_BAN
