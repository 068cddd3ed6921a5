import socket
import threading
import time

import pytest

from suppliers import guard
from suppliers.errors import BlockedAddress, UpstreamTimeout

NEVER = [
    "file:///etc/passwd",
    "ftp://supplier.example/",
    "//supplier.example/",
    "https://",
    "https:///stock",
    "https://user:secret@supplier.example/",
    "https://supplier.example@127.0.0.1/",
    "https://127.1/",
    "https://0x7f.1/",
    "https://0x7f000001/",
    "https://2130706433/",
    "https://0177.0.0.1/",
    "https://127.0.0.1./",
    "https://1.2.3.4.5/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[::]/",
    "https://0.0.0.0/",
    "https://255.255.255.255/",
    "https://224.0.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fd00:ec2::254]/",
    "https://100.100.100.200/",
    "https://supplier.example:0/",
    "https://supplier.example:99999/",
    "https://supplier.example\\@evil.example/",
    "https://supplier.example /",
    "https://supplier.example/\n",
    "https://süpplier.example/",
    "https://１２７.0.0.1/",
    "https://sup%70lier.example/",
    "https://-supplier.example/",
]
PRIVATE = [
    "https://127.0.0.1/",
    "https://[::1]/",
    "https://10.0.0.1/",
    "https://192.168.1.1:8443/",
    "https://172.16.0.1/",
    "https://100.64.0.1/",
    "https://[fd12::1]/",
    "https://localhost/",
    "http://supplier.example/",
]


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("url", NEVER)
def test_no_setting_allows(url: str, private: bool, settings):
    settings.SUPPLIER_PRIVATE_NETWORKS = private
    with pytest.raises(BlockedAddress):
        guard.check_url(url)


@pytest.mark.parametrize("url", PRIVATE)
def test_private_networks_are_a_setting(url: str, settings):
    settings.SUPPLIER_PRIVATE_NETWORKS = True
    guard.check_url(url)
    settings.SUPPLIER_PRIVATE_NETWORKS = False
    with pytest.raises(BlockedAddress):
        guard.check_url(url)


@pytest.mark.parametrize(
    "url",
    ["https://erp.supplier.example/api", "https://8.8.8.8:8443/", "https://[2606:4700::1]/", "https://4you.example/"],
)
def test_public_hosts_are_allowed(url: str, settings):
    settings.SUPPLIER_PRIVATE_NETWORKS = False
    assert guard.check_url(url).scheme == "https"


def test_the_reason_does_not_repeat_a_password():
    with pytest.raises(BlockedAddress) as caught:
        guard.check_url("https://user:hush@supplier.example/")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "addresses", [["10.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:10.0.0.1"], ["169.254.169.254"]]
)
def test_one_private_answer_of_the_resolver_blocks_the_name(addresses: list[str], settings, monkeypatch):
    settings.SUPPLIER_PRIVATE_NETWORKS = False
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (address, 443)) for address in addresses]
    )
    with pytest.raises(BlockedAddress):
        guard.resolve("rebinding.example", 443, 5)


def test_a_resolver_that_hangs_holds_nobody_beyond_his_time_and_takes_one_thread(monkeypatch):
    release, lookups = threading.Event(), []

    def hang(host: str, port: int, **_):
        lookups.append(host)
        release.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    started = time.monotonic()
    for _ in range(3):
        with pytest.raises(UpstreamTimeout) as caught:
            guard.resolve("slow.example", 443, 0.1)
        assert not caught.value.sent
    release.set()
    assert time.monotonic() - started < 2
    assert lookups == ["slow.example"]
