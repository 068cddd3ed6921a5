"""Which addresses a supplier may live at: an admin must not be able to aim us at our own network."""

import ipaddress
import os
import re
import socket
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from suppliers.errors import BlockedAddress, Transient, UpstreamTimeout

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?)*")
# What a resolver takes for IPv4 although it does not look it: 127.1, 0x7f.1, 2130706433, 0177.0.0.1.
ENDS_IN_A_NUMBER = re.compile(r"(.*\.)?([0-9]+|0[xX][0-9a-fA-F]*)")
# An IPv4 address in disguise, whose real target the resolver's answer does not show.
TRANSLATED = [
    ipaddress.ip_network(net)
    for net in ("::ffff:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
]
# Instance metadata outside 169.254.0.0/16, which is link-local and therefore never allowed.
METADATA = {ipaddress.ip_address(address) for address in ("100.100.100.200", "fd00:ec2::254")}

MOST_LOOKUPS = 32  # at once


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a URL points: scheme, host and port, the unit that redirects and `next` links may not leave."""

    scheme: str
    host: str
    port: int


def check_url(url: str) -> Origin:
    """Whether a supplier may be configured at this URL, by its text alone.

    Raises: BlockedAddress with the reason, which never repeats the URL's user-info or query.
    """
    if not url.isascii() or re.search(r"[\s\\\x00-\x20\x7f]", url):
        raise BlockedAddress("The URL holds spaces, backslashes or characters outside ASCII.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise BlockedAddress("The URL cannot be read.") from None
    if parts.scheme not in ({"https", "http"} if settings.SUPPLIER_PRIVATE_NETWORKS else {"https"}):
        raise BlockedAddress(f"The URL must begin with https://, not {parts.scheme[:20]}://.")
    if "@" in parts.netloc:
        raise BlockedAddress("The URL holds a user name or password; credentials have a field of their own.")
    if port == 0:
        raise BlockedAddress("Port 0 cannot be called.")
    _check_host(host)
    return Origin(parts.scheme, host, port or (443 if parts.scheme == "https" else 80))


def _check_host(host: str) -> None:
    literal = _literal(host)
    if literal is not None:
        check_address(literal)
    elif not HOST.fullmatch(host) or ENDS_IN_A_NUMBER.fullmatch(host):
        raise BlockedAddress(f"{host[:80]!r} is neither a host name nor an address in its usual form.")
    elif host == "localhost" and not settings.SUPPLIER_PRIVATE_NETWORKS:
        raise BlockedAddress("localhost is this machine.")


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def check_address(address: Address) -> None:
    """Whether this address may be called.  Link-local and metadata addresses never may.

    Raises: BlockedAddress.
    """
    forbidden = (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address in METADATA
        or (address != ipaddress.ip_address("::1") and any(address in network for network in TRANSLATED))
    )
    if forbidden or (address.is_reserved and not address.is_loopback):
        raise BlockedAddress(f"{address} is not an address a supplier can have.")
    if not address.is_global and not settings.SUPPLIER_PRIVATE_NETWORKS:
        raise BlockedAddress(f"{address} is in a private network; SUPPLIER_PRIVATE_NETWORKS allows that.")


def resolve(host: str, port: int, seconds: float) -> list[str]:
    """The addresses to connect to, every one of them checked.

    The caller connects to these and does not look the name up again, so that a second answer cannot differ.
    Raises: BlockedAddress if any address is not allowed, UpstreamTimeout, Transient.
    """
    literal = _literal(host)
    if literal is not None:
        check_address(literal)
        return [host]
    try:
        found = _lookups(os.getpid()).find(host, port).result(timeout=max(0.0, seconds))
    except FutureTimeoutError:
        raise UpstreamTimeout(f"Looking up {host} took too long.") from None
    except (OSError, UnicodeError):
        raise Transient(f"{host} cannot be looked up.") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        check_address(ipaddress.ip_address(address))
    return addresses


class Lookups:
    """getaddrinfo cannot be interrupted; in a thread of its own it cannot hold up a call beyond its deadline."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MOST_LOOKUPS, thread_name_prefix="lookup")
        self._running: dict[tuple[str, int], Future[list[Any]]] = {}
        self._lock = threading.Lock()

    def find(self, host: str, port: int) -> "Future[list[Any]]":
        """At most one look-up of a name at a time: a name that hangs must not use up the threads of all others."""
        key = (host, port)
        with self._lock:
            lookup = self._running.get(key)
            if lookup is None or lookup.done():
                lookup = self._threads.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
                self._running[key] = lookup
            return lookup


@cache
def _lookups(_process: int) -> Lookups:
    # By process, because threads do not survive a fork.
    return Lookups()
