"""Reading what a decision follows besides the scorecard: rules, grades, price, limit, risk index, test cases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from creditmesh.risk.document import Node
from creditmesh.risk.errors import FeatureInvalid
from creditmesh.risk.expression import parse_condition
from creditmesh.risk.model import (
    AMOUNT_CEILING_MINOR,
    ASPECTS,
    BPS,
    LANGUAGES,
    MAX_DIMENSION_GRADE,
    MAX_FACTOR_BPS,
    OUTCOMES,
    Dimension,
    Grade,
    IndexGrade,
    LimitFormula,
    LimitMethod,
    LimitTerm,
    Outcome,
    PriceTable,
    RiskIndex,
    Rule,
    TestCase,
    Texts,
)
from creditmesh.risk.scorecard import MAX_POINTS, Types, parse_characteristics, unique
from creditmesh.risk.values import typed_value

_ID = "[a-z][a-z0-9_]{0,63}"
_GRADE = "[A-Z][A-Z0-9]{0,3}"
_STAGES = ("lists", "admission")
_MAX_PRIORITY = 1_000_000


def parse_texts(node: Node) -> Texts:
    """Return a text in every language."""
    parts = node.fields(LANGUAGES)
    return MappingProxyType({language: parts[language].text() for language in LANGUAGES})


def parse_rules(node: Node, types: Types, reasons: Iterable[str]) -> tuple[Rule, ...]:
    """Return the rules by stage, then priority, then as they are listed."""
    rules = [_rule(item, types, reasons) for item in node.items(0, 500)]
    unique((rule.id for rule in rules), node)
    return tuple(sorted(rules, key=lambda rule: (_STAGES.index(rule.stage), -rule.priority)))


def parse_grades(node: Node, cutoff: int) -> tuple[Grade, ...]:
    """Return the grades from the best down: default rates rise, and each lies within its confidence band."""
    grades = tuple(_grade(item) for item in node.items(1, 26))
    unique((grade.grade for grade in grades), node)
    for upper, lower in pairwise(grades):
        if upper.min_score <= lower.min_score:
            raise node.fail("lists grades from the highest min_score down")
        if upper.pd_bps > lower.pd_bps:
            raise node.fail("has default rates that do not fall from grade to grade")
    if grades[-1].min_score > cutoff:
        raise node.fail("has a grade for every score from the cutoff up")
    return grades


def parse_price(node: Node, reasons: Iterable[str]) -> PriceTable:
    """Return the price table."""
    parts = node.fields(["funding_bps", "lgd_bps", "cost_bps", "cap_bps", "above_cap", "reason_code"])
    return PriceTable(
        funding_bps=parts["funding_bps"].integer(0, 10 * BPS),
        lgd_bps=parts["lgd_bps"].integer(0, BPS),
        cost_bps=parts["cost_bps"].integer(0, 10 * BPS),
        cap_bps=parts["cap_bps"].integer(0, 10 * BPS),
        declines_above_cap=parts["above_cap"].choice(["decline", "cap"]) == "decline",
        reason_code=parts["reason_code"].choice(reasons),
    )


def parse_limit(node: Node, types: Types, reasons: Iterable[str]) -> LimitFormula:
    """Return the limit formula; at least one method is a fixed amount, so that no limit is unbounded."""
    parts = node.fields(["methods", "step_minor", "floor_minor", "reason_code"])
    methods = tuple(_method(item, types, reasons) for item in parts["methods"].items(2, 20))
    unique((method.id for method in methods), parts["methods"])
    if all(method.amount_minor is None for method in methods):
        raise parts["methods"].fail("has a fixed amount, so that no limit is unbounded")
    return LimitFormula(
        methods=methods,
        step_minor=parts["step_minor"].integer(1, AMOUNT_CEILING_MINOR),
        floor_minor=parts["floor_minor"].integer(1, AMOUNT_CEILING_MINOR),
        reason_code=parts["reason_code"].choice(reasons),
    )


def parse_risk_index(node: Node, types: Types, reasons: Iterable[str]) -> RiskIndex | None:
    """Return the risk index, if there is one; weights add up to 1."""
    if node.value is None:
        return None
    parts = node.fields(["dimensions", "grades", "reason_code"])
    dimensions = tuple(_dimension(item, types, reasons) for item in parts["dimensions"].items(1, 20))
    unique((dimension.id for dimension in dimensions), parts["dimensions"])
    if sum(dimension.weight_bps for dimension in dimensions) != BPS:
        raise parts["dimensions"].fail(f"has weights that add up to {BPS}")
    grades = tuple(_index_grade(item) for item in parts["grades"].items(1, 26))
    unique((grade.grade for grade in grades), parts["grades"])
    if any(upper.min_index <= lower.min_index for upper, lower in pairwise(grades)) or grades[-1].min_index > 0:
        raise parts["grades"].fail("lists grades from the highest min_index down to 0")
    return RiskIndex(dimensions, grades, parts["reason_code"].choice(reasons))


def parse_tests(node: Node, types: Types, fields: Iterable[str]) -> tuple[TestCase, ...]:
    """Return the test cases; what they expect are fields of a result."""
    tests = tuple(_test(item, types, set(fields)) for item in node.items(0, 1_000))
    unique((test.name for test in tests), node)
    return tests


def _rule(node: Node, types: Types, reasons: Iterable[str]) -> Rule:
    required = ["id", "stage", "when", "if_unknown", "outcome", "priority", "aspect", "reason_code", "label"]
    parts = node.fields([*required, "effective_from", "effective_until"], ["points"])
    outcome: Outcome = parts["outcome"].choice(OUTCOMES)  # type: ignore[assignment]
    if (outcome == "adjust") != ("points" in parts):
        raise node.fail("has points if and only if its outcome is adjust")
    begin, end = (None if parts[f"effective_{n}"].value is None else parts[f"effective_{n}"].day() for n in _BOUNDS)
    if begin and end and begin >= end:
        raise parts["effective_until"].fail("is later than effective_from")
    return Rule(
        id=parts["id"].text(_ID),
        stage=parts["stage"].choice(_STAGES),  # type: ignore[arg-type]
        when=parse_condition(parts["when"], types),
        fires_if_unknown=parts["if_unknown"].choice(["fire", "pass"]) == "fire",
        outcome=outcome,
        points=parts["points"].integer(-MAX_POINTS, MAX_POINTS) if outcome == "adjust" else 0,
        priority=parts["priority"].integer(0, _MAX_PRIORITY),
        aspect=parts["aspect"].choice(ASPECTS),
        effective_from=begin,
        effective_until=end,
        reason_code=parts["reason_code"].choice(reasons),
        label=parse_texts(parts["label"]),
    )


_BOUNDS = ("from", "until")


def _grade(node: Node) -> Grade:
    names = ["min_score", "pd_bps", "pd_low_bps", "pd_high_bps", "margin_bps", "limit_factor_bps"]
    parts = node.fields(["grade", *names])
    grade = Grade(
        grade=parts["grade"].text(_GRADE),
        min_score=parts["min_score"].integer(-(10**6), 10**6),
        pd_bps=parts["pd_bps"].integer(0, BPS),
        pd_low_bps=parts["pd_low_bps"].integer(0, BPS),
        pd_high_bps=parts["pd_high_bps"].integer(0, BPS),
        margin_bps=parts["margin_bps"].integer(0, 10 * BPS),
        limit_factor_bps=parts["limit_factor_bps"].integer(0, BPS),
    )
    if not grade.pd_low_bps <= grade.pd_bps <= grade.pd_high_bps:
        raise parts["pd_bps"].fail("lies within pd_low_bps and pd_high_bps")
    return grade


def _method(node: Node, types: Types, reasons: Iterable[str]) -> LimitMethod:
    """A method is either ``terms`` or ``amount_minor``."""
    common = ["id", "reason_code", "label"]
    if "amount_minor" in node.mapping():
        parts = node.fields([*common, "amount_minor"])
        amount: int | None = parts["amount_minor"].integer(0, AMOUNT_CEILING_MINOR)
        terms: tuple[LimitTerm, ...] = ()
    else:
        parts = node.fields([*common, "terms"])
        amount, terms = None, tuple(_term(item, types) for item in parts["terms"].items(1, 5))
    return LimitMethod(
        id=parts["id"].text(_ID),
        terms=terms,
        amount_minor=amount,
        reason_code=parts["reason_code"].choice(reasons),
        label=parse_texts(parts["label"]),
    )


def _term(node: Node, types: Types) -> LimitTerm:
    parts = node.fields(["greatest_of", "factor_bps", "if_missing"])
    integers = [name for name, kind in types.items() if kind == "integer"]
    return LimitTerm(
        features=tuple(item.choice(integers) for item in parts["greatest_of"].items(1, 5)),
        factor_bps=parts["factor_bps"].integer(-MAX_FACTOR_BPS, MAX_FACTOR_BPS),
        if_missing=parts["if_missing"].choice(["skip", "zero", "ignore"]),  # type: ignore[arg-type]
    )


def _dimension(node: Node, types: Types, reasons: Iterable[str]) -> Dimension:
    parts = node.fields(["id", "label", "weight_bps", "base", "characteristics"])
    return Dimension(
        id=parts["id"].text(_ID),
        label=parse_texts(parts["label"]),
        weight_bps=parts["weight_bps"].integer(0, BPS),
        base=parts["base"].integer(0, MAX_DIMENSION_GRADE),
        characteristics=parse_characteristics(parts["characteristics"], types, reasons),
    )


def _index_grade(node: Node) -> IndexGrade:
    parts = node.fields(["grade", "min_index", "outcome"])
    return IndexGrade(
        grade=parts["grade"].text(_GRADE),
        min_index=parts["min_index"].integer(0, BPS),
        outcome=parts["outcome"].choice(["pass", "refer", "stop"]),  # type: ignore[arg-type]
    )


def _test(node: Node, types: Types, fields: set[str]) -> TestCase:
    parts = node.fields(["name", "on", "features", "expect"])
    given: Mapping[str, Node] = parts["features"].mapping()
    for name, item in given.items():
        Node(name, item.path).choice(types)
        try:
            typed_value(name, types[name], item.value)
        except FeatureInvalid as error:
            raise item.fail(error.rule) from error
    expected: dict[str, Any] = {}
    for name, item in parts["expect"].mapping().items():
        Node(name, item.path).choice(sorted(fields))
        expected[name] = item.value
    if not expected:
        raise parts["expect"].fail("names at least one field of the result")
    return TestCase(
        name=parts["name"].text("(?s).{1,200}"),
        on=parts["on"].day(),
        features=MappingProxyType({name: item.value for name, item in given.items()}),
        expected=MappingProxyType(expected),
    )
