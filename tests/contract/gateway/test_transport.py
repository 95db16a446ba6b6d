"""Servers that no institution should be: dripping, deep, packed, chatty, and with certificates (G06, G08, G13)."""

from __future__ import annotations

import gzip
import socket
import ssl
import time
import tracemalloc
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from creditmesh.gateway.channels.document import Channel, Outcome
from creditmesh.platform.institutions import Keys
from tests.unit.gateway.channels.engine import channel

from .conftest import World
from .servers import rogue, says

QUICK = {"connect_seconds": 0.5, "total_seconds": 0.8}
LONG = 2.5
"""Less than any of these servers takes, and more than the call's time, as this machine may be busy."""


def asking(url: str, **changes: Any) -> Channel:
    return channel(
        base_url=url, authentication={"type": "none"}, limits=QUICK, structure={"rule": "{name: name}"}, **changes
    )  # fmt: skip


def ask(world: World, answer: Callable[[socket.socket], None], **changes: Any) -> Any:
    """Collect from a server that answers so; the result and how long it took."""
    with rogue(answer) as server:
        world.engine.origins.append(server.url)
        started = time.monotonic()
        result = world.engine.collect(asking(server.url, **changes))
        return result, time.monotonic() - started, len(server.requests)


def drip(connection: socket.socket, text: bytes) -> None:
    for one in text:
        connection.sendall(bytes([one]))
        time.sleep(0.05)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"


def test_a_body_that_drips_ends_with_the_calls_time(world: World) -> None:
    result, took, _ = ask(world, lambda to: (to.sendall(HEAD), drip(to, b" " * 200))[0])
    assert (result.outcome, (result.reason or "").endswith("takes too long")) == ("unavailable", True)
    assert took < LONG


def test_a_body_without_a_length_that_drips_is_not_taken_for_whole(world: World) -> None:
    head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"
    result, took, _ = ask(world, lambda to: (to.sendall(head + b'{"name": 1}'), time.sleep(3))[0])
    assert result.outcome is Outcome.UNAVAILABLE
    assert took < LONG


def test_a_head_that_drips_ends_with_the_calls_time(world: World) -> None:
    result, took, _ = ask(world, lambda to: drip(to, b"HTTP/1.1 200 OK\r\nx-slow: " + b"x" * 200))
    assert result.outcome is Outcome.UNAVAILABLE
    assert took < LONG


def test_a_body_that_stops_before_its_end(world: World) -> None:
    def stall(to: socket.socket) -> None:
        to.sendall(HEAD)
        for _ in range(3):
            to.sendall(b" ")
            time.sleep(0.2)
        time.sleep(3)

    result, took, _ = ask(world, stall)
    assert result.outcome is Outcome.UNAVAILABLE
    assert took < LONG


