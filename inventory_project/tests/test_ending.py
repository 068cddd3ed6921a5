"""A web process that is told to end does, although somebody listens to a stream."""

import os
import signal
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection

from benchmarks.web import Web

PATIENCE = 10  # seconds; the server itself would wait for the stream without end


@pytest.mark.django_db(transaction=True)
def test_streams_end_with_the_server(tmp_path: Path, make_level, api_key):
    make_level("A", 7)
    url = urlsplit(os.environ["DATABASE_URL"])
    database = urlunsplit(url._replace(path=f"/{connection.settings_dict['NAME']}"))
    options: dict[str, Any] = {"workers": 1, "threads": 8, "environment": {"DATABASE_URL": database}}
    with (
        Web("inventory_project.wsgi:application", tmp_path, **options) as web,
        closing(HTTPConnection("127.0.0.1", web.port, timeout=30)) as client,
    ):
        client.request("GET", "/api/v1/stock/stream?sku=A", headers={"Authorization": f"Api-Key {api_key}"})
        lines = iter(client.getresponse())
        assert any(line.startswith(b'data: {"sku":"A","available":7') for line in lines)
        began = time.monotonic()
        os.kill(web.process.pid, signal.SIGTERM)
        rest = b"".join(lines)  # to its regular end: an answer that is cut raises
        web.process.wait(PATIENCE)
    assert time.monotonic() - began < PATIENCE
    assert rest.endswith(b"\n")
