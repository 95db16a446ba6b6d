"""Rule conditions compiled to Spark SQL columns, with the same three-valued logic as the Python evaluator (M06)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from creditmesh.risk.expression import (
    COMPARISONS,
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Constant,
    Membership,
    Missing,
    Negation,
    Operand,
)
from creditmesh.risk.model import Rule


def compile_condition(condition: Condition) -> Column:
    """Return the boolean column for ``condition``; null means unknown."""
    match condition:
        case Comparison(name, left, right):
            return COMPARISONS[name](_operand(left), _operand(right))  # type: ignore[return-value]
        case Membership(item, options):
            return _operand(item).isin(*options)
        case Missing(feature):
            return F.col(feature).isNull()
        case Negation(item):
            return ~compile_condition(item)
        case AllOf(items):
            return reduce(lambda left, right: left & right, map(compile_condition, items))
        case AnyOf(items):
            return reduce(lambda left, right: left | right, map(compile_condition, items))


def _operand(operand: Operand) -> Column:
    return F.lit(operand.value) if isinstance(operand, Constant) else F.col(operand.feature)


def fired(rules: Sequence[Rule], name: Callable[[Rule], str]) -> Column:
    """Array of ``name`` of the rules that fire, in the artefact's order."""
    if not rules:
        return F.array().cast("array<string>")
    return F.array_compact(F.array(*(F.when(_fires(rule), F.lit(name(rule))) for rule in rules)))


def _fires(rule: Rule) -> Column:
    return F.coalesce(compile_condition(rule.when), F.lit(rule.fires_if_unknown))
