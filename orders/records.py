"""The rows of orders and holds, and the answers they carry: what placement writes beside the stock."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import msgspec
from django.db import connection

from inventory import sql
from inventory.ledger import Origin
from inventory.positions import Position
from inventory.sourcing import Take
from inventory.stock import Promise
from orders.holds import Hold
from orders.intents import Intent, KeyReused, Placed

# A key belongs to the storefront and to the kind: an order and the hold before it may share one.
_KNOWN = """
SELECT wanted.at, known.fingerprint, known.answer
FROM unnest(%s::int[], %s::bigint[], %s::text[]) AS wanted(at, storefront_id, key)
JOIN {table} known ON known.storefront_id = wanted.storefront_id AND known.idempotency_key = wanted.key
"""
_TABLES = {False: "orders_order", True: "orders_reservation"}


@dataclass(frozen=True, slots=True)
class Draft:
    """An intent that the stock suffices for, with the name it gets."""

    intent: Intent
    name: str
    takes: Sequence[Take]
    now: datetime
    hold: Hold | None = None

    @property
    def expires_at(self) -> datetime | None:
        """The end of a hold, which a sales event may shorten; None for an order."""
        if self.intent.hold_seconds is None:
            return None
        limits = [take.level.caution.hold_seconds for take in self.takes]
        seconds = min([self.intent.hold_seconds, *(limit for limit in limits if limit is not None)])
        return self.now + timedelta(seconds=seconds)

    @property
    def promise(self) -> Promise:
        """What the stock is asked for."""
        origin = Origin(self.intent.actor, self.intent.request_id)
        return Promise(self.name, self.takes, origin, self.expires_at, self.intent.destination)


def new_name(intent: Intent) -> str:
    """An order's number, or a hold's id."""
    return f"HF-{secrets.token_hex(8).upper()}" if intent.hold_seconds is None else str(uuid4())


def ask_known(intents: Sequence[Intent]) -> Callable[[], dict[int, Placed | KeyReused]]:
    """Send the question; what it returns waits for: place in the sequence → answer, where the key was used before."""
    cursors = []
    for is_hold, table in _TABLES.items():
        asked = {at: intent for at, intent in enumerate(intents) if (intent.hold_seconds is not None) == is_hold}
        if asked:
            arrays = list(asked), [i.storefront_id for i in asked.values()], [i.key for i in asked.values()]
            cursors.append(sql.execute(_KNOWN.format(table=table), arrays))

    def known() -> dict[int, Placed | KeyReused]:
        found: dict[int, Placed | KeyReused] = {}
        for at, fingerprint, content in (row for cursor in cursors for row in sql.rows(cursor)):
            same = bytes(fingerprint) == intents[at].fingerprint
            found[at] = Placed(bytes(content), repeated=True) if same else KeyReused()
        return found

    return known


def answer(draft: Draft, versions: Mapping[tuple[str, str], int]) -> bytes:
    """The bytes of the 201.  versions: (name, sku) → the SKU's version after this order."""
    if draft.expires_at is not None:
        lines = [{"sku": code, "quantity": quantity} for code, quantity in draft.intent.lines]
        return msgspec.json.encode({"id": draft.name, "expires_at": draft.expires_at, "lines": lines})
    body: dict[str, object] = {
        "number": draft.name,
        "reference": draft.intent.reference,
        "status": "placed",
        "placed_at": draft.now,
        "lines": [_line(draft, code, quantity, versions[draft.name, code]) for code, quantity in draft.intent.lines],
    }
    if draft.intent.reservation and not draft.hold:
        body["reservation_expired"] = True
    return msgspec.json.encode(body)


def _line(draft: Draft, code: str, quantity: int, version: int) -> dict[str, object]:
    parts = [{"supplier": take.level.supplier, "quantity": take.quantity} for take in draft.takes if take.sku == code]
    return {"sku": code, "quantity": quantity, "version": version, "allocations": parts}


def insert(
    drafts: Sequence[Draft], versions: Mapping[tuple[str, str], int], current: Mapping[str, Position]
) -> list[Placed]:
    """Write the rows; the answers in the same order.

    Requires an open transaction.  Raises: IntegrityError if a key was used meanwhile.
    """
    answers = [answer(draft, versions) for draft in drafts]
    paired = list(zip(drafts, answers, strict=True))
    _insert_orders([pair for pair in paired if pair[0].expires_at is None], versions, current)
    _insert_reservations([pair for pair in paired if pair[0].expires_at is not None])
    return [Placed(content) for content in answers]


def _insert_orders(
    paired: Sequence[tuple[Draft, bytes]],
    versions: Mapping[tuple[str, str], int],
    current: Mapping[str, Position],
) -> None:
    if not paired:
        return
    lines = [(draft, code, quantity) for draft, _ in paired for code, quantity in draft.intent.lines]
    sql.execute(
        "WITH new_order AS (INSERT INTO orders_order (number, storefront_id, reference, status, destination,"
        "  idempotency_key, fingerprint, answer, request_id, placed_at)"
        " SELECT o.number, o.storefront_id, o.reference, 'placed', o.destination, o.key, o.fingerprint, o.answer,"
        "  o.request_id, o.placed_at FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[],"
        "  %s::bytea[], %s::bytea[], %s::text[], %s::timestamptz[])"
        "  AS o(number, storefront_id, reference, destination, key, fingerprint, answer, request_id, placed_at)"
        " RETURNING id, number)"
        " INSERT INTO orders_orderline (order_id, sku_id, quantity, version)"
        " SELECT new_order.id, line.sku_id, line.quantity, line.version"
        " FROM unnest(%s::text[], %s::bigint[], %s::int[], %s::bigint[]) AS line(number, sku_id, quantity, version)"
        " JOIN new_order USING (number)",
        [
            [draft.name for draft, _ in paired],
            [draft.intent.storefront_id for draft, _ in paired],
            [draft.intent.reference for draft, _ in paired],
            [draft.intent.destination for draft, _ in paired],
            [draft.intent.key for draft, _ in paired],
            [draft.intent.fingerprint for draft, _ in paired],
            [content for _, content in paired],
            [draft.intent.request_id for draft, _ in paired],
            [draft.now for draft, _ in paired],
            [draft.name for draft, _, _ in lines],
            [current[code].id for _, code, _ in lines],
            [quantity for _, _, quantity in lines],
            [versions[draft.name, code] for draft, code, _ in lines],
        ],
    )


def _insert_reservations(paired: Sequence[tuple[Draft, bytes]]) -> None:
    if not paired:
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO orders_reservation"
            " (id, storefront_id, status, idempotency_key, fingerprint, answer, lines, destination, expires_at)"
            " VALUES (%s, %s, 'held', %s, %s, %s, %s::jsonb, %s, %s)",
            [
                (
                    UUID(draft.name),
                    draft.intent.storefront_id,
                    draft.intent.key,
                    draft.intent.fingerprint,
                    content,
                    msgspec.json.encode(dict(draft.intent.lines)).decode(),
                    draft.intent.destination,
                    draft.expires_at,
                )
                for draft, content in paired
            ],
        )
