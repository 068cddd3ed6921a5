"""Any JSON over HTTP, described by configuration alone; see docs/suppliers.md."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from suppliers.adapters.answers import Judge, Redaction
from suppliers.adapters.auth import AuthorisedCaller, slot_of
from suppliers.adapters.calls import Caller, Connect, RequestForm
from suppliers.adapters.direct import DirectRead
from suppliers.adapters.expanding import ExpandedListing
from suppliers.adapters.kinds import Kind
from suppliers.adapters.limits import Limits
from suppliers.adapters.listing import Listing, NextDeadline, StockListing
from suppliers.adapters.mapping import RowMapping
from suppliers.adapters.observed import Observed
from suppliers.adapters.ordering import Cancelling, Ordering, Readback
from suppliers.adapters.probing import PROBE_SECONDS, Subject, examine
from suppliers.adapters.validation import faults_of, secrets_of
from suppliers.errors import NotConfigured
from suppliers.readings import (
    Capability,
    ConfirmRequest,
    ConfirmResult,
    FetchResult,
    Json,
    Page,
    ProbeReport,
    Ref,
)
from suppliers.transport import Deadline

Part = TypeVar("Part")

PARTS = {
    "list": Capability.SNAPSHOT,
    "fetch": Capability.FETCH,
    "confirm": Capability.CONFIRM,
    "readback": Capability.READBACK,
    "cancel": Capability.CANCEL,
    "push": Capability.PUSH,
}


class RestAdapter:
    """Implements `suppliers.readings.Adapter`."""

    def __init__(self, config: Mapping[str, Any], secrets: Mapping[str, str], connect: Connect) -> None:
        """Requires: a configuration without faults."""
        self.capabilities = Capability(0)
        for part, capability in PARTS.items():
            self.capabilities |= capability if part in config else Capability(0)
        self.idempotent_seconds: float = config.get("confirm", {}).get("idempotent_seconds", 0)
        if self.idempotent_seconds:
            self.capabilities |= Capability.IDEMPOTENT
        self.rows_per_read: int = config.get("fetch", {}).get("batch", 50)
        if "counted" in config.get("readback", {}):
            self.capabilities |= Capability.FOLLOW
        self._limits = Limits(**config.get("limits", {}))
        redact = Redaction(secrets.values())
        judge = Judge(config.get("errors", []), redact, use_last_modified=not config.get("ignore_last_modified", False))
        form = RequestForm(config, secrets)
        self._observed = Observed(connect(self._limits))
        call = AuthorisedCaller(
            config.get("auth", {"type": "none"}), form, self._observed, judge, slot_of(config, secrets)
        )
        self._compile(config, form, call, judge)

    def _compile(self, config: Mapping[str, Any], form: RequestForm, call: Caller, judge: Judge) -> None:
        def stock(part: Mapping[str, Any], fallback: Mapping[str, Any]) -> StockListing:
            rows = part.get("rows") if "map" in part else fallback.get("rows")
            return StockListing(Listing(part, form, call, judge), RowMapping(part.get("map", fallback["map"])), rows)

        listed = config["list"]
        self._stock: StockListing | ExpandedListing = stock(listed, listed)
        if "expand" in listed:
            expand = listed["expand"]
            self._stock = ExpandedListing(expand, stock(listed, listed), stock(expand, listed))
        self._direct: DirectRead | None = None
        if "fetch" in config:
            self._direct = DirectRead(config["fetch"], stock(config["fetch"], listed), self._first_ref, form.base_url)
        self._ordering = Ordering(config["confirm"], form, call, judge) if "confirm" in config else None
        self._readback = Readback(config["readback"], form, call, judge) if "readback" in config else None
        self._cancelling = Cancelling(config["cancel"], form, call, judge) if "cancel" in config else None

    def probe(self) -> ProbeReport:
        whole = Deadline(PROBE_SECONDS)

        def next_deadline() -> Deadline:
            return whole.within(self._limits.total_seconds)

        direct = self._direct
        return examine(
            Subject(
                pages=lambda: self._stock.pages(None, next_deadline),
                fetch=None if direct is None else lambda refs: direct.fetch(refs, next_deadline),
                filters=lambda: direct is not None and direct.proven,
                capabilities=self.capabilities,
                observed=self._observed,
            )
        )

    def snapshot(self, cursor: Json = None) -> Iterator[Page]:
        return self._stock.pages(cursor, lambda: Deadline(self._limits.total_seconds))

    def fetch(self, refs: Sequence[Ref]) -> FetchResult:
        return _configured(self._direct, "fetch").fetch(refs, self._within_one_call())

    def confirm(self, order: ConfirmRequest) -> ConfirmResult:
        return _configured(self._ordering, "confirm").confirm(order, Deadline(self._limits.total_seconds))

    def readback(self, order: ConfirmRequest) -> ConfirmResult:
        return _configured(self._readback, "readback").readback(order, self._within_one_call())

    def cancel(self, order: ConfirmRequest, upstream_order: str) -> ConfirmResult:
        deadline = Deadline(self._limits.total_seconds)
        return _configured(self._cancelling, "cancel").cancel(order, upstream_order, deadline)

    def _first_ref(self, next_deadline: NextDeadline) -> Ref | None:
        page = next(self._stock.pages(None, next_deadline))
        return next((Ref(row.uid, row.sku, row.location) for row in page.rows if row.sku), None)

    def _within_one_call(self) -> NextDeadline:
        whole = Deadline(self._limits.call_seconds)
        return lambda: whole.within(self._limits.total_seconds)


def _configured(part: Part | None, name: str) -> Part:
    if part is None:
        raise NotConfigured(f"The configuration has no {name!r}.")
    return part


KIND = Kind(name="JSON over HTTP, described below", make=RestAdapter, faults=faults_of, secrets=secrets_of)
