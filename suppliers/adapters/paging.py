"""How a list goes on, and how it proves that it is over.

A cursor is JSON that says where the next page starts; a stored one resumes a list in another process.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from requests.utils import parse_header_links

from suppliers.adapters.answers import Answer
from suppliers.adapters.expressions import MISSING, Getter, compile_path, holds
from suppliers.errors import Malformed
from suppliers.readings import Json

Cursor = dict[str, Any]
FIRST_TWO = 2
PLACES = {"page": "page", "offset": "offset", "cursor": "cursor", "keyset": "key", "link": "url", "next_url": "url"}


@dataclass(frozen=True, slots=True)
class Position:
    """What has been read up to and with this page.  seen: rows, total: as upstream says, None if it does not."""

    cursor: Cursor
    items: Sequence[Any]
    total: int | None

    @property
    def rows(self) -> int:
        return len(self.items)

    @property
    def seen(self) -> int:
        before: int = self.cursor.get("seen", 0)
        return before + self.rows


class Paging:
    """The styles in which one request gets another page."""

    def __init__(self, config: Mapping[str, Any] | None, *, has_total: bool) -> None:
        self._config = config or {"type": "none"}
        self.type: str = self._config["type"]
        self._size: int = self._config.get("size", 100)
        # A total beside a keyset is often that of the rest.
        by_total = has_total and self.type != "keyset"
        self._stop = self._config.get("stop", "total" if by_total else "empty")
        self._while: Getter | None = compile_path(self._stop["while"]) if isinstance(self._stop, dict) else None
        self._next: Getter | None = compile_path(self._config["next"]) if "next" in self._config else None
        self._key: Getter | None = compile_path(self._config["key"]) if "key" in self._config else None

    def start(self, cursor: Json) -> Cursor:
        """The first position, or the stored one.

        Raises: Malformed if the stored one is of another style, or upstream has forgotten it by now.
        """
        if cursor is None:
            first = {"page": {"page": self._config.get("first", 1)}, "offset": {"offset": 0}}
            return first.get(self.type, {})
        if not isinstance(cursor, dict) or PLACES.get(self.type) not in cursor:
            raise Malformed("The stored position belongs to another paging style; start the list anew.")
        if time.time() > cursor.get("until", float("inf")):
            raise Malformed("The stored position is older than upstream keeps it; start the list anew.")
        return cursor

    def place(self, cursor: Cursor) -> str:
        """What tells one page from another."""
        return repr(cursor.get(PLACES.get(self.type, "")))

    def variables(self, cursor: Cursor) -> dict[str, Any]:
        return {
            "page": cursor.get("page"),
            "offset": cursor.get("offset"),
            "cursor": cursor.get("key", self._config.get("first")) if self.type == "keyset" else cursor.get("cursor"),
            "size": self._size,
        }

    def following(self, position: Position, answer: Answer) -> Cursor | None:
        """Where the next page starts, None if this one is proven to be the last.

        Raises: Malformed if the list breaks off, or is not in the order that its key promises.
        """
        more: Cursor = {"seen": position.seen}
        if self._key is not None:
            more["key"] = self._last_key(position, self._key, answer)
        following = self._following(position, answer)
        if following is None:
            # In rising order no row came twice, so this many are all of them, or some were missed.
            if self._key and self._stop == "total" and position.total not in {None, position.seen}:
                raise Malformed(f"{position.seen} rows were read of {position.total} announced.", answer.evidence)
            return None
        if "expires_seconds" in self._config:
            more["until"] = time.time() + self._config["expires_seconds"]
        return {**following, **more}

    def ends_by_repeating(self, items: Sequence[Any], pages: int) -> bool:
        """Whether a page that equals the one before it means the end.

        A full page that comes again as the second one may as well mean that the parameter is ignored.
        """
        return self._stop == "repeat" and (pages > FIRST_TWO or len(items) < self._size)

    def _last_key(self, position: Position, key: Getter, answer: Answer) -> Any:
        last = position.cursor.get("key")
        for item in position.items:
            value = key(item)
            comparable = type(value) in {int, str} and (last is None or type(value) is type(last))
            if not comparable or (last is not None and value <= last):
                raise Malformed(f"The list is not in rising order of {self._config['key']!r}.", answer.evidence)
            last = value
        return last

    def _following(self, position: Position, answer: Answer) -> Cursor | None:
        if self.type in {"page", "offset", "keyset"}:
            return self._counted(position, answer)
        if self.type == "link":
            return _linked(answer)
        if self._next is None:
            return None
        value = self._next(answer.document)
        if value is MISSING and not self._config.get("next_may_be_absent", False):
            # A renamed field must not look like the end of the list.
            raise Malformed("The answer does not say whether another page follows.", answer.evidence)
        if not holds(value):
            return None
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise Malformed("The pointer to the next page is neither text nor number.", answer.evidence)
        return {"url": value} if self.type == "next_url" else {"cursor": value}

    def _counted(self, position: Position, answer: Answer) -> Cursor | None:
        if self._is_last(position, answer):
            return None
        if not position.rows:
            raise Malformed("A page without rows came before the end of the list.", answer.evidence)
        if self.type == "keyset":
            return {}  # where it goes on is the last key
        if self.type == "page":
            return {"page": position.cursor["page"] + 1}
        return {"offset": position.cursor["offset"] + position.rows}

    def _is_last(self, position: Position, answer: Answer) -> bool:
        if self._while is not None:
            return not holds(self._while(answer.document))
        if self._stop == "total":
            if position.total is None:
                raise Malformed("The answer does not hold the total.", answer.evidence)
            return position.seen >= position.total
        return position.rows < self._size if self._stop == "short" else position.rows == 0


def _linked(answer: Answer) -> Cursor | None:
    for link in parse_header_links(answer.headers.get("Link", "")):
        if link.get("rel", "").lower() == "next":
            return {"url": link["url"]}
    return None
