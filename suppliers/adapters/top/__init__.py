"""Taobao and Tmall (TOP), written from its documentation and not run against the live platform.

A row is a SKU, `num_iid:sku_id`, or an item without SKUs, `num_iid`.  Sources: open.taobao.com, articles 101617
(calling, signing) and 102707 (error codes); the SDK's models for fields.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from suppliers.adapters import platforms
from suppliers.adapters.answers import Judge, Redaction
from suppliers.adapters.calls import Connect
from suppliers.adapters.kinds import Kind
from suppliers.adapters.limits import Limits
from suppliers.adapters.top import configuration
from suppliers.adapters.top.client import Client
from suppliers.adapters.top.orders import Orders
from suppliers.adapters.top.reading import Reading
from suppliers.errors import NotConfigured
from suppliers.readings import (
    Capability,
    ConfirmRequest,
    ConfirmResult,
    FetchResult,
    Json,
    Outcome,
    Page,
    ProbeReport,
    Ref,
)


class TopAdapter:
    """Implements `suppliers.readings.Adapter`."""

    idempotent_seconds = 0.0

    def __init__(self, config: Mapping[str, Any], secrets: Mapping[str, str], connect: Connect) -> None:
        limits = Limits(**config.get("limits", {}))
        self._pacing = platforms.Pacing(limits)
        self.capabilities = Capability.SNAPSHOT | Capability.FETCH
        self._writes: bool = config.get("writes", False)
        if self._writes:
            self.capabilities |= Capability.CONFIRM | Capability.CANCEL
        client = Client(config, secrets, connect(limits), Judge([], Redaction(secrets.values())))
        self._reading = Reading(client, config)
        stock_codes = config.get("stock_sub_codes", configuration.STOCK_SUB_CODES)
        self._orders = Orders(client, self._reading, stock_codes)

    def probe(self) -> ProbeReport:
        return platforms.probe(self)

    def snapshot(self, cursor: Json = None) -> Iterator[Page]:
        return self._reading.pages(cursor, self._pacing.page)

    def fetch(self, refs: Sequence[Ref]) -> FetchResult:
        return self._reading.fetch(refs, self._pacing.call())

    def confirm(self, order: ConfirmRequest) -> ConfirmResult:
        if not self._writes:
            raise NotConfigured("The configuration does not say `writes`, so nothing is deducted at this supplier.")
        deadline = self._pacing.page()
        return self._orders.take(order, lambda: deadline)

    def readback(self, order: ConfirmRequest) -> ConfirmResult:
        return platforms.unknown(f"TOP keeps no reference; look there whether {order.reference} was deducted.")

    def cancel(self, order: ConfirmRequest, upstream_order: str) -> ConfirmResult:
        deadline = self._pacing.page()
        result = self._orders.give_back(order, lambda: deadline)
        if result.outcome is Outcome.ACCEPTED:
            return result
        # An addition sent twice is added twice.
        detail = f"nobody knows whether all units were given back; compare there by hand ({result.detail})"
        return platforms.refused(Outcome.REJECTED_OTHER, detail, upstream_order)


KIND = Kind(
    name="Taobao and Tmall (TOP)",
    make=TopAdapter,
    faults=configuration.faults_of,
    secrets=configuration.secrets_of,
    tried=False,
)
