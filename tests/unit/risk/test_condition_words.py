"""Conditions in words (M06)."""

from __future__ import annotations

from typing import Any

import pytest

from creditmesh.risk.artefact import Artefact
from creditmesh.risk.condition_words import condition_words
from tests.unit.risk.small_model import loaded, rule, small

LABELS = {"amount": ("金额", "Amount"), "debt": ("负债率", "Debt"), "kind": ("类别", "Kind"), "flag": ("标记", "Flag")}


def words(when: dict[str, Any]) -> tuple[str, str]:
    """The condition in English and in Chinese."""
    schema = small()["feature_schema"]
    for name, (chinese, english) in LABELS.items():
        schema["features"][name]["label"] = {"zh-CN": chinese, "en": english}
    artefact: Artefact = loaded(feature_schema=schema, rules=[rule("one", "stop", when=when)])
    found = condition_words(artefact.rules[0].when, artefact.features)
    return found["en"], found["zh-CN"]


def var(name: str) -> dict[str, str]:
    return {"var": name}


@pytest.mark.parametrize(
    ("when", "english", "chinese"),
    [
        ({"<": [var("amount"), 1_000_050]}, "Amount is below 10,000.50", "金额低于10,000.50"),
        ({">=": [var("debt"), 7_000]}, "Debt is at least 70.00%", "负债率不低于70.00%"),
        ({"<=": [5, var("debt")]}, "0.05% is at most Debt", "0.05%不超过负债率"),
        ({">": [var("amount"), var("debt")]}, "Amount is above Debt", "金额高于负债率"),
        ({"==": [var("kind"), "A"]}, "Kind is A", "类别为A"),
        ({"!=": [var("flag"), True]}, "Flag is not yes", "标记不为是"),
        ({"in": [var("kind"), ["A", "B"]]}, "Kind is one of A, B", "类别为A、B之一"),
        ({"missing": "debt"}, "Debt is not known", "负债率未知"),
        ({"not": {"missing": "debt"}}, "not (Debt is not known)", "并非(负债率未知)"),
        (
            {"and": [{"missing": "debt"}, {"or": [{"==": [var("flag"), True]}, {"==": [var("kind"), "A"]}]}]},
            "Debt is not known and (Flag is yes or Kind is A)",
            "负债率未知且(标记为是或类别为A)",
        ),
        ({"or": [{"and": [{"missing": "debt"}]}, {"missing": "kind"}]}, "Debt is not known or Kind is not known",
         "负债率未知或类别未知"),
    ],
)  # fmt: skip
def test_a_condition_reads_as_a_sentence(when: dict[str, Any], english: str, chinese: str) -> None:
    assert words(when) == (english, chinese)
