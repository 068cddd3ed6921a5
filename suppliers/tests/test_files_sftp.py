"""Files from an SFTP server: whose key is known, which lets us in, and which answers in time."""

import io
import itertools
import os
import socket
import time
from typing import Any

import paramiko
import pytest

from suppliers.credentials import seal
from suppliers.errors import AuthExpired, BlockedAddress, Malformed, Transient, UpstreamTimeout
from suppliers.gateway import Gateway, for_supplier
from suppliers.models import Supplier
from suppliers.tests.sftp_server import PASSWORD, Running, running_sftp

numbers = itertools.count(1)
pytestmark = pytest.mark.usefixtures("loopback_suppliers")
CONTENT = "Article,Stock\n" + "".join(f"A-{number},{number % 50}\n" for number in range(20_000))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "stock.csv").write_text(CONTENT)
    return tmp_path


def gateway(server: Running, secrets: dict[str, str] | None = None, **changes: Any) -> Gateway:
    sftp = {"username": "us", "password": "$secret.password", "host_key": server.host_key, **changes.pop("sftp", {})}
    config = {
        "base_url": server.url,
        "path": "/stock.csv",
        "format": "csv",
        "map": {"uid": "Article", "available": "Stock"},
        "still_seconds": 0,
        "sftp": {name: value for name, value in sftp.items() if value is not None},
        **changes,
    }
    secrets = secrets or {"password": PASSWORD}
    supplier = Supplier(slug=f"sftp-{next(numbers)}", adapter="file", config=config, credentials=seal(secrets))
    return for_supplier(supplier)


def test_a_file_is_read_with_its_own_age(folder):
    os.utime(folder / "stock.csv", (0, time.time() - 3_600))
    with running_sftp(folder) as server:
        pages = list(gateway(server).snapshot())
    assert sum(len(page.rows) for page in pages) == 20_000
    assert pages[0].age == pytest.approx(3_600, abs=10)


@pytest.mark.parametrize("make", [paramiko.ECDSAKey.generate, lambda: paramiko.RSAKey.generate(2048)])
def test_a_key_opens_too(folder, make):
    key = make()
    text = io.StringIO()
    key.write_private_key(text)
    with running_sftp(folder, client_key=key) as server:
        own = {"password": None, "private_key": "$secret.key"}
        assert list(gateway(server, {"key": text.getvalue()}, sftp=own).snapshot())


def test_another_host_key_gets_no_password(folder, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(paramiko.Transport, "auth_password", lambda _, name, __: asked.append(name))
    other = paramiko.ECDSAKey.generate()
    with running_sftp(folder) as server, pytest.raises(BlockedAddress, match="another host key"):
        next(gateway(server, sftp={"host_key": f"{other.get_name()} {other.get_base64()}"}).snapshot())
    assert asked == []


def test_a_wrong_password_is_said_to_be_wrong(folder):
    with running_sftp(folder) as server, pytest.raises(AuthExpired):
        next(gateway(server, {"password": "close-sesame-close"}).snapshot())


def test_a_file_that_is_not_there_may_come(folder):
    with running_sftp(folder) as server:
        with pytest.raises(Transient, match="is not there"):
            next(gateway(server, path="/absent.csv").snapshot())
        with pytest.raises(Transient, match="is not there"):
            next(gateway(server, done="{path}.done").snapshot())
        (folder / "stock.csv.done").touch()
        assert next(gateway(server, done="{path}.done").snapshot()).rows


def test_a_folder_is_no_file(folder):
    with running_sftp(folder) as server, pytest.raises(Transient, match="no file"):
        next(gateway(server, path="/").snapshot())


def test_a_file_above_the_cap_is_not_read(folder):
    with running_sftp(folder) as server, pytest.raises(Malformed, match="larger than 10,000 bytes"):
        next(gateway(server, limits={"max_bytes": 10_000}).snapshot())


def test_a_server_that_says_nothing_holds_nobody(folder):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = Running(f"sftp://127.0.0.1:{silent.getsockname()[1]}", f"ecdsa-sha2-nistp256 {ECDSA}")
        began = time.monotonic()
        with pytest.raises((Transient, UpstreamTimeout)):
            next(gateway(server, limits={"total_seconds": 1}).snapshot())
        assert time.monotonic() - began < 3


ECDSA = paramiko.ECDSAKey.generate().get_base64()
