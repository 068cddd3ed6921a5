"""The supplier itself: its API over the ledger, seen through the behaviours that are on.  Knows no sockets."""

import hmac
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from .behaviours import Distortion, EmptyBlip, Fault, JsonRow, LateReadback, OwnOversell, PageFault, Partial, Spoiler
from .dialects import DIALECTS, BadQuery
from .ledger import Ledger, OutOfStock, Sale, Terms, UnknownOrder
from .messages import Call, Fate, Reply, Request, error_reply, json_reply
from .scenario import Scenario

MAX_LINES, MAX_REFERENCE = 1_000, 255
MAX_QUANTITY = 2**31 - 1


class BadBody(ValueError):
    """The body of the request is not what the endpoint takes."""


class ChaosSupplier:
    """pause: waits for so many seconds, or says true at once when the server stops."""

    def __init__(
        self,
        ledger: Ledger,
        scenario: Scenario,
        *,
        token: str,
        dialect: str = "rest_page",
        pause: Callable[[float], bool],
    ) -> None:
        self.ledger = ledger
        self.scenario = scenario
        self._token = token
        self._dialect = DIALECTS[dialect]
        self._pause = pause
        self._guard = threading.Lock()
        self._numbers: Counter[tuple[str, str]] = Counter()
        self._requests: Counter[str] = Counter()
        self._acted: Counter[str] = Counter()

    # --- Run time -----------------------------------------------------------------------------------
    def change(self, change: Mapping[str, Any]) -> Scenario:
        """Merge a change into the scenario.  Raises ValueError, and then nothing has changed."""
        with self._guard:
            self.scenario = self.scenario.merged(change)
            return self.scenario

    def counts(self) -> dict[str, dict[str, int]]:
        """How many requests came per endpoint, and how often each behaviour acted."""
        with self._guard:
            return {"requests": dict(self._requests), "acted": dict(self._acted)}

    # --- The API ------------------------------------------------------------------------------------
    def answer(self, request: Request) -> Reply:
        """The reply to one request of a client, with X-Chaos naming what was done to it."""
        if not self._authorised(request):
            return error_reply(401, "UNAUTHORIZED", "A bearer token or X-Api-Key is required.")
        try:
            endpoint, identity, skus, act = self._route(request)
        except BadBody as error:
            return error_reply(400, "BAD_REQUEST", str(error))
        except LookupError:
            return error_reply(404, "NOT_FOUND", "There is nothing at this path.")
        scenario = self.scenario
        call = self._call(endpoint, identity, skus, scenario)
        reply = self._through_behaviours(call, scenario, act)
        reply.headers["X-Chaos"] = ", ".join(call.acted) or "none"
        with self._guard:
            self._acted.update(name.partition("=")[0] for name in call.acted)
        return reply

    def _through_behaviours(self, call: Call, scenario: Scenario, act: Callable[[Call, Scenario], Reply]) -> Reply:
        for fault in scenario.of_kind(Fault):
            if reply := fault.before(call):
                return reply
        try:
            reply = act(call, scenario)
        except (BadBody, BadQuery) as error:
            return error_reply(400, "BAD_REQUEST", str(error))
        for spoiler in scenario.of_kind(Spoiler):
            reply = spoiler.after(call, reply)
        return reply

    def _authorised(self, request: Request) -> bool:
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        given = bearer if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
        return hmac.compare_digest(given.encode(), self._token.encode())

    def _call(self, endpoint: str, identity: str, skus: Sequence[str], scenario: Scenario) -> Call:
        with self._guard:
            self._requests[endpoint] += 1
            self._numbers[endpoint, identity] += 1
            number = self._numbers[endpoint, identity]
        return Call(endpoint, identity, number, tuple(skus), scenario.seed, self._pause)

    def _route(self, request: Request) -> tuple[str, str, Sequence[str], Callable[[Call, Scenario], Reply]]:
        """Endpoint, identity, SKUs named, and what to do.  Raises LookupError where nothing is served."""
        query = request.query
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["stock"] if "sku" in query or "id" in query:
                indexes = self._asked(query)
                skus = [self.ledger.items[index].sku for index in indexes]
                return "fetch", _text(query), skus, lambda call, scenario: self._fetch(indexes, call, scenario)
            case "GET", ["stock"]:
                return "list", _text(query), (), lambda call, scenario: self._list(query, call, scenario)
            case "POST", ["orders"]:
                reference, lines = self._order(request.body)
                skus = [self.ledger.sku_of(uid) for uid in lines]
                return (
                    "confirm",
                    reference,
                    skus,
                    lambda call, scenario: self._confirm(reference, lines, call, scenario),
                )
            case "GET", ["orders"]:
                reference = query.get("ref", "")
                return "readback", reference, (), lambda call, scenario: self._readback(reference, call, scenario)
            case "POST", ["orders", order_id, "cancel"]:
                return "cancel", order_id, (), lambda _call, _scenario: self._cancel(order_id)
        raise LookupError(request.path)

    # --- Reading ------------------------------------------------------------------------------------
    def _asked(self, query: Mapping[str, str]) -> list[int]:
        by_sku = [index for sku in _words(query.get("sku")) for index in self.ledger.indexes_of_sku(sku)]
        by_uid = [index for uid in _words(query.get("id")) if (index := self.ledger.index_of(uid)) is not None]
        return list(dict.fromkeys(by_sku + by_uid))

    def _fetch(self, indexes: Sequence[int], call: Call, scenario: Scenario) -> Reply:
        rows = self._rows(indexes, call, scenario)
        return json_reply(200, {"items": rows, "total": len(rows)})

    def _list(self, query: Mapping[str, str], call: Call, scenario: Scenario) -> Reply:
        total = 0 if scenario.striking(EmptyBlip, call) else len(self.ledger.items)
        window = self._dialect.window(query, total)
        rows = self._rows(range(window.start, window.stop), call, scenario)
        for fault in scenario.of_kind(PageFault):
            rows = fault.page(call, rows)
        return self._dialect.page(rows, window)

    def _rows(self, indexes: Sequence[int], call: Call, scenario: Scenario) -> list[JsonRow]:
        distortions = [item for item in scenario.of_kind(Distortion) if item.strikes(call)]
        now, started_at = self.ledger.clock(), _stamp(self.ledger.started_at)
        rows = []
        for index in indexes:
            item = self.ledger.items[index]
            units, at = self._reported(index, now, scenario.seed, distortions)
            stamp = started_at if at == self.ledger.started_at else _stamp(at)
            row = {"id": item.uid, "sku": item.sku, "available": units, "location": item.location, "updated_at": stamp}
            rows.append(row)
        return rows

    def _reported(self, index: int, now: float, seed: int, distortions: Sequence[Distortion]) -> tuple[int, float]:
        """What the supplier says of one row, and since when it says so."""
        item = self.ledger.items[index]
        seen_by = [distortion for distortion in distortions if distortion.covers(item.sku)]
        age = max((distortion.age(item.uid, seed) for distortion in seen_by), default=0.0)
        units, at = self.ledger.seen_at(index, now - age) if age > 0 else self.ledger.now_at(index)
        for distortion in seen_by:
            units = distortion.number(units)
        return units, at

    # --- Orders -------------------------------------------------------------------------------------
    def _order(self, body: bytes) -> tuple[str, dict[str, int]]:
        """The reference, and uid → units with repeated lines merged.  Raises BadBody."""
        document = parse_object(body)
        reference, lines = document.get("ref"), document.get("lines")
        if not isinstance(reference, str) or not reference or len(reference) > MAX_REFERENCE:
            raise BadBody(f"ref is a text of 1 to {MAX_REFERENCE} characters")
        if not isinstance(lines, list) or not 1 <= len(lines) <= MAX_LINES:
            raise BadBody(f"lines is a list of 1 to {MAX_LINES}")
        merged: Counter[str] = Counter()
        for line in lines:
            uid, quantity = self.line(line)
            merged[uid] += quantity
        return reference, dict(merged)

    def line(self, line: Any) -> tuple[str, int]:
        """Which row (its uid) and how many units; of several rows with one SKU, the first.  Raises BadBody."""
        if not isinstance(line, dict):
            raise BadBody("a line is an object")
        uid, sku, quantity = line.get("id"), line.get("sku"), line.get("quantity")
        if type(quantity) is not int or not 1 <= quantity <= MAX_QUANTITY:
            raise BadBody("quantity is a whole number from 1")
        index = self.ledger.index_of(str(uid)) if uid is not None else next(iter(self._with_sku(sku)), None)
        if index is None:
            raise BadBody(f"no such item: {uid if uid is not None else sku!r}")
        return self.ledger.items[index].uid, quantity

    def _with_sku(self, sku: Any) -> Sequence[int]:
        return self.ledger.indexes_of_sku(sku) if isinstance(sku, str) else ()

    def _confirm(self, reference: str, lines: Mapping[str, int], call: Call, scenario: Scenario) -> Reply:
        partial = scenario.striking(Partial, call) is not None
        race = scenario.striking(OwnOversell, call)
        try:
            if race and not (scenario.idempotent and self.ledger.sales_of(reference)):
                self.ledger.check(lines)
                if self._pause(race.race_window_ms / 1000):
                    return Reply(0, fate=Fate.CLOSE)
            terms = Terms(partial=partial, unchecked=race is not None, idempotent=scenario.idempotent)
            sale = self.ledger.sell(lines, reference, "order", terms)
        except OutOfStock as error:
            short = [{"id": uid, "available": units} for uid, units in error.shortages.items()]
            return error_reply(409, "NO_STOCK", "not enough stock", lines=short)
        return json_reply(201, self._shown(sale))

    def _readback(self, reference: str, call: Call, scenario: Scenario) -> Reply:
        late = scenario.striking(LateReadback, call)
        visible = self.ledger.clock() - (late.lag_s if late else 0)
        sales = [sale for sale in self.ledger.sales_of(reference) if sale.source == "order" and sale.at <= visible]
        return json_reply(200, {"items": [self._shown(sale) for sale in sales]})

    def _cancel(self, order_id: str) -> Reply:
        try:
            return json_reply(200, self._shown(self.ledger.cancel(order_id)))
        except UnknownOrder:
            return error_reply(404, "NO_ORDER", "no such order")

    def _shown(self, sale: Sale) -> dict[str, Any]:
        """quantity: units taken; requested: units asked for, more only in a partial order."""
        lines = [
            {"id": uid, "sku": self.ledger.sku_of(uid), "quantity": sale.lines.get(uid, 0), "requested": requested}
            for uid, requested in sale.requested.items()
        ]
        state = "cancelled" if sale.cancelled_at is not None else "accepted"
        return {"order_id": sale.order_id, "ref": sale.reference, "status": state, "lines": lines}


def parse_object(body: bytes) -> dict[str, Any]:
    """A JSON object.  Raises BadBody."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadBody(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise BadBody("the body is an object")
    return document


def _words(text: str | None) -> list[str]:
    return [word for word in (text or "").split(",") if word]


def _text(query: Mapping[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in sorted(query.items()))


def _stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
