"""Conditions follow three-valued logic (M06)."""

from __future__ import annotations

from typing import Any

import pytest

from creditmesh.risk.document import Node
from creditmesh.risk.errors import ArtefactInvalid
from creditmesh.risk.expression import FeatureType, parse_condition, variables

TYPES: dict[str, FeatureType] = {"t": "boolean", "f": "boolean", "u": "boolean", "n": "integer", "none": "integer"}
FEATURES = {"t": True, "f": False, "u": None, "n": 5, "none": None}


def outcome(condition: dict[str, Any]) -> bool | None:
    return parse_condition(Node(condition), TYPES).holds(FEATURES)


def is_true(name: str) -> dict[str, Any]:
    return {"==": [{"var": name}, True]}


AND = {"tt": True, "tf": False, "tu": None, "ff": False, "fu": False, "uu": None}
OR = {"tt": True, "tf": True, "tu": True, "ff": False, "fu": None, "uu": None}


@pytest.mark.parametrize(("operator", "table"), [("and", AND), ("or", OR)])
def test_and_and_or_follow_kleene_in_either_order(operator: str, table: dict[str, bool | None]) -> None:
    for names, expected in table.items():
        for order in (names, names[::-1]):
            assert outcome({operator: [is_true(name) for name in order]}) is expected, order


@pytest.mark.parametrize(("name", "expected"), [("t", False), ("f", True), ("u", None)])
def test_not_leaves_the_unknown_unknown(name: str, expected: bool | None) -> None:
    assert outcome({"not": is_true(name)}) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"<": [{"var": "n"}, 5]}, False),
        ({"<=": [{"var": "n"}, 5]}, True),
        ({">": [{"var": "n"}, 4]}, True),
        ({">=": [4, {"var": "n"}]}, False),
        ({"!=": [{"var": "n"}, 5]}, False),
        ({"!=": [{"var": "none"}, 5]}, None),
        ({"==": [{"var": "none"}, {"var": "none"}]}, None),
        ({"in": [{"var": "n"}, [4, 5]]}, True),
        ({"in": [{"var": "n"}, [4]]}, False),
        ({"in": [{"var": "none"}, [4, 5]]}, None),
        ({"missing": "none"}, True),
        ({"missing": "n"}, False),
    ],
)
def test_comparisons(condition: dict[str, Any], expected: bool | None) -> None:
    assert outcome(condition) is expected


@pytest.mark.parametrize(
    ("published", "ours"),
    [
        ({"!": is_true("u")}, {"not": is_true("u")}),
        ({"!": [is_true("t")]}, {"not": is_true("t")}),
        ({"missing": ["n"]}, {"missing": "n"}),
        ({"missing": ["n", "none"]}, {"or": [{"missing": "n"}, {"missing": "none"}]}),
    ],
)
def test_the_published_spellings_of_jsonlogic_are_read(published: dict[str, Any], ours: dict[str, Any]) -> None:
    assert parse_condition(Node(published), TYPES) == parse_condition(Node(ours), TYPES)


@pytest.mark.parametrize(
    "condition", [{"!": []}, {"!": [is_true("t"), is_true("f")]}, {"missing": []}, {"missing": ["nobody"]}]
)
def test_spellings_without_a_meaning_are_refused(condition: dict[str, Any]) -> None:
    with pytest.raises(ArtefactInvalid):
        parse_condition(Node(condition), TYPES)


def test_variables_are_the_features_looked_at() -> None:
    condition = {
        "or": [
            {"and": [is_true("t"), {"not": {"missing": "u"}}]},
            {"in": [{"var": "n"}, [1]]},
            {"<": [{"var": "none"}, 3]},
            {"in": [1, [1, 2]]},
        ]
    }
    assert variables(parse_condition(Node(condition), TYPES)) == {"t", "u", "n", "none"}
