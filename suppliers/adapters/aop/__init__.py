"""1688 (Alibaba open platform), written from its documentation and not run against the live platform.

A row is a SKU of an offer, `offerId:skuId`, or an offer without SKUs, `offerId`.  An order is a purchase there, unpaid:
preview, then createCrossOrder with our reference as outOrderId.
Sources: open.1688.com: doc/signature.htm, the API pages named at each call.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from suppliers.adapters import platforms
from suppliers.adapters.answers import Judge, Redaction
from suppliers.adapters.aop import configuration
from suppliers.adapters.aop.client import Client
from suppliers.adapters.aop.orders import Orders
from suppliers.adapters.aop.reading import Reading
from suppliers.adapters.calls import Connect
from suppliers.adapters.kinds import Kind
from suppliers.adapters.limits import Limits
from suppliers.errors import NotConfigured
from suppliers.readings import Capability, ConfirmRequest, ConfirmResult, FetchResult, Json, Page, ProbeReport, Ref


class AopAdapter:
    """Implements `suppliers.readings.Adapter`."""

    idempotent_seconds = 0.0

    def __init__(self, config: Mapping[str, Any], secrets: Mapping[str, str], connect: Connect) -> None:
        limits = Limits(**{"rate": configuration.RATE, "burst": configuration.BURST, **config.get("limits", {})})
        self._pacing = platforms.Pacing(limits)
        self.capabilities = Capability.SNAPSHOT | Capability.FETCH
        client = Client(config, secrets, connect(limits), Judge([], Redaction(secrets.values())))
        self._reading = Reading(client, config)
        self._orders: Orders | None = None
        if "order" in config:
            self.capabilities |= Capability.CONFIRM | Capability.READBACK | Capability.CANCEL
            self._orders = Orders(client, self._reading, config["order"])

    def probe(self) -> ProbeReport:
        return platforms.probe(self)

    def snapshot(self, cursor: Json = None) -> Iterator[Page]:
        return self._reading.pages(cursor, self._pacing.page)

    def fetch(self, refs: Sequence[Ref]) -> FetchResult:
        return self._reading.fetch(refs, self._pacing.call())

    def confirm(self, order: ConfirmRequest) -> ConfirmResult:
        deadline = self._pacing.page()
        return self._ordering.place(order, lambda: deadline)

    def readback(self, order: ConfirmRequest) -> ConfirmResult:
        return self._ordering.look_up(order, self._pacing.call())

    def cancel(self, order: ConfirmRequest, upstream_order: str) -> ConfirmResult:
        deadline = self._pacing.page()
        return self._ordering.call_off(order, upstream_order, lambda: deadline)

    @property
    def _ordering(self) -> Orders:
        if self._orders is None:
            raise NotConfigured("The configuration has no 'order', so nothing is ordered at this supplier.")
        return self._orders


KIND = Kind(
    name="1688 (Alibaba open platform)",
    make=AopAdapter,
    faults=configuration.faults_of,
    secrets=configuration.secrets_of,
    tried=False,
)
