"""A supplier that lays out a file: GET /stock.csv, /stock.jsonl or /stock.json, whole and with an ETag.

?encoding=gb18030|utf-8-sig|utf-16, ?separator=; for CSV.  Nothing can be ordered.
"""

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import formatdate
from typing import Any

import orjson

from suppliers.simulator import errors
from suppliers.simulator.asks import Ask, Told, bad
from suppliers.simulator.ledger import Ledger
from suppliers.simulator.messages import Problem, Reply, Request

from .base import nowhere
from .platforms import basic_password

ENCODINGS = ("utf-8", "utf-8-sig", "gb18030", "utf-16")
COLUMNS = ("id", "sku", "available", "location", "updated_at")
TYPES = {"csv": "text/csv", "jsonl": "application/jsonl", "json": "application/json"}


class FileDialect:
    def credential(self, request: Request, secret: str, now: float) -> str:  # noqa: ARG002
        given = request.headers.get("authorization", "")
        scheme, _, bearer = given.partition(" ")
        return basic_password(given) or (bearer if scheme.lower() == "bearer" else request.query.get("token", ""))

    def understand(self, request: Request, ledger: Ledger) -> Ask:
        name, _, kind = request.path.strip("/").partition(".")
        if request.method != "GET" or name != "stock" or kind not in TYPES:
            raise nowhere()
        encoding, separator = request.query.get("encoding", "utf-8"), request.query.get("separator", ",")
        if encoding not in ENCODINGS or len(separator) != 1:
            raise bad(f"encoding is one of {', '.join(ENCODINGS)}, separator one character")
        known = request.headers.get("if-none-match", "")
        return Ask("list", request.path, 0, len(ledger.items), form=(kind, encoding, separator, known))

    def answer(self, ask: Ask, told: Told, ledger: Ledger) -> Reply:  # noqa: ARG002
        kind, encoding, separator, known = ask.form
        text = _csv(told.rows, separator) if kind == "csv" else _json(told.rows, lines=kind == "jsonl")
        body = text.encode(encoding)
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {"ETag": etag, "Last-Modified": _newest(told)}
        if known == etag:
            return Reply(304, b"", headers, TYPES[kind])
        return Reply(200, body, headers, f"{TYPES[kind]}; charset={encoding.removesuffix('-sig')}")

    def problem(self, problem: Problem) -> Reply:
        return errors.rest(problem)


def _csv(rows: Sequence[Mapping[str, Any]], separator: str) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, delimiter=separator, extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _json(rows: Sequence[Mapping[str, Any]], *, lines: bool) -> str:
    if lines:
        return "".join(orjson.dumps(row).decode() + "\n" for row in rows)
    return orjson.dumps({"items": list(rows), "total": len(rows)}).decode()


def _newest(told: Told) -> str:
    """When the last of the rows changed, as far as they tell."""
    moments = []
    for row in told.rows:
        try:
            moments.append(datetime.fromisoformat(row["updated_at"]).timestamp())
        except (TypeError, ValueError, KeyError):
            continue
    return formatdate(max(moments, default=told.now), usegmt=True)
