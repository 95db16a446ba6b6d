"""Where a channel may call, against every trick of writing an address (G02, server-side request forgery)."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from urllib3.util import parse_url

from creditmesh.gateway.channels.origins import allowed_origin
from creditmesh.kernel.errors import InvalidInput

LISTED = [
    "https://api.bureau.example", "https://*.shops.example", "https://pinned.example:8443", "http://192.0.2.7:8080",
    "https://[2001:db8::7]", "not an origin", "https://*", "https://*.192.0.2.8",
]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://api.bureau.example", "https://api.bureau.example"),
        ("https://api.bureau.example/", "https://api.bureau.example"),
        ("HTTPS://API.Bureau.Example", "https://api.bureau.example"),
        ("https://api.bureau.example:443", "https://api.bureau.example"),
        ("https://eu.shops.example", "https://eu.shops.example"),
        ("https://a.b.shops.example", "https://a.b.shops.example"),
        ("https://pinned.example:8443", "https://pinned.example:8443"),
        ("http://192.0.2.7:8080", "http://192.0.2.7:8080"),
        ("https://[2001:db8::7]", "https://[2001:db8::7]"),
    ],
)
def test_what_is_listed_is_allowed_in_its_usual_form(given: str, origin: str) -> None:
    assert allowed_origin(given, None, LISTED) == origin


@pytest.mark.parametrize(
    "trick",
    [
        "https://api.bureau.example@evil.example",
        "https://api.bureau.example:443@evil.example",
        "https://user:pass@api.bureau.example",
        "https://evil.example\\@api.bureau.example",
        "https://api.bureau.example\\.evil.example",
        "https:\\\\api.bureau.example",
        "https://api.bureau.example%2eevil.example",
        "https://api%2ebureau.example",
        "https://api.bureau.example.",
        "https://api.bureau.example.evil.example",
        "https://evilapi.bureau.example",
        "https://bureau.example",
        "https://apixbureau.example",
        "https://ap\u0456.bureau.example",
        "https://\u24d0pi.bureau.example",
        "https://shop\u017f.example",
        "https://eu.\u017fhops.example",
        "https://api.bureau\u3002example",
        "https://api.bureau.example\u2044@evil.example",
        "https://api.bureau.ex\u00adample",
        "https://api.bureau.example:8443",
        "https://api.bureau.example:0",
        "https://api.bureau.example:99999",
        "https://api.bureau.example:\uff14\uff14\uff13",
        "https://api.bureau.example:443:443",
        "http://api.bureau.example",
        "ftp://api.bureau.example",
        "gopher://api.bureau.example",
        "file:///etc/passwd",
        "//api.bureau.example",
        "api.bureau.example",
        "https:api.bureau.example",
        "https:///api.bureau.example",
        "https://",
        "https://api.bureau.example/path",
        "https://api.bureau.example/..",
        "https://api.bureau.example?",
        "https://api.bureau.example?x=1",
        "https://api.bureau.example#",
        "https://api.bureau.example#@evil.example",
        "https://api.bureau.example/?",
        " https://api.bureau.example",
        "\x01https://api.bureau.example",
        "https://api.bureau.example\n",
        "https://api.bur\teau.example",
        "https://api.bureau.example\r\nx: y",
        "https://shops.example",
        "https://.shops.example",
        "https://evilshops.example",
        "https://a..shops.example",
        "https://-a.shops.example",
        "https://a_b.shops.example",
        "https://a.shops.example.evil.example",
        "https://*.shops.example",
        "http://eu.shops.example",
        "https://eu.shops.example:8443",
        "https://pinned.example",
        "http://3221225991:8080",
        "http://0xc0000207:8080",
        "http://0300.0.2.7:8080",
        "http://192.0.519:8080",
        "http://192.0.2.07:8080",
        "http://192.0.2.7",
        "http://192.0.2.7.evil.example:8080",
        "https://x.192.0.2.8",
        "https://1.192.0.2.8",
        "https://192.0.2.8",
        "https://[::1]",
        "https://[::ffff:192.0.2.7]",
        "https://[2001:db8::7%25eth0]",
        "https://[2001:db8::7",
        "http://127.0.0.1",
        "http://localhost",
        "http://169.254.169.254",
        "https://xn--pi-7kc.bureau.example",
    ],
)  # fmt: skip
def test_nothing_else_is(trick: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        allowed_origin(trick, None, LISTED)
    assert refusal.value.field == "base_url"


def test_the_two_readers_of_urls_agree_on_what_is_allowed() -> None:
    for one in ("https://eu.shops.example", "https://[2001:db8::7]", "http://192.0.2.7:8080"):
        origin = allowed_origin(one, None, LISTED)
        assert urlsplit(origin + "/x").hostname == (parse_url(origin + "/x").host or "").strip("[]")


def test_the_address_book_comes_first() -> None:
    assert allowed_origin("", "http://10.0.0.7:9101/base/", []) == "http://10.0.0.7:9101/base"
    assert allowed_origin("https://bureau.example", "https://bureau.example:443/", []) == "https://bureau.example:443"
    for other in ("https://other.example", "http://bureau.example", "https://bureau.example:444"):
        with pytest.raises(InvalidInput, match="differs"):
            allowed_origin(other, "https://bureau.example", [other])


def test_a_document_alone_leads_nowhere() -> None:
    with pytest.raises(InvalidInput, match="is required"):
        allowed_origin("", None, LISTED)
    with pytest.raises(InvalidInput, match="must be an allow-listed"):
        allowed_origin("https://api.bureau.example", None, [])
