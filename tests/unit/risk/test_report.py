"""The assessment report says what was decided, from what, and why, in both languages (C16, S10)."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest

from creditmesh.risk.artefact import Artefact
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.report import build_report, render_html
from creditmesh.risk.report_words import WORDS, bin_words, format_value, money

SOURCE = {"source": "tax", "channel": "tax-bureau", "fetched_at": "2026-11-22T00:00:00Z", "sha256": "ab" * 32}
VOID = {"meta", "br", "hr", "link", "img", "input"}


class Page(HTMLParser):
    """Collects text and checks that tags close in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.open, self.attributes = "", list[str](), list[tuple[str, str | None]]()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def report_of(artefact: Artefact, firm: dict[str, Any], name: str = "华东机械", **changes: Any) -> dict[str, Any]:
    features = {**firm, **changes}
    return build_report(
        "application-1",
        name,
        {"amount": "500000.00", "currency": "CNY", "term_months": 12},
        evaluate(artefact, features).to_dict(),
        artefact,
        features,
        [SOURCE],
        "spark",
        "2026-11-22T00:00:01Z",
    )


def test_report_is_json_and_holds_all_that_a_replay_needs(origination: Artefact, good_firm: dict[str, Any]) -> None:
    report = json.loads(json.dumps(report_of(origination, good_firm)))
    assert report["versions"] == {
        "model_id": "origination",
        "model_version": "1.0.0",
        "model_hash": origination.content_hash,
        "feature_schema": "key-data-1",
        "engine": "spark",
    }
    assert report["sources"] == [SOURCE]
    assert evaluate(origination, report["features"]).to_dict() == report["result"]


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"blacklist_hits": 2},
        {"taxpayer_status": "abnormal"},
        {"debt_ratio_bps": 9_500, "profit_margin_bps": -900, "tax_late_count_24m": 9, "revenue_growth_bps": -5_000},
        {"net_assets_minor": 1},
        {"net_assets_minor": None, "industry": None, "tax_credit_rating": "new"},
    ],
)
def test_page_is_well_formed_and_shows_the_result_at_every_stage(
    origination: Artefact, good_firm: dict[str, Any], changes: dict[str, Any], language: str
) -> None:
    report = report_of(origination, good_firm, **changes)
    page = Page(render_html(report, language))
    assert page.open == []
    result = report["result"]
    assert WORDS[language][result["decision"]] in page.text
    assert WORDS[language][f"stage_{result['stage']}"] in page.text
    for reason in report["reasons"]:
        assert reason["text"][language] in page.text
    for line in report["points"]:
        assert line["label"][language] in page.text
        assert line["bin_text"][language] in page.text
    for expected in ("2026-11-22T00:00:00Z", "2026-11-22T00:00:01Z", "origination 1.0.0", origination.content_hash):
        assert expected in page.text
    if result["limit_minor"] is not None:
        assert money(result["limit_minor"]) in page.text


def test_page_escapes_names_and_loads_nothing(origination: Artefact, good_firm: dict[str, Any]) -> None:
    html = render_html(report_of(origination, good_firm, name="<script>alert(1)</script>&"), "en")
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;" in html
    assert not {name for name, _ in Page(html).attributes} & {"src", "href", "srcset"}
    assert "url(" not in html
    assert "@import" not in html


def test_refuses_a_result_of_another_model(origination: Artefact, good_firm: dict[str, Any]) -> None:
    result = {**evaluate(origination, good_firm).to_dict(), "model_hash": "sha256:other"}
    with pytest.raises(ValueError, match="sha256:other"):
        build_report("a", "n", {}, result, origination, good_firm, [], "spark", "2026-11-22T00:00:01Z")


def test_refuses_an_unknown_language(origination: Artefact, good_firm: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="language"):
        render_html(report_of(origination, good_firm), "fr")


def test_both_languages_have_the_same_words() -> None:
    assert WORDS["zh-CN"].keys() == WORDS["en"].keys()


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (-123_456_789, "minor", "-1,234,567.89"),
        (-5, "bps", "-0.05%"),
        (909, "bps", "9.09%"),
        (12, "months", "12 months"),
        (None, "minor", "not known"),
        (True, "none", "yes"),
        ("C34", "none", "C34"),
    ],
)
def test_values_read_as_people_write_them(value: Any, unit: str, text: str) -> None:
    assert format_value(value, unit, "en") == text


@pytest.mark.parametrize(
    ("lower", "upper", "unit", "text"),
    [
        (None, 1, "count", "at most 0"),
        (1, 2, "count", "1"),
        (1, 3, "count", "1 to 2"),
        (3, None, "count", "3 and more"),
        (None, 3_000, "bps", "below 30.00%"),
        (0, 3_000, "bps", "0.00% to 30.00%"),
        (None, None, "bps", "any value"),
    ],
)
def test_bins_read_as_ranges(lower: int | None, upper: int | None, unit: str, text: str) -> None:
    assert bin_words(lower, upper, unit, "en") == text
