"""What the adapters with a class of their own have in common."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from suppliers.adapters.answers import REFUSALS, Answer, Judge
from suppliers.adapters.limits import Limits
from suppliers.adapters.listing import NextDeadline
from suppliers.adapters.probing import Subject, examine
from suppliers.adapters.schema import LIMITS, PUSH, TEXT, Schema, record
from suppliers.errors import Malformed, Transient
from suppliers.readings import Adapter, Capability, ConfirmRequest, ConfirmResult, Outcome, ProbeReport, Ref
from suppliers.transport import Deadline, Response

DETAIL_CHARACTERS = 300
COMMON: Mapping[str, Schema] = {"base_url": TEXT, "limits": LIMITS, "push": PUSH}


def platform_schema(required: str, **properties: Schema) -> Schema:
    """A configuration with what every adapter has, and these properties."""
    return record(required, **COMMON, **properties)


class Pacing:
    """The deadlines of one supplier's calls."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def page(self) -> Deadline:
        """Of one page, confirm or cancel, everything included."""
        return Deadline(self._limits.total_seconds)

    def call(self) -> NextDeadline:
        """Of the requests of a whole fetch or read-back."""
        whole = Deadline(self._limits.call_seconds)
        return lambda: whole.within(self._limits.total_seconds)


def any_answer(judge: Judge) -> Callable[[Response], Answer]:
    """Reads answers whose error lies in the body, whatever the status says; 401, 403, 408, 429 and 5xx raise."""
    return judge.success_or(*REFUSALS)


def probe(adapter: Adapter) -> ProbeReport:
    """What a test of the adapter finds, for a person."""
    return examine(
        Subject(
            pages=lambda: (page for page in adapter.snapshot() if not page.pending),
            fetch=adapter.fetch if Capability.FETCH in adapter.capabilities else None,
            filters=lambda: True,  # of a platform that is known, nothing but what was asked for is believed
            capabilities=adapter.capabilities,
        )
    )


def settled(place: Callable[[], ConfirmResult]) -> ConfirmResult:
    """What `place` says became of an order; UNKNOWN if its request may have taken effect and was not answered clearly.

    Raises: any SupplierError, and then nothing was ordered.
    """
    try:
        return place()
    except Malformed as error:
        return unknown(f"{error} {error.evidence}")
    except Transient as error:
        if error.sent:
            return unknown(str(error))
        raise


@contextmanager
def unsent() -> Iterator[None]:
    """Around calls before the one that orders: whatever became of them, nothing was ordered."""
    try:
        yield
    except Transient as error:
        error.sent = False
        raise


def unknown(detail: str) -> ConfirmResult:
    return ConfirmResult(Outcome.UNKNOWN, detail=detail[:DETAIL_CHARACTERS])


def refused(outcome: Outcome, detail: str, order: str = "") -> ConfirmResult:
    return ConfirmResult(outcome, order, detail=detail[:DETAIL_CHARACTERS])


def units_by_ref(order: ConfirmRequest) -> dict[Ref, int]:
    """Units asked for; two lines of one row are one."""
    units: dict[Ref, int] = {}
    for line in order.lines:
        units[line.ref] = units.get(line.ref, 0) + line.quantity
    return units


def text_of(value: Any) -> str:
    """A text or number of an answer as text, empty for anything else."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
