"""Hypothesis strategies: any valid artefact, and features that lie where its decisions turn."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from hypothesis import strategies as st

from creditmesh.kernel.unread import UNREAD, write_unread
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
    variables,
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
        names = st.sampled_from(list(FEATURES))
        return {"missing": draw(st.one_of(names, st.lists(names, min_size=1, max_size=3)))}
    if kind == "not":
        item = draw(conditions(depth - 1))
        return {draw(st.sampled_from(["not", "!"])): draw(st.sampled_from([item, [item]]))}
    if kind in ("and", "or"):
        return {kind: draw(st.lists(conditions(depth - 1), min_size=1, max_size=3))}
    name, type_ = draw(st.sampled_from(list(FEATURES.items())))
    if kind == "in":
        return {"in": [{"var": name}, draw(st.lists(values[type_], min_size=1, max_size=4))]}
    operators = ["==", "!=", "<", "<=", ">", ">="] if type_ == "integer" else ["==", "!="]
    same = [{"var": other} for other, other_type in FEATURES.items() if other_type == type_]
    sides = [{"var": name}, draw(st.one_of(values[type_], st.sampled_from(same)))]
    return {draw(st.sampled_from(operators)): draw(st.permutations(sides))}


@st.composite
def rules(draw: st.DrawFn, index: int) -> dict[str, Any]:
    """A rule of any outcome, most of them narrow enough to let some firms through."""
    narrow = st.builds(lambda condition: {"and": [condition, {"==": [{"var": "count"}, 7]}]}, conditions())
    outcome = draw(st.sampled_from(["stop", "refer", "refer", "pass", "fast_pass", "adjust"]))
    rule = {
        "id": f"rule{index}",
        "stage": draw(st.sampled_from(["lists", "admission"])),
        "when": draw(st.one_of(narrow, conditions())),
        "if_unknown": draw(st.sampled_from(["fire", "pass"])),
        "outcome": outcome,
        "priority": draw(st.integers(0, 3)),
        "aspect": "ability",
        "effective_from": draw(st.sampled_from([None, "2026-01-01"])),
        "effective_until": draw(st.sampled_from([None, "2026-02-01"])),
        "reason_code": draw(codes),
        "label": TEXT,
    }
    if outcome in ("stop", "refer"):
        rule |= draw(st.sampled_from([{}, {}, *({"if_unread": word} for word in ("fire", "pass", "refer"))]))
    return {**rule, "points": draw(points)} if outcome == "adjust" else rule


@st.composite
def axes(draw: st.DrawFn, name: str) -> tuple[dict[str, Any], int]:
    """An axis over a feature, and how many bins it has."""
    type_ = FEATURES[name]
    if type_ == "integer":
        bounds = sorted(draw(st.sets(integers, max_size=6)))
        specials = [[value] for value in draw(st.lists(integers, max_size=2, unique=True))]
        return {"feature": name, "bounds": bounds, "specials": specials}, len(bounds) + len(specials) + 2
    groups = [[value] for value in draw(st.lists(values[type_], min_size=1, max_size=6, unique=True))]
    return {"feature": name, "groups": groups}, len(groups) + 2


@st.composite
def characteristics(draw: st.DrawFn, index: int) -> dict[str, Any]:
    """A characteristic over one feature or two, with bins of any width."""
    names = draw(st.lists(st.sampled_from(list(FEATURES)), min_size=1, max_size=2, unique=True))
    drawn = [draw(axes(name)) for name in names]
    cells = prod(size for _, size in drawn)
    return {
        "id": f"c{index}",
        "axes": [axis for axis, _ in drawn],
        "points": draw(st.lists(points, min_size=cells, max_size=cells)),
        "reason_code": draw(codes),
        "evidence": "expert",
    }


@st.composite
def segments(draw: st.DrawFn) -> list[dict[str, Any]]:
    """One to three scorecards."""
    count = draw(st.integers(1, 3))
    return [
        {
            "id": f"s{i}",
            "when": draw(conditions()) if i < count - 1 else None,
            "base_points": draw(points),
            "characteristics": [draw(characteristics(j)) for j in range(draw(st.integers(1, 5)))],
        }
        for i in range(count)
    ]


@st.composite
def methods(draw: st.DrawFn, index: int) -> dict[str, Any]:
    """A limit method over features."""
    term = st.fixed_dictionaries(
        {
            "greatest_of": st.lists(st.sampled_from(["amount", "ratio", "count"]), min_size=1, max_size=3, unique=True),
            "factor_bps": st.sampled_from([0, 1, 3_333, 10_000, 80_001, 10**6, -1, -3_333, -(10**6)]),
            "if_missing": st.sampled_from(["skip", "zero", "ignore"]),
        }
    )
    terms = draw(st.lists(term, min_size=1, max_size=5))
    return {"id": f"m{index}", "label": TEXT, "reason_code": draw(codes), "terms": terms}


@st.composite
def risk_indices(draw: st.DrawFn) -> dict[str, Any] | None:
    """None, or an index of one to three dimensions."""
    count = draw(st.integers(0, 3))
    if not count:
        return None
    shares = [draw(st.integers(0, 3_000)) for _ in range(count - 1)]
    dimensions = [
        {
            "id": f"d{i}",
            "label": TEXT,
            "weight_bps": weight,
            "base": draw(st.integers(0, 100)),
            "characteristics": [draw(characteristics(0))],
        }
        for i, weight in enumerate([*shares, 10_000 - sum(shares)])
    ]
    least = sorted(draw(st.sets(st.integers(1, 10_000), max_size=3)), reverse=True)
    outcomes = st.sampled_from(["pass", "pass", "refer", "stop"])
    grades = [{"grade": f"I{i}", "min_index": m, "outcome": draw(outcomes)} for i, m in enumerate([*least, 0])]
    return {"dimensions": dimensions, "grades": grades, "reason_code": draw(codes)}


@st.composite
def artefact_documents(draw: st.DrawFn) -> dict[str, Any]:
    """The document, not yet sealed, of any valid artefact over ``FEATURES``."""
    scores = sorted(draw(st.sets(st.integers(-100, 100), min_size=1, max_size=5)), reverse=True)
    rates = sorted(draw(st.lists(st.integers(0, 10_000), min_size=len(scores), max_size=len(scores))))
    steps = sorted(draw(st.sets(st.integers(-200, 200), min_size=1, max_size=6)), reverse=True)
    ppm = sorted(draw(st.lists(st.integers(0, 10**6), min_size=len(steps), max_size=len(steps))))
    factors = st.sampled_from([0, 1, 3_333, 9_999, 10_000])
    features = {n: {"type": k, "unit": "none", "source": "system", "label": TEXT} for n, k in FEATURES.items()}
    cutoff = draw(st.integers(scores[-1], 110))
    return {
        "format_version": 2,
        "model_id": "generated",
        "version": "0.0.1",
        "currency": "CNY",
        "feature_schema": {"id": "made-up", "version": 1, "features": features},
        "rules": [draw(rules(i)) for i in range(draw(st.integers(0, 6)))],
        "tests": [],
        "scorecard": {
            "cutoff": cutoff,
            "refer_below": draw(st.one_of(st.none(), st.integers(cutoff, 200))),
            "scale": {"base_score": 600, "base_odds": 20, "pdo": 40},
            "segments": draw(segments()),
        },
        "calibration": [{"min_score": s, "pd_ppm": rate} for s, rate in zip(steps, ppm, strict=True)],
        "grades": [
            {
                "grade": "ABCDE"[i],
                "min_score": score,
                "pd_bps": rates[i],
                "pd_low_bps": 0,
                "pd_high_bps": 10_000,
                "margin_bps": draw(st.integers(0, 500)),
                "limit_factor_bps": draw(factors),
            }
            for i, score in enumerate(scores)
        ],
        "price": {
            "funding_bps": draw(st.integers(0, 500)),
            "lgd_bps": draw(st.integers(0, 10_000)),
            "cost_bps": 100,
            "cap_bps": draw(st.integers(500, 9_000)),
            "above_cap": draw(st.sampled_from(["decline", "cap"])),
            "reason_code": draw(codes),
        },
        "limit": {
            "methods": [
                *(draw(methods(i)) for i in range(draw(st.integers(1, 4)))),
                {"id": "cap", "label": TEXT, "reason_code": "R1", "amount_minor": draw(st.integers(0, 10**15))},
            ],
            "step_minor": draw(st.sampled_from([1, 7, 100_000, 10**15])),
            "floor_minor": draw(st.sampled_from([1, 5_000, 10**12])),
            "reason_code": draw(codes),
        },
        "risk_index": draw(risk_indices()),
        "max_reasons": draw(st.integers(1, 4)),
        "missing_reason_code": draw(codes),
        "reasons": {code: {**TEXT, "adverse_action": "977"} for code in ("R1", "R2", "R3", "R4")},
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
    ruled = {name for rule in artefact.rules for name in variables(rule.when)}
    unruled = sorted(choices.keys() - ruled) or sorted(choices)
    rows = [dict(base)][:count]
    while len(rows) < count:
        row = dict(chance.choice((base, rows[-1])))
        names = chance.choice((unruled, sorted(choices)))
        for name in chance.sample(names, chance.randint(1, min(8, len(names)))):
            row[name] = chance.choice(choices[name])
        lost = chance.sample(sorted(choices), chance.randint(0, len(choices)))
        row[UNREAD] = chance.choice((None, write_unread(dict.fromkeys(lost, ("tax",)))))
        rows.append(row)
    return rows


def turning_points(artefact: Artefact, name: str) -> list[Any]:
    """Return the values of a feature at and beside every constant the artefact compares it with, and extremes."""
    found: set[Any] = {value for rule in artefact.rules for value in constants(rule.when)}
    for axis in (axis for item in artefact.characteristics for axis in item.axes):
        if axis.feature == name:
            found |= {*axis.bounds, *(value for part in axis.sets for value in part)}
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
