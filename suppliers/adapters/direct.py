"""The direct read of a few rows, in batches as large as upstream takes them."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec

from suppliers.adapters.listing import NextDeadline, StockListing
from suppliers.adapters.templates import variables_of
from suppliers.errors import SupplierError
from suppliers.readings import FetchResult, Ref, StockRow

BY_SKU = {"sku", "skus", "skus_csv"}
JOINED = {"skus_csv", "uids_csv"}


# Configurations whose filter this process has seen to filter: it found what was asked for, and nothing else.
proven_filters: set[str] = set()

Control = Callable[[NextDeadline], Ref | None]


class DirectRead:
    """control: a row that certainly exists.

    Note [Proof before absence]
    Unknown parameters are often ignored, and a filter by the wrong name may as well find nothing.  So an empty answer
    means "there is no such row" only once the same request has found a row that exists, and nothing beside it.
    """

    def __init__(self, config: Mapping[str, Any], listing: StockListing, control: Control, name: str) -> None:
        self._listing = listing
        self._control = control
        self._name = name + json.dumps(config, sort_keys=True)
        self._batch: int = config.get("batch", 50)
        self._absent_is_missing = config.get("absent", "unanswered") == "missing"
        names = set(variables_of(config["request"]))
        self._by_sku, self._joined = bool(names & BY_SKU), bool(names & JOINED)

    def fetch(self, refs: Sequence[Ref], next_deadline: NextDeadline) -> FetchResult:
        """The rows of these refs as they are now.

        Raises: SupplierError if the first batch fails; when a later one does, its refs are unanswered.
        """
        askable = [ref for ref in refs if self._askable(ref)]
        result = FetchResult(rows=[], missing=[], unanswered=[ref for ref in refs if not self._askable(ref)])
        age = 0.0
        for start in range(0, len(askable), self._batch):
            try:
                age = max(age, self._fetch_batch(askable[start : start + self._batch], next_deadline, result))
            except SupplierError:
                if start == 0:
                    raise
                result.unanswered.extend(askable[start:])
                break
        if result.missing and not self._is_proven(next_deadline):
            result = replace(result, missing=[], unanswered=result.unanswered + result.missing)
        return replace(result, age=age)

    def prove(self, next_deadline: NextDeadline) -> FetchResult | None:
        """What asking for a row that exists brings; None if there is none to ask for.

        Raises: SupplierError.
        """
        control = self._control(next_deadline)
        if control is None or not self._askable(control):
            return None
        result = FetchResult(rows=[], missing=[], unanswered=[])
        self._fetch_batch([control], next_deadline, result)
        return result

    @property
    def proven(self) -> bool:
        return self._name in proven_filters

    def _is_proven(self, next_deadline: NextDeadline) -> bool:
        if not self.proven:
            with suppress(SupplierError):
                self.prove(next_deadline)
        return self.proven

    def _askable(self, ref: Ref) -> bool:
        """An empty code would ask for everything, a comma in a joined list for something else."""
        key = ref.sku if self._by_sku else ref.uid
        return bool(key) and not (self._joined and "," in key)

    def _fetch_batch(self, batch: Sequence[Ref], next_deadline: NextDeadline, result: FetchResult) -> float:
        age, refused, rows = 0.0, False, list[StockRow]()
        for sheet in self._listing.sheets(None, _variables(batch), next_deadline):
            age = max(age, sheet.answer.age)
            refused = refused or not sheet.answer.ok
            rows += self._listing.rows(_asked(sheet.items, batch), sheet.answer)
        self._sort(batch, rows, result, refused=refused)
        return age

    def _sort(self, batch: Sequence[Ref], rows: list[StockRow], result: FetchResult, *, refused: bool) -> None:
        sku_of = {ref.uid: ref.sku for ref in batch}
        skus = set(sku_of.values())
        found = {(row.uid, row.location) for row in rows}
        absent = [ref for ref in batch if (ref.uid, ref.location) not in found]
        # Rows nobody asked for mean that the filter was ignored, and a refusal of many does not say of which:
        # then absence proves nothing.
        filtered = all(row.uid in sku_of or row.sku in skus for row in rows)
        if filtered and len(absent) < len(batch):
            proven_filters.add(self._name)
        proven = len(batch) == 1 if refused else self._absent_is_missing and filtered
        (result.missing if proven else result.unanswered).extend(absent)
        result.rows.extend(_flagged(row, sku_of[row.uid]) for row in rows if row.uid in sku_of)


def _asked(items: Sequence[Any], batch: Sequence[Ref]) -> Iterator[Any]:
    """Items that know what was asked for, where that is one row: its answer need not repeat it, or be a bare number."""
    for item in items:
        if len(batch) > 1 or (isinstance(item, dict) and "asked" in item):
            yield item
        else:
            asked = {"uid": batch[0].uid, "sku": batch[0].sku, "location": batch[0].location}
            yield {**(item if isinstance(item, dict) else {"value": item}), "asked": asked}


def _flagged(row: StockRow, expected_sku: str) -> StockRow:
    if row.sku == expected_sku:
        return row
    return msgspec.structs.replace(row, flags=row.flags | {"sku_changed"})


def _variables(batch: Sequence[Ref]) -> dict[str, Any]:
    skus, uids = [ref.sku for ref in batch], [ref.uid for ref in batch]
    variables: dict[str, Any] = {"skus": skus, "uids": uids, "skus_csv": ",".join(skus), "uids_csv": ",".join(uids)}
    if len(batch) == 1:
        variables |= {"sku": skus[0], "uid": uids[0], "location": batch[0].location}
    return variables
