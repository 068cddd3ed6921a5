"""The faults of the chaos supplier in front of a system that is real."""

import http.client
import json
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from suppliers.simulator.running import RunningChaosProxy
from suppliers.tests.simulator_client import client_of
from suppliers.tests.upstream import reply, running_upstream


def shop(seen):
    """A shop that answers what it was asked."""
    document = {"path": seen.target, "body": seen.body.decode(), "user": seen.headers.get("authorization")}
    return reply(document, 201 if seen.method == "POST" else 200, X_Shop="real")


@contextmanager
def proxied(endpoints=None, **scenario):
    with running_upstream(shop) as real:
        proxy = RunningChaosProxy(real.url, scenario=scenario, endpoints=endpoints or {})
        thread = threading.Thread(target=proxy.serve_forever, daemon=True)
        thread.start()
        try:
            with client_of(proxy) as client:
                yield real, client
        finally:
            proxy.stop()
            thread.join()


def test_requests_and_answers_pass_unchanged():
    with proxied() as (real, client):
        status, headers, body = client.raw("POST", "/a%20b?q=1&q=2", b"{}", Authorization="Basic abc")
        assert (status, headers["X-Shop"], headers["X-Chaos"]) == (201, "real", "none")
        assert json.loads(body) == {"path": "/a%20b?q=1&q=2", "body": "{}", "user": "Basic abc"}
        assert client.raw("DELETE", "/a")[0] == 200
    assert [seen.method for seen in real.seen] == ["POST", "DELETE"]


def test_a_fault_reaches_the_client_and_not_the_system():
    with proxied(server_error={"endpoints": ["list"]}) as (real, client):
        assert client.raw("GET", "/products")[0] >= 500
        assert client.raw("POST", "/orders", b"{}")[0] == 201
    assert [seen.method for seen in real.seen] == ["POST"]


def test_an_answer_is_lost_after_the_system_did_it():
    with proxied(lost_reply=True) as (real, client), pytest.raises(http.client.RemoteDisconnected):
        client.raw("POST", "/orders", b"{}")
    assert len(real.seen) == 1


def test_rules_say_which_request_is_what():
    with proxied({"POST /login*": "login"}, down={"endpoints": ["login"]}) as (_, client):
        assert client.raw("POST", "/login/now", b"{}")[0] == 503
        assert client.raw("POST", "/orders", b"{}")[0] == 201
        assert client.call("GET", "/_chaos")[1]["requests"] == {"login": 1, "confirm": 1}


def test_switches_work_and_books_there_are_none():
    with proxied() as (_, client):
        assert client.call("PUT", "/_chaos", {"down": True})[0] == 200
        assert client.raw("GET", "/products")[0] == 503
        assert client.call("GET", "/_truth")[0] == 404


def test_a_system_that_is_away_is_a_502():
    proxy = RunningChaosProxy("http://127.0.0.1:1", scenario={}, endpoints={})
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    with client_of(proxy) as client:
        assert client.raw("GET", "/")[0] == 502
    proxy.stop()
    thread.join()


@pytest.mark.parametrize(("target", "endpoints"), [("ftp://host", {}), ("host:80", {}), ("http://a", {"GET /": "x"})])
def test_nonsense_is_refused_at_the_start(target, endpoints):
    with pytest.raises(ValueError, match=r"URL|endpoints"):
        RunningChaosProxy(target, scenario={}, endpoints=endpoints)


def test_it_runs_from_the_command_line():
    with running_upstream(shop) as real:
        command = [sys.executable, "-m", "suppliers.simulator", "--proxy", real.url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
            try:
                assert process.stdout
                with client_of(SimpleNamespace(**json.loads(process.stdout.readline()))) as client:
                    assert client.raw("GET", "/products")[0] == 200
            finally:
                process.send_signal(signal.SIGTERM)
        assert process.returncode == 0


@pytest.mark.parametrize("command", [["manage.py", "chaos_supplier"], ["-m", "suppliers.simulator"]])
def test_the_help_shows_a_first_minute_and_needs_no_settings(command):
    command = [sys.executable, *command, "--help"]
    root = Path(__file__).parents[2]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root, env={}).stdout
    assert "a first minute" in shown
    assert f"python {' '.join(command[1:-1])} --profile sale_day" in shown
    assert "/_truth" in shown
