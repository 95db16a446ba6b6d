"""Calls to institutions against a server that misbehaves."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from creditmesh.platform.http import MAX_ANSWER_BYTES, HttpClient, InstitutionUnavailable, unpacked


class _Institution(BaseHTTPRequestHandler):
    """Answers as the path says."""

    protocol_version = "HTTP/1.1"
    seen: list[str] = []

    def do_POST(self) -> None:
        self.seen.append(self.path)
        size = int(self.headers.get("content-length", 0))
        body = self.rfile.read(size)
        kind, _, argument = self.path.strip("/").partition("/")
        if kind == "echo":
            self._say(200, body)
        elif kind == "packed":
            self._say(200, body, argument)
        elif kind == "status":
            self._say(int(argument), b'{"error": "made up"}')
        elif kind == "redirect":
            self.send_response(302)
            self.send_header("location", "/echo")
            self.send_header("content-length", "0")
            self.end_headers()
        elif kind == "long":
            self._say(200, b" " * int(argument))
        elif kind == "slow":
            time.sleep(float(argument))
            self._say(200, b"late")
        elif kind == "drip":
            self.send_response(200)
            self.send_header("content-length", "1000")
            self.end_headers()
            self._drip()
        elif kind == "later":
            self.send_response(429)
            self.send_header("retry-after", argument)
            self.send_header("content-length", "0")
            self.end_headers()
        elif kind == "cut":
            self.send_response(200)
            self.send_header("content-length", "100")
            self.end_headers()
            self.wfile.write(b"too little")
            self.close_connection = True

    def _say(self, status: int, body: bytes, encoding: str = "identity") -> None:
        self.send_response(status)
        self.send_header("content-encoding", encoding)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # the client had enough

    def _drip(self) -> None:
        """A byte now and then, each long before a read would time out."""
        try:
            for _ in range(40):
                self.wfile.write(b".")
                time.sleep(0.05)
        except OSError:
            pass
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Institution) as institution:
        threading.Thread(target=institution.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{institution.server_address[1]}"
        institution.shutdown()


@pytest.fixture
def client() -> HttpClient:
    return HttpClient(connect_seconds=5, total_seconds=10)


@pytest.fixture
def impatient() -> HttpClient:
    """Waits for nobody; what these servers make it wait for takes a second and more."""
    return HttpClient(connect_seconds=0.5, total_seconds=0.3)


def call(client: HttpClient, url: str, body: bytes = b"") -> tuple[int, bytes]:
    answer = client.call("POST", url, headers={"content-type": "application/json"}, body=body)
    return answer.status, answer.body


def test_body_and_answer_pass_unchanged(server: str, client: HttpClient) -> None:
    body = '{"名": "x"}'.encode()
    assert call(client, f"{server}/echo", body) == (200, body)
    assert client.call("POST", f"{server}/echo", headers={}, body=body).json() == {"名": "x"}


@pytest.mark.parametrize("status", [201, 202, 400, 401, 403, 404, 409, 422])
def test_a_clear_answer_is_an_answer(server: str, client: HttpClient, status: int) -> None:
    assert call(client, f"{server}/status/{status}")[0] == status


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_in_trouble_is_unavailable(server: str, client: HttpClient, status: int) -> None:
    with pytest.raises(InstitutionUnavailable, match=str(status)):
        call(client, f"{server}/status/{status}")


def test_a_redirect_is_not_followed(server: str, client: HttpClient) -> None:
    _Institution.seen.clear()
    assert call(client, f"{server}/redirect") == (302, b"")
    assert _Institution.seen == ["/redirect"]


def test_an_answer_may_be_so_long_and_no_longer(server: str, client: HttpClient) -> None:
    assert len(call(client, f"{server}/long/{MAX_ANSWER_BYTES}")[1]) == MAX_ANSWER_BYTES
    with pytest.raises(InstitutionUnavailable, match="too long"):
        call(client, f"{server}/long/{MAX_ANSWER_BYTES + 1}")


def test_an_answer_that_is_late_or_cut_off(server: str, client: HttpClient, impatient: HttpClient) -> None:
    _Institution.seen.clear()
    for path, asking in (("slow/1", impatient), ("cut", client)):
        with pytest.raises(InstitutionUnavailable, match="no answer"):
            call(asking, f"{server}/{path}")
    assert _Institution.seen == ["/slow/1", "/cut"], "a call is made once; trying again is the caller's business"


def test_a_drip_does_not_outlast_the_deadline(server: str, impatient: HttpClient) -> None:
    started = time.monotonic()
    with pytest.raises(InstitutionUnavailable, match="takes too long"):
        call(impatient, f"{server}/drip")
    assert time.monotonic() - started < 1.7  # all of it would take two seconds


@pytest.mark.parametrize(("said", "seconds"), [("7", 7), ("99999", 3600), ("Wed, 21 Oct 2026 07:28:00 GMT", None)])
def test_how_long_to_wait_is_told(server: str, client: HttpClient, said: str, seconds: int | None) -> None:
    with pytest.raises(InstitutionUnavailable) as failure:
        call(client, f"{server}/later/{said}")
    assert (failure.value.status, failure.value.retry_after, failure.value.sent) == (429, seconds, True)


def test_trouble_may_be_an_answer_to_who_knows(server: str, client: HttpClient) -> None:
    answer = client.call("POST", f"{server}/status/500", headers={}, body=b"", is_answer=lambda one: one.status == 500)
    assert (answer.status, answer.headers["content-length"]) == (500, str(len(answer.body)))


def test_each_call_may_have_limits_of_its_own(server: str, client: HttpClient) -> None:
    with pytest.raises(InstitutionUnavailable, match="too long"):
        client.call("POST", f"{server}/long/101", headers={}, answer_bytes=100)
    assert client.call("POST", f"{server}/slow/0.5", headers={}, total_seconds=2.0).body == b"late"


def test_nobody_listens(client: HttpClient) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(InstitutionUnavailable, match="no answer") as failure:
        call(client, f"http://127.0.0.1:{port}/echo")
    assert not failure.value.sent


def test_garbage_is_not_json(server: str, client: HttpClient) -> None:
    answer = client.call("POST", f"{server}/echo", headers={}, body=b"<html>")
    with pytest.raises(InstitutionUnavailable, match="not JSON"):
        answer.json()


def raw_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


def gzipped(content: bytes) -> bytes:
    """Without the time, as tests are named by their parameters."""
    return gzip.compress(content, mtime=0)


PACKERS = {"gzip": gzipped, "X-GZip": gzipped, "deflate": zlib.compress, " deflate ": raw_deflate}
ROWS = b"id,amount\n" + b"".join(b"%d,1000.00\n" % number for number in range(400))


@pytest.mark.parametrize("encoding", PACKERS)
@given(content=st.binary(max_size=2_000), cut=st.integers(1, 20))
def test_a_packed_body_is_read_whole_or_not_at_all(encoding: str, content: bytes, cut: int) -> None:
    packed = PACKERS[encoding](content)
    assert unpacked(packed, encoding, len(content)) == content
    for part in (packed[:-cut], packed[: len(packed) // 2]):
        if part:
            with pytest.raises(InstitutionUnavailable, match="truncated|damaged"):
                unpacked(part, encoding, 10_000)


@pytest.mark.parametrize("encoding", PACKERS)
def test_a_packed_table_that_is_cut_in_half_is_not_a_shorter_table(encoding: str) -> None:
    packed = PACKERS[encoding](ROWS)
    for part in (packed[: len(packed) // 2], packed[:-1]):
        with pytest.raises(InstitutionUnavailable, match="no answer: the body was truncated"):
            unpacked(part, encoding, 10_000)


@pytest.mark.parametrize(
    ("body", "encodings", "content"),
    [
        (gzipped(b"a") + gzipped(b"") + gzipped(b"b"), "gzip", b"ab"),
        (gzipped(zlib.compress(b"a")), "deflate, gzip", b"a"),
        (b"a", "", b"a"), (b"a", "identity", b"a"), (b"", "gzip", b""),
    ],
)  # fmt: skip
def test_content_encodings(body: bytes, encodings: str, content: bytes) -> None:
    assert unpacked(body, encodings, 10) == content


@pytest.mark.parametrize(
    ("body", "encodings", "fault"),
    [
        (gzipped(b"a") + b"rest", "gzip", "damaged"),
        (gzipped(b"a") + gzipped(b"b")[:-3], "gzip", "truncated"),
        (gzipped(b"a")[:-8] + b"\0" * 8, "gzip", "damaged"),
        (zlib.compress(b"a") + b"rest", "deflate", "damaged"),
        (b"abc", "gzip", "damaged"), (zlib.compress(b"a") * 2, "deflate", "damaged"),
        (b"a", "br", "unknown content encoding"), (b"a", "gzip, zstd", "unknown"),
        (gzipped(b"x" * 11), "gzip", "too long"), (gzipped(b"x" * 6) * 2, "gzip", "too long"),
        (gzipped(b"") * 101, "gzip", "too long"), (zlib.compress(b"x" * 1_000_000), "deflate", "too long"),
    ],
)  # fmt: skip
def test_what_is_packed_wrongly(body: bytes, encodings: str, fault: str) -> None:
    with pytest.raises(InstitutionUnavailable, match=fault):
        unpacked(body, encodings, 10)


def test_a_packed_answer_over_the_wire(server: str, client: HttpClient) -> None:
    packed = gzipped(ROWS)
    assert call(client, f"{server}/packed/gzip", packed) == (200, ROWS)
    with pytest.raises(InstitutionUnavailable, match="truncated"):
        call(client, f"{server}/packed/gzip", packed[: len(packed) // 2])
