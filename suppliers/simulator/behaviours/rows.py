"""How a row is written: odd quantities, codes that differ, times of other clocks, goods that come and go."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import formatdate
from typing import Any

from suppliers.simulator.draws import draw
from suppliers.simulator.messages import Call, Reply

from .base import JsonRow, OfSomeRows, RowFault, Spoiler

# Ways to write a number of units; each from the number that would be reported.
QUANTITIES: Mapping[str, Callable[[int], Any]] = {
    "negative": lambda units: -max(1, units),
    "fraction": lambda units: units + 0.5,
    "float": float,
    "string": str,
    "thousands": lambda units: f"{units:,}.00",
    "at_least": lambda units: f"{units}+",
    "words": lambda units: "有货" if units else "无货",
    "null": lambda _: None,
    "boolean": bool,
    "huge": lambda _: 1e9,
    "infinite": lambda _: 1e308,
    "empty": lambda _: "",
    "nested": lambda units: {"value": units},
    "missing": lambda units: units,
}


@dataclass(kw_only=True, eq=False)
class QuantityTypes(OfSomeRows, RowFault):
    """Quantities as suppliers write them; kinds: negative, fraction, float, string, thousands ("1,234"), at_least
    ("10+"), words, null, boolean, huge, infinite, empty, nested, missing.
    """

    name = "quantity_types"
    words = {"kinds": tuple(QUANTITIES)}
    share: float = 0.1
    kinds: Sequence[str] = ("negative", "fraction", "string", "thousands", "at_least", "null", "boolean", "missing")

    def rows(self, row: JsonRow, call: Call) -> list[JsonRow]:
        if not self.chooses(row["id"], call.seed) or not isinstance(row.get("available"), int):
            return [row]
        kind = self.kinds[int(draw(call.seed, "quantity_types.kind", row["id"]) * len(self.kinds))]
        if kind == "missing":
            return [{key: value for key, value in row.items() if key != "available"}]
        return [{**row, "available": QUANTITIES[kind](row["available"])}]


def _full_width(sku: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in sku)


# Ways to write a code.
CODES: Mapping[str, Callable[[str], Any]] = {
    "case": lambda sku: sku.lower() if sku != sku.lower() else sku.upper(),
    "spaces": lambda sku: f" {sku} ",
    "nbsp": lambda sku: f"{sku}\u00a0",
    "zero_width": lambda sku: f"{sku[:1]}\u200b{sku[1:]}",
    "full_width": _full_width,
    "zeros_lost": lambda sku: sku.replace("-0", "-", 1).lstrip("0") or "0",
    "number": lambda sku: int("".join(filter(str.isdecimal, sku)) or 0),
    "exponent": lambda sku: f"{int(''.join(filter(str.isdecimal, sku)) or 0):.0E}",
    "letter_o": lambda sku: sku.replace("0", "O", 1),
    "encoded": lambda sku: sku.replace("-", "%2D"),
    "empty": lambda _: "",
    "shared": lambda sku: f"{sku[:-1]}0",
    "reused": lambda sku: f"OTHER-{sku}",
}


@dataclass(kw_only=True, eq=False)
class SkuVariance(OfSomeRows, RowFault):
    """Codes that are not what they were; kinds: case, spaces, nbsp, zero_width, full_width, zeros_lost, number,
    exponent, letter_o, encoded, empty, shared (ten rows carry one code), reused (the row now sells something else).

    after_s: seconds since the supplier opened.
    """

    name = "sku_variance"
    words = {"kinds": tuple(CODES)}
    share: float = 0.1
    after_s: float = 0.0
    kinds: Sequence[str] = ("case", "spaces", "nbsp", "full_width", "zeros_lost", "letter_o", "shared")

    def rows(self, row: JsonRow, call: Call) -> list[JsonRow]:
        if call.uptime < self.after_s or not self.chooses(row["id"], call.seed):
            return [row]
        kind = self.kinds[int(draw(call.seed, "sku_variance.kind", row["id"]) * len(self.kinds))]
        return [{**row, "sku": CODES[kind](row["sku"])}]


@dataclass(kw_only=True, eq=False)
class Churn(OfSomeRows, RowFault):
    """A catalogue that moves; every row chosen does one of `kinds` in every other period of period_s seconds.

    delisted: it is gone.  moved: it stands at another location.  split: its units are spread over two variants.
    untracked: it is not counted.  annex: a second location appears, with nothing in it.
    """

    name = "churn"
    words = {"kinds": ("delisted", "moved", "split", "untracked", "annex")}
    share: float = 0.1
    period_s: float = 60.0
    kinds: Sequence[str] = ("delisted", "moved", "split", "untracked", "annex")

    def rows(self, row: JsonRow, call: Call) -> list[JsonRow]:
        phase = draw(call.seed, "churn.phase", row["id"]) * 2 * self.period_s
        if not self.chooses(row["id"], call.seed) or math.floor((call.uptime + phase) / self.period_s) % 2 == 0:
            return [row]
        kind = self.kinds[int(draw(call.seed, "churn.kind", row["id"]) * len(self.kinds))]
        units = row["available"] if isinstance(row.get("available"), int) else 0
        return {
            "delisted": [],
            "moved": [{**row, "location": "annex"}],
            "split": [
                {**row, "id": f"{row['id']}/a", "sku": f"{row['sku']}-A", "available": units - units // 2},
                {**row, "id": f"{row['id']}/b", "sku": f"{row['sku']}-B", "available": units // 2},
            ],
            "untracked": [{**row, "available": None, "tracked": False}],
            "annex": [row, {**row, "location": "annex", "available": 0}],
        }[kind]


ZONE = timezone(timedelta(hours=8))
# Ways to write a moment.
STAMPS: Mapping[str, Callable[[datetime], Any]] = {
    "iso": lambda at: at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    "offset": lambda at: at.astimezone(ZONE).isoformat(),
    "naive": lambda at: at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S"),
    "wrong_zone": lambda at: at.astimezone(ZONE).strftime("%Y-%m-%dT%H:%M:%SZ"),
    "epoch_s": lambda at: int(at.timestamp()),
    "epoch_ms": lambda at: int(at.timestamp() * 1000),
    "epoch_ms_text": lambda at: str(int(at.timestamp() * 1000)),
    "day_first": lambda at: at.strftime("%d/%m/%Y %H:%M"),
    "summer_time": lambda at: (at + timedelta(hours=1)).isoformat(timespec="seconds").replace("+00:00", "Z"),
    "null": lambda _: None,
}


@dataclass(kw_only=True, eq=False)
class Clock(RowFault, Spoiler):
    """A clock that is wrong by skew_s seconds and by drift more for each second, and times as they are written.

    formats: iso, offset, naive (local, without a zone), wrong_zone (local, said to be UTC), epoch_s, epoch_ms,
    epoch_ms_text, day_first, summer_time (an hour ahead), null.  The Date header and signed requests go by it too.
    """

    name = "clock"
    words = {"formats": tuple(STAMPS)}
    skew_s: float = 900.0
    drift: float = 0.0
    formats: Sequence[str] = ("iso",)

    def wrong_by(self, uptime: float) -> float:
        return self.skew_s + self.drift * uptime

    def rows(self, row: JsonRow, call: Call) -> list[JsonRow]:
        if not isinstance(row.get("updated_at"), str):
            return [row]
        at = datetime.fromisoformat(row["updated_at"]) + timedelta(seconds=self.wrong_by(call.uptime))
        return [{**row, "updated_at": STAMPS[self.one_of(self.formats, call)](at)}]

    def after(self, call: Call, reply: Reply) -> Reply:
        return self.dated(reply, call.now, call.uptime)

    def dated(self, reply: Reply, now: float, uptime: float) -> Reply:
        reply.headers["Date"] = formatdate(now + self.wrong_by(uptime), usegmt=True)
        return reply
