"""Which format and language a client gets (RFC 9110, section 12)."""

from __future__ import annotations

import pytest

from api.negotiation import language, wants_html


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("text/html", True),
        ("text/html,application/xhtml+xml,*/*;q=0.8", True),
        ("application/json;q=0.4, text/html;q=0.5", True),
        ("TEXT/HTML", True),
        ("text/html, application/json", False),
        ("text/html;q=0.5, application/json;q=0.5", False),
        ("text/html;q=0", False),
        ("text/html;q=none", False),
        ("text/html;q=-1", False),
        ("text/html;q=nan", False),
        ("text/html;q=inf, application/json;q=0.1", False),
        ("*/*", False),
        ("", False),
        (None, False),
    ],
)
def test_a_page_is_for_clients_that_prefer_it_by_name(accept: str | None, html: bool) -> None:
    assert wants_html(accept) is html


@pytest.mark.parametrize(
    ("wish", "given"),
    [
        ("zh", "zh-CN"),
        ("zh-TW, en;q=0.9", "zh-CN"),
        ("en-GB, zh", "en"),
        ("zh, en", "zh-CN"),
        ("en;q=0.3, zh;q=0.4", "zh-CN"),
        ("de, fr;q=0.9, zh;q=0.1", "zh-CN"),
        ("zh;q=0", "en"),
        ("zh;q=2, en;q=0.5", "en"),
        ("zhuang", "en"),
        ("de", "en"),
        (None, "en"),
    ],
)
def test_the_language_that_is_preferred_of_ours_the_first_of_equals(wish: str | None, given: str) -> None:
    assert language(wish) == given
