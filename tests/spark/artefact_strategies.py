"""Hypothesis strategies: any valid artefact, and features that lie where its decisions turn."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

from creditmesh.risk.artefact import Artefact, load, seal
from creditmesh.risk.document import INT64_MAX, INT64_MIN
from creditmesh.risk.expression import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Constant,
    Membership,
    Missing,
    Negation,
    Variable,
)

FEATURES = {"amount": "integer", "ratio": "integer", "count": "integer", "kind": "string", "flag": "boolean"}
WORDS = ("", "a", "A", "a ", "é", "é", "中文", "'", '"', "\\", "%", "null", "😀", "other")
EXTREMES = (INT64_MIN, INT64_MIN + 1, -(10**15) - 1, -(10**15), -1, 0, 1, 10**15, 10**15 + 1, INT64_MAX - 1, INT64_MAX)
TEXT = {"zh-CN": "文", "en": "text"}

integers = st.one_of(st.integers(-20, 20), st.sampled_from(EXTREMES), st.integers(INT64_MIN, INT64_MAX))
values: dict[str, st.SearchStrategy[Any]] = {
    "integer": integers,
    "string": st.sampled_from(WORDS),
    "boolean": st.booleans(),
}
codes = st.sampled_from(["R1", "R2", "R3", "R4"])
points = st.integers(-60, 60)


@st.composite
def conditions(draw: st.DrawFn, depth: int = 3) -> dict[str, Any]:
    """A condition of the rule grammar, type-correct."""
    kinds = ["compare", "in", "missing"] + (["and", "or", "not"] if depth else [])
    kind = draw(st.sampled_from(kinds))
    if kind == "missing":
        return {"missing": draw(st.sampled_from(list(FEATURES)))}
    if kind == "not":
        return {"not": draw(conditions(depth - 1))}
    if kind in ("and", "or"):
        return {kind: draw(st.lists(conditions(depth - 1), min_size=1, max_size=3))}
    name, type_ = draw(st.sampled_from(list(FEATURES.items())))
    if kind == "in":
        return {"in": [{"var": name}, draw(st.lists(values[type_], min_size=1, max_size=4))]}
    operators = ["==", "!=", "<", "<=", ">", ">="] if type_ == "integer" else ["==", "!="]
    same = [{"var": other} for other, other_type in FEATURES.items() if other_type == type_]
    sides = [{"var": name}, draw(st.one_of(values[type_], st.sampled_from(same)))]
    return {draw(st.sampled_from(operators)): draw(st.permutations(sides))}


def rules(prefix: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Up to three rules, most of them narrow enough to let some firms through."""
    narrow = st.builds(lambda condition: {"and": [condition, {"==": [{"var": "count"}, 7]}]}, conditions())
    rule = st.fixed_dictionaries(
        {"when": st.one_of(narrow, conditions()), "if_unknown": st.sampled_from(["fire", "pass"]), "reason_code": codes}
    )
    return st.lists(rule, max_size=3).map(
        lambda items: [{"id": f"{prefix}{i}", **item} for i, item in enumerate(items)]
    )


@st.composite
def characteristics(draw: st.DrawFn, index: int) -> dict[str, Any]:
    """A characteristic with bins of any width."""
    name, type_ = draw(st.sampled_from(list(FEATURES.items())))
    common = {"id": f"c{index}", "feature": name, "missing_points": draw(points), "reason_code": draw(codes)}
    if type_ == "integer":
        uppers = sorted(draw(st.sets(integers, max_size=6)))
        return {**common, "bins": [{"upper": upper, "points": draw(points)} for upper in [*uppers, None]]}
    names = draw(st.lists(values[type_], min_size=1, max_size=6, unique=True))
    bins = [{"values": [value], "points": draw(points)} for value in names]
    return {**common, "bins": bins, "other_points": draw(points)}


@st.composite
def methods(draw: st.DrawFn, index: int) -> dict[str, Any]:
    """A limit method over features."""
    return {
        "id": f"m{index}",
        "label": TEXT,
        "reason_code": draw(codes),
        "greatest_of": draw(
            st.lists(st.sampled_from(["amount", "ratio", "count"]), min_size=1, max_size=3, unique=True)
        ),
        "factor_bps": draw(st.sampled_from([0, 1, 3_333, 10_000, 80_001, 10**6])),
        "if_missing": draw(st.sampled_from(["skip", "zero"])),
    }


