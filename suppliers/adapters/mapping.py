"""From one upstream item to one StockRow, by the `map` of the configuration."""

import math
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import repeat
from typing import Any
from zoneinfo import ZoneInfo

from suppliers.adapters.expressions import MISSING, Getter, compile_column, compile_path, holds
from suppliers.adapters.quantities import MOST, NO_COMPONENTS, NO_FLAGS, Quantity, exact, whole_units
from suppliers.errors import Malformed
from suppliers.readings import StockRow

UID_LENGTH = 200
LOCATION_LENGTH = 100
MILLISECONDS = 1000
MOMENT_LENGTH = 64
PLAIN_FIELDS = {"uid", "sku", "location", "available"}
BLOCK = 100  # rows mapped at once: one that needs a second look costs its block the short way


def always(value: Any) -> Getter:
    return lambda _: value


class RowMapping:
    """Compiled once per configuration, called for each row or page."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.uid = compile_path(config["uid"])
        self.sku = compile_path(config["sku"]) if "sku" in config else always("")
        self.location = compile_path(config["location"]) if "location" in config else None
        self.quantity = Quantity(config["available"])
        self.unknown_when = compile_path(config["unknown_when"]) if "unknown_when" in config else None
        self.inactive_when = compile_path(config["inactive_when"]) if "inactive_when" in config else None
        self.sentinel_at: int | None = config.get("sentinel_at")
        self.lot = _count_getter(config.get("lot"))
        self.min_order = _count_getter(config.get("min_order"))
        self.updated_at = Moment(config["updated_at"]) if "updated_at" in config else None
        self._number = None if config.keys() - PLAIN_FIELDS else self.quantity.single
        self._columns = PlainColumns(config) if self._number and "sku" in config else None

    def rows(self, items: Sequence[Any]) -> list[StockRow]:
        """Raises: as `row`."""
        found: list[StockRow] = []
        for start in range(0, len(items), BLOCK):
            block = items[start : start + BLOCK]
            found += (self._columns and self._columns.rows(block)) or [self.row(item) for item in block]
        return found

    def row(self, item: Any) -> StockRow:
        """Raises: Malformed if the item does not fit the map; then nothing of its page may be used."""
        return self._plain_row(item, self._number) if self._number else self._row(item)

    def _plain_row(self, item: Any, number: Getter) -> StockRow:
        """The same as `_row`, in half the time, for the items that need no second look: nearly all."""
        uid, sku, available = self.uid(item), self.sku(item), number(item)
        location = "" if self.location is None else self.location(item)
        if type(uid) is int:
            uid = str(uid)
        if (
            type(available) is int
            and 0 <= available <= MOST
            and type(uid) is type(sku) is type(location) is str
            and uid
            and sku
            and len(uid) <= UID_LENGTH
            and len(sku) <= UID_LENGTH
            and len(location) <= LOCATION_LENGTH
            and (uid + sku + location).isprintable()
            and sku.isascii()
            and " " not in sku
        ):
            return StockRow(uid, sku, sku, location, available, NO_COMPONENTS)
        return self._row(item)

    def _row(self, item: Any) -> StockRow:
        uid = identifier(self.uid(item), "uid", UID_LENGTH)
        available, components, flags = self._available(item)
        sku, raw_sku, sku_flags = normalise_sku(self.sku(item))
        location = ""
        if self.location is not None:
            value = self.location(item)
            location = "" if value is None else identifier(value, "location", LOCATION_LENGTH)
        moment, moment_flags = self.updated_at.read(item) if self.updated_at else (None, NO_FLAGS)
        return StockRow(
            uid=uid,
            sku=sku,
            raw_sku=raw_sku,
            location=location,
            available=available,
            components=components,
            upstream_updated_at=moment,
            lot=1 if self.lot is None else _count(self.lot(item)),
            min_order=1 if self.min_order is None else _count(self.min_order(item)),
            flags=flags | sku_flags | moment_flags,
        )

    def _available(self, item: Any) -> tuple[int | None, Mapping[str, Decimal], frozenset[str]]:
        if self.unknown_when is not None and holds(self.unknown_when(item)):
            return None, NO_COMPONENTS, NO_FLAGS
        number, components, flags = self.quantity.read(item)
        if number is None:
            return None, components, flags
        units, more = whole_units(number)
        flags |= more
        if self.sentinel_at is not None and units >= self.sentinel_at:
            flags |= {"sentinel"}
        if self.inactive_when is not None and holds(self.inactive_when(item)):
            return 0, components, flags | {"inactive"}
        return units, components, flags


class PlainColumns:
    """Many items at once, column by column, in a third of the time; for those of which none needs a second look."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._uids, self._skus = compile_column(config["uid"]), compile_column(config["sku"])
        self._locations = compile_column(config["location"]) if "location" in config else None
        self._numbers = compile_column(config["available"])

    def rows(self, items: Sequence[Any]) -> list[StockRow] | None:
        """What `RowMapping.row` makes of each; None if one of them needs a second look."""
        uids, skus, numbers = self._uids(items), self._skus(items), self._numbers(items)
        locations = [""] if self._locations is None else self._locations(items)
        if set(map(type, uids)) == {int}:
            uids = list(map(str, uids))
        if (
            {*map(type, uids), *map(type, skus), *map(type, locations)} == {str}
            and set(map(type, numbers)) == {int}
            and 0 <= min(numbers) <= max(numbers) <= MOST
            and all(uids)
            and all(skus)
            and max(map(len, uids)) <= UID_LENGTH
            and max(map(len, skus)) <= UID_LENGTH
            and max(map(len, locations)) <= LOCATION_LENGTH
            and "".join([*uids, *skus, *locations]).isprintable()
            and (codes := "".join(skus)).isascii()
            and " " not in codes
        ):
            places = repeat("") if self._locations is None else locations
            return list(map(StockRow, uids, skus, skus, places, numbers, repeat(NO_COMPONENTS)))
        return None


