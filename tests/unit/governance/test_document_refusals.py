"""Every rule of the format: what breaks it is refused with the place and the rule (S10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from creditmesh.governance.document.artefact import checked
from creditmesh.risk.artefact import ArtefactInvalid, seal
from tests.unit.risk.small_model import (
    characteristic,
    dimension,
    feature,
    groups,
    index_of,
    method,
    over,
    rule,
    small,
    term,
)

Spoil = Callable[[dict[str, Any]], Any]
SOUND: dict[str, Any] = {
    "rules": [rule("first", "stop"), rule("second", "adjust", points=5)],
    "tests": [{"name": "t", "on": "2026-01-15", "features": {"debt": 1}, "expect": {"decision": "approve"}}],
    "risk_index": index_of(
        dimension("a", 6_000, 10), dimension("b", 4_000, 10), grades=(("HIGH", 5_000, "stop"), ("LOW", 0, "pass"))
    ),
}


def put(*path: Any) -> Spoil:
    """Return a function that puts the last of ``path`` into a document at the keys before it."""
    *keys, last, value = path

    def spoil(document: Any) -> None:
        for key in keys:
            document = document[key]
        document[last] = value

    return spoil


def drop(*path: Any) -> Spoil:
    """Return a function that deletes what lies at ``path``."""
    *keys, last = path

    def spoil(document: Any) -> None:
        for key in keys:
            document = document[key]
        del document[last]

    return spoil


def refusal(spoil: Spoil) -> ArtefactInvalid:
    """Return the error that saving the spoilt, newly sealed document raises."""
    document = small(**SOUND)
    spoil(document)
    with pytest.raises(ArtefactInvalid) as caught:
        checked(seal(document))
    return caught.value


def test_the_document_that_is_spoilt_is_sound() -> None:
    assert checked(seal(small(**SOUND))).rules[1].points == 5


RULE = ("rules", 0)
WHEN = (*RULE, "when")
SEGMENT = ("scorecard", "segments", 0)
NUMERIC = (*SEGMENT, "characteristics", 0)
CATEGORY = (*SEGMENT, "characteristics", 1)
METHOD = ("limit", "methods", 0)
INDEX = ("risk_index",)
CASE = ("tests", 0)
CARDS = "$.scorecard.segments[0].characteristics"
MANY = [over("debt", *range(60)), groups("kind", *[(f"k{i}",) for i in range(60)])]

HEAD = [
    (put("format_version", 3), "$.format_version", "must be 2"),
    (put("format_version", True), "$.format_version", "must be 2"),
    (put("surplus", 1), "$", "must not have the key 'surplus'"),
    (drop("limit"), "$", "must have the key 'limit'"),
    (put("model_id", "Big"), "$.model_id", "String should match pattern"),
    (put("version", "1.0"), "$.version", "String should match pattern"),
    (put("version", "01.0.0"), "$.version", "String should match pattern"),
    (put("currency", "cny"), "$.currency", "String should match pattern"),
    (put("max_reasons", 0), "$.max_reasons", "Input should be greater than"),
    (put("max_reasons", "4"), "$.max_reasons", "Input should be a valid integer"),
    (put("missing_reason_code", "NO_SUCH"), "$.missing_reason_code", "must be one of"),
    (put("feature_schema", "id", "Key"), "$.feature_schema.id", "String should match pattern"),
    (put("feature_schema", "version", 0), "$.feature_schema.version", "Input should be greater than"),
    (put("feature_schema", "features", []), "$.feature_schema.features", "Input should be a valid dictionary"),
    (
        put("feature_schema", "features", "debt", "type", "float"),
        "$.feature_schema.features.debt.type",
        "Input should be 'integer'",
    ),
    (
        put("feature_schema", "features", "debt", "unit", "eur"),
        "$.feature_schema.features.debt.unit",
        "Input should be 'minor'",
    ),
    (
        put("feature_schema", "features", "debt", "source", "us"),
        "$.feature_schema.features.debt.source",
        "Input should be 'borrower'",
    ),
    (
        drop("feature_schema", "features", "debt", "source"),
        "$.feature_schema.features.debt",
        "must have the key 'source'",
    ),
    (
        drop("feature_schema", "features", "debt", "label", "en"),
        "$.feature_schema.features.debt.label",
        "must have the key",
    ),
    (put("feature_schema", "features", "Debt", {}), "$.feature_schema.features.Debt", "String should match pattern"),
    (put("reasons", "RULE", "en", ""), "$.reasons.RULE.en", "String should have at least 1"),
    (put("reasons", "RULE", "adverse_action", ""), "$.reasons.RULE.adverse_action", "String should match pattern"),
    (drop("reasons", "RULE", "adverse_action"), "$.reasons.RULE", "must have the key 'adverse_action'"),
    (put("reasons", "rule", {}), "$.reasons.rule", "String should match pattern"),
]
RULES = [
    (put("rules", {}), "$.rules", "Input should be a valid list"),
    (put("rules", 1, "id", "first"), "$.rules", "must not repeat id"),
    (put(*RULE, "id", "First"), "$.rules[0].id", "String should match pattern"),
    (put(*RULE, "stage", "blacklist"), "$.rules[0].stage", "Input should be 'lists'"),
    (put(*RULE, "outcome", "fail"), "$.rules[0].outcome", "Input should be 'stop'"),
    (put(*RULE, "points", 3), "$.rules[0]", "must have points if and only if its outcome is adjust"),
    (drop("rules", 1, "points"), "$.rules[1]", "must have points if and only if its outcome is adjust"),
    (put("rules", 1, "points", 10_001), "$.rules[1].points", "Input should be less than"),
    (put(*RULE, "priority", -1), "$.rules[0].priority", "Input should be greater than"),
    (put(*RULE, "aspect", "luck"), "$.rules[0].aspect", "Input should be 'authenticity'"),
    (put(*RULE, "if_unknown", "maybe"), "$.rules[0].if_unknown", "Input should be 'fire'"),
    (put(*RULE, "if_unread", "maybe"), "$.rules[0].if_unread", "Input should be 'fire'"),
    (put("rules", 0, {**rule("a", "pass"), "if_unread": "refer"}), "$.rules[0].if_unread", "must be absent unless"),
    (
        put("feature_schema", "features", "unread", feature("string")),
        "$.feature_schema.features",
        "must not name a feature 'unread'",
    ),
    (put(*RULE, "reason_code", "NO_SUCH"), "$.rules[0].reason_code", "must be one of"),
    (drop(*RULE, "effective_from"), "$.rules[0]", "must have the key 'effective_from'"),
    (put(*RULE, "effective_from", "2026-02-30"), "$.rules[0].effective_from", "must be a date"),
    (put(*RULE, "effective_from", "20260101"), "$.rules[0].effective_from", "String should match pattern"),
    (put(*RULE, "effective_until", 20260101), "$.rules[0].effective_until", "Input should be a valid string"),
    (
        lambda d: d["rules"][0].update(effective_from="2026-01-01", effective_until="2026-01-01"),
        "$.rules[0].effective_until",
        "must be later than effective_from",
    ),
]
CONDITIONS = [
    (put(*WHEN, {"==": [{"var": "no_such"}, 1]}), "$.rules[0].when.==[0].var", "must be one of"),
    (put(*WHEN, {"==": [{"var": "kind"}, 1]}), "$.rules[0].when.==", "must compare two operands of the same type"),
    (put(*WHEN, {"==": [{"var": "flag"}, 1]}), "$.rules[0].when.==", "must compare two operands of the same type"),
    (put(*WHEN, {"<": [{"var": "kind"}, "C"]}), "$.rules[0].when.<", "must order integers only"),
    (put(*WHEN, {"==": [{"var": "debt"}]}), "$.rules[0].when.==", "must be an array of 2 to 2 items"),
    (put(*WHEN, {"==": [{"var": "debt"}, 2**63]}), "$.rules[0].when.==[1]", "must be an integer from"),
    (put(*WHEN, {"==": [{"var": "kind"}, "\ud800"]}), "$.rules[0].when.==[1]", "must be a string that matches"),
    (put(*WHEN, {"==": [{"var": "kind"}, None]}), "$.rules[0].when.==[1]", "must be a string that matches"),
    (put(*WHEN, {"in": [{"var": "kind"}, []]}), "$.rules[0].when.in[1]", "must be an array of 1 to 64 items"),
    (put(*WHEN, {"in": [{"var": "kind"}, ["C", 1]]}), "$.rules[0].when.in[1][1]", "must be a string that matches"),
    (put(*WHEN, {"in": [{"var": "flag"}, [1]]}), "$.rules[0].when.in[1][0]", "must be true or false"),
    (put(*WHEN, {"missing": "no_such"}), "$.rules[0].when.missing", "must be one of"),
    (put(*WHEN, {"and": []}), "$.rules[0].when.and", "must be an array of 1 to 64 items"),
    (put(*WHEN, {"xor": []}), "$.rules[0].when", "must have one of the operators"),
    (put(*WHEN, {}), "$.rules[0].when", "must have exactly one operator"),
    (put(*WHEN, {"missing": "debt", "not": {"missing": "debt"}}), "$.rules[0].when", "must have exactly one operator"),
    (put(*WHEN, None), "$.rules[0].when", "must be an object"),
]
SCORECARD = [
    (put("scorecard", "cutoff", 10_001), "$.scorecard.cutoff", "Input should be less than"),
    (put("scorecard", "refer_below", 49), "$.scorecard.refer_below", "must not be below the cutoff, 50"),
    (drop("scorecard", "refer_below"), "$.scorecard", "must have the key 'refer_below'"),
    (put("scorecard", "scale", "pdo", 0), "$.scorecard.scale.pdo", "Input should be greater than"),
    (put("scorecard", "segments", []), "$.scorecard.segments", "List should have at least 1 item"),
    (
        put(*SEGMENT, "when", {"missing": "debt"}),
        "$.scorecard.segments",
        "must have a condition in every segment but the last",
    ),
    (
        lambda d: d["scorecard"]["segments"].append({**d["scorecard"]["segments"][0], "id": "more"}),
        "$.scorecard.segments",
        "must have a condition in every segment but the last",
    ),
    (
        lambda d: d["scorecard"]["segments"].append(d["scorecard"]["segments"][0]),
        "$.scorecard.segments",
        "must not repeat id",
    ),
    (put(*SEGMENT, "characteristics", []), CARDS, "List should have at least 1 item"),
    (put(*NUMERIC, "id", "kind"), CARDS, "must not repeat id"),
    (put(*NUMERIC, "evidence", "guess"), f"{CARDS}[0].evidence", "Input should be 'observed'"),
    (put(*NUMERIC, "reason_code", "NO"), f"{CARDS}[0].reason_code", "must be one of"),
    (put(*NUMERIC, "points", [1, 2, 3]), f"{CARDS}[0].points", "must have 4 items, one for each cell"),
    (put(*NUMERIC, "points", 0, 10_001), f"{CARDS}[0].points[0]", "Input should be less than"),
    (put(*NUMERIC, "points", 0, True), f"{CARDS}[0].points[0]", "Input should be a valid integer"),
    (put(*NUMERIC, "axes", []), f"{CARDS}[0].axes", "List should have at least 1 item"),
    (put(*NUMERIC, "axes", [over("debt")] * 3), f"{CARDS}[0].axes", "List should have at most 2 items"),
    (put(*NUMERIC, "axes", [over("debt"), over("debt", 5)]), f"{CARDS}[0].axes", "must pair two different features"),
    (put(*NUMERIC, "axes", MANY), f"{CARDS}[0].axes", "must make at most 2500 cells"),
    (put(*NUMERIC, "axes", [7]), f"{CARDS}[0].axes[0]", "Input should be a valid dictionary"),
    (put(*NUMERIC, "axes", 0, "feature", "no_such"), f"{CARDS}[0].axes[0].feature", "must be one of"),
    (drop(*NUMERIC, "axes", 0, "feature"), f"{CARDS}[0].axes[0]", "must have the key 'feature'"),
    (put(*NUMERIC, "axes", 0, "bounds", [50, 50]), f"{CARDS}[0].axes[0].bounds", "must list ascending bounds"),
    (
        put(*NUMERIC, "axes", 0, "bounds", [2**63, 1]),
        f"{CARDS}[0].axes[0].bounds[0]",
        "Input should be less than",
    ),
    (put(*NUMERIC, "axes", 0, "groups", [["A"]]), f"{CARDS}[0].axes[0]", "must not have the key 'bounds'"),
    (put(*NUMERIC, "axes", 0, "specials", [[]]), f"{CARDS}[0].axes[0].specials[0]", "List should have at least 1 item"),
    (put(*NUMERIC, "axes", 0, "specials", [[1], [1]]), f"{CARDS}[0].axes[0].specials", "must not repeat a value"),
    (
        put(*NUMERIC, "axes", 0, "specials", [["A"]]),
        f"{CARDS}[0].axes[0].specials[0][0]",
        "Input should be a valid integer",
    ),
    (put(*CATEGORY, "axes", 0, "bounds", []), f"{CARDS}[1].axes[0]", "must not have the key 'bounds'"),
    (put(*CATEGORY, "axes", 0, "groups", []), f"{CARDS}[1].axes[0].groups", "List should have at least 1 item"),
    (put(*CATEGORY, "axes", 0, "groups", [["A", "A"]]), f"{CARDS}[1].axes[0].groups", "must not repeat a value"),
    (put(*CATEGORY, "axes", 0, "groups", [[1]]), f"{CARDS}[1].axes[0].groups[0][0]", "Input should be a valid string"),
    (put(*CATEGORY, "axes", 0, "feature", "flag"), f"{CARDS}[1].axes[0].groups[0][0]", "must be true or false"),
]
MONEY = [
    (put("calibration", []), "$.calibration", "List should have at least 1 item"),
    (put("calibration", 1, "min_score", 90), "$.calibration", "must go from the highest min_score down"),
    (put("calibration", 2, "pd_ppm", 19_999), "$.calibration", "must have a pd_ppm that does not fall with the score"),
    (put("calibration", 2, "pd_ppm", 1_000_001), "$.calibration[2].pd_ppm", "Input should be less than"),
    (put("grades", 0, "min_score", 70), "$.grades", "must go from the highest min_score down"),
    (put("grades", 1, "grade", "A"), "$.grades", "must not repeat grade"),
    (put("grades", 1, "grade", "b"), "$.grades[1].grade", "String should match pattern"),
    (drop("grades", 2), "$.grades", "must have a grade for every score from the cutoff up"),
    (
        lambda d: d["grades"][1].update(pd_bps=401, pd_high_bps=401),
        "$.grades",
        "must have a pd_bps that does not fall with the score",
    ),
    (put("grades", 1, "pd_low_bps", 201), "$.grades[1].pd_bps", "must be between pd_low_bps and pd_high_bps"),
    (put("grades", 1, "pd_high_bps", 199), "$.grades[1].pd_bps", "must be between pd_low_bps and pd_high_bps"),
    (
        put("grades", 1, "limit_factor_bps", 10_001),
        "$.grades[1].limit_factor_bps",
        "Input should be less than",
    ),
    (put("price", "above_cap", "raise"), "$.price.above_cap", "Input should be 'decline'"),
    (put("price", "lgd_bps", 10_001), "$.price.lgd_bps", "Input should be less than"),
    (put("price", "reason_code", "NO"), "$.price.reason_code", "must be one of"),
    (drop("price", "cap_bps"), "$.price", "must have the key 'cap_bps'"),
    (put("limit", "step_minor", 0), "$.limit.step_minor", "Input should be greater than"),
    (put("limit", "floor_minor", 0), "$.limit.floor_minor", "Input should be greater than"),
    (drop("limit", "methods", 1), "$.limit.methods", "List should have at least 2 items"),
    (put("limit", "methods", 1, "id", "share"), "$.limit.methods", "must not repeat id"),
    (
        put("limit", "methods", 1, method("other", term("debt"))),
        "$.limit.methods",
        "must have a fixed amount, so that no limit is unbounded",
    ),
    (put(*METHOD, "amount_minor", 1), "$.limit.methods[0]", "must not have the key 'terms'"),
    (put(*METHOD, "terms", []), "$.limit.methods[0].terms", "List should have at least 1 item"),
    (put(*METHOD, "terms", 0, term("kind")), "$.limit.methods[0].terms[0].greatest_of[0]", "must be one of"),
    (put(*METHOD, "terms", 0, term()), "$.limit.methods[0].terms[0].greatest_of", "List should have at least 1 item"),
    (
        put(*METHOD, "terms", 0, "factor_bps", -(10**6) - 1),
        "$.limit.methods[0].terms[0].factor_bps",
        "Input should be greater than",
    ),
    (
        put(*METHOD, "terms", 0, "if_missing", "guess"),
        "$.limit.methods[0].terms[0].if_missing",
        "Input should be 'skip'",
    ),
    (
        put("limit", "methods", 1, "amount_minor", 10**15 + 1),
        "$.limit.methods[1].amount_minor",
        "Input should be less than",
    ),
]
INDICES = [
    (put(*INDEX, False), "$.risk_index", "Input should be a valid dictionary"),
    (put(*INDEX, "dimensions", []), "$.risk_index.dimensions", "List should have at least 1 item"),
    (put(*INDEX, "dimensions", 0, "id", "b"), "$.risk_index.dimensions", "must not repeat id"),
    (
        put(*INDEX, "dimensions", 0, "weight_bps", 5_999),
        "$.risk_index.dimensions",
        "must have weights that add up to 10000",
    ),
    (put(*INDEX, "dimensions", 0, "base", 101), "$.risk_index.dimensions[0].base", "Input should be less than"),
    (
        put(*INDEX, "dimensions", 0, "characteristics", 0, "axes", 0, "feature", "no_such"),
        "$.risk_index.dimensions[0].characteristics[0].axes[0].feature",
        "must be one of",
    ),
    (put(*INDEX, "grades", 0, "min_index", 0), "$.risk_index.grades", "must go from the highest min_index down"),
    (put(*INDEX, "grades", 1, "min_index", 1), "$.risk_index.grades", "must go down to a min_index of 0"),
    (put(*INDEX, "grades", 1, "grade", "HIGH"), "$.risk_index.grades", "must not repeat grade"),
    (
        put(*INDEX, "grades", 0, "outcome", "fail"),
        "$.risk_index.grades[0].outcome",
        "Input should be 'pass'",
    ),
    (put(*INDEX, "reason_code", "NO"), "$.risk_index.reason_code", "must be one of"),
]
CASES = [
    (put("tests", [SOUND["tests"][0]] * 2), "$.tests", "must not repeat name"),
    (put(*CASE, "on", None), "$.tests[0].on", "Input should be a valid string"),
    (put(*CASE, "features", "no_such", 1), "$.tests[0].features.no_such", "must be one of"),
    (put(*CASE, "features", "debt", "high"), "$.tests[0].features.debt", "must be of type integer"),
    (put(*CASE, "expect", {}), "$.tests[0].expect", "Dictionary should have at least"),
    (put(*CASE, "expect", "verdict", "yes"), "$.tests[0].expect.verdict", "Input should be 'decision'"),
]


@pytest.mark.parametrize(
    ("spoil", "path", "rule"),
    [
        pytest.param(*case, id=f"{part}-{case[1]}-{number}")
        for part, cases in (("head", HEAD), ("rules", RULES), ("conditions", CONDITIONS), ("scorecard", SCORECARD),
                            ("money", MONEY), ("index", INDICES), ("tests", CASES))
        for number, case in enumerate(cases)
    ],
)  # fmt: skip
def test_names_the_place_and_the_rule_broken(spoil: Spoil, path: str, rule: str) -> None:
    error = refusal(spoil)
    assert error.path == path
    assert error.rule.startswith(rule)


def test_refuses_conditions_nested_too_deep() -> None:
    condition: dict[str, Any] = {"missing": "debt"}
    for _ in range(20):
        condition = {"not": condition}
    assert refusal(put(*WHEN, condition)).rule == "must be nested at most 16 deep"


def test_refuses_an_unhashable_value_in_a_group() -> None:
    spoil = put(*SEGMENT, "characteristics", [characteristic("kind", [1, 2, 3], groups("kind", (["A"],)))])
    assert refusal(spoil).path == f"{CARDS}[0].axes[0].groups[0][0]"
