"""One line per request, its id, and no secrets."""

import io
import json
import logging

import pytest
import structlog


@pytest.fixture
def lines():
    """What the root handler writes, decoded, line by line."""
    root = logging.getLogger()
    formatter = next(handler.formatter for handler in root.handlers if is_ours(handler))
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(formatter)
    root.addHandler(handler)
    yield lambda: [json.loads(line) for line in handler.stream.getvalue().splitlines()]
    root.removeHandler(handler)


def is_ours(handler):
    return isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter)


def test_one_line_per_request_with_its_id(client, lines):
    answer = client.get("/nowhere?token=hidden", headers={"x-request-id": "from.the-caller_1"})
    assert answer["X-Request-ID"] == "from.the-caller_1"
    (line,) = lines()
    assert (line["event"], line["path"], line["status"]) == ("request", "/nowhere", 404)
    assert line["request_id"] == "from.the-caller_1"
    assert "hidden" not in json.dumps(line)


@pytest.mark.parametrize("given", ["", "a" * 65, "two words", "a;b", "é"])
def test_another_id_is_replaced(client, given):
    said = client.get("/healthz", headers={"x-request-id": given})["X-Request-ID"]
    assert said != given
    assert len(said) == 32


def test_probes_are_silent(client, lines):
    client.get("/healthz")
    assert lines() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"password": "hidden"},
        {"headers": {"Authorization": "hidden"}},
        {"error": "refused redis://user:hidden@cache:6379/0"},
        {"error": "sent Authorization: Api-Key hidden.hidden"},
        {"calls": [{"api_key": "hidden"}, "Bearer hidden"]},
    ],
)
def test_secrets_never_reach_a_line(lines, fields):
    structlog.get_logger("suppliers").warning("told", **fields)
    (line,) = lines()
    assert "hidden" not in json.dumps(line)
    assert "[redacted]" in json.dumps(line)


def test_secrets_in_a_trace_are_redacted(lines):
    try:
        int("postgres://holdfast:hidden@db/holdfast")
    except ValueError:
        logging.getLogger("celery").exception("failed with %s", "Bearer hidden")
    (line,) = lines()
    assert "ValueError" in line["exception"]
    assert "hidden" not in json.dumps(line)
