"""Shopify Admin GraphQL, written from its documentation and not run against the live platform.

A row is an inventory item at a selected location: uid is the item's number, location the location's, as in Shopify's
webhooks.  An order is an adjustment of `available` that compares and carries an idempotency key.
Sources: shopify.dev, Admin GraphQL 2026-04: bulk operations, inventoryAdjustQuantities, implementing idempotency.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from suppliers.adapters import platforms
from suppliers.adapters.answers import Judge, Redaction
from suppliers.adapters.calls import Connect
from suppliers.adapters.kinds import Kind
from suppliers.adapters.limits import Limits
from suppliers.adapters.shopify import configuration
from suppliers.adapters.shopify.bulk import BulkListing
from suppliers.adapters.shopify.client import Client
from suppliers.adapters.shopify.orders import Orders
from suppliers.adapters.shopify.reading import Reading
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

# Keys are kept for 24 hours ("implementing idempotency"); an hour less, for a request that is long on its way.
IDEMPOTENT_SECONDS = 23 * 3_600.0


class ShopifyAdapter:
    """Implements `suppliers.readings.Adapter`."""

    capabilities = (
        Capability.SNAPSHOT
        | Capability.FETCH
        | Capability.CONFIRM
        | Capability.CANCEL
        | Capability.CAS
        | Capability.IDEMPOTENT
    )
    idempotent_seconds = IDEMPOTENT_SECONDS

    def __init__(self, config: Mapping[str, Any], secrets: Mapping[str, str], connect: Connect) -> None:
        limits = Limits(**config.get("limits", {}))
        self._pacing = platforms.Pacing(limits)
        call = connect(limits)
        client = Client(config, secrets["token"], call, Judge([], Redaction(secrets.values())))
        self._reading = Reading(client, config["locations"], config.get("page_size", configuration.PAGE_SIZE))
        self._bulk = BulkListing(client, call, config, limits.max_bytes) if config.get("bulk", True) else None
        self._orders = Orders(client)

    def probe(self) -> ProbeReport:
        return platforms.probe(self)

    def snapshot(self, cursor: Json = None) -> Iterator[Page]:
        operation = cursor if isinstance(cursor, dict) else None
        if self._bulk is not None and cursor is None:
            operation = self._bulk.start(self._pacing.page())
        if self._bulk is not None and operation is not None:
            yield from self._bulk.pages(operation, self._pacing.page)
        else:
            yield from self._reading.pages(cursor, self._pacing.page)

    def fetch(self, refs: Sequence[Ref]) -> FetchResult:
        return self._reading.fetch(refs, self._pacing.call())

    def confirm(self, order: ConfirmRequest) -> ConfirmResult:
        return platforms.settled(lambda: self._orders.take(order, self._pacing.page()))

    def readback(self, order: ConfirmRequest) -> ConfirmResult:
        return platforms.unknown(f"Shopify cannot be asked for {order.reference}; a repeat tells.")

    def cancel(self, order: ConfirmRequest, upstream_order: str) -> ConfirmResult:
        result = platforms.settled(lambda: self._orders.give_back(order, self._pacing.page()))
        if result.outcome is not Outcome.UNKNOWN:
            return result
        # Giving back compares with nothing, so a repeat that Shopify does not know would add the units twice.
        detail = f"nobody knows whether {upstream_order} was given back; compare there by hand ({result.detail})"
        return platforms.refused(Outcome.REJECTED_OTHER, detail, upstream_order)


KIND = Kind(
    name="Shopify Admin GraphQL",
    make=ShopifyAdapter,
    faults=configuration.faults_of,
    secrets=configuration.secrets_of,
    tried=False,
)
