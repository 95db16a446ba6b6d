"""The catalogue of features and the matrix of rules (M06)."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from creditmesh.features.table import FEATURES
from creditmesh.governance.catalogue import FeatureCatalogue, RuleBook, feature_catalogue, rule_book
from creditmesh.governance.statistics import RuleHits, RuleStatistics
from creditmesh.risk.artefact import load, seal

TEXT = (Path(__file__).parents[3] / "models" / "origination-2.1.0.json").read_text(encoding="utf-8")
TODAY = date(2026, 11, 21)
HITS = RuleStatistics(
    model_id="origination", since="2026-11-01", until="2026-11-22", decisions=3,
    rules={"tax_arrears": RuleHits(tried=3, fired=2, decided=1)}, days=[], pending=[],
)  # fmt: skip


@pytest.fixture(scope="module")
def catalogue() -> FeatureCatalogue:
    return feature_catalogue(load(TEXT))


def book(*rules: dict[str, Any]) -> RuleBook:
    """The shipped rules and more."""
    document = json.loads(TEXT)
    document["rules"] += rules
    document = seal(document)
    return rule_book(load(json.dumps(document)), document, TODAY, HITS)


def changed(name: str, **parts: Any) -> dict[str, Any]:
    """The rule about arrears under another id, with some parts replaced."""
    (rule,) = (one for one in json.loads(TEXT)["rules"] if one["id"] == "tax_arrears")
    return {**rule, "id": name, **parts}


def test_every_feature_of_key_data_is_listed_once(catalogue: FeatureCatalogue) -> None:
    names = [feature.name for feature in catalogue.features]
    assert len(names) == len(set(names))
    assert set(names) >= {feature.name for feature in FEATURES}
    assert all(feature.meaning for feature in catalogue.features)


def test_a_feature_of_the_model_says_what_it_is_and_who_uses_it(catalogue: FeatureCatalogue) -> None:
    (found,) = (one for one in catalogue.features if one.name == "statement_months")
    assert (found.type, found.unit, found.source, found.in_model) == ("integer", "months", "third_party", True)
    assert found.label == {"zh-CN": "财务报表覆盖月数", "en": "Months covered by statements"}
    assert found.read_from == ["tax"]
    assert found.used_by.rules == ["thin_file", "revenue_unknown"]
    (margin,) = (one for one in catalogue.features if one.name == "profit_margin_bps")
    assert margin.used_by.characteristics == ["all/profit_margin_bps"]
    assert margin.used_by.risk_index == ["ability/profit_margin"]
    (revenue,) = (one for one in catalogue.features if one.name == "revenue_12m_minor")
    assert revenue.used_by.limit_methods == ["revenue_share", "existing_debt"]


def test_a_feature_beyond_the_model_can_be_taken_into_it(catalogue: FeatureCatalogue) -> None:
    (found,) = (one for one in catalogue.features if one.name == "shop_months_open")
    assert (found.in_model, found.label, found.source, found.unit) == (False, None, "merchant", "months")
    assert found.used_by.rules == []
    (status,) = (one for one in catalogue.features if one.name == "shop_status")
    assert (status.type, status.unit) == ("string", "none")


def test_the_matrix_has_every_cell_and_names_the_empty_ones() -> None:
    found = book()
    assert {(source, aspect) for source, row in found.matrix.items() for aspect in row} == {
        (source, aspect)
        for source in ("borrower", "merchant", "third_party", "system")
        for aspect in ("authenticity", "ability", "willingness")
    }
    assert "tax_arrears" in found.matrix["third_party"]["willingness"]
    assert found.matrix["system"]["willingness"] == ["greylisted", "whitelisted", "blacklisted"]
    empty = {(cell.source, cell.aspect) for cell in found.empty_cells}
    assert {("merchant", aspect) for aspect in ("authenticity", "ability", "willingness")} <= empty
    assert ("third_party", "ability") not in empty


def test_a_rule_over_data_of_two_parties_stands_in_two_cells() -> None:
    when = {"<": [{"var": "requested_amount_minor"}, {"var": "revenue_12m_minor"}]}
    (found,) = (rule for rule in book(changed("asks_little", when=when)).rules if rule.id == "asks_little")
    assert [(cell.source, cell.aspect) for cell in found.cells] == [
        ("borrower", "willingness"),
        ("third_party", "willingness"),
    ]


def test_a_rule_reads_as_a_sentence_and_shows_its_hits() -> None:
    (found,) = (rule for rule in book().rules if rule.id == "tax_arrears")
    assert found.condition == {"en": "Tax arrears is above 1,000.00", "zh-CN": "欠税金额高于1,000.00"}
    assert found.when == {">": [{"var": "tax_arrears_minor"}, 100_000]}
    assert (found.if_unknown, found.outcome, found.in_force) == ("pass", "stop", True)
    assert found.hits == RuleHits(tried=3, fired=2, decided=1)


def test_a_rule_of_tomorrow_is_shown_as_not_in_force() -> None:
    rules = book(changed("later", effective_from="2026-11-22"), changed("over", effective_until="2026-11-21")).rules
    assert {rule.id: rule.in_force for rule in rules if rule.id in ("later", "over")} == {"later": False, "over": False}


def test_rules_stand_in_the_order_in_which_they_are_tried() -> None:
    found = [rule.id for rule in book(changed("first", priority=900), changed("listed", stage="lists")).rules]
    assert found[:6] == ["blacklist_name_alike", "greylisted", "whitelisted", "blacklisted", "listed", "first"]