@pytest.mark.parametrize("depth", [1_000, 100_000, pytest.param(2_000_000, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("form", ["list", "object", "xml"])
def test_deep_nesting(world: World, depth: int, form: str) -> None:
    opened, closed = {"list": (b"[", b"]"), "object": (b'{"a":', b"}"), "xml": (b"<a>", b"</a>")}[form]
    body = (opened * depth + (b"1" if form == "object" else b"") + closed * depth)[:3_900_000]
    response = {"format": "xml"} if form == "xml" else {"schema": {"type": ["object", "array"], "uniqueItems": True}}
    result, _, _ = ask(world, says(body), response=response)
    assert (result.outcome, (result.reason or "").split(",")[0]) in (
        ("unavailable", "answer is nested too deeply"), ("unavailable", "answer is not JSON"),
        ("unavailable", "answer is not XML"),
    )  # fmt: skip
    assert len(result.raw_keys) == 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_packed_answer_is_no_larger_than_an_open_one(world: World, encoding: str) -> None:
    huge = b'{"name": "' + b"x" * 200_000_000 + b'"}'
    packed = gzip.compress(huge, 9) if encoding == "gzip" else zlib.compress(huge, 9)
    del huge
    tracemalloc.start()
    result, _, _ = ask(world, says(packed, f"content-encoding: {encoding}"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (result.outcome, result.reason) == ("unavailable", "the answer is too long")
    assert peak < 40_000_000


def test_what_packs_itself_wrongly(world: World) -> None:
    result, _, _ = ask(world, says(b"not packed", "content-encoding: gzip"))
    assert (result.outcome, (result.reason or "")[:9]) == ("unavailable", "no answer")


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"nonsense\r\n\r\n", b"HTTP/1.1 999 X\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: -7\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 900\r\n\r\n{}",
        b"HTTP/1.1 304 Not Modified\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nretry-after: \xff\r\nno colon here\r\ncontent-length: 2\r\n\r\n{}",
    ],
)  # fmt: skip
def test_what_is_no_http_is_unavailable(world: World, raw: bytes) -> None:
    world.known.add("91990000600000001X")  # the path has it; no library may warn with it
    result, took, _ = ask(world, lambda to: to.sendall(raw))
    assert result.outcome in (Outcome.UNAVAILABLE, Outcome.COMPLETE, Outcome.INCOMPLETE)
    assert took < LONG


def test_an_endless_head_ends(world: World) -> None:
    def chatter(to: socket.socket) -> None:
        to.sendall(b"HTTP/1.1 200 OK\r\n")
        for number in range(1_000_000):
            to.sendall(f"x-{number}: y\r\n".encode() * 50)

    result, took, _ = ask(world, chatter)
    assert result.outcome is Outcome.UNAVAILABLE
    assert took < LONG


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.key = folder, ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._signed("Made-up authority", self.key.public_key(), authority=True)

    def issue(self, name: str, by: Authority | None = None) -> tuple[str, str]:
        """Certificate and key in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return self.pem(self._signed(name, key.public_key(), authority=False)), private.decode()

    def pem(self, certificate: x509.Certificate | None = None) -> str:
        return (certificate or self.certificate).public_bytes(serialization.Encoding.PEM).decode()

    def server(self) -> ssl.SSLContext:
        """What demands a certificate of this authority of whoever calls."""
        certificate, key = self.issue("localhost")
        file = self.folder / "server.pem"
        file.write_text(key + certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        context.load_verify_locations(cadata=self.pem())
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _signed(self, name: str, key: ec.EllipticCurvePublicKey, *, authority: bool) -> x509.Certificate:
        subject, issuer = (
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, "Made-up authority")
        )
        now = datetime.now(UTC)
        names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
        builder = (
            x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .add_extension(names, critical=False)
        )
        if authority:
            usage = x509.KeyUsage(
                digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
                key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
                decipher_only=False,
            )  # fmt: skip
            builder = builder.add_extension(usage, critical=True)
        return builder.sign(self.key, hashes.SHA256())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def over_tls(world: World, authority: Authority, secrets: dict[str, str]) -> Any:
    world.engine.book.keys["source"] = Keys(secrets=secrets)
    world.known |= {secrets["private_key"].splitlines()[1]} if "private_key" in secrets else set()
    with rogue(says(b'{"name": "made up"}'), authority.server()) as server:
        world.engine.origins.append(server.url)
        scheme = {"type": "mtls", "authority": "authority"}
        result = world.engine.collect(channel(base_url=server.url, authentication=scheme, limits=QUICK))
        return result, len(server.requests)


def test_both_sides_show_a_certificate(world: World, authority: Authority) -> None:
    certificate, key = authority.issue("creditmesh")
    secrets = {"certificate": certificate, "private_key": key, "authority": authority.pem()}
    result, requests = over_tls(world, authority, secrets)
    assert (result.outcome, requests) == ("complete", 1)


def test_a_certificate_of_somebody_elses_is_not_let_in(world: World, authority: Authority, tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).issue("creditmesh")
    secrets = {"certificate": certificate, "private_key": key, "authority": authority.pem()}
    result, requests = over_tls(world, authority, secrets)
    assert (result.outcome, requests) == ("unavailable", 0)


def test_a_server_of_somebody_elses_is_told_nothing(world: World, authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue("creditmesh")
    secrets = {"certificate": certificate, "private_key": key, "authority": Authority(tmp_path).pem()}
    result, requests = over_tls(world, authority, secrets)
    assert (result.outcome, result.reason, requests) == ("unavailable", "no answer: SSLError", 0)


def test_a_certificate_without_its_key(world: World, authority: Authority) -> None:
    (certificate, _), (_, key) = authority.issue("creditmesh"), authority.issue("creditmesh")
    secrets = {"certificate": certificate, "private_key": key, "authority": authority.pem()}
    result, requests = over_tls(world, authority, secrets)
    assert (result.reason, requests) == (
        "the secrets certificate and private_key are not a certificate and its key in PEM",
        0,
    )
