"""A file on an SFTP server whose host key is known."""

import io
import socket
import stat
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

import paramiko

from suppliers import guard
from suppliers.adapters.files.servers import address_of, host_key_of
from suppliers.adapters.files.sources import STILL_SECONDS, Fetched, Limiter, check_same, check_still
from suppliers.adapters.templates import render_text
from suppliers.errors import AuthExpired, BlockedAddress, NotConfigured, SupplierError, Transient, UpstreamTimeout
from suppliers.transport import Deadline

CHUNK_BYTES = 32_768  # what one SFTP packet carries
AHEAD = 64  # packets asked for before they are needed: without, each waits a round trip
SOCKET_SECONDS = 10.0


class SftpSource:
    def __init__(self, config: Mapping[str, Any], secrets: Mapping[str, str], most: int) -> None:
        """Raises: NotConfigured for a key that cannot be read."""
        constants = {f"secret.{name}": value for name, value in secrets.items()}
        own = config["sftp"]
        self._host, self._port = address_of(config["base_url"])
        self._username: str = own["username"]
        self._password = render_text(own["password"], constants) if "password" in own else None
        self._key = _private_key(render_text(own["private_key"], constants)) if "private_key" in own else None
        self._host_key = host_key_of(own["host_key"])
        self._path: str = config["path"]
        self._done: str = config.get("done", "")
        self._still: float = config.get("still_seconds", STILL_SECONDS)
        self._most = most

    def copy(self, into: BinaryIO, tags: Mapping[str, str], deadline: Deadline) -> Fetched:  # noqa: ARG002
        try:
            with self._connected(deadline) as client:
                return self._copy(client, into, deadline)
        except (paramiko.SSHException, OSError, EOFError) as error:
            if not deadline.remaining:
                raise UpstreamTimeout("The deadline passed while the file was read.") from None
            raise _translated(error) from None

    def _copy(self, client: paramiko.SFTPClient, into: BinaryIO, deadline: Deadline) -> Fetched:
        if self._done:
            client.stat(self._done.replace("{path}", self._path))
        before = _shape(client.stat(self._path))
        check_still(before[1], self._still)
        limiter = Limiter(into, self._most, deadline)
        with client.open(self._path, "rb") as file:
            file.prefetch(min(before[0], self._most + 1), max_concurrent_requests=AHEAD)
            while chunk := file.read(CHUNK_BYTES):
                limiter.write(chunk)
        check_same(before, _shape(client.stat(self._path)), limiter.size)
        return Fetched(before[1])

    @contextmanager
    def _connected(self, deadline: Deadline) -> Iterator[paramiko.SFTPClient]:
        transport = paramiko.Transport(self._socket(deadline))
        # Whatever waits is woken by the end of the transport.
        watch = threading.Timer(deadline.remaining, transport.close)
        watch.daemon = True
        watch.start()
        try:
            transport.start_client(timeout=min(SOCKET_SECONDS, deadline.remaining))
            if transport.get_remote_server_key().asbytes() != self._host_key:
                raise BlockedAddress("The server shows another host key than the one in `sftp.host_key`.")
            self._log_in(transport)
            client = paramiko.SFTPClient.from_transport(transport)
            if client is None:
                raise Transient("The server opens no SFTP channel.")
            channel = client.get_channel()
            if channel is not None:
                channel.settimeout(SOCKET_SECONDS)
            yield client
        finally:
            watch.cancel()
            transport.close()

    def _log_in(self, transport: paramiko.Transport) -> None:
        try:
            if self._key is not None:
                transport.auth_publickey(self._username, self._key)
            else:
                transport.auth_password(self._username, self._password or "")
        except paramiko.AuthenticationException:
            raise AuthExpired("The server does not accept the user name with this password or key.") from None

    def _socket(self, deadline: Deadline) -> socket.socket:
        for address in guard.resolve(self._host, self._port, deadline.remaining):
            try:
                return socket.create_connection((address, self._port), min(SOCKET_SECONDS, deadline.remaining))
            except OSError:
                continue
        raise Transient(f"{self._host} cannot be reached.")


def _private_key(text: str) -> paramiko.PKey:
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            key: paramiko.PKey = kind.from_private_key(io.StringIO(text))
        except (paramiko.SSHException, ValueError):
            continue
        return key
    raise NotConfigured("sftp.private_key is no Ed25519, ECDSA or RSA key without a passphrase.")


def _shape(found: paramiko.SFTPAttributes) -> tuple[int, float]:
    if not stat.S_ISREG(found.st_mode or 0) or found.st_size is None or found.st_mtime is None:
        raise Transient("There is no file with a size and a time at this path.")
    return found.st_size, float(found.st_mtime)


def _translated(error: Exception) -> SupplierError:
    if isinstance(error, FileNotFoundError):
        return Transient("The file, or the marker that says that it is whole, is not there.")
    if isinstance(error, PermissionError):
        return AuthExpired("The server does not let us read the file.")
    return Transient(f"The connection to the server broke ({type(error).__name__}).")
