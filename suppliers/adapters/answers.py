"""What an HTTP answer means: a JSON document, or one of the errors the core decides by."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import orjson

from suppliers.adapters.expressions import compile_path, holds
from suppliers.adapters.quantities import Quantity, exact
from suppliers.adapters.searching import compile_search, search
from suppliers.errors import AuthExpired, Forbidden, Malformed, SupplierError, Throttled, Transient
from suppliers.transport import Response

EVIDENCE_CHARACTERS = 500
SHORTEST_SECRET = 4  # replacing every "a" would hide the evidence and no secret
LONGEST_WAIT = 86_400.0  # seconds; whoever asks for more means "not today"
CHARSET = re.compile(r"charset=\"?([A-Za-z0-9_.:-]+)", re.IGNORECASE)
OTHER_CHARSETS = {
    "us-ascii",
    "ascii",
    "iso-8859-1",
    "latin-1",
    "windows-1252",
    "gbk",
    "gb2312",
    "gb18030",
    "big5",
    "utf-16",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A decoded answer.  document: None where the body is not JSON (only below status 200–299 refused)."""

    status: int
    headers: Mapping[str, str]
    document: Any
    age: float
    evidence: str

    @property
    def ok(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


Reader = Callable[[Response], Answer]


class Redaction:
    """Takes secrets out of what is kept as evidence, the longest first: one may contain another."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets: list[str] = []
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: str) -> None:
        if len(secret) >= SHORTEST_SECRET and secret not in self._secrets:
            self._secrets = sorted([*self._secrets, secret], key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return text


NOT_A_REFUSAL = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
)
REFUSALS = frozenset(range(HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR)) - NOT_A_REFUSAL


class Judge:
    """Reads answers by the rules of one supplier."""

    def __init__(
        self, rules: Sequence[Mapping[str, Any]], redact: Redaction, *, use_last_modified: bool = True
    ) -> None:
        self._rules = [ErrorRule(rule) for rule in rules]
        self.redact = redact
        self._use_last_modified = use_last_modified

    def success(self, response: Response) -> Answer:
        """Only a 2xx answer whose JSON no error rule matches; everything else raises its SupplierError."""
        return self._judge(response, frozenset())

    def success_or(self, *statuses: int) -> Reader:
        """As `success`, but answers with these statuses are returned as well."""
        return lambda response: self._judge(response, frozenset(statuses))

    def verdict(self, response: Response, refused: Callable[[Any], bool]) -> Answer:
        """For calls that order: a refusal (4xx) is an answer too; what says "not now" or "not you" still raises.

        refused: whether a document is a refusal by itself, whatever the error rules make of it.
        """
        return self._judge(response, REFUSALS, refused)

    def _judge(
        self, response: Response, accepted: frozenset[int], refused: Callable[[Any], bool] | None = None
    ) -> Answer:
        document, readable = _parse(response)
        answer = Answer(
            response.status,
            response.headers,
            document,
            age_of(response.headers, use_last_modified=self._use_last_modified),
            self._evidence(response),
        )
        if document is not None and not (refused and refused(document)):
            self._apply_rules(answer, definite=refused is not None and not answer.ok)
        if answer.status in accepted:
            return answer
        if not answer.ok:
            raise error_of(answer)
        # Who orders or calls off may be answered with nothing at all.
        if not readable and (response.body or refused is None):
            raise Malformed(f"The answer ({response.status}) is not JSON.", answer.evidence)
        return answer

    def _apply_rules(self, answer: Answer, *, definite: bool) -> None:
        """definite: the status has settled that it was refused; a rule may still say "later"."""
        for rule in self._rules:
            error = rule.error(answer)
            if error is None or (definite and isinstance(error, Malformed)):
                continue
            if isinstance(error, Transient):
                error.sent = not definite
            raise error

    def _evidence(self, response: Response) -> str:
        # More than is kept: a secret that the cut went through would not be recognised.
        beginning = response.body[: 8 * EVIDENCE_CHARACTERS].decode("utf-8", "replace")
        return self.redact(beginning)[:EVIDENCE_CHARACTERS]


def age_of(headers: Mapping[str, str], *, use_last_modified: bool = True) -> float:
    """Seconds by which the source itself says that what it sent is older than the request."""
    age = _seconds(headers.get("Age", ""))
    dated, modified = http_date(headers.get("Date")), http_date(headers.get("Last-Modified"))
    if dated and modified and use_last_modified:
        age += max(0.0, (dated - modified).total_seconds())
    return age


class ErrorRule:
    """One line of `errors`: what in a document means which error."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._when = compile_path(config["when"])
        self._kind: str = config["is"]
        self._after = Quantity(config["after"]) if "after" in config else None
        self._per = compile_path(config["after_per"]) if "after_per" in config else None
        self._after_regex = compile_search(config["after_regex"]) if "after_regex" in config else None
        self._text: str = config["when"]

    def error(self, answer: Answer) -> SupplierError | None:
        try:
            if not holds(self._when(answer.document)):
                return None
        except Malformed:
            return None  # a rule that does not fit this document does not match it
        detail = f"The answer matches the error rule {self._text[:120]!r}."
        if self._kind == "throttle":
            return Throttled(detail, self._wait(answer.document) or retry_after(answer.headers))
        if self._kind == "malformed":
            return Malformed(detail, answer.evidence)
        if self._kind == "transient":
            return Transient(detail, sent=True)
        return AuthExpired(detail) if self._kind == "auth" else Forbidden(detail)

    def _wait(self, document: Any) -> float | None:
        if self._after is None:
            return None
        try:
            seconds = self._seconds(document, self._after)
        except (Malformed, ArithmeticError):
            return None  # a hint that makes no sense is none
        return _bounded(seconds)

    def _seconds(self, document: Any, after: Quantity) -> float:
        if self._after_regex is not None and after.single is not None:
            text = after.single(document)
            return _seconds(search(self._after_regex, text) or "") if isinstance(text, str) else 0.0
        number, _, _ = after.read(document)
        per = exact(self._per(document))[0] if self._per else 1
        return float(number or 0) / float(per or 0)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds until we may call again: from a number or a date, None where there is none that makes sense."""
    value = headers.get("Retry-After", "").strip()
    moment = http_date(value)
    if moment is not None:
        # Against the supplier's own clock where it tells it: ours may differ.
        now = http_date(headers.get("Date")) or datetime.now(UTC)
        return _bounded((moment - now).total_seconds())
    return _bounded(_seconds(value))


def _bounded(seconds: float) -> float | None:
    return min(seconds, LONGEST_WAIT) if seconds > 0 else None


def _seconds(text: str) -> float:
    return float(text) if re.fullmatch(r"\s*[0-9]{1,12}(\.[0-9]{1,9})?\s*", text) else 0.0


def http_date(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _parse(response: Response) -> tuple[Any, bool]:
    """The document, and whether there is one: null is a document too."""
    body = response.body.removeprefix(b"\xef\xbb\xbf")
    declared = CHARSET.search(response.headers.get("Content-Type", ""))
    charset = declared[1].lower() if declared else "utf-8"
    try:
        return orjson.loads(body.decode(charset) if charset in OTHER_CHARSETS else body), True
    except ValueError:
        return None, False


def error_of(answer: Answer) -> SupplierError:
    """What an answer other than 2xx means."""
    status = answer.status
    if status == HTTPStatus.UNAUTHORIZED:
        return AuthExpired("The supplier does not accept the credentials (401).")
    if status == HTTPStatus.FORBIDDEN:
        return Forbidden("The supplier refuses this call (403).")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled("The supplier asks to slow down (429).", retry_after(answer.headers))
    if status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        error = Transient(f"The supplier failed ({status}).", sent=True)
        error.retry_after = retry_after(answer.headers)
        return error
    return Malformed(f"The supplier answered {status}, which the configuration does not expect.", answer.evidence)
