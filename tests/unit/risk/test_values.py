"""Numbers of every kind become whole 64-bit ones in one stated way; nothing else changes its type (C10, C14)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from creditmesh.risk.errors import FeatureInvalid
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.expression import FeatureType
from creditmesh.risk.values import typed_value, unusable
from tests.unit.risk.small_model import DAY, FIRM, loaded

TOP, BOTTOM = 2**63 - 1, -(2**63)
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (0, 0), (-7, -7), (TOP, TOP), (BOTTOM, BOTTOM),
        (TOP + 1, TOP), (BOTTOM - 1, BOTTOM), (10**100, TOP), (-(10**100), BOTTOM),
        (0.0, 0), (-0.0, 0), (0.999, 0), (-0.001, -1), (-1.5, -2), (4_500.999, 4_500), (1e-300, 0), (-5e-324, -1),
        (2.0**63, TOP), (-(2.0**63), BOTTOM), (1.7e308, TOP), (-1.7e308, BOTTOM), (2.0**53 + 2, 2**53 + 2),
        (Decimal("-0.00"), 0), (Decimal("45.99"), 45), (Decimal("-0.01"), -1), (Decimal("1E+999999"), TOP),
        (Decimal("-1E+999999"), BOTTOM), (Decimal("1E-999999"), 0), (Decimal("-1E-999999"), -1),
        (Decimal("9223372036854775807.99"), TOP), (Decimal("9223372036854775806.99"), TOP - 1),
        (Decimal("-9223372036854775807.01"), BOTTOM),
        (NAN, None), (INF, None), (-INF, None), (Decimal("NaN"), None), (Decimal("sNaN"), None),
        (Decimal("-Infinity"), None), (None, None),
    ],
)  # fmt: skip
def test_a_number_goes_down_to_a_whole_one_and_is_cut_to_64_bits(given: Any, taken: int | None) -> None:
    found = typed_value("debt", "integer", given)
    assert (found, type(found)) == (taken, type(taken))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", "45"), ("integer", True), ("integer", []), ("integer", {}), ("integer", b"1"), ("integer", 1j),
        ("string", 34), ("string", b"C34"), ("string", True), ("string", "\ud800"), ("boolean", 0), ("boolean", 1.0),
        ("boolean", "true"),
    ],
)  # fmt: skip
def test_another_type_is_refused_without_being_quoted(kind: FeatureType, value: Any) -> None:
    with pytest.raises(FeatureInvalid) as caught:
        typed_value("some_feature", kind, value)
    assert caught.value.feature == "some_feature"
    assert repr(value) not in str(caught.value)


@pytest.mark.parametrize("text", ["", " ", "C34", "中文", "😀", "\0", "\u00e9", "e\u0301"])
def test_text_stays_as_it_is(text: str) -> None:
    assert typed_value("kind", "string", text) == text


@pytest.mark.parametrize(
    ("value", "nothing"),
    [(NAN, True), (-INF, True), (Decimal("NaN"), True), (Decimal("Infinity"), True), (0.0, False), (Decimal(0), False),
     (None, False), ("NaN", False), (10**400, False)],
)  # fmt: skip
def test_what_stands_for_no_number(value: Any, nothing: bool) -> None:
    assert unusable(value) is nothing


def test_a_model_takes_its_own_features_and_no_others() -> None:
    found = loaded().checked({"debt": 45.5, "kind": "A", "stranger": object()})
    assert found == {"amount": None, "debt": 45, "kind": "A", "flag": None}


def test_findings_tell_what_counts_as_unknown_though_nobody_said_so() -> None:
    model = loaded()
    assert model.findings(FIRM) == []
    assert model.findings({**FIRM, "debt": None}) == [], "somebody said it"
    assert model.findings({"debt": NAN, "kind": "A", "flag": False}) == [("amount", "absent"), ("debt", "not_a_number")]


def test_what_is_no_number_scores_as_the_unknown() -> None:
    model = loaded()
    unknown = evaluate(model, {**FIRM, "debt": None}, DAY)
    assert all(evaluate(model, {**FIRM, "debt": value}, DAY) == unknown for value in (NAN, INF, Decimal("NaN")))
    assert evaluate(model, {**FIRM, "debt": 49.9}, DAY) == evaluate(model, {**FIRM, "debt": 49}, DAY)