class Moment:
    """When upstream says that the row changed: evidence, so a bad one is flagged and not refused."""

    def __init__(self, config: Any) -> None:
        settings = {"path": config} if isinstance(config, str) else config
        self.getter = compile_path(settings["path"])
        self.format: str = settings.get("format", "iso")
        self.zone = ZoneInfo(settings.get("timezone", "UTC"))

    def read(self, item: Any) -> tuple[datetime | None, frozenset[str]]:
        value = self.getter(item)
        if value is None:
            return None, NO_FLAGS
        try:
            moment = self._parse(value)
            aware = moment if moment.tzinfo else moment.replace(tzinfo=self.zone)
            return aware.astimezone(UTC), NO_FLAGS
        except (TypeError, ValueError, OverflowError, OSError):
            return None, frozenset({"bad_time"})

    def _parse(self, value: Any) -> datetime:
        if isinstance(value, str) and len(value) > MOMENT_LENGTH:
            raise ValueError
        if self.format == "epoch_s":
            return datetime.fromtimestamp(float(value), UTC)
        if self.format == "epoch_ms":
            return datetime.fromtimestamp(float(value) / MILLISECONDS, UTC)
        if self.format == "iso":
            return datetime.fromisoformat(value)
        return datetime.strptime(value, self.format)  # noqa: DTZ007 - the caller adds the configured zone


def normalise_sku(value: Any) -> tuple[str, str, frozenset[str]]:
    """The SKU to compare by, the SKU as it came, and flags.

    A row without a usable SKU is still a row: its uid is the key, and the merchant maps it by hand.
    Raises: Malformed if the field is absent or no text or whole number.
    """
    if type(value) is int:
        text = str(value)
        return text, text, NO_FLAGS
    if value is None or value == "":
        return "", "", frozenset({"no_sku"})
    if type(value) is not str:
        raise Malformed(
            f"A SKU is {str(value)[:40]!r}, which is no text." if value is not MISSING else "A SKU is absent."
        )
    if value.isascii() and value.isalnum() and len(value) <= UID_LENGTH:
        return value, value, NO_FLAGS
    sku = unicodedata.normalize("NFKC", value).strip()
    if len(sku) > UID_LENGTH or not sku.isprintable():
        return "", ascii(value[:UID_LENGTH])[1:-1][:UID_LENGTH], frozenset({"bad_sku"})
    return sku, value, NO_FLAGS if sku else frozenset({"no_sku"})


def identifier(value: Any, name: str, length: int) -> str:
    """A text that can be a key.  Raises: Malformed if the field is absent or holds anything else."""
    text = str(value) if type(value) is int else value
    if type(text) is not str:
        raise Malformed(
            f"A {name} is absent." if value is MISSING else f"A {name} is {str(value)[:40]!r}, which is no text."
        )
    if not text and name == "uid":
        raise Malformed("A uid is empty.")
    if len(text) > length or not text.isprintable():
        raise Malformed(f"A {name} is too long or holds characters that cannot be printed.")
    return text


def _count_getter(config: Any) -> Getter | None:
    if config is None:
        return None
    return always(config) if isinstance(config, int) else compile_path(config)


def _count(value: Any) -> int:
    number, _ = exact(None if value is MISSING else value)
    if number is None:
        return 1
    # A lot of 2.5 sells in threes: rounding up never promises a split unit.
    return min(MOST, max(1, math.ceil(number)))