@st.composite
def artefact_documents(draw: st.DrawFn) -> dict[str, Any]:
    """The document, not yet sealed, of any valid artefact over ``FEATURES``."""
    scores = sorted(draw(st.sets(st.integers(-100, 100), min_size=1, max_size=5)), reverse=True)
    grade = {"pd_bps": st.integers(0, 10_000), "annual_rate_bps": st.integers(0, 3_000)}
    factors = st.sampled_from([0, 1, 3_333, 9_999, 10_000])
    return {
        "format_version": 1,
        "model_id": "generated",
        "version": "0.0.1",
        "currency": "CNY",
        "feature_schema": {
            "id": "made-up",
            "version": 1,
            "features": {name: {"type": kind, "unit": "none", "label": TEXT} for name, kind in FEATURES.items()},
        },
        "blacklist": draw(rules("b")),
        "admission": draw(rules("a")),
        "scorecard": {
            "base_points": draw(points),
            "cutoff": draw(st.integers(scores[-1], 110)),
            "characteristics": [draw(characteristics(i)) for i in range(draw(st.integers(1, 8)))],
        },
        "grades": [
            {"grade": "ABCDE"[i], "min_score": score, "limit_factor_bps": draw(factors)}
            | {name: draw(strategy) for name, strategy in grade.items()}
            for i, score in enumerate(scores)
        ],
        "limit": {
            "methods": [
                *(draw(methods(i)) for i in range(draw(st.integers(1, 4)))),
                {"id": "cap", "label": TEXT, "reason_code": "R1", "amount_minor": draw(st.integers(0, 10**15))},
            ],
            "step_minor": draw(st.sampled_from([1, 7, 100_000, 10**15])),
            "floor_minor": draw(st.sampled_from([1, 5_000, 10**12])),
            "reason_code": draw(codes),
        },
        "max_reasons": draw(st.integers(1, 4)),
        "reasons": dict.fromkeys(("R1", "R2", "R3", "R4"), TEXT),
    }


def artefacts() -> st.SearchStrategy[Artefact]:
    """Any valid artefact over ``FEATURES``."""
    return artefact_documents().map(lambda document: load(json.dumps(seal(document))))


@st.composite
def rows_near_bounds(draw: st.DrawFn, artefact: Artefact) -> tuple[dict[str, Any], int]:
    """A seed row of any values, and a number from which ``feature_rows`` derives its mutations."""
    row = {
        name: draw(st.one_of(st.none(), st.sampled_from(turning_points(artefact, name)), values[feature.type]))
        for name, feature in artefact.features.items()
    }
    return row, draw(st.integers(0, 2**32))


def feature_rows(artefact: Artefact, seed: tuple[Mapping[str, Any], int], count: int) -> list[dict[str, Any]]:
    """Return ``count`` rows: the seed row, then steps away from it or from the row before, to turning points.

    Half the steps change only features that no rule looks at, so that scores and limits of all kinds are reached.
    """
    base, number = seed
    chance = random.Random(number)
    choices = {name: [None, *turning_points(artefact, name)] for name in artefact.features}
    ruled = {name for rule in (*artefact.blacklist, *artefact.admission) for name in variables(rule.when)}
    unruled = sorted(choices.keys() - ruled) or sorted(choices)
    rows = [dict(base)][:count]
    while len(rows) < count:
        row = dict(chance.choice((base, rows[-1])))
        names = chance.choice((unruled, sorted(choices)))
        for name in chance.sample(names, chance.randint(1, min(8, len(names)))):
            row[name] = chance.choice(choices[name])
        rows.append(row)
    return rows


def turning_points(artefact: Artefact, name: str) -> list[Any]:
    """Return the values of a feature at and beside every constant the artefact compares it with, and extremes."""
    found: set[Any] = {value for rule in (*artefact.blacklist, *artefact.admission) for value in constants(rule.when)}
    for item in artefact.scorecard.characteristics:
        if item.feature == name:
            found |= {numeric.upper for numeric in item.numeric_bins if numeric.upper is not None}
            found |= {value for category in item.category_bins for value in category.values}
    kind = artefact.features[name].type
    if kind == "boolean":
        return [False, True]
    if kind == "string":
        return sorted({value for value in found if isinstance(value, str)} | {"never seen", *WORDS})
    numbers = {value for value in found if isinstance(value, int) and not isinstance(value, bool)}
    near = {value + step for value in numbers for step in (-1, 0, 1)} | set(EXTREMES)
    return sorted(value for value in near if INT64_MIN <= value <= INT64_MAX)


def parts(condition: Condition) -> Iterator[Comparison | Membership | Missing]:
    """Yield the tests that a condition is made of."""
    match condition:
        case Negation(item):
            yield from parts(item)
        case AllOf(items) | AnyOf(items):
            for item in items:
                yield from parts(item)
        case _:
            yield condition


def constants(condition: Condition) -> Iterator[int | str | bool]:
    """Yield the literals of a condition."""
    for part in parts(condition):
        if isinstance(part, Comparison):
            yield from (side.value for side in (part.left, part.right) if isinstance(side, Constant))
        elif isinstance(part, Membership):
            yield from part.options


def variables(condition: Condition) -> Iterator[str]:
    """Yield the features that a condition looks at."""
    for part in parts(condition):
        if isinstance(part, Missing):
            yield part.feature
        else:
            sides = (part.left, part.right) if isinstance(part, Comparison) else (part.item,)
            yield from (side.feature for side in sides if isinstance(side, Variable))
