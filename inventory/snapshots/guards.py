"""What a full snapshot must be to be believed.  Pure functions: complete, or refused with the reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter
from typing import Any

from suppliers.readings import Json, Page, StockRow

LARGEST = 2**31 - 1
_EVIDENCE = 5  # rows or bytes × 200 shown to a person; the whole could be a million
_MASS = 20  # rows; of a small catalogue half may well sell out or be restocked at once, and each level has its guard
_LIMITS = {"uid": 200, "location": 100, "sku": 200}


class Refused(Exception):
    """The snapshot was read but is not believed; stock stays as it was."""

    def __init__(self, reason: str, **evidence: Any) -> None:
        super().__init__(reason)
        self.reason = reason
        self.evidence = evidence


@dataclass(frozen=True, slots=True)
class Whole:
    """What a snapshot amounts to when its last page is read.  expected: rows of the last one that was applied."""

    rows: int
    total: int | None
    expected: int
    min_ratio: Decimal


@dataclass(frozen=True, slots=True)
class Moves:
    """How the rows of a snapshot differ from what is stored.  in_stock: rows stored with units, of which some are 0 now
    and some jumped.
    """

    in_stock: int
    zero: int
    jumped: int


@dataclass(slots=True)
class PageGuard:
    """Compares each page with the one before it.  asked: the cursor that the next page is asked for with."""

    asked: Json
    number: int = 0
    rows: Sequence[StockRow] | None = None

    def check(self, page: Page) -> None:
        """Raises: Refused, if the listing turns in circles or a row has no usable key."""
        self.number += 1
        if page.pending:
            return
        if self.rows is not None and _same_keys(page.rows, self.rows):
            raise Refused(f"page {self.number} repeats the page before it", rows=_shown(page.rows))
        if page.cursor is not None and page.cursor == self.asked:
            raise Refused(f"page {self.number} points to itself", cursor=page.cursor)
        _check_rows(page.rows, self.number)
        self.rows, self.asked = page.rows, page.cursor


def check_whole(whole: Whole) -> None:
    """Raises: Refused, if rows are missing or the catalogue has collapsed."""
    if whole.total is not None and whole.rows != whole.total:
        raise Refused(
            f"{whole.rows} distinct rows were read of {whole.total} announced", rows=whole.rows, total=whole.total
        )
    if whole.expected and not whole.rows:
        raise Refused(f"no rows at all, where the last snapshot had {whole.expected}", expected=whole.expected)
    if whole.rows < whole.min_ratio * whole.expected:
        raise Refused(
            f"{whole.rows} rows, where the last snapshot had {whole.expected} and {whole.min_ratio:.0%} of them are"
            " required; lower the supplier's minimum row ratio if its catalogue really shrank",
            rows=whole.rows,
            expected=whole.expected,
        )


def check_moves(moves: Moves, mass_zero_share: Decimal | None, mass_jump_share: Decimal | None) -> None:
    """Raises: Refused, if a large part of the catalogue is gone or multiplied at once.  None: that is no reason."""
    for units, share, happened, setting in (
        (moves.zero, mass_zero_share, "went to 0", "mass zero share"),
        (moves.jumped, mass_jump_share, "jumped", "mass jump share"),
    ):
        if share is not None and units >= _MASS and units > share * moves.in_stock:
            raise Refused(
                f"{units} of the {moves.in_stock} rows that were in stock {happened} at once, and {share:.0%} may;"
                f" raise the supplier's {setting} for one run if it is true",
                in_stock=moves.in_stock,
                zero=moves.zero,
                jumped=moves.jumped,
            )


def whole_units(row: StockRow) -> tuple[int | None, frozenset[str]]:
    """The number that can be stored, and the row's flags.  One that no column holds is "not counted", and flagged."""
    if row.available is not None and abs(row.available) > LARGEST:
        return None, row.flags | {"out_of_range"}
    return row.available, row.flags


def _same_keys(rows: Sequence[StockRow], others: Sequence[StockRow]) -> bool:
    return len(rows) == len(others) and all(
        row.uid == other.uid and row.location == other.location for row, other in zip(rows, others, strict=True)
    )


def _check_rows(rows: Sequence[StockRow], number: int) -> None:
    for name, limit in _LIMITS.items():
        # A column at once: of a million rows hardly one is refused.
        texts = list(map(attrgetter(name), rows))
        if max(map(len, texts), default=0) <= limit and "\x00" not in "".join(texts):
            continue
        bad = next(row for row, text in zip(rows, texts, strict=True) if len(text) > limit or "\x00" in text)
        raise Refused(f"a row of page {number} has an unusable {name}", rows=_shown([bad]), limit=limit)
    if not all(map(attrgetter("uid"), rows)):
        nameless = next(row for row in rows if not row.uid)
        raise Refused(f"a row of page {number} has no identity of its own", rows=_shown([nameless]))


def _shown(rows: Sequence[StockRow]) -> list[dict[str, Any]]:
    return [
        {
            "uid": row.uid[:200],
            "location": row.location[:200],
            "code": row.sku[:200],
            "available": str(row.available)[:40],
        }
        for row in rows[:_EVIDENCE]
    ]
