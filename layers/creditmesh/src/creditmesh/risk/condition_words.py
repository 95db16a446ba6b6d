"""Rule conditions as sentences for risk officers, in every language."""

from __future__ import annotations

from collections.abc import Mapping

from creditmesh.risk.expression import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Constant,
    Membership,
    Missing,
    Negation,
    Operand,
    Variable,
)
from creditmesh.risk.model import LANGUAGES, Feature
from creditmesh.risk.report_words import format_value

Features = Mapping[str, Feature]

_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "==": "{left} is {right}",
        "!=": "{left} is not {right}",
        "<": "{left} is below {right}",
        "<=": "{left} is at most {right}",
        ">": "{left} is above {right}",
        ">=": "{left} is at least {right}",
        "in": "{left} is one of {right}",
        "missing": "{left} is not known",
        "and": " and ",
        "or": " or ",
        "not": "not ({inner})",
        "comma": ", ",
        "brackets": "({inner})",
    },
    "zh-CN": {
        "==": "{left}为{right}",
        "!=": "{left}不为{right}",
        "<": "{left}低于{right}",
        "<=": "{left}不超过{right}",
        ">": "{left}高于{right}",
        ">=": "{left}不低于{right}",
        "in": "{left}为{right}之一",
        "missing": "{left}未知",
        "and": "且",
        "or": "或",
        "not": "并非({inner})",
        "comma": "、",
        "brackets": "({inner})",
    },
}


def condition_words(condition: Condition, features: Features) -> dict[str, str]:
    """Return ``condition`` in words, by language.

    Amounts and ratios in the unit of the feature that they are compared with.
    """
    return {language: _sentence(condition, features, language) for language in LANGUAGES}


def _sentence(condition: Condition, features: Features, language: str) -> str:
    words = _WORDS[language]
    match condition:
        case Comparison(name, left, right):
            unit = _unit(left, right, features)
            sides = [_operand(side, unit, features, language) for side in (left, right)]
            return words[name].format(left=sides[0], right=sides[1])
        case Membership(item, options):
            unit = _unit(item, item, features)
            listed = words["comma"].join(format_value(option, unit, language) for option in options)
            return words["in"].format(left=_operand(item, unit, features, language), right=listed)
        case Missing(feature):
            return words["missing"].format(left=features[feature].label[language])
        case Negation(item):
            return words["not"].format(inner=_sentence(item, features, language))
        case AllOf(items):
            return _joined("and", items, features, language)
        case AnyOf(items):
            return _joined("or", items, features, language)


def _joined(name: str, items: tuple[Condition, ...], features: Features, language: str) -> str:
    """Nested lists are put in brackets, so that precedence is visible."""
    words = _WORDS[language]
    parts = []
    for item in items:
        part = _sentence(item, features, language)
        nested = len(items) > 1 and isinstance(item, AllOf | AnyOf) and len(item.items) > 1
        parts.append(words["brackets"].format(inner=part) if nested else part)
    return words[name].join(parts)


def _unit(left: Operand, right: Operand, features: Features) -> str:
    named = next((side.feature for side in (left, right) if isinstance(side, Variable)), None)
    return "none" if named is None else features[named].unit


def _operand(operand: Operand, unit: str, features: Features, language: str) -> str:
    if isinstance(operand, Constant):
        return format_value(operand.value, unit, language)
    return features[operand.feature].label[language]
