"""The artefact's format: what is refused, where, and why (S10)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from creditmesh.gateway.keydata.features.table import FEATURES
from creditmesh.risk.artefact import Artefact, ArtefactInvalid, load, seal

ROOT = Path(__file__).parents[3]


def spoiled(document: dict[str, Any], spoil: Callable[[dict[str, Any]], Any]) -> ArtefactInvalid:
    """Return the error that loading the spoilt, newly sealed document raises."""
    spoil(document)
    with pytest.raises(ArtefactInvalid) as caught:
        load(json.dumps(seal(document)))
    return caught.value


def put(*path: Any) -> Callable[[dict[str, Any]], None]:
    """Return a function that puts the last of ``path`` into a document at the keys before it."""
    *keys, last, value = path

    def spoil(document: Any) -> None:
        for key in keys:
            document = document[key]
        document[last] = value

    return spoil


def drop(*path: Any) -> Callable[[dict[str, Any]], None]:
    """Return a function that deletes what lies at ``path``."""
    *keys, last = path

    def spoil(document: Any) -> None:
        for key in keys:
            document = document[key]
        del document[last]

    return spoil


def test_shipped_model_is_what_its_builder_writes() -> None:
    built = subprocess.run(
        [sys.executable, "-m", "models.build_origination"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    assert built.decode("utf-8") == (ROOT / "models/origination-2.0.0.json").read_text(encoding="utf-8")


def test_shipped_model_has_the_promised_size(origination: Artefact) -> None:
    assert len(origination.scorecard.characteristics) >= 12
    assert len(origination.admission) >= 10
    assert origination.feature_schema == "key-data-1"


def test_features_are_of_the_key_data_with_their_types(origination: Artefact) -> None:
    types = {feature.name: feature.type for feature in FEATURES}
    assert {name: feature.type for name, feature in origination.features.items()}.items() <= types.items()


def test_schema_accepts_the_shipped_model_and_refuses_a_fraction(document: dict[str, Any]) -> None:
    schema = json.loads((ROOT / "models/artefact.schema.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(document)
    document["scorecard"]["cutoff"] = 600.5
    assert not validator.is_valid(document)


def test_refuses_a_document_altered_since_it_was_sealed(document: dict[str, Any]) -> None:
    document["scorecard"]["cutoff"] -= 1
    with pytest.raises(ArtefactInvalid) as caught:
        load(json.dumps(document))
    assert caught.value.path == "$.content_hash"


def test_hash_does_not_depend_on_layout(document: dict[str, Any], origination: Artefact) -> None:
    shuffled = dict(reversed(document.items()))
    assert load(json.dumps(shuffled, indent=7)).content_hash == origination.content_hash


@pytest.mark.parametrize("text", ["", "[1", '{"a": 1.5}', '{"a": NaN}', '{"a": 1, "a": 2}', "[" * 100_000, "1" * 5_000])
def test_refuses_text_that_is_no_exact_json(text: str) -> None:
    with pytest.raises(ArtefactInvalid) as caught:
        load(text)
    assert caught.value.path == "$"


WHEN = ("admission", 0, "when")
CARD = ("scorecard", "characteristics")
NUMERIC = (*CARD, 1)
CATEGORY = (*CARD, 0)


@pytest.mark.parametrize(
    ("spoil", "path"),
    [
        (put("format_version", 2), "$.format_version"),
        (put("surplus", 1), "$"),
        (drop("limit"), "$"),
        (put("version", "1.0"), "$.version"),
        (put("feature_schema", "features", "industry", "type", "float"), "$.feature_schema.features.industry.type"),
        (drop("feature_schema", "features", "industry", "label", "en"), "$.feature_schema.features.industry.label"),
        (put(*WHEN, {"==": [{"var": "no_such"}, 1]}), "$.admission[0].when.==[0].var"),
        (put(*WHEN, {"==": [{"var": "industry"}, 1]}), "$.admission[0].when.=="),
        (put(*WHEN, {"<": [{"var": "industry"}, "C"]}), "$.admission[0].when.<"),
        (put(*WHEN, {"==": [{"var": "abnormal_operation_listed"}, 1]}), "$.admission[0].when.=="),
        (put(*WHEN, {"==": [{"var": "debt_ratio_bps"}, 2**63]}), "$.admission[0].when.==[1]"),
        (put(*WHEN, {"==": [{"var": "industry"}, "\ud800"]}), "$.admission[0].when.==[1]"),
        (put(*WHEN, {"in": [{"var": "industry"}, []]}), "$.admission[0].when.in[1]"),
        (put(*WHEN, {"in": [{"var": "industry"}, ["C", 1]]}), "$.admission[0].when.in[1][1]"),
        (put(*WHEN, {"and": []}), "$.admission[0].when.and"),
        (put(*WHEN, {"xor": []}), "$.admission[0].when"),
        (put(*WHEN, {}), "$.admission[0].when"),
        (put("admission", 0, "if_unknown", "maybe"), "$.admission[0].if_unknown"),
        (put("admission", 0, "reason_code", "NO_SUCH"), "$.admission[0].reason_code"),
        (put("admission", 1, "id", "taxpayer_not_normal"), "$.admission"),
        (put("admission", 1, "id", "blacklisted"), "$.admission"),
        (put(*NUMERIC, "bins", 0, "upper", 2**62), "$.scorecard.characteristics[1].bins[3]"),
        (put(*NUMERIC, "bins", 3, "upper", 2**62), "$.scorecard.characteristics[1].bins[3]"),
        (put(*NUMERIC, "bins", 0, "upper", None), "$.scorecard.characteristics[1].bins[3]"),
        (put(*NUMERIC, "other_points", 1), "$.scorecard.characteristics[1]"),
        (put(*NUMERIC, "bins", 0, "points", 10_001), "$.scorecard.characteristics[1].bins[0].points"),
        (drop(*CATEGORY, "other_points"), "$.scorecard.characteristics[0]"),
        (put(*CATEGORY, "bins", 0, "values", ["B"]), "$.scorecard.characteristics[0].bins[3]"),
        (put(*CATEGORY, "bins", 0, "points", True), "$.scorecard.characteristics[0].bins[0].points"),
        (put(*NUMERIC, "id", "tax_credit_rating"), "$.scorecard.characteristics"),
        (put("grades", 0, "min_score", 0), "$.grades"),
        (put("grades", 1, "grade", "A"), "$.grades"),
        (lambda document: document["grades"].__delitem__(slice(3, None)), "$.grades"),
        (put("limit", "methods", 0, "greatest_of", ["industry"]), "$.limit.methods[0].greatest_of[0]"),
        (put("limit", "methods", 0, "factor_bps", 10**6 + 1), "$.limit.methods[0].factor_bps"),
        (put("limit", "methods", 0, "amount_minor", 1), "$.limit.methods[0]"),
        (drop("limit", "methods", 4), "$.limit.methods"),
        (put("limit", "step_minor", 0), "$.limit.step_minor"),
        (put("max_reasons", 0), "$.max_reasons"),
    ],
)
def test_names_the_place_of_each_rule_broken(
    document: dict[str, Any], spoil: Callable[[dict[str, Any]], Any], path: str
) -> None:
    assert spoiled(document, spoil).path == path


def test_refuses_conditions_nested_too_deep(document: dict[str, Any]) -> None:
    condition: dict[str, Any] = {"missing": "industry"}
    for _ in range(20):
        condition = {"not": condition}
    assert "deep" in spoiled(document, put(*WHEN, condition)).rule
