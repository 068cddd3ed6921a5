"""What a configuration of the adapter `file` may hold, and its faults."""

import codecs
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator

from suppliers import guard
from suppliers.adapters.auth_validation import zone_faults
from suppliers.adapters.files.servers import address_of, host_key_of
from suppliers.adapters.schema import HEADERS, LIMITS, MAP, PUSH, SECRET, TEXT, Schema, record
from suppliers.adapters.validation import shape_faults, shared_faults
from suppliers.errors import BlockedAddress, NotConfigured

COLUMN: Schema = {"oneOf": [TEXT, {"type": "integer", "minimum": 1, "maximum": 16_384}]}
PATH: Schema = {"type": "string", "minLength": 1, "maxLength": 1_000}
UNITS: Schema = {"type": ["integer", "null"], "minimum": 0, "maximum": 2_147_483_647}
BYTES: Schema = {"type": "integer", "minimum": 1_000}
SHARE: Schema = {"type": "number", "exclusiveMinimum": 0, "maximum": 0.2}  # beyond, it is another table
COLUMNS = record(
    "uid available",
    uid=COLUMN,
    sku=COLUMN,
    location=COLUMN,
    available=COLUMN,
    updated_at={"oneOf": [COLUMN, record("column", column=COLUMN, format=TEXT, timezone=TEXT)]},
)
FILE_LIMITS = {
    **LIMITS,
    "properties": {
        **LIMITS["properties"],
        # Copying and reading end before a task does; a gigabyte is no catalogue.
        "total_seconds": {"type": "number", "exclusiveMinimum": 0, "maximum": 75},
        "max_bytes": {**BYTES, "maximum": 500_000_000},
        "max_unpacked_bytes": {**BYTES, "maximum": 2_000_000_000},
    },
}
COMMON: Mapping[str, Schema] = {
    "base_url": TEXT,
    "path": PATH,
    "params": {"type": "object"},
    "headers": HEADERS,
    "limits": FILE_LIMITS,
    "ignore_last_modified": {"type": "boolean"},
    "sftp": record(
        "username host_key", username=TEXT, password=SECRET, private_key=SECRET, host_key={"type": "string"}
    ),
    "done": PATH,
    "still_seconds": {"type": "number", "minimum": 0, "maximum": 3_600},
    "push": PUSH,
    "tolerate": record("", bad_quantities=SHARE, repeated_rows=SHARE),
    "changes": record(
        "path",
        path=PATH,
        params={"type": "object"},
        done=PATH,
        every_seconds={"type": "number", "minimum": 5, "maximum": 86_400},
    ),
}
TABLE: Mapping[str, Schema] = {
    **COMMON,
    "map": COLUMNS,
    "header": {"type": "boolean"},
    "skip_rows": {"type": "integer", "minimum": 0, "maximum": 1_000},
    "decimal": {"enum": [".", ","]},
    "thousands": {"enum": [".", ",", " ", "'", ""]},
    "words": {"type": "object", "additionalProperties": UNITS, "maxProperties": 200},
    "code_length": {"type": "integer", "minimum": 2, "maximum": 100},
    "trailer": record("text column", text=TEXT, column={"type": "integer", "minimum": 1, "maximum": 16_384}),
}
TEXTUAL: Mapping[str, Schema] = {**TABLE, "separator": {"enum": [",", ";", "\t", "|"]}, "encoding": TEXT}
TABLES = {"csv", "tsv", "xlsx"}
REQUIRED = "base_url path format map"
CONFIGURATION: Schema = {
    "oneOf": [
        record(REQUIRED, format={"const": "csv"}, **TEXTUAL),
        record(REQUIRED, format={"const": "tsv"}, **TEXTUAL),
        record(REQUIRED, format={"const": "xlsx"}, sheet={"type": ["string", "integer"], "minimum": 0}, **TABLE),
        record(REQUIRED, format={"const": "jsonl"}, map=MAP, **COMMON),
        record(REQUIRED, format={"const": "json"}, map=MAP, items={"type": "string", "maxLength": 200}, **COMMON),
    ]
}
VALIDATOR = Draft202012Validator(CONFIGURATION)


def faults_of(config: Any) -> list[str]:
    """Each fault as "path: what is wrong"; empty if the configuration can be used."""
    faults = shape_faults(VALIDATOR, config)
    if faults:
        return faults
    table = config["format"] in TABLES
    # Columns are no expressions.
    shared = {name: part for name, part in config.items() if name != "map" or not table}
    return [*_source_faults(config), *(_table_faults(config) if table else ()), *shared_faults(shared)]


def _source_faults(config: Mapping[str, Any]) -> Iterator[str]:
    try:
        scheme = urlsplit(config["base_url"]).scheme
        if scheme == "sftp":
            yield from _sftp_faults(config)
        elif scheme != "folder":
            guard.check_url(config["base_url"])
        elif config["base_url"] != "folder:":
            yield "base_url: for a folder just `folder:`; `path` is below SUPPLIER_FILES_ROOT."
    except (BlockedAddress, NotConfigured, ValueError) as error:
        yield f"base_url: {error}"
    if scheme in ("http", "https"):
        own = {"path": config["path"], **({"changes.path": config["changes"]["path"]} if "changes" in config else {})}
        yield from (f"{name}: begins with a slash." for name, path in own.items() if not path.startswith("/"))
    if "changes" in config and config["changes"]["path"] == config["path"]:
        yield "changes.path: is that of the whole file."


def _sftp_faults(config: Mapping[str, Any]) -> Iterator[str]:
    address_of(config["base_url"])
    own = config.get("sftp")
    if own is None:
        yield "sftp: is missing: `username`, `host_key`, and `password` or `private_key`."
        return
    if ("password" in own) == ("private_key" in own):
        yield "sftp: either `password` or `private_key`."
    host_key_of(own["host_key"])


def _table_faults(config: Mapping[str, Any]) -> Iterator[str]:
    if config.get("thousands") and config["thousands"] == config.get("decimal", "."):
        yield "thousands: is the decimal sign too."
    try:
        codecs.lookup(config.get("encoding", "utf-8"))
    except LookupError:
        yield f"encoding: {config['encoding']!r} is not known."
    updated_at = config["map"].get("updated_at")
    zone = updated_at.get("timezone", "UTC") if isinstance(updated_at, dict) else "UTC"
    yield from zone_faults("map.updated_at.timezone", zone)
    if not config.get("header", True):
        yield from (
            f"map.{name}: without a header columns go by number."
            for name, column in config["map"].items()
            if isinstance(column.get("column") if isinstance(column, dict) else column, str)
        )
