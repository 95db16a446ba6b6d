"""The assessment report says what was decided, from what, and why, in both languages (C16, S10)."""

from __future__ import annotations

import json
from datetime import date
from html.parser import HTMLParser
from typing import Any, get_args

import pytest

from creditmesh.risk.artefact import Artefact
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.model import OUTCOMES
from creditmesh.risk.report import build_report, render_html
from creditmesh.risk.report_words import WORDS, bin_words, format_value, money
from creditmesh.risk.result import Stage, Verdict
from tests.unit.risk.small_model import (
    card,
    characteristic,
    dimension,
    grade,
    groups,
    index_of,
    loaded,
    over,
    rule,
    small,
)

DAY = date(2026, 11, 22)
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
        evaluate(artefact, features, DAY).to_dict(),
        artefact,
        features,
        [SOURCE],
        "spark",
        "2026-11-22T00:00:01Z",
        DAY,
    )


def test_report_is_json_and_holds_all_that_a_replay_needs(origination: Artefact, good_firm: dict[str, Any]) -> None:
    report = json.loads(json.dumps(report_of(origination, good_firm)))
    assert report["versions"] == {
        "model_id": "origination",
        "model_version": "2.1.0",
        "model_hash": origination.content_hash,
        "feature_schema": "key-data-3",
        "engine": "spark",
    }
    assert report["sources"] == [SOURCE]
    assert (
        evaluate(origination, report["features"], date.fromisoformat(report["rules_of"])).to_dict() == report["result"]
    )


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"blacklist_hits": 2},
        {"taxpayer_status": "abnormal"},
        {"debt_ratio_bps": 9_500, "profit_margin_bps": -900, "tax_late_count_24m": 9, "revenue_growth_bps": -5_000},
        {"net_assets_minor": 1},
        {"greylist_hits": 1, "overdue_amount_minor": 500_000, "tax_credit_rating": "C", "debt_ratio_bps": 8_500},
        {"greylist_hits": 1, "whitelist_hits": 1, "fraud_score": float("nan")},
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
    for reason in [*report["reasons"], *report["price_reasons"]]:
        assert reason["text"][language] in page.text
    for fired in report["fired_rules"]:
        assert fired["text"][language] in page.text
        assert WORDS[language][f"outcome_{fired['outcome']}"] in page.text
        assert fired["condition"][language] in page.text
        for value in fired["values"]:
            assert f"{value['label'][language]}: {value['value'][language]}" in page.text
    for line in (report["risk_index"] or {"dimensions": []})["dimensions"]:
        assert line["label"][language] in page.text
    assert (WORDS[language]["price_steps"] in page.text) == (result["annual_rate_bps"] is not None)
    assert (WORDS[language]["proposed"] in page.text) == (result["decision"] == "refer")
    for line in report["points"]:
        assert line["label"][language] in page.text
        assert line["bin_text"][language] in page.text
    for expected in ("2026-11-22T00:00:00Z", "2026-11-22T00:00:01Z", "origination 2.1.0", origination.content_hash):
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
    result = {**evaluate(origination, good_firm, DAY).to_dict(), "model_hash": "sha256:other"}
    with pytest.raises(ValueError, match="sha256:other"):
        build_report("a", "n", {}, result, origination, good_firm, [], "spark", "2026-11-22T00:00:01Z", DAY)


def test_refuses_an_unknown_language(origination: Artefact, good_firm: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="language"):
        render_html(report_of(origination, good_firm), "fr")


