"""What upstream says, in our words: the vocabulary every adapter speaks and the core decides by."""

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

import msgspec

Json = dict[str, Any] | list[Any] | str | int | float | bool | None


class Capability(enum.Flag):
    """What an adapter, as configured, can do.

    CAS: an order is taken only if upstream still has the number that we saw; IDEMPOTENT: an order sent again, with the
    same reference and lines, is the same order.
    """

    SNAPSHOT = enum.auto()
    FETCH = enum.auto()
    CONFIRM = enum.auto()
    READBACK = enum.auto()
    CANCEL = enum.auto()
    CAS = enum.auto()
    IDEMPOTENT = enum.auto()
    PUSH = enum.auto()
    CHANGES = enum.auto()  # lays out files that hold only what changed
    FOLLOW = enum.auto()  # a read-back says when its number has taken an order in


@dataclass(frozen=True, slots=True)
class Ref:
    """One upstream row, and the code it carried when we last saw it."""

    uid: str
    sku: str
    location: str = ""


# A struct, not a dataclass: a long snapshot makes a million of them.  It is made in a tenth of the time, and the
# garbage collector need not look at what can form no circle.
class StockRow(msgspec.Struct, frozen=True, gc=False):
    """One upstream row.  available: whole units, None = "not counted", which is not 0."""

    uid: str
    sku: str
    raw_sku: str
    location: str
    available: int | None
    components: Mapping[str, Decimal] = msgspec.field(default_factory=dict)
    upstream_updated_at: datetime | None = None
    lot: int = 1
    min_order: int = 1
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a snapshot.  cursor: where the next page starts, None on the proven last one.

    age: seconds by which the source itself says that its rows are older than the request (Age, Date − Last-Modified);
    a duration, because the source's clock is not ours.
    pending: upstream is still preparing the rows, so none is here; ask for the next page later.
    mark: what the whole is recognised by, if it is one file; None: it cannot be.
    doubts: on the last page, what was found wrong with rows and is tolerated: those are not counted.
    """

    rows: list[StockRow]
    cursor: Json
    total: int | None
    age: float = 0.0
    evidence: str = ""
    pending: bool = False
    mark: Json = None
    doubts: Json = None


@dataclass(frozen=True, slots=True)
class FetchResult:
    """A direct read.  missing: upstream says these do not exist.  unanswered: none of them.  age: as in Page."""

    rows: list[StockRow]
    missing: list[Ref]
    unanswered: list[Ref]
    age: float = 0.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """An authentic push.  id: upstream's, or empty.  signed_at: when it was sent, where that is signed."""

    id: str
    signed_at: datetime | None


@dataclass(frozen=True, slots=True)
class PushEvent:
    """One row that upstream says has changed; uid or sku says which.

    location: None where the push names none.  available: whole units, absolute; None = only that something changed.
    at: since when it is so, by upstream's clock.  order: our reference of one that something became of.
    """

    uid: str = ""
    sku: str = ""
    location: str | None = None
    available: int | None = None
    at: datetime | None = None
    order: str = ""


class PushReceiver(Protocol):
    """What a supplier sends by itself: whether it is his, and what it says.

    clock_ahead: seconds by which upstream's clock is declared to run ahead of ours at most; None: it is to be learned.
    """

    clock_ahead: float | None

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery:
        """headers: by any spelling of their names.  Raises: BadSignature, UntimelyPush."""
        ...

    def redact(self, body: bytes) -> bytes:
        """The body without the secrets that pushes are signed with."""
        ...

    def parse(self, body: bytes) -> list[PushEvent]:
        """Raises: Malformed; an event that makes no sense on its own is left out."""
        ...


class Outcome(enum.StrEnum):
    """What became of an order upstream."""

    ACCEPTED = "accepted"
    REJECTED_STOCK = "rejected_stock"
    REJECTED_OTHER = "rejected_other"
    PARTIAL = "partial"
    LOST = "lost"  # taken, and called off by upstream later
    NOT_FOUND = "not_found"  # of a read-back: upstream does not know our reference
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ConfirmLine:
    """quantity: whole units.  expected_available: what a direct read just showed, for suppliers that compare (CAS)."""

    ref: Ref
    quantity: int
    expected_available: int | None = None


@dataclass(frozen=True, slots=True)
class ConfirmRequest:
    """reference: ours, unique per order and supplier; upstream must show it again in a read-back.

    attempt: the same for the very same request sent again, another one when it was decided anew.
    """

    reference: str
    lines: Sequence[ConfirmLine]
    attempt: str = ""


@dataclass(frozen=True, slots=True)
class ConfirmResult:
    """accepted: uid → units upstream took; empty means "all of them" for ACCEPTED.

    counted: upstream says that its number has taken the order in, as on payment or shipment.
    at: when it did, by the database's clock; None: now.
    """

    outcome: Outcome
    upstream_order: str = ""
    accepted: Mapping[str, int] = field(default_factory=dict)
    detail: str = ""
    counted: bool = False
    at: datetime | None = None


class Grade(enum.StrEnum):
    """How one line of a test is to be taken: it works, it works but mind this, or it does not work."""

    GOOD = "good"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a test.  advice: what to do next.  evidence: the beginning of an answer, without secrets."""

    subject: str
    grade: Grade
    detail: str
    advice: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What a test of the configuration found, line by line, for a person."""

    ok: bool
    messages: Sequence[str]
    page: Page | None = None
    findings: Sequence[Finding] = ()


class Adapter(Protocol):
    """One supplier's API.  Every method may raise any SupplierError; none changes our stock."""

    capabilities: Capability
    idempotent_seconds: float  # how long after it was first sent an order may be sent again; 0 unless IDEMPOTENT

    def probe(self) -> ProbeReport:
        """Try authentication and the first page."""
        ...

    def snapshot(self, cursor: Json = None) -> Iterator[Page]:
        """All rows, page by page, from `cursor` (None: the first page)."""
        ...

    def fetch(self, refs: Sequence[Ref]) -> FetchResult:
        """Just these rows, now."""
        ...

    def confirm(self, order: ConfirmRequest) -> ConfirmResult:
        """Place our order upstream.  A timeout after the body was sent is UNKNOWN, never an exception.

        NOT_FOUND, to a repeat: the first was not taken, and the same request never will be.
        Raises: Conflict if upstream no longer has what a line expected; like any exception, nothing was ordered.
        """
        ...

    def readback(self, order: ConfirmRequest) -> ConfirmResult:
        """What became of an order, asked by our reference."""
        ...

    def cancel(self, order: ConfirmRequest, upstream_order: str) -> ConfirmResult:
        """Tell upstream that the order is off."""
        ...


@runtime_checkable
class ChangingAdapter(Adapter, Protocol):
    """An adapter of a supplier that lays out files which hold only what changed."""

    def changes_unless(self, mark: Json) -> Iterator[Page]:
        """The rows of the change file, once all of it was read without a fault; the pages of a file share their age.

        Raises: Unchanged, if the file still has this mark.
        """
        ...


@runtime_checkable
class RecognisingAdapter(Adapter, Protocol):
    """An adapter whose pages carry a mark."""

    def snapshot_unless(self, mark: Json, cursor: Json = None) -> Iterator[Page]:
        """As `snapshot`.  Raises: Unchanged, if the whole still has this mark."""
        ...
