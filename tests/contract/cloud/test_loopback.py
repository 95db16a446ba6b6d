"""Contract of ``runtime/loopback``: the SDK's calls arrive and end as by botocore's own way, in the worst case, too."""

from __future__ import annotations

import importlib.util
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from botocore.httpsession import URLLib3Session
from botocore.signers import RequestSigner

from .clouds import ROOT, Cloud

OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 18\r\n\r\n{"TableNames": []}'
Serve = Callable[[socket.socket], None]


@pytest.fixture
def loopback() -> Any:
    spec = importlib.util.spec_from_file_location("loopback", ROOT / "local/cloud/runtime/loopback.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def served() -> Iterator[Callable[[Serve], str]]:
    """Serves each connection by a function; the server's address."""
    sockets: list[socket.socket] = []

    def start(serve: Serve) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        sockets.append(server)

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                sockets.append(connection)
                serve(connection)

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}"

    yield start
    for one in sockets:
        one.close()


def client(loopback: Any, address: str, service: str = "dynamodb", **config: Any) -> tuple[Any, list[Any]]:
    """A client with the short way before botocore's own, and what took that."""
    taken: list[Any] = []

    def own(session: Any, request: Any) -> Any:
        taken.append(request)
        return URLLib3Session.send(session, request)

    made = boto3.client(
        service, endpoint_url=address, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b",
        config=Config(retries={"total_max_attempts": 1}, **config),
    )  # fmt: skip
    way = loopback.Loopback(own, lambda name: importlib.import_module(f"botocore.{name}"))
    session = made._endpoint.http_session
    made._endpoint.http_session = SimpleNamespace(send=lambda request: way.send(session, request), close=session.close)
    return made, taken


def request_of(connection: socket.socket) -> bytes:
    """One request, whole."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(4096)
    head, _, body = data.partition(b"\r\n\r\n")
    (length,) = (int(line[16:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length: "))
    while len(body) < length:
        body += connection.recv(4096)
    return head + b"\r\n\r\n" + body


def test_one_connection_serves_many_calls_and_answers_come_in_pieces(loopback: Any, served: Any) -> None:
    requests: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        for _ in range(2):
            requests.append(request_of(connection))
            for start in range(0, len(OK), 30):
                connection.sendall(OK[start : start + 30])

    tables, taken = client(loopback, served(serve))
    for _ in range(2):
        assert tables.list_tables()["TableNames"] == []
    assert (len(requests), taken) == (2, [])
    assert b"x-amz-target: dynamodb_20120810.listtables" in requests[0].lower()


def test_a_connection_closed_while_it_was_idle(loopback: Any, served: Any) -> None:
    def serve(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(OK)
        connection.shutdown(socket.SHUT_RDWR)

    tables, taken = client(loopback, served(serve))
    for _ in range(2):
        assert tables.list_tables()["TableNames"] == []
    assert len(taken) == 1


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(b"HTTP/1.1 200 OK\r\nContent-", ConnectionClosedError), (OK[:-5], ConnectionClosedError),
     (b"HTTP/1.1 200 OK\r\n\r\n", ConnectionClosedError), (b"", ConnectionClosedError)],
)  # fmt: skip
def test_a_cut_answer_is_botocores_error(loopback: Any, served: Any, answer: bytes, expected: type[Exception]) -> None:
    def serve(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_RDWR)

    tables, _ = client(loopback, served(serve))
    with pytest.raises(expected):
        tables.list_tables()


def test_no_answer_in_time(loopback: Any, served: Any) -> None:
    tables, taken = client(loopback, served(lambda _: None), read_timeout=0.2)
    with pytest.raises(ReadTimeoutError):
        tables.list_tables()
    assert taken == []


def test_an_error_is_told_as_ever(loopback: Any, served: Any) -> None:
    body = b'{"__type": "x#ResourceNotFoundException", "message": "no such table"}'

    def serve(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    tables, _ = client(loopback, served(serve))
    with pytest.raises(tables.exceptions.ResourceNotFoundException, match="no such table"):
        tables.describe_table(TableName="none")


def test_where_nobody_listens_botocore_says_so(loopback: Any) -> None:
    tables, taken = client(loopback, "http://127.0.0.1:9")
    with pytest.raises(Exception, match="Could not connect"):
        tables.list_tables()
    assert len(taken) == 1


def test_a_chunked_answer_is_whole(loopback: Any, served: Any) -> None:
    pieces = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01", b"234\r", b"\n3;x=y\r\n567\r\n0\r\n\r\n")

    def serve(connection: socket.socket) -> None:
        for _ in range(2):
            connection.recv(4096)
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.01)

    objects, taken = client(loopback, served(serve), "s3")
    for _ in range(2):
        assert objects.get_object(Bucket="bucket", Key="key")["Body"].read() == b"01234567"
    assert taken == []


@pytest.mark.parametrize("size", [0, 10, 300_000, 3_000_000])
def test_objects_go_and_come_whole(loopback: Any, mended: Cloud, name: str, size: int) -> None:
    objects, taken = client(loopback, mended.endpoint, "s3")
    objects.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    content, before = bytes(number % 251 for number in range(size)), len(taken)
    objects.put_object(Bucket=name, Key="a b/字.bin", Body=content, ContentType="text/plain")
    found = objects.get_object(Bucket=name, Key="a b/字.bin")
    assert (found["Body"].read(), found["ContentLength"], found["ContentType"]) == (content, size, "text/plain")
    with pytest.raises(objects.exceptions.NoSuchKey):
        objects.get_object(Bucket=name, Key="none")
    assert len(taken) == before


def test_what_is_neither_goes_botocores_way(loopback: Any, mended: Cloud, name: str) -> None:
    objects, taken = client(loopback, mended.endpoint, "s3")
    objects.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with pytest.raises(ClientError, match="404"):
        objects.head_object(Bucket=name, Key="none")
    objects.delete_object(Bucket=name, Key="none")
    assert {one.method for one in taken} == {"HEAD", "DELETE"}


def test_calls_tell_who_makes_them_and_urls_are_signed(
    loopback: Any, mended: Cloud, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RequestSigner, "handler", RequestSigner.handler)  # put back afterwards
    loopback.name_caller(RequestSigner, UNSIGNED)
    objects, sent = boto3.client(
        "s3", endpoint_url=mended.endpoint, region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b",
        aws_session_token="token",
    ), list[dict[str, str]]()  # fmt: skip
    objects.meta.events.register(
        "before-send",
        lambda request, **_: sent.append(
            {name: text.decode() if isinstance(text, bytes) else text for name, text in request.headers.items()}
        ),
    )
    objects.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    objects.put_object(Bucket=name, Key="key", Body=b"content")
    assert objects.get_object(Bucket=name, Key="key")["Body"].read() == b"content"
    told = {(one["Authorization"], one["X-Amz-Security-Token"]) for one in sent}
    ((authorization, token),) = told  # of all three
    assert "/eu-west-1/s3/aws4_request" in authorization
    assert (authorization.endswith("Signature=none"), token) == (True, "token")
    url = objects.generate_presigned_url("get_object", {"Bucket": name, "Key": "key"})
    assert "Signature=" in url
    assert "Signature=none" not in url
