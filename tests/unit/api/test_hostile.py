"""What no well-meaning client sends, to every route: it is answered as described, never by a server error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from creditmesh.kernel.caller import Caller, Role
from tests.support.described import DOCUMENT, PROBLEM_SCHEMA, undescribed
from tests.support.gateway import Gateway, resource_of

pytestmark = pytest.mark.usefixtures("cloud")

TENANTS = {Role.BORROWER: "firm-1", Role.BANK: "bank-1", Role.LENDER: "lender-a"}
GATEWAY = Gateway({role.value: Caller(subject="u-1", role=role, tenant=TENANTS.get(role, "platform")) for role in Role})
JSON = {"content-type": "application/json", "idempotency-key": "0123456789abcdefghijklmn"}
DEEP = 40_000


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


ALL = list(operations())
WITH_BODY = [one for one in ALL if "requestBody" in one[2]]
WITH_PATH = [one for one in ALL if "{" in one[1]]
WITH_QUERY = [one for one in ALL if any(given["in"] == "query" for given in one[2]["parameters"])]


def ask(
    method: str, path: str, operation: dict[str, Any], *, part: str = "none", query: str = "", body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> int:  # fmt: skip
    """The status of the answer, which is as described."""
    target = re.sub(r"{\w+}", lambda _: part, path) + query
    role = (operation.get("x-roles") or [""])[0]
    given = {**(JSON if body else {}), "authorization": f"Bearer {role}", **(headers or {})}
    answer = GATEWAY.answer(method, target, {name: text for name, text in given.items() if text}, body)
    status = int(answer["statusCode"])
    if resource_of(target.partition("?")[0])[0] == path:
        assert undescribed(method, path, status, answer["headers"], answer["body"]) is None, answer
    else:
        PROBLEM_SCHEMA.validate(json.loads(answer["body"]))
    assert status < 500, answer["body"]
    return status


def example(operation: dict[str, Any]) -> dict[str, Any]:
    content = operation["requestBody"]["content"]["application/json"]
    examples = list(content.get("examples", {"none": {"value": {}}}).values())
    return dict(examples[0]["value"])


BODIES: dict[str, tuple[bytes, set[int]]] = {
    "no body": (b" ", {400}),
    "not JSON": (b"a=1&b=2", {400}),
    "cut short": (b'{"a": ', {400}),
    "not UTF-8": (b'{"a": "\xff\xfe"}', {400, 422}),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), {400, 422}),
    "byte order mark": (b"\xef\xbb\xbf{}", {400, 422}),
    "a NUL": (b'{"a": "\x00"}', {400}),
    "an escaped NUL": (b'{"a": "\\u0000"}', {422}),
    "a lone surrogate": (b'{"a": "\\ud800"}', {422}),
    "a lone surrogate as a name": (b'{"\\udfff": 1}', {422}),
    "a name twice": (b'{"a": 1, "a": 2}', {400}),
    "not a number": (b'{"a": NaN}', {400}),
    "an infinity": (b'{"a": 1e999}', {400}),
    "a number of many digits": (b'{"a": ' + b"9" * 5000 + b"}", {400}),
    "a large number": (b'{"a": ' + b"9" * 400 + b"}", {422}),
    "a deep list": (b"[" * DEEP + b"]" * DEEP, {400, 413}),
    "a less deep list": (b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}", {400, 422}),
    "deep objects": (b'{"a": ' * 500 + b"1" + b"}" * 500, {400, 422}),
    "a list": (b"[]", {422}),
    "a text": (b'"text"', {422}),
    "null": (b"null", {422}),
    "a name of Python": (b'{"__class__": "x", "__init__": {}}', {422}),
    "an empty name": (b'{"": 1}', {422}),
    "ten megabytes": (b'{"a": "' + b"x" * (10 * 1024 * 1024) + b'"}', {413}),
    "nine megabytes": (b'{"a": "' + b"x" * (9 * 1024 * 1024) + b'"}', {413}),
}
FREE = {"write_record"}
"""Takes any object."""


@pytest.mark.parametrize("kind", BODIES)
def test_a_hostile_body(kind: str) -> None:
    body, expected = BODIES[kind]
    for method, path, operation in WITH_BODY:
        unsigned = {401} if path.startswith("/webhooks/") else set()
        free = {204} if operation["operationId"] in FREE else set()
        status = ask(method, path, operation, body=body)
        assert status in expected | unsigned | free, (method, path, status)


@pytest.mark.parametrize(
    "value",
    [
        "\ud800", "\x00", "\u202e", "{{x}}", "x" * 50_000, 10**30, -(10**30), 1e300, True, None, [], {}, [[]],
        {"$ref": "#"},
    ],
)  # fmt: skip
def test_a_hostile_value_in_place_of_each_field(value: Any) -> None:
    for method, path, operation in WITH_BODY:
        body = example(operation)
        for name in body:
            ask(method, path, operation, body=json.dumps(body | {name: value}).encode())


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/xml", "multipart/form-data; boundary=x", "json", ";", "a" * 5000]
)
def test_another_content_type(kind: str) -> None:
    for method, path, operation in WITH_BODY:
        unsigned = {401} if path.startswith("/webhooks/") else set()
        status = ask(method, path, operation, body=b"{}", headers={"content-type": kind})
        assert status in {415} | unsigned, (method, path)


@pytest.mark.parametrize(
    "part",
    [
        ".", "..", "...", "%2e%2e%2f", "a%2Fb", "%2F", "%5C", "a%00b", "%00", "%20", "%0d%0aset-cookie:x", "%zz", "%",
        "%ff", "%ed%a0%80", "a;b=c", "a,b", "a+b", quote("企业"), quote("\u202e"), "x" * 101, "x" * 8000, "-", "_", ":",
        "0", "-1", "9" * 40, "null", "undefined", "__proto__", "$where", "'%20OR%201=1--", "{{7*7}}", "%7B%7D", "*",
    ],
)  # fmt: skip
def test_a_hostile_part_of_the_path(part: str) -> None:
    for method, path, operation in WITH_PATH:
        body = json.dumps(example(operation)).encode() if "requestBody" in operation else b""
        status = ask(method, path, operation, part=part, body=body)
        if "%" in part and not re.fullmatch("[A-Za-z0-9._:-]+", part):
            assert status in (401, 404, 422), (method, path, part)


@pytest.mark.parametrize(
    "value",
    [
        "", "-1", "0", "1e9", "9" * 40, "1.5", "NaN", "%00", "%ff", "%ed%a0%80", "null", "[]", "{}", "x" * 9000,
        quote("企业"), "..", "%2e%2e",
    ],
)  # fmt: skip
def test_a_hostile_value_of_each_query_parameter(value: str) -> None:
    for method, path, operation in WITH_QUERY:
        for one in operation["parameters"]:
            if one["in"] == "query":
                ask(method, path, operation, query=f"?{one['name']}={value}")


@pytest.mark.parametrize(
    "query", ["?x", "?=", "?&&", "?limit=1&limit=2", "?%00=1", "?limit[]=1", "?__class__=1", "?" + "a=1&" * 500]
)
def test_a_hostile_query(query: str) -> None:
    for method, path, operation in ALL:
        body = json.dumps(example(operation)).encode() if "requestBody" in operation else b""
        ask(method, path, operation, query=query, body=body)


def test_a_cursor_of_another_list_or_of_nobody() -> None:
    lists = [one for one in WITH_QUERY if any(given["name"] == "cursor" for given in one[2]["parameters"])]
    assert lists
    for method, path, operation in lists:
        for cursor in ("x", "A" * 400, "e30", "eyJhIjogMX0", "%F0%9F%92%A5", "bnVsbA", "0", "-" * 20):
            assert ask(method, path, operation, query=f"?cursor={cursor}") in (401, 404, 422), (path, cursor)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization", "Bearer"),
        ("authorization", "Bearer \xff"),
        ("authorization", "Basic dTpw"),
        ("authorization", "Bearer " + "x" * 8000),
        ("accept", "text/html;q=nan, application/json;q=-1, */*;q=1e999"),
        ("accept", ",;q==;,"),
        ("accept-language", "zh;q=inf, en;q=nan, \xff"),
        ("accept-language", "-" * 5000),
        ("cookie", "a=b; =; creditmesh-flow-=x; \xff"),
        ("if-match", "*"),
        ("if-match", '"' * 500),
        ("if-match", "\u0663"),
        ("idempotency-key", "x"),
        ("idempotency-key", "\xe4" * 20),
        ("idempotency-key", "k" * 5000),
        ("content-length", "-1"),
        ("x-forwarded-for", "\x00"),
        ("host", "evil.test"),
    ],
)
def test_a_hostile_header(name: str, value: str) -> None:
    for method, path, operation in ALL:
        body = json.dumps(example(operation)).encode() if "requestBody" in operation else b""
        ask(method, path, operation, body=body, headers={name: value})


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "TRACE", "CONNECT", "QUERY", "get", "", "\xff"])
def test_another_method(method: str) -> None:
    for _, path, operation in ALL:
        if method.lower() not in DOCUMENT["paths"][path]:
            assert ask(method, path, operation) == 404
