"""The same promises over TLS, where the socket is wrapped and the name is checked."""

import datetime as dt
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from suppliers.errors import Transient, UpstreamTimeout
from suppliers.tests.upstream import Seen, Upstream, Write, reply, running_upstream
from suppliers.transport import Deadline, Limits, Request, Response, exchange, new_session


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """A certificate for localhost with its key, signed by nobody else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path: Path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture(autouse=True)
def _loopback_is_allowed(settings) -> None:
    settings.SUPPLIER_PRIVATE_NETWORKS = True


@contextmanager
def running_tls(answer: Callable[[Seen], bytes | Write], certificate: Path) -> Iterator[Upstream]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with running_upstream(answer, context) as upstream:
        upstream.url = upstream.url.replace("http://127.0.0.1", "https://localhost")
        yield upstream


def send(url: str, certificate: Path | None, seconds: float = 5) -> Response:
    with new_session() as session:
        if certificate:
            session.verify = str(certificate)
        return exchange(session, Request("GET", url), Limits(), Deadline(seconds))


def test_the_name_is_checked_although_the_address_is_pinned(certificate):
    with running_tls(lambda _: reply({}), certificate) as upstream:
        assert send(upstream.url, certificate).status == 200
        with pytest.raises(Transient, match="certificate"):
            send(upstream.url.replace("localhost", "127.0.0.1"), certificate)
    assert len(upstream.seen) == 1


def test_a_certificate_that_nobody_vouches_for_is_not_accepted(certificate):
    with (
        running_tls(lambda _: reply({}), certificate) as upstream,
        pytest.raises(Transient, match="certificate") as caught,
    ):
        send(upstream.url, None)
    assert not caught.value.sent
    assert upstream.seen == []


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["status", "body"])
def test_a_drip_over_tls_ends_at_the_deadline(head: bytes, certificate):
    with running_tls(lambda _: upstream.drip(head), certificate) as upstream:
        started = time.monotonic()
        with pytest.raises(UpstreamTimeout) as caught:
            send(upstream.url, certificate, seconds=0.8)
    assert caught.value.sent
    assert time.monotonic() - started < 1.6