def of_small(features: dict[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    """The report on the usual firm by the small model, with some parts replaced."""
    firm = {"amount": 1_000_000, "debt": 30, "kind": "A", "flag": False, **(features or {})}
    return report_of(loaded(**parts), firm)


def test_a_decline_names_the_standard_code_of_each_reason() -> None:
    declined = of_small(rules=[rule("r", "stop")])
    reason = {"code": "RULE", "text": {"zh-CN": "文", "en": "text"}, "adverse_action": "977", "parameters": None}
    assert declined["reasons"] == [reason]
    assert "standard code 977" in Page(render_html(declined, "en")).text
    referred = of_small(rules=[rule("r", "refer")])
    assert "standard code" not in Page(render_html(referred, "en")).text


def test_a_rate_above_the_cap_is_shown_with_its_sum() -> None:
    report = of_small(price={**small()["price"], "cap_bps": 500})
    assert (report["result"]["stage"], report["price"]["uncapped_bps"]) == ("price", 550)
    page = Page(render_html(report, "en")).text
    assert WORDS["en"]["stage_price"] in page
    for figure in ("3.00%", "0.50%", "1.00%", "5.50%", "5.00%"):
        assert figure in page


def test_fired_rules_stand_in_the_matrix_of_sources_and_aspects() -> None:
    when = {"or": [{">": [{"var": "debt"}, 0]}, {"missing": "kind"}]}
    features = small()["feature_schema"]["features"]
    features["kind"]["source"] = "borrower"
    report = of_small(
        rules=[rule("r", "adjust", points=-7, when=when, aspect="willingness")],
        feature_schema={**small()["feature_schema"], "features": features},
    )
    assert report["fired_rules"] == [
        {"id": "r", "outcome": "adjust", "points": -7, "aspect": "willingness", "sources": ["borrower", "third_party"],
         "reason_code": "RULE", "text": {"zh-CN": "文", "en": "text"}, "unknown": False,
         "condition": {"zh-CN": "文高于0.00%或文未知", "en": "text is above 0.00% or text is not known"},
         "values": [
             {"feature": "debt", "label": {"zh-CN": "文", "en": "text"}, "value": {"zh-CN": "0.30%", "en": "0.30%"}},
             {"feature": "kind", "label": {"zh-CN": "文", "en": "text"}, "value": {"zh-CN": "A", "en": "A"}}]}
    ]  # fmt: skip
    assert "-7" in Page(render_html(report, "en")).text


def test_a_rule_that_fires_on_the_unknown_says_so() -> None:
    when = {"<": [{"var": "debt"}, 5]}
    report = of_small({"debt": None}, rules=[rule("r", "refer", when=when, if_unknown="fire")])
    (fired,) = report["fired_rules"]
    assert fired["unknown"] is True
    assert fired["values"][0]["value"] == {"zh-CN": "未知", "en": "not known"}


def test_pairs_read_as_their_two_features_and_bins() -> None:
    axes = (over("debt", 50, specials=((7, 8),)), groups("kind", ("A", "B")))
    pair = {**characteristic("pair", [9] * 12, *axes), "evidence": "simulated"}
    report = of_small({"debt": 7, "kind": "Z"}, scorecard=card(pair), grades=[grade("A", -10_000, 100)])
    (line,) = report["points"]
    assert line["bin"] == "7|8 × other"
    assert line["value"] == {"zh-CN": "0.07% × Z", "en": "0.07% × Z"}
    assert line["bin_text"] == {"zh-CN": "7, 8 × 其他", "en": "7, 8 × Any other"}
    assert WORDS["en"]["simulated"] in Page(render_html(report, "en")).text


@pytest.mark.parametrize(("flag", "text"), [(True, "Yes"), (False, "Any other"), (None, "No data")])
def test_a_boolean_reads_as_yes_and_no(flag: bool | None, text: str) -> None:
    item = characteristic("kind", [1, 2, 3], groups("flag", (True,)))
    (line,) = of_small({"flag": flag}, scorecard=card(item), grades=[grade("A", -10_000, 100)])["points"]
    assert line["bin_text"]["en"] == text


def test_base_points_are_those_of_the_firms_segment() -> None:
    whole = small()["scorecard"]
    first = {**whole["segments"][0], "id": "first", "when": {"==": [{"var": "kind"}, "A"]}, "base_points": 77}
    report = of_small(scorecard={**whole, "segments": [first, *whole["segments"]]})
    assert (report["result"]["segment"], report["base_points"], report["result"]["score"]) == ("first", 77, 117)


def test_quality_tells_what_was_not_supplied_or_is_no_number() -> None:
    model = loaded()
    firm = {"amount": float("inf"), "kind": None, "flag": False}
    report = report_of(model, firm)
    assert [(line["feature"], line["finding"]) for line in report["quality"]] == [
        ("amount", "not_a_number"),
        ("debt", "absent"),
    ]
    assert json.loads(json.dumps(report["features"])) == {"amount": None, "debt": None, "kind": None, "flag": False}
    page = Page(render_html(report, "en")).text
    assert "not a number" in page
    assert "not supplied" in page


def test_the_index_is_shown_by_dimension() -> None:
    index = index_of(dimension("a", 2_500, 40), dimension("b", 7_500, 7), grades=(("MID", 0, "pass"),))
    report = of_small(risk_index=index)
    assert report["risk_index"]["index"] == 1_525
    assert [line["grade"] for line in report["risk_index"]["dimensions"]] == [40, 7]
    page = Page(render_html(report, "en")).text
    assert "Risk index 15.25 · MID" in page
    assert of_small()["risk_index"] is None


def test_every_stage_outcome_and_finding_has_its_words() -> None:
    for language in WORDS.values():
        assert {f"stage_{stage}" for stage in get_args(Stage)} <= language.keys()
        assert {f"outcome_{outcome}" for outcome in OUTCOMES} <= language.keys()
        assert set(get_args(Verdict)) <= language.keys()


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


LOST = {"dishonest_debtor_listed": None, "unread": "dishonest_debtor_listed:judicial"}


def test_a_referral_names_what_could_not_be_read_and_the_source(
    origination: Artefact, good_firm: dict[str, Any]
) -> None:
    """F1: in both languages, and as a code with parameters."""
    report = report_of(origination, good_firm, **LOST)
    (reason,) = report["reasons"]
    assert reason["code"] == "DATA_NOT_AVAILABLE"
    assert reason["parameters"] == {"features": ["dishonest_debtor_listed"], "sources": ["judicial"]}
    assert reason["text"]["en"].endswith("(could not be read: court register)")
    assert reason["text"]["zh-CN"].endswith("（无法读取：法院登记信息）")
    (open_rule,) = report["unread_rules"]
    assert (open_rule["id"], open_rule["unknown"]) == ("dishonest_debtor", True)
    assert open_rule["values"][0]["value"]["en"] == "could not be read: court register"
    assert report["features"]["unread"] == LOST["unread"], "a replay needs it"
    assert evaluate(origination, report["features"], DAY).to_dict() == report["result"]
    for language, word in (("en", "Undecided: "), ("zh-CN", "无法判断：")):
        text = Page(render_html(report, language)).text
        assert word + open_rule["text"][language].removeprefix(word) in text
        assert reason["text"][language] in text


@pytest.mark.parametrize(
    ("feature", "source"),
    [("statement_months", ""), ("revenue_12m_minor", "tax"), ("tax_paid_12m_minor", ""), ("tax_paid_12m_minor", "tax")],
)
def test_no_reason_calls_too_little_what_is_unknown(
    origination: Artefact, good_firm: dict[str, Any], feature: str, source: str
) -> None:
    """F8: rules and limit."""
    report = report_of(origination, good_firm, **{feature: None, "unread": f"{feature}:{source}" if source else None})
    found = next(reason for reason in report["reasons"] if reason["code"] == "DATA_NOT_AVAILABLE")
    assert found["parameters"] == {"features": [feature], "sources": [source] if source else []}
    assert "below" not in found["text"]["en"]
    for line in report["limit_methods"]:
        if line["unknown"]:
            assert ("could not be read" if source else "not known") in line["label"]["en"]


def test_a_bin_without_data_says_why(origination: Artefact, good_firm: dict[str, Any]) -> None:
    report = report_of(origination, good_firm, debt_ratio_bps=None, unread="debt_ratio_bps:tax")
    line = next(line for line in report["points"] if line["characteristic"] == "debt_ratio_bps")
    assert line["value"] == {"zh-CN": "无法读取：税务机关", "en": "could not be read: tax bureau"}
    assert line["bin_text"]["en"] == "No data"
    small = of_small({"debt": None, "unread": "debt:judicial"})
    named = [one["parameters"] for one in small["price_reasons"] if one["code"] == "UNKNOWN"]
    assert named == [{"features": ["debt"], "sources": ["judicial"]}]


def test_unknown_values_that_cost_no_points_are_no_reason() -> None:
    best = characteristic("debt", [0, 0, 0, 40], over("debt", 50, 100))
    costly = characteristic("kind", [30, 30, 25], groups("kind", ("A", "B")))
    report = of_small({"debt": None, "kind": None}, scorecard=card(best, costly))
    (reason,) = report["price_reasons"]
    assert (reason["code"], reason["parameters"]["features"]) == ("UNKNOWN", ["kind"])
