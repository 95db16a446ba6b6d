"""What holds of any value, any address and any order of events (G02, G11)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import xmltodict
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from urllib3.util import parse_url

from creditmesh.gateway.channels import fields as request_fields
from creditmesh.gateway.channels.calls import CallRecord, CallState, CallStore
from creditmesh.gateway.channels.exchange import prepare
from creditmesh.gateway.channels.origins import allowed_origin
from creditmesh.gateway.channels.structure import search
from creditmesh.kernel.clock import FixedClock
from creditmesh.kernel.errors import InvalidInput
from creditmesh.platform.tables import ConditionFailed, Tables
from tests.support import aws
from tests.support.world import NOW
from tests.unit.gateway.channels.engine import ORIGIN, channel

VALUES = st.one_of(
    st.text(max_size=30),
    st.text(alphabet="./\\%@:?#&=<>\"'\r\n{}[]2eEfF", max_size=30),
    st.sampled_from(["..", ".", "../..", "%2e%2e", "@evil.example", "//evil.example", "{{taxpayer_id}}"]),
)
GET: dict[str, Any] = {
    "type": "rest",
    "method": "GET",
    "path": "/a/{{taxpayer_id}}/b",
    "query": {"q": "{{taxpayer_id}}"},
}


@given(VALUES)
def test_no_value_changes_host_route_or_query(value: str) -> None:
    one = channel(transport=GET)
    asked = request_fields.complete(one, {"taxpayer_id": value}, lambda *_: None)
    assume(not asked.missing)
    url = prepare(one.transport, ORIGIN, asked.values).url  # type: ignore[arg-type]
    parts, wire = urlsplit(url), parse_url(url)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "source.example", "")
    assert (wire.scheme, wire.host, wire.port, wire.auth) == ("https", "source.example", None, None)
    for path in (parts.path, str(wire.path)):
        first, route, segment, last = path.split("/")
        assert (first, route, last) == ("", "a", "b")
        assert unquote(segment) == value
        assert segment not in (".", "..")
    assert parse_qs(parts.query, keep_blank_values=True, strict_parsing=True) == {"q": [value]}


@given(VALUES)
def test_no_value_becomes_an_element_or_a_header(value: str) -> None:
    xml = {
        "type": "xml",
        "path": "/a",
        "body": '<q a="{{taxpayer_id}}">{{taxpayer_id}}</q>',
        "headers": {"x-a": "{{taxpayer_id}}"},
    }
    one = channel(transport=xml)
    asked = request_fields.complete(one, {"taxpayer_id": value}, lambda *_: None)
    assume(not asked.missing)
    request = prepare(one.transport, ORIGIN, asked.values)  # type: ignore[arg-type]
    document = xmltodict.parse(request.body or b"", strip_whitespace=False)
    assert set(document) == {"q"}
    assert set(document["q"]) <= {"@a", "#text"}
    assert all(text.isprintable() and text.isascii() for text in request.headers.values())
    assert set(request.headers) == {"x-a", "content-type", "accept"}


LISTED = ["https://api.bureau.example", "https://*.shops.example", "http://192.0.2.7:8080"]
PIECES = st.sampled_from([
    "https", "http", "://", ":", "/", "//", "@", "\\", ".", "..", "*", "api", "bureau", "shops", "example", "evil",
    "192.0.2.7", "8080", "443", "%2e", "?", "#", " ", "\t", "\n", "[", "]", "\u3002", "\uff0e", "\u017f", "\u212a", "-",
    "0x", "x",
])  # fmt: skip


@settings(max_examples=400)
@given(st.one_of(st.lists(PIECES, max_size=12).map("".join), st.text(max_size=40).map(lambda t: f"https://{t}")))
def test_nothing_is_allowed_that_is_not_listed(text: str) -> None:
    try:
        origin = allowed_origin(text, None, LISTED)
    except InvalidInput:
        return
    wire = parse_url(origin + "/path")
    host = str(wire.host)
    assert wire.path == "/path"
    assert wire.auth is None
    listed = {("https", "api.bureau.example", None), ("http", "192.0.2.7", 8080)}
    assert (wire.scheme, host, wire.port) in listed or (
        (wire.scheme, wire.port) == ("https", None) and host.endswith(".shops.example") and host.isascii()
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
RULES = st.sampled_from([
    "a.b", "a[0]", "a[]", "a[?b>`1`]", "sum(a)", "max_by(a,&b)", "sort_by(a,&b)", "join(',',a)", "{x: a, y: length(b)}",
    "a[*].b.c", "to_number(a)", "to_string(a)", "avg(a[].b)", "keys(a)", "values(a)", "map(&b, a)", "not_null(a,b,c)",
    "contains(a, `1`)", "type(a)", "min(a)", "reverse(a)", "merge(a,b)", "a == b", "a < b", "!a", "a || b && c",
    "floor(a)", "ends_with(a,'x')",
])  # fmt: skip


@given(RULES, JSON)
def test_a_rule_never_raises(expression: str, document: Any) -> None:
    search(expression, document)


class Claims(RuleBasedStateMachine):
    """Several runs at one call: whoever holds it holds it alone, and a settled answer is not lost to a stale one."""

    store: CallStore
    clock: FixedClock

    def __init__(self) -> None:
        super().__init__()
        self.holders: dict[str, CallRecord] = {}
        self.number = 0
        stored = self.store.find("key")
        if stored:
            self.store.forget(stored)

    def wanted(self) -> CallRecord:
        self.number += 1
        until = int(self.clock.now().timestamp()) + 10
        return CallRecord(
            call_key="key", channel_id="c", channel_version=1, state=CallState.CALLING, number=1, until=until,
            by="same-application", holder=f"holder-{self.number}",
        )  # fmt: skip

    def valid(self) -> list[str]:
        """Whose lease runs, by what each was told itself."""
        now = self.clock.now().timestamp()
        return [name for name, record in self.holders.items() if record.until > now]

    @rule(charged=st.booleans())
    def claim(self, charged: bool) -> None:
        wanted = self.wanted()
        doubt = int(self.clock.now().timestamp()) + 30 if charged else None
        record = self.store.claim(wanted, doubt)
        if record.holder == wanted.holder:
            assert self.valid() == [], "two hold it at the same time"
            self.holders[wanted.holder] = record

    @rule(
        data=st.data(),
        state=st.sampled_from([CallState.ANSWERED, CallState.FAILED, CallState.UNCERTAIN, CallState.PENDING]),
    )
    def settle(self, data: st.DataObject, state: CallState) -> None:
        if not self.holders:
            return
        holder = data.draw(st.sampled_from(sorted(self.holders)))
        record = self.holders.pop(holder)
        alone = self.store.find("key")
        try:
            self.store.settle(record, state=state, until=int(self.clock.now().timestamp()) + 20)
        except ConditionFailed:
            assert alone is None or (alone.holder, alone.state) != (holder, CallState.CALLING)
        else:
            assert alone is not None
            assert alone.holder == holder

    @rule(seconds=st.sampled_from([1, 5, 11, 31]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule()
    def forget(self) -> None:
        stored = self.store.find("key")
        if stored:
            self.store.forget(stored)
        self.holders.clear()

    @invariant()
    def at_most_one(self) -> None:
        assert len(self.valid()) <= 1


def test_a_call_is_claimed_by_one_at_a_time(aws_stack: aws.Stack) -> None:
    aws_stack.empty()
    clock = FixedClock(NOW)
    tables = Tables(aws_stack.clients["dynamodb"])
    made = type("Made", (Claims,), {"clock": clock, "store": CallStore(tables, aws_stack.refs["ChannelCalls"], clock)})
    quick = settings(
        max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
    )  # fmt: skip
    run_state_machine_as_test(made, settings=quick)


@pytest.mark.parametrize("dots", [".", "..", "..."])
def test_dots_alone_never_reach_a_path(dots: str) -> None:
    assert request_fields.complete(channel(transport=GET), {"taxpayer_id": dots}, lambda *_: None).missing
