"""Buyers: what is undecided is asked again with the same key, until it is decided."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from inventory_project.demo.buyers import Shop, Tally


@pytest.fixture
def shop():
    """A shop that answers with the statuses put into `answers`; it notes the keys it saw."""
    answers: list[int] = []
    keys: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            keys.append(self.headers["Idempotency-Key"])
            body = json.dumps({}).encode()
            self.send_response(answers.pop(0))
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        client = Shop(f"http://127.0.0.1:{server.server_address[1]}", "key", Tally())
        yield client, answers, keys
        client.session.close()
        server.shutdown()
        thread.join()


def test_busy_is_asked_again_with_the_same_key(shop):
    client, answers, keys = shop
    answers += [503, 503, 201]
    assert client.order({"A": 2, "B": 1}) == 201
    assert len(set(keys)) == 1
    assert client.tally.answers == {503: 2, 201: 1}
    assert client.tally.units == {"A": 2, "B": 1}


def test_a_refusal_is_final_and_the_next_order_has_another_key(shop):
    client, answers, keys = shop
    answers += [409, 201]
    assert [client.order({"A": 1}), client.order({"A": 1})] == [409, 201]
    assert len(set(keys)) == 2
    assert client.tally.units == {"A": 1}
