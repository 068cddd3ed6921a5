"""Calls that change something upstream: one request or several, each with values of the answers before it."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from suppliers.adapters.answers import Answer, Judge
from suppliers.adapters.calls import Caller, RequestForm, with_header
from suppliers.adapters.expressions import MISSING, bind, compile_path
from suppliers.adapters.templates import render
from suppliers.errors import Malformed, Transient
from suppliers.readings import ConfirmLine, ConfirmRequest
from suppliers.transport import Deadline

Refused = Callable[[Any, Mapping[str, Any]], bool]  # of a document, with the variables of its call

DEFAULT_LINE = {"sku": "$line.sku", "quantity": "$line.quantity"}


class Unsettled(Exception):
    """The request left and nobody knows what became of it; read it back."""


@dataclass
class Progress:
    """How far the steps got.

    ordered: upstream took a request that orders.  placed: uid → units of lines taken one by one.
    """

    variables: dict[str, Any]
    answer: Answer | None = None
    ordered: bool = False
    placed: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """What one request of a step is about: a line of ours, an item of the answer before it, or the whole order."""

    line: ConfirmLine | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)


class Steps:
    """The steps of `confirm` or `cancel`."""

    def __init__(
        self, config: Mapping[str, Any], form: RequestForm, call: Caller, judge: Judge, refused: Refused
    ) -> None:
        self._form = form
        self._refused = refused
        self._call = call
        self._judge = judge
        self._steps: Sequence[Mapping[str, Any]] = config.get("steps") or [{"request": config["request"]}]
        self._line_template = config.get("line", DEFAULT_LINE)
        self._done: Sequence[int] = config.get("done_status", ())
        self._idempotency_header: str | None = config.get("idempotency_header")

    def start(self, order: ConfirmRequest, **more: str) -> Progress:
        variables: dict[str, Any] = {"ref": order.reference, "attempt": uuid.uuid4().hex, **more}
        values = self._form.values(variables)
        variables["lines"] = [render(self._line_template, {**values, **_of_line(line)}) for line in order.lines]
        return Progress(variables)

    def run(self, order: ConfirmRequest, progress: Progress, deadline: Deadline) -> Answer:
        """The last answer: of the last step, or of the first one that upstream refused (4xx).

        Raises: Unsettled once a request that orders has left without a clear answer; any SupplierError otherwise,
        and then nothing was ordered unless `progress.ordered`.
        """
        for number, step in enumerate(self._steps, start=1):
            orders = step.get("orders", number == len(self._steps))
            for target in _targets(step, order, progress):
                answer = self._send(step, target, progress, orders=orders, deadline=deadline)
                progress.answer = answer
                if not answer.ok and answer.status not in self._done:
                    return answer
                progress.ordered = progress.ordered or orders
                line = target.line
                if orders and line is not None:
                    progress.placed[line.ref.uid] = progress.placed.get(line.ref.uid, 0) + line.quantity
            self._save(step, progress)
        if progress.answer is None:
            raise Malformed("An order without lines cannot be sent.")
        return progress.answer

    def _send(
        self,
        step: Mapping[str, Any],
        target: "Target",
        progress: Progress,
        *,
        orders: bool,
        deadline: Deadline,
    ) -> Answer:
        values, line = {**progress.variables, **target.variables}, target.line
        request = self._form.request(step["request"], values)
        if self._idempotency_header and orders:
            key = progress.variables["ref"] if line is None else f"{progress.variables['ref']}-{line.ref.uid}"
            request = with_header(request, self._idempotency_header, key)

        def refused(document: Any) -> bool:
            return self._refused(document, progress.variables)

        try:
            return self._call(request, partial(self._judge.verdict, refused=refused), safe=False, deadline=deadline)
        except Transient as error:
            if orders and error.sent:
                raise Unsettled(str(error)) from error
            raise
        except Malformed as error:
            if orders:
                raise Unsettled(str(error)) from error
            raise

    def _save(self, step: Mapping[str, Any], progress: Progress) -> None:
        if progress.answer is None:
            return
        for name, path in step.get("save", {}).items():
            value = compile_path(path)(progress.answer.document)
            if value is MISSING or value is None:
                raise Malformed(f"The answer holds no {name!r} for the next step.", progress.answer.evidence)
            progress.variables[f"saved.{name}"] = value


def _targets(step: Mapping[str, Any], order: ConfirmRequest, progress: Progress) -> Sequence[Target]:
    if "for_each" in step:
        document = progress.answer.document if progress.answer else None
        items = bind(step["for_each"], progress.variables)(document)
        if not isinstance(items, list):
            raise Malformed(f"{step['for_each'][:120]!r} is not a list in the answer.")
        return [Target(variables=of_item(item)) for item in items]
    if step.get("for_each_line"):
        return [Target(line, _of_line(line)) for line in order.lines]
    return [Target()]


def of_item(item: Any) -> dict[str, Any]:
    """The variables of one object that upstream listed."""
    return {f"item.{name}": value for name, value in item.items()} if isinstance(item, dict) else {}


def _of_line(line: ConfirmLine) -> dict[str, Any]:
    return {
        "line.uid": line.ref.uid,
        "line.sku": line.ref.sku,
        "line.location": line.ref.location,
        "line.quantity": line.quantity,
    }
