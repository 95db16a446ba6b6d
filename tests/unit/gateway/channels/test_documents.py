"""Channel documents: what is refused says where and why; the published schema is the one in force (G02)."""

from __future__ import annotations

import json
import threading
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from pydantic import ValidationError

from creditmesh.gateway.channels.document import Channel, schema
from creditmesh.gateway.channels.plans import CollectionPlan
from tests.support.template import ROOT
from tests.unit.gateway.channels.engine import document

SHIPPED = sorted((ROOT / "channels").glob("*.yaml"))
PUBLISHED = ROOT / "docs" / "reference" / "channel.schema.json"


def changed(place: str, value: Any) -> dict[str, Any]:
    """The small document with something else at a place."""
    made = deepcopy(document(fields={"taxpayer_id": {}, "extra": {"optional": True}}))
    inner: Any = made
    *way, last = place.split(".")
    for name in way:
        inner = inner.setdefault(name, {})
    inner[last] = value
    return made


def errors(made: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as refusal:
        Channel.model_validate(made)
    return [(".".join(map(str, one["loc"])), one["msg"]) for one in refusal.value.errors()]


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_documents_are_valid_and_fit_the_published_schema(file: Path) -> None:
    made = yaml.safe_load(file.read_text("utf-8"))
    channel = Channel.model_validate(made)
    assert channel.channel_id == file.stem
    jsonschema_rs.validate(json.loads(PUBLISHED.read_text("utf-8")), made)
    stored = channel.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    assert Channel.model_validate(stored) == channel, "what is stored means the same"


def test_the_example_of_the_documentation_is_valid() -> None:
    """With every part there is."""
    text = (ROOT / "docs" / "reference" / "channels.md").read_text("utf-8")
    made = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    shown = set(Channel.model_validate(made).model_dump(exclude_defaults=True, by_alias=True)) | set(made)
    assert set(Channel.model_fields) - shown == {"enabled", "callback"}


def test_the_shipped_kinds_are_those_of_the_requirements() -> None:
    kinds = {yaml.safe_load(file.read_text("utf-8"))["kind"] for file in SHIPPED}
    assert kinds == {"tax", "registry", "judicial", "credit_bureau", "shop", "education", "anti_fraud"}


def test_shipped_plans_name_shipped_channels() -> None:
    for file in (ROOT / "channels" / "plans").glob("*.yaml"):
        plan = CollectionPlan.model_validate(yaml.safe_load(file.read_text("utf-8")))
        assert {one.channel_id for one in plan.channels} <= {shipped.stem for shipped in SHIPPED}


def test_the_published_schema_is_the_one_in_force() -> None:
    written = json.dumps(schema(), ensure_ascii=False, indent=2) + "\n"
    assert PUBLISHED.read_text("utf-8") == written, "write it anew: see docs/reference/channels.md"


@pytest.mark.parametrize(
    ("place", "value", "path", "rule"),
    [
        ("structure.rule", "{name: name", "structure.rule", "not a JMESPath expression"),
        ("structure.rule", "(" * 3000, "structure.rule", "not a JMESPath expression: nested too deeply"),
        ("structure.rule", "", "structure.rule", "at least 1 character"),
        ("structure.rule", "a" * 4001, "structure.rule", "at most 4000 characters"),
        ("structure.complete", ["a", "b["], "structure.complete.1", "not a JMESPath expression"),
        ("structure.fallback", "a |", "structure.fallback", "not a JMESPath expression"),
        ("response.schema", {"type": "strin"}, "response.schema", "not a JSON Schema"),
        ("response.schema", {"pattern": "("}, "response.schema", "not a JSON Schema"),
        ("response.schema", {"$ref": "#/$defs/nowhere"}, "response.schema", "not a JSON Schema"),
        ("response.charset", "klingon", "response.charset", "not a known charset"),
        ("response.charset", "hex", "response.charset", "not a known charset"),
        ("response.charset", "utf\0", "response.charset", "null"),
        ("response.format", "pdf", "response.format", "'json', 'xml' or 'csv'"),
        ("response.refusals", [{"status": 404, "outcome": "complete"}], "response.refusals.0.outcome", "'refused' or"),
        ("fields.extra.pattern", "(", "fields.extra.pattern", "not a regular expression"),
        ("fields.extra.pattern", "(a{1000}){1000}", "fields.extra.pattern", "not a regular expression"),
        ("fields.extra.pattern", "a(?=b)", "fields.extra.pattern", "not a regular expression"),
        ("fields.request_id", {}, "", "fields: request_id is set by the platform"),
        ("fields.Extra", {}, "fields.Extra.[key]", "pattern"),
        ("fill", [{"field": "other", "record": "rr", "key": "k", "path": "p"}], "", "fill: other is not among fields"),
        ("cost", {"amount": "8"}, "cost", "exactly two decimals"),
        ("cost", {"amount": 8}, "cost.amount", "valid string"),
        ("cost", {"amount": "-8.00"}, "cost", "exactly two decimals"),
        ("cost", {"amount": "8.00", "currency": "XTS"}, "cost", "must be one of CNY"),
        ("authentication", {"type": "password"}, "authentication", "'api_key', 'hmac', 'oauth2'"),
        ("authentication", {"type": "hmac", "over": "{{timestmp}}"}, "authentication.hmac", "{{timestmp}}"),
        ("authentication", {"type": "oauth2", "token_path": "token"}, "authentication.oauth2.token_path", "pattern"),
        ("authentication.header", "host", "authentication.api_key.header", "set by the platform"),
        ("authentication.secret", "Api Key", "authentication.api_key.secret", "pattern"),
        ("limits.total_seconds", 26, "limits.total_seconds", "less than or equal to 25"),
        ("limits.total_seconds", 0, "limits.total_seconds", "greater than 0"),
        ("limits.answer_bytes", 10**9, "limits.answer_bytes", "less than or equal to"),
        ("retry.attempts", 0, "retry.attempts", "greater than or equal to 1"),
        ("cache_seconds", 91 * 86_400, "cache_seconds", "less than or equal to"),
        ("base_url", "x" * 201, "base_url", "at most 200"),
        ("fallback_channel", "some-source", "", "must be another channel"),
        ("channel_id", "../x", "channel_id", "pattern"),
        ("institution", "a/b", "institution", "pattern"),
        ("nonsense", 1, "nonsense", "Extra inputs"),
        ("transport.method", "DELETE", "transport.rest.method", "'GET' or 'POST'"),
    ],
)  # fmt: skip
def test_what_is_broken_is_named(place: str, value: Any, path: str, rule: str) -> None:
    found = errors(changed(place, value))
    assert any(at == path and rule in why for at, why in found), found


@pytest.mark.parametrize(
    ("transport", "rule"),
    [
        ({"type": "rest", "method": "GET", "path": "/x", "body": {"a": 1}}, "a GET carries no body"),
        ({"type": "xml", "path": "/x", "body": {"a": 1}}, "an xml transport needs a body template of text"),
        ({"type": "xml", "path": "/x"}, "an xml transport needs a body template of text"),
        ({"type": "form", "path": "/x", "body": "a=b"}, "a form transport needs a body of names and templates"),
        ({"type": "rest", "path": "/x", "body": '{"a": "{{taxpayer_id}}"}'}, "needs a body of JSON, not of text"),
        ({"type": "rest", "path": "/x/{{who}}"}, "the transport uses {{who}}, which is not among fields"),
        ({"type": "rest", "path": "/x", "body": {"a": [{"b": "{{who}}"}]}}, "the transport uses {{who}}"),
        ({"type": "rest", "path": "/x", "query": {"q": "{{ who }}"}}, "the transport uses {{who}}"),
        ({"type": "rest", "path": "/x", "headers": {"x-q": "{{who}}"}}, "the transport uses {{who}}"),
        ({"type": "rest", "path": "/x", "query": {"q": "{{Taxpayer}}"}}, "{{Taxpayer}} is not a placeholder"),
        ({"type": "rest", "path": "/x", "query": {"q": "{{}}"}}, "{{}} is not a placeholder"),
        ({"type": "rest", "path": "/x", "query": {"q": "{{taxpayer_id"}}, "a placeholder is not closed"),
        ({"type": "rest", "path": "/x/{{extra}}"}, "{{extra}}, which must not be optional"),
        ({"type": "rest", "path": "/x", "body": {"c": "{{authorization_code}}"}}, "without a consent_scope"),
        ({"type": "rest", "path": "x"}, "pattern"),
        ({"type": "rest", "path": "/x?y=1"}, "pattern"),
        ({"type": "rest", "path": "/x#y"}, "pattern"),
        ({"type": "rest", "path": "/a/../b"}, "no segments . or .."),
        ({"type": "rest", "path": "/x", "headers": {"Host": "x"}}, "pattern"),
        ({"type": "rest", "path": "/x", "headers": {"host": "x"}}, "host is set by the platform"),
        ({"type": "rest", "path": "/x", "headers": {"transfer-encoding": "chunked"}}, "is set by the platform"),
        ({"type": "rest", "path": "/x", "headers": {"authorization": "Basic x"}}, "authorization carries a secret"),
        ({"type": "rest", "path": "/x", "charset": "nope"}, "is not a known charset"),
        ({"type": "carrier_pigeon"}, "'rest', 'form', 'xml', 'batch_file'"),
    ],
)  # fmt: skip
def test_a_broken_transport_is_named(transport: dict[str, Any], rule: str) -> None:
    found = errors(changed("transport", transport))
    assert any(rule in why for _, why in found), found


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"authentication": {"type": "api_key"}}, "takes neither callback nor authentication"),
        ({"fields": {"other": {}}}, "key taxpayer_id must be a required field"),
        ({"fields": {"taxpayer_id": {"optional": True}}}, "key taxpayer_id must be a required field"),
    ],
)
def test_a_batch_file_needs_a_key_and_nothing_of_a_call(changes: dict[str, Any], rule: str) -> None:
    transport = {"type": "batch_file", "prefix": "list", "format": "csv", "key_column": "id"}
    made = document(transport=transport, authentication={"type": "none"})
    Channel.model_validate(made)
    assert any(rule in why for _, why in errors({**made, **changes}))


@pytest.mark.parametrize("reference", ["http://127.0.0.1:{port}/schema.json", "file://{file}"])
def test_a_schema_fetches_nothing(reference: str, tmp_path: Path) -> None:
    """Otherwise a document could have the platform call any address, or read its own files."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    (tmp_path / "schema.json").write_text("{}")
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        uri = reference.format(port=server.server_address[1], file=tmp_path / "schema.json")
        for place in ({"$ref": uri}, {"properties": {"a": {"$ref": uri}}}, {"$schema": uri, "type": "object"}):
            found = errors(changed("response.schema", place))
            assert any("response.schema" in at for at, _ in found), found
        server.shutdown()
    assert asked == []


def test_a_schema_may_refer_to_itself() -> None:
    inner = {"$ref": "#/$defs/a", "$defs": {"a": {"type": "object", "required": ["name"]}}}
    assert Channel.model_validate(changed("response.schema", inner)).response.schema_ == inner
