"""What a configuration may hold, as JSON Schema; `validation` adds what a schema cannot say."""

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

from suppliers.adapters.signing import DIGESTS, ENCODINGS

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": 2000}
EXPRESSION: Schema = {**TEXT, "description": "JMESPath"}
SECONDS: Schema = {"type": "number", "exclusiveMinimum": 0, "maximum": 600}
STATUSES: Schema = {"type": "array", "items": {"type": "integer", "minimum": 400, "maximum": 499}, "maxItems": 10}


def record(required: str = "", **properties: Schema) -> Schema:
    """An object with these fields and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


HEADERS: Schema = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Za-z0-9-]+$"},
    "additionalProperties": {"type": ["string", "number"]},
}
REQUEST = record(
    method={"enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]},
    path={"type": "string", "maxLength": 2000, "pattern": "^/"},
    url=TEXT,
    params={"type": "object"},
    headers=HEADERS,
    json={},
    form={"type": "object"},
)
STAMP = record("", name=TEXT, format=TEXT, timezone=TEXT)
STAMP["properties"]["in"] = {"enum": ["header", "query", "form"]}  # a keyword of Python
STAMP["dependentRequired"] = {"in": ["name"], "name": ["in"]}
HMAC = record(
    "type algorithm canonical name in",
    type={"const": "hmac"},
    algorithm={"enum": list(DIGESTS)},
    secret=TEXT,
    secret_encoding={"enum": ["text", "base64", "hex"]},
    canonical=TEXT,
    encoding={"enum": list(ENCODINGS)},
    upper={"type": "boolean"},
    name=TEXT,
    value=TEXT,
    params={"type": "object"},
    timestamp=STAMP,
    nonce=STAMP,
)
HMAC["properties"]["in"] = STAMP["properties"]["in"]
API_KEY = record("type in name value", type={"const": "api_key"}, name=TEXT, value=TEXT)
API_KEY["properties"]["in"] = {"enum": ["header", "query"]}  # a keyword of Python
AUTH: Schema = {
    "oneOf": [
        record("type", type={"const": "none"}),
        record("type token", type={"const": "bearer"}, token=TEXT),
        record("type username password", type={"const": "basic"}, username=TEXT, password={"type": "string"}),
        API_KEY,
        record(
            "type request token_path",
            type={"const": "login"},
            request=REQUEST,
            token_path=EXPRESSION,
            ttl_seconds={"type": "number", "exclusiveMinimum": 0},
            ttl_path=EXPRESSION,
            header=TEXT,
            prefix={"type": "string"},
        ),
        HMAC,
        {
            **record(
                "type grant token_url client_id client_secret",
                type={"const": "oauth2"},
                grant={"enum": ["client_credentials", "refresh_token"]},
                token_url=TEXT,
                client_id=TEXT,
                client_secret=TEXT,
                refresh_token=TEXT,
                client_auth={"enum": ["body", "basic"]},
                scope=TEXT,
                params={"type": "object"},
                header=TEXT,
                prefix={"type": "string"},
            ),
            "if": {"properties": {"grant": {"const": "refresh_token"}}},
            "then": {"required": ["refresh_token"]},
        },
    ]
}
LIMITS = record(
    connect_seconds=SECONDS,
    read_seconds=SECONDS,
    total_seconds=SECONDS,
    call_seconds=SECONDS,
    max_bytes={"type": "integer", "minimum": 1_000, "maximum": 2_000_000_000},
    rate={"type": "number", "minimum": 0.01, "maximum": 10_000},
    burst={"type": "integer", "minimum": 1, "maximum": 10_000},
    attempts={"type": "integer", "minimum": 1, "maximum": 10},
    breaker_failures={"type": "integer", "minimum": 1, "maximum": 1_000},
    breaker_seconds=SECONDS,
    concurrency={"type": "integer", "minimum": 1, "maximum": 1_000},
    daily_calls={"type": "integer", "minimum": 1, "maximum": 1_000_000_000},
    daily_reset={"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"},
    daily_timezone=TEXT,
    daily_reserve={"type": "number", "minimum": 0, "maximum": 1},
)
SUM: Schema = {"type": "array", "items": EXPRESSION, "maxItems": 20}
QUANTITY: Schema = {"oneOf": [EXPRESSION, record("plus", plus={**SUM, "minItems": 1}, minus=SUM)]}
ERROR_RULE = record(
    "when is",
    **{
        "when": EXPRESSION,
        "is": {"enum": ["throttle", "auth", "forbidden", "transient", "malformed"]},
        "after": QUANTITY,
        "after_per": EXPRESSION,
        "after_regex": TEXT,
    },
)
STOP: Schema = {"oneOf": [{"enum": ["total", "empty", "short", "repeat"]}, record("while", **{"while": EXPRESSION})]}
SIZE: Schema = {"type": "integer", "minimum": 1, "maximum": 100_000}
PAGINATE: Schema = {
    "oneOf": [
        record("type", type={"const": "none"}),
        record(
            "type",
            type={"const": "page"},
            first={"type": "integer", "minimum": 0},
            size=SIZE,
            stop=STOP,
            key=EXPRESSION,
        ),
        record("type", type={"const": "offset"}, size=SIZE, stop=STOP, key=EXPRESSION),
        record(
            "type key",
            type={"const": "keyset"},
            key=EXPRESSION,
            first={"type": ["string", "number"]},
            size=SIZE,
            stop=STOP,
        ),
        record(
            "type next",
            type={"const": "cursor"},
            next=EXPRESSION,
            size=SIZE,
            next_may_be_absent={"type": "boolean"},
            expires_seconds=SECONDS,
            key=EXPRESSION,
        ),
        record("type", type={"const": "link"}, size=SIZE),
        record(
            "type next", type={"const": "next_url"}, next=EXPRESSION, size=SIZE, next_may_be_absent={"type": "boolean"}
        ),
    ]
}
COUNT: Schema = {"oneOf": [EXPRESSION, {"type": "integer", "minimum": 1}]}
MAP = record(
    "uid available",
    uid=EXPRESSION,
    sku=EXPRESSION,
    location=EXPRESSION,
    available=QUANTITY,
    unknown_when=EXPRESSION,
    inactive_when=EXPRESSION,
    sentinel_at={"type": "integer", "minimum": 1},
    lot=COUNT,
    min_order=COUNT,
    updated_at={"oneOf": [EXPRESSION, record("path", path=EXPRESSION, format=TEXT, timezone=TEXT)]},
)
EVENT_FIELDS = {"uid", "sku", "location", "available", "unknown_when", "inactive_when", "updated_at"}
LIST_FIELDS: Mapping[str, Schema] = {
    "request": REQUEST,
    "items": EXPRESSION,
    "rows": EXPRESSION,
    "total": EXPRESSION,
    "total_header": TEXT,
    "paginate": PAGINATE,
}
VERDICT_FIELDS: Mapping[str, Schema] = {
    "accepted": EXPRESSION,
    "stock_rejected": EXPRESSION,
    "rejected": EXPRESSION,
    "order_id": EXPRESSION,
    "lines": {
        **record(
            "items quantity", items=EXPRESSION, sku=EXPRESSION, uid=EXPRESSION, quantity=EXPRESSION, surplus=REQUEST
        ),
        "dependentRequired": {"surplus": ["uid"]},
    },
}
TAKEN_FIELDS: Mapping[str, Schema] = {**VERDICT_FIELDS, "counted": EXPRESSION}
STEP = record(
    "request",
    request=REQUEST,
    for_each_line={"type": "boolean"},
    for_each=EXPRESSION,
    orders={"type": "boolean"},
    save={"type": "object", "propertyNames": {"pattern": "^\\w+$"}, "additionalProperties": EXPRESSION},
)
STEP_FIELDS: Mapping[str, Schema] = {
    "request": REQUEST,
    "steps": {"type": "array", "items": STEP, "minItems": 1, "maxItems": 10},
    "line": {},
    "idempotency_header": TEXT,
}
SECRET: Schema = {"type": "string", "pattern": r"^\$secret\.[A-Za-z0-9_]+$"}
PUSH_FIELDS: Mapping[str, Schema] = {
    "secret": {"oneOf": [SECRET, {"type": "array", "items": SECRET, "minItems": 1, "maxItems": 2}]},
    "events": EXPRESSION,
    "map": {
        **record(
            "", order=EXPRESSION, **{name: field for name, field in MAP["properties"].items() if name in EVENT_FIELDS}
        ),
        "anyOf": [{"required": [name]} for name in ("uid", "sku", "order")],
    },
    "id": TEXT,
    "clock_ahead_seconds": {"type": "number", "minimum": 0, "maximum": 86_400},
}
HEADER: Schema = {"type": "string", "pattern": "^[A-Za-z0-9-]+$"}
PUSH: Schema = {
    "oneOf": [
        *(
            record("scheme secret map", scheme={"const": name}, **PUSH_FIELDS)
            for name in ("standard_webhooks", "shopify", "woocommerce")
        ),
        record(
            "scheme secret map header",
            scheme={"const": "hmac"},
            header=HEADER,
            algorithm={"enum": ["sha256", "sha1", "sha512"]},
            encoding={"enum": ["hex", "base64"]},
            prefix=TEXT,
            timestamp_header=HEADER,
            **PUSH_FIELDS,
        ),
        record("scheme secret map header", scheme={"const": "token"}, header=HEADER, prefix=TEXT, **PUSH_FIELDS),
    ]
}
ONE_OF_BOTH: list[Schema] = [{"required": ["request"]}, {"required": ["steps"]}]

CONFIGURATION = record(
    "base_url list",
    base_url=TEXT,
    headers=HEADERS,
    auth=AUTH,
    limits=LIMITS,
    errors={"type": "array", "items": ERROR_RULE, "maxItems": 50},
    ignore_last_modified={"type": "boolean"},
    list=record(
        "request items map",
        **LIST_FIELDS,
        map=MAP,
        expand=record("for_each request items", **LIST_FIELDS, for_each=EXPRESSION, keep_when=EXPRESSION, map=MAP),
    ),
    fetch=record(
        "request items",
        **LIST_FIELDS,
        map=MAP,
        batch={"type": "integer", "minimum": 1, "maximum": 1_000},
        absent={"enum": ["missing", "unanswered"]},
        missing_status=STATUSES,
    ),
    confirm={
        **record(
            "accepted",
            **STEP_FIELDS,
            **TAKEN_FIELDS,
            idempotent_seconds={"type": "number", "exclusiveMinimum": 0, "maximum": 31_536_000},
        ),
        "oneOf": ONE_OF_BOTH,
    },
    readback={
        **record("request accepted", **LIST_FIELDS, **TAKEN_FIELDS, not_found=EXPRESSION, not_found_status=STATUSES),
        "anyOf": [{"required": [name]} for name in ("items", "not_found", "not_found_status")],
    },
    cancel={**record("", **STEP_FIELDS, **VERDICT_FIELDS, done_status=STATUSES), "oneOf": ONE_OF_BOTH},
    push=PUSH,
)
VALIDATOR = Draft202012Validator(CONFIGURATION)
