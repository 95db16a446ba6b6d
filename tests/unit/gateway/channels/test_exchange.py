"""What goes out and comes back: escaping, signatures, tokens, pages, repeats (G06, G07)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import parse_qs, unquote_to_bytes, urlsplit

import pytest
import xmltodict

from creditmesh.gateway.channels.authentication import Authenticator, Prepared
from creditmesh.gateway.channels.document import Channel, Outcome
from creditmesh.gateway.channels.exchange import prepare
from creditmesh.gateway.channels.fields import complete
from creditmesh.kernel.charsets import decoded, label_of
from creditmesh.kernel.clock import FixedClock
from creditmesh.platform.http import Answer, InstitutionUnavailable
from creditmesh.platform.institutions import Keys
from tests.support.world import NOW
from tests.unit.gateway.channels.engine import FIRM, ORIGIN, Engine, body, channel, headers

SIGNING = "made-up-signing-key"
UNFIT_TO_SIGN = "the secret signing_secret must have at least 14 printable characters, without spaces around"
BAD_SIGNING = ["thirteen-char", f"{SIGNING}\n", f" {SIGNING}", " " * 20, "made-up\tsigning-key", f"{SIGNING}\u200b"]
TRICKS = [
    "../../admin?x=", "@evil.example", "//evil.example/", "..\\..\\admin", "a/b", "%2e%2e%2f", "x#y", "x?y=1&z=2",
    "x\r\nx-injected: 1", "x y", "x;y=z", "名", "\x00", "<a/>", '"}],"x":"', "]]>", "&amp;", "{{secret}}", "${x}",
]  # fmt: skip


def rendered(transport: dict[str, Any], value: str) -> Prepared:
    return prepare(channel(transport=transport).transport, ORIGIN, {"taxpayer_id": value})  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [*TRICKS, ".x", "x.."])
def test_a_value_stays_in_its_segment(value: str) -> None:
    request = rendered({"type": "rest", "method": "GET", "path": "/a/{{taxpayer_id}}/b"}, value)
    parts = urlsplit(request.url)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("https", "source.example", "", "")
    first, second, third, last = parts.path.split("/")
    assert (first, second, last) == ("", "a", "b")
    assert set(third).isdisjoint("/\\?#@ \r\n")


@pytest.mark.parametrize("dots", [".", "..", "...."])
def test_dots_alone_are_no_segment(engine: Engine, dots: str) -> None:
    """They cannot be escaped, and would change the route: the source is not asked."""
    engine.http.answer("GET", ORIGIN, 200, {"name": "made up"})
    result = engine.collect(channel(), dots)
    assert (result.outcome, result.missing, engine.http.calls) == ("incomplete", ["taxpayer_id"], [])
    in_body = channel(transport={"type": "rest", "path": "/x", "body": {"id": "{{taxpayer_id}}"}})
    engine.http.answer("POST", ORIGIN, 200, {"name": "made up"})
    assert engine.collect(in_body, dots).outcome is Outcome.COMPLETE


@pytest.mark.parametrize("value", TRICKS)
def test_a_value_stays_in_its_place_elsewhere_too(value: str) -> None:
    query = rendered({"type": "rest", "method": "GET", "path": "/a", "query": {"id": "{{taxpayer_id}}"}}, value)
    assert parse_qs(urlsplit(query.url).query, keep_blank_values=True) == {"id": [value]}
    as_json = rendered(
        {"type": "rest", "path": "/a", "body": {"id": "{{taxpayer_id}}", "t": "<{{taxpayer_id}}>"}}, value
    )
    assert json.loads(as_json.body or b"") == {"id": value, "t": f"<{value}>"}
    form = rendered({"type": "form", "path": "/a", "body": {"id": "{{taxpayer_id}}", "b": 1}}, value)
    assert parse_qs((form.body or b"").decode("ascii"), keep_blank_values=True) == {"id": [value], "b": ["1"]}
    header = rendered({"type": "rest", "method": "GET", "path": "/a", "headers": {"x-id": "{{taxpayer_id}}"}}, value)
    assert header.headers["x-id"].isprintable()
    assert header.headers["x-id"].isascii()
    assert set(header.headers) == {"x-id", "accept"}


@pytest.mark.parametrize("value", [*TRICKS, "\x0b\ud800\ufffe", "<!ENTITY x SYSTEM 'file:///etc/passwd'>"])
def test_a_value_stays_text_in_xml(value: str) -> None:
    template = '<?xml version="1.0"?><q a="{{taxpayer_id}}"><id>{{taxpayer_id}}</id></q>'
    request = rendered({"type": "xml", "path": "/a", "body": template, "charset": "gb2312"}, value)
    document = xmltodict.parse((request.body or b"").decode("gb2312"), strip_whitespace=False)
    expected = "".join(one for one in value if one not in "\x00\x0b\ud800\ufffe")
    assert (document["q"]["id"] or "").replace("\n", "") == expected.replace("\r\n", "").replace("\r", "")
    assert set(document["q"]) == {"@a", "id"}


@pytest.mark.parametrize("value", ["\x00", "a\x0bb", "\ufffe"])
def test_what_xml_cannot_say_is_not_asked_for(engine: Engine, value: str) -> None:
    xml = channel(transport={"type": "xml", "path": "/a", "body": "<id>{{taxpayer_id}}</id>"})
    result = engine.collect(xml, value)
    assert (result.outcome, result.missing, engine.http.calls) == ("incomplete", ["taxpayer_id"], [])


def test_charsets_of_query_form_and_body() -> None:
    form = rendered({"type": "form", "path": "/a", "body": {"id": "{{taxpayer_id}}"}, "charset": "gb18030"}, "名字")
    assert form.body == b"id=%C3%FB%D7%D6"
    query = {"type": "rest", "method": "GET", "path": "/a", "query": {"id": "{{taxpayer_id}}"}, "charset": "gbk"}
    assert rendered(query, "名字").url.endswith("?id=%C3%FB%D7%D6")
    in_json = rendered({"type": "rest", "path": "/a", "body": {"id": "{{taxpayer_id}}"}, "charset": "gbk"}, "名字")
    assert json.loads((in_json.body or b"").decode("gbk")) == {"id": "名字"}
    assert form.headers["content-type"] == "application/x-www-form-urlencoded"


GB_FAMILY = [
    ("gb2312", "朱镕基"), ("gb2312", "张䶮"), ("gbk", "𠮷野"), ("gb_2312-80", "\u9fb4"), ("windows-936", "€"),
    ("x-gbk", "㐂"), ("gb18030", "𠮷"), ("iso-8859-1", "€"), ("shift_jis", "髙"),
]  # fmt: skip


@pytest.mark.parametrize(("label", "name"), GB_FAMILY)
def test_a_narrow_label_sends_what_its_readers_read(label: str, name: str) -> None:
    """Names with rare letters are not refused, nor sent with another letter in their place (case X6)."""
    of = {"charset": label, "path": "/a/{{taxpayer_id}}"}
    form = rendered({"type": "form", "body": {"id": "{{taxpayer_id}}"}, **of}, name)
    assert decoded(label_of(label), unquote_to_bytes((form.body or b"").partition(b"=")[2])) == name
    assert decoded(label_of(label), unquote_to_bytes(form.url.rpartition("/")[2])) == name
    query = rendered({"type": "rest", "method": "GET", "query": {"id": "{{taxpayer_id}}"}, **of}, name)
    assert decoded(label_of(label), unquote_to_bytes(query.url.partition("=")[2])) == name
    in_json = rendered({"type": "rest", "body": {"id": "{{taxpayer_id}}"}, **of}, name)
    assert json.loads(decoded(label_of(label), in_json.body or b"")) == {"id": name}
    in_xml = rendered({"type": "xml", "body": "<id>{{taxpayer_id}}</id>", **of}, name)
    assert xmltodict.parse(decoded(label_of(label), in_xml.body or b"")) == {"id": name}
    one = channel(transport={"type": "form", "body": {"id": "{{taxpayer_id}}"}, **of})
    assert complete(one, {"taxpayer_id": name}, lambda *_: None).missing == ()


def signed(scheme: dict[str, Any], request: Prepared, **keys: Any) -> dict[str, str]:
    one = channel(authentication={"type": "hmac", **scheme})
    made = Authenticator(None, FixedClock(NOW), lambda: "NONCE")  # type: ignore[arg-type]
    found = Keys(client_id="client-7", secrets={"signing_secret": SIGNING}, **keys)
    return made.credentials(one, found, ORIGIN, request, 1.0).headers


def test_signatures_against_known_vectors() -> None:
    """The first two are computed by `printf … | openssl dgst -hmac key`, the digest of the body likewise."""
    fox = Prepared("POST", f"{ORIGIN}/a/b?c=d", {}, b"The quick brown fox jumps over the lazy dog")
    assert signed({"over": "{{body}}"}, fox)["x-signature"] == (
        "a91fe2f0fa1a8e383d0b061d41602b9ac07a4caaa07fa23cf56c482f34e21794"
    )
    assert signed({"over": "{{body}}", "algorithm": "sha512"}, fox)["x-signature"].startswith(
        "7b986ec65f858c046e1f508536"
    )
    over = "{{method}} {{path}} {{timestamp}} {{nonce}} {{body_sha256}}"
    stamp = str(int(NOW.timestamp()))
    text = f"POST /a/b?c=d {stamp} NONCE d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592"
    digest = hmac.new(SIGNING.encode(), text.encode(), hashlib.sha256).digest()
    names = {"header": "x-sign", "timestamp_header": "x-at", "nonce_header": "x-once", "client_header": "x-who"}
    assert signed({"over": over, "encoding": "base64", **names}, fox) == {
        "x-sign": base64.b64encode(digest).decode(), "x-at": stamp, "x-once": "NONCE", "x-who": "client-7",
    }  # fmt: skip


def test_the_signed_body_is_the_sent_one_in_any_charset(engine: Engine) -> None:
    engine.book.keys["source"] = Keys(secrets={"signing_secret": SIGNING})
    engine.http.answer("POST", ORIGIN, 200, {"name": "made up"})
    transport = {"type": "rest", "path": "/x", "body": {"who": "{{person_name}}"}, "charset": "gbk"}
    one = channel(
        transport=transport, fields={"person_name": {}}, authentication={"type": "hmac", "over": "{{body}}|{{path}}"}
    )
    engine.collect(one, person_name="名字")
    (call,) = engine.http.calls
    expected = hmac.new(SIGNING.encode(), call.body + b"|/x", hashlib.sha256).hexdigest()
    assert headers(call)["x-signature"] == expected


OAUTH = {"type": "oauth2", "token_path": "/token", "scope": "read"}
SECRET = "made+up/secret%&"


class Issuer:
    """Issues tokens that end, and data for whoever has the last one."""

    def __init__(self, engine: Engine) -> None:
        self.issued = 0
        self.lasts: Any = 300
        self.scoped = False
        engine.book.keys["source"] = Keys(client_id="cli ent", secrets={"client_secret": SECRET})
        engine.http.routes["POST", f"{ORIGIN}/token"] = self.token
        engine.http.routes["GET", f"{ORIGIN}/firms"] = self.data

    def token(self, call: Any) -> Answer:
        assert call.body in (b"grant_type=client_credentials&scope=read", b"grant_type=client_credentials")
        self.scoped = b"scope" in call.body
        basic = base64.b64decode(headers(call)["authorization"].removeprefix("Basic ")).decode()
        assert basic == "cli+ent:made%2Bup%2Fsecret%25%26", "both are form-encoded within (RFC 6749, 2.3.1)"
        self.issued += 1
        return Answer(200, body({"access_token": f"token-{self.issued}", "expires_in": self.lasts}))

    def data(self, call: Any) -> Answer:
        known = headers(call)["authorization"] == f"Bearer token-{self.issued}"
        return Answer(200, body({"name": "made up"})) if known else Answer(401, b"{}")


def calls_to(engine: Engine, path: str) -> int:
    return len(engine.http.to(f"{ORIGIN}{path}"))


def test_a_token_serves_until_shortly_before_its_end(engine: Engine) -> None:
    issuer = Issuer(engine)
    one = channel(authentication=OAUTH)
    for _ in range(3):
        assert engine.collect(one).outcome is Outcome.COMPLETE
    assert issuer.issued == 1
    engine.clock.advance(269)
    engine.collect(one)
    assert issuer.issued == 1
    engine.clock.advance(1)
    engine.collect(one)
    assert issuer.issued == 2


@pytest.mark.parametrize("lasts", [None, "300", 0, -1, True, 1.5])
def test_a_token_that_does_not_say_how_long_it_lasts_is_not_kept_long(engine: Engine, lasts: Any) -> None:
    issuer = Issuer(engine)
    issuer.lasts = lasts
    one = channel(authentication=OAUTH)
    engine.collect(one)
    engine.clock.advance(60)
    engine.collect(one)
    assert issuer.issued == 2


@pytest.mark.parametrize("lasts", [None, "300", 0, -1, 1.5])
def test_a_token_of_unknown_length_serves_for_a_moment(engine: Engine, lasts: Any) -> None:
    """Otherwise each call of a busy channel would ask for one."""
    issuer = Issuer(engine)
    issuer.lasts = lasts
    for number in range(3):
        engine.collect(channel(authentication=OAUTH), f"firm-{number}")
    assert issuer.issued == 1


def test_a_key_goes_out_with_its_prefix(engine: Engine) -> None:
    engine.http.answer("GET", ORIGIN, 200, {"name": "made up"})
    engine.collect(channel(authentication={"type": "api_key", "header": "authorization", "prefix": "Key "}))
    assert headers(engine.http.calls[0])["authorization"] == "Key made-up-api-key-1"


def test_a_token_that_ends_early_is_renewed_once(engine: Engine) -> None:
    issuer = Issuer(engine)
    one = channel(authentication=OAUTH)
    engine.collect(one)
    issuer.issued += 10
    result = engine.collect(one)
    assert (result.outcome, calls_to(engine, "/firms"), calls_to(engine, "/token")) == ("complete", 3, 2)
    engine.http.answer("GET", f"{ORIGIN}/firms", 401, {})
    assert engine.collect(one).reason == "answered 401"
    assert (calls_to(engine, "/firms"), calls_to(engine, "/token")) == (5, 3)
    assert engine.health_of(one).calls == 5


def test_a_token_belongs_to_its_secret_and_scope(engine: Engine) -> None:
    issuer = Issuer(engine)
    engine.book.keys["source"].secrets["other_secret"] = SECRET
    engine.collect(channel(authentication=OAUTH))
    engine.collect(channel(authentication={**OAUTH, "scope": None}), "firm-2")
    assert (issuer.issued, issuer.scoped) == (2, False)
    engine.collect(channel(authentication={**OAUTH, "secret": "other_secret"}), "firm-3")
    assert (issuer.issued, issuer.scoped) == (3, True)


def test_a_wrong_key_is_no_reason_to_drop_anothers_token(engine: Engine) -> None:
    issuer = Issuer(engine)
    engine.collect(channel(authentication=OAUTH))
    engine.book.keys["source"] = Keys(api_key="wrong", client_id="cli ent", secrets={"client_secret": SECRET})
    engine.http.answer("GET", f"{ORIGIN}/keyed", 401, {})
    keyed = channel(channel_id="keyed-source", transport={"type": "rest", "method": "GET", "path": "/keyed"})
    assert engine.collect(keyed).reason == "answered 401"
    engine.collect(channel(authentication=OAUTH))
    assert (calls_to(engine, "/keyed"), issuer.issued) == (1, 1)


@pytest.mark.parametrize(
    ("answer", "reason", "tries"),
    [
        (Answer(401, b'{"error": "invalid_client"}'), "issues no token: answered 401", 1),
        (Answer(400, b""), "issues no token: answered 400", 1),
        (Answer(200, b"<html>"), "issues no token: the answer is not JSON", 3),
        (Answer(200, b"[]"), "issues no token: answered 200", 3),
        (Answer(200, b'{"access_token": "a\\nb"}'), "issues no token: answered 200", 3),
        (Answer(200, b'{"access_token": ""}'), "issues no token: answered 200", 3),
        (Answer(200, b'{"access_token": 7}'), "issues no token: answered 200", 3),
        (Answer(500, b""), "issues no token: answered 500", 3),
        (
            InstitutionUnavailable("no_answer", error="ReadTimeoutError"),
            "issues no token: no answer: ReadTimeoutError",
            3,
        ),
    ],
)
def test_without_a_token_the_source_is_not_asked(engine: Engine, answer: Any, reason: str, tries: int) -> None:
    Issuer(engine)

    def token(_: Any) -> Answer:
        if isinstance(answer, Exception):
            raise answer
        return answer if answer.status != 500 else _fail()

    def _fail() -> Answer:
        raise InstitutionUnavailable("answered", status=500)

    engine.http.routes["POST", f"{ORIGIN}/token"] = token
    result = engine.collect(channel(authentication=OAUTH, retry={"attempts": 3}))
    assert (result.outcome, result.reason) == ("unavailable", reason)
    assert (calls_to(engine, "/firms"), calls_to(engine, "/token")) == (0, tries)


@pytest.mark.parametrize(
    ("scheme", "keys", "reason"),
    [
        ({"type": "api_key"}, Keys(), "the institution has no secret api_key"),
        ({"type": "api_key"}, Keys(api_key="key\n"), "the secret api_key cannot be sent in a header"),
        ({"type": "api_key"}, Keys(api_key="钥匙"), "the secret api_key cannot be sent in a header"),
        ({"type": "hmac", "over": "x"}, Keys(), "the institution has no secret signing_secret"),
        *(({"type": "hmac", "over": "x"}, Keys(secrets={"signing_secret": bad}), UNFIT_TO_SIGN) for bad in BAD_SIGNING),
        (OAUTH, Keys(), "the institution has no secret client_secret"),
        ({"type": "mtls"}, Keys(), "the institution has no secret certificate"),
        (
            {"type": "mtls"}, Keys(secrets={"certificate": "not PEM", "private_key": "nor this"}),
            "the secrets certificate and private_key are not a certificate and its key in PEM",
        ),
        (
            {"type": "mtls", "authority": "ca"},
            Keys(secrets={"certificate": "not PEM", "private_key": "名", "ca": "no CA"}),
            "the secrets certificate and private_key are not a certificate and its key in PEM",
        ),
    ],
)  # fmt: skip
def test_a_secret_that_is_missing_or_malformed_is_named_and_not_shown(
    engine: Engine, scheme: dict[str, Any], keys: Keys, reason: str
) -> None:
    engine.book.keys["source"] = keys
    result = engine.collect(channel(authentication=scheme))
    assert (result.outcome, result.reason, engine.http.calls) == ("unavailable", reason, [])
    assert engine.health_of(channel(authentication=scheme)).calls == 0


def paged(pages: int = 5, **more: Any) -> Channel:
    paging = {"items": "items", "next": "next", "pages": pages}
    transport = {
        "type": "rest",
        "method": "GET",
        "path": "/firms",
        "query": {"id": "{{taxpayer_id}}"},
        "paging": paging,
    }
    return channel(transport=transport, structure={"rule": "{name: name, items: items}"}, **more)


def pages(engine: Engine, *steps: Any) -> None:
    left = iter(steps)

    def respond(_: Any) -> Answer:
        step = next(left)
        return step if isinstance(step, Answer) else Answer(200, body(step))

    engine.http.routes["GET", f"{ORIGIN}/firms"] = respond


def test_pages_are_joined_and_each_is_kept(engine: Engine) -> None:
    pages(
        engine, {"name": "made up", "items": [1, 2], "next": "a b"}, {"items": [], "next": 7},
        {"name": "other", "items": [3], "next": None},
    )  # fmt: skip
    result = engine.collect(paged())
    assert engine.third(result) == {"name": "made up", "items": [1, 2, 3]}
    assert [urlsplit(call.url).query for call in engine.http.calls] == [
        f"id={FIRM}", f"id={FIRM}&cursor=a+b", f"id={FIRM}&cursor=7",
    ]  # fmt: skip
    assert len(result.raw_keys) == 3
    assert engine.health_of(paged()).calls == 3


def test_more_pages_than_allowed_are_not_taken_for_all(engine: Engine) -> None:
    pages(engine, *({"items": [], "next": number} for number in range(1, 9)))
    result = engine.collect(paged(3))
    assert (result.outcome, result.reason, len(engine.http.calls)) == ("unavailable", "has more than 3 pages", 3)


def test_pages_in_a_circle_end_where_they_meet(engine: Engine) -> None:
    pages(engine, *({"items": [], "next": number % 2} for number in range(1, 9)))
    result = engine.collect(paged(8))
    assert (result.reason, len(engine.http.calls)) == ("has pages that form a loop", 3)


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (Answer(200, b"<html>"), "answer is not JSON"),
        ({"items": {}}, "answer items: must be a list on each page"),
        ([], "answer items: must be a list on each page"),
        (Answer(404, b"{}"), "answered 404"),
    ],
)
def test_a_page_that_cannot_be_read_spoils_the_answer(engine: Engine, second: Any, reason: str) -> None:
    pages(engine, {"items": [1], "next": 2}, second)
    result = engine.collect(paged())
    assert (result.outcome, result.reason, len(result.raw_keys)) == ("unavailable", reason, 2)


def test_a_repeat_waits_longer_each_time_and_as_told(engine: Engine) -> None:
    slept: list[float] = engine.sleep.__self__.slept  # type: ignore[attr-defined]
    engine.http.fail("GET", ORIGIN, InstitutionUnavailable("answered", status=503))
    engine.collect(channel(retry={"attempts": 4, "pause_seconds": 0.5}))
    assert slept == [0.5, 1.0, 2.0]
    slept.clear()
    engine.http.fail("GET", ORIGIN, InstitutionUnavailable("answered", status=429, retry_after=4))
    engine.collect(channel(retry={"attempts": 4}))
    assert slept == [4, 4], "a third wait would end after the call's time"
    slept.clear()
    engine.http.fail("GET", ORIGIN, InstitutionUnavailable("answered", status=429, retry_after=60))
    assert engine.collect(channel(retry={"attempts": 4})).reason == "answered 429"
    assert slept == []


def test_a_pause_is_never_longer_than_five_seconds(engine: Engine) -> None:
    slept: list[float] = engine.sleep.__self__.slept  # type: ignore[attr-defined]
    engine.http.fail("GET", ORIGIN, InstitutionUnavailable("answered", status=503))
    engine.collect(channel(retry={"attempts": 4, "pause_seconds": 4}, limits={"total_seconds": 25}))
    assert slept == [4, 5, 5]


def test_no_call_goes_out_after_the_time_is_up(engine: Engine) -> None:
    def slow(_: Any) -> Answer:
        engine.clock.advance(6)
        raise InstitutionUnavailable("answered", status=500)

    engine.http.routes["GET", f"{ORIGIN}/firms"] = slow
    engine.collect(channel(retry={"attempts": 5, "pause_seconds": 0}))
    assert len(engine.http.calls) == 2


@pytest.mark.parametrize("end", [None, False, ""])
def test_the_last_page_has_no_mark(engine: Engine, end: Any) -> None:
    pages(engine, {"name": "made up", "items": [1], "next": end})
    assert (engine.collect(paged()).outcome, len(engine.http.calls)) == (Outcome.COMPLETE, 1)
