"""What holds for any valid artefact and any features (C12-C15, S10)."""

from __future__ import annotations

import json
import math
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from creditmesh.risk.artefact import Artefact, ArtefactInvalid, load, seal
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.result import RiskResult
from tests.support.artefact_strategies import (
    artefact_documents,
    artefacts,
    feature_rows,
    rows_near_bounds,
    turning_points,
)

cases = settings(max_examples=40, deadline=None)
DAY = date(2026, 1, 15)


def results(artefact: Artefact, seed: tuple[dict[str, Any], int]) -> list[tuple[dict[str, Any], RiskResult]]:
    return [(row, evaluate(artefact, row, DAY)) for row in feature_rows(artefact, seed, 20)]


@cases
@given(artefact=artefacts(), data=st.data())
def test_every_result_is_consistent_in_itself(artefact: Artefact, data: st.DataObject) -> None:
    rules = {rule.id: rule for rule in artefact.rules}
    for _, result in results(artefact, data.draw(rows_near_bounds(artefact))):
        fired = [rules[name] for name in result.fired_rules]
        stopped = result.stage in ("blacklist", "admission")
        assert (result.decision == "approve") == (result.stage == "approved")
        assert (result.decision == "refer") == (result.stage == "referred")
        assert (result.limit_minor is None) == (result.annual_rate_bps is None) == (result.decision == "decline")
        assert any(rule.outcome == "stop" for rule in fired) == stopped
        assert all(rule.in_force(DAY) for rule in fired)
        assert bool(result.points) == (result.score is not None) == (result.segment is not None) == (not stopped)
        assert (result.risk_index is not None) == (artefact.risk_index is not None and not stopped)
        for codes in (result.reasons, result.price_reasons):
            assert len(set(codes)) == len(codes) <= artefact.max_reasons
        assert not (result.reasons and result.decision == "approve")
        assert not (result.price_reasons and result.decision == "decline")


@cases
@given(artefact=artefacts(), data=st.data())
def test_numbers_follow_from_each_other(artefact: Artefact, data: st.DataObject) -> None:
    segments = {segment.id: segment for segment in artefact.scorecard.segments}
    rules = {rule.id: rule for rule in artefact.rules}
    for _, result in results(artefact, data.draw(rows_near_bounds(artefact))):
        if result.score is None or result.segment is None:
            continue
        points = sum(line.points for line in result.points)
        assert result.adjustment == sum(rules[name].points for name in result.fired_rules)
        assert result.score == segments[result.segment].base_points + points + result.adjustment
        assert all(line.lost >= 0 for line in result.points)
        if result.annual_rate_bps is not None:
            assert 0 <= result.annual_rate_bps <= artefact.price.cap_bps
        if result.risk_index is not None:
            assert 0 <= result.risk_index.index <= 10_000
            assert all(0 <= grade <= 100 for _, grade in result.risk_index.dimensions)


@cases
@given(artefact=artefacts(), data=st.data())
def test_a_better_score_never_has_a_higher_default_rate(artefact: Artefact, data: st.DataObject) -> None:
    found = [result for _, result in results(artefact, data.draw(rows_near_bounds(artefact))) if result.grade]
    for one in found:
        for other in found:
            if (one.score or 0) >= (other.score or 0):
                assert (one.pd_ppm or 0) <= (other.pd_ppm or 0)
                assert (one.pd_bps or 0) <= (other.pd_bps or 0)


@cases
@given(artefact=artefacts(), data=st.data())
def test_a_limit_is_within_every_method_whole_steps_and_above_the_floor(
    artefact: Artefact, data: st.DataObject
) -> None:
    for _, result in results(artefact, data.draw(rows_near_bounds(artefact))):
        if result.limit_minor is None or result.limit_steps is None:
            continue
        known = [value for _, value in result.limit_steps.methods if value is not None]
        assert artefact.limit.floor_minor <= result.limit_minor <= min(known)
        assert result.limit_minor % artefact.limit.step_minor == 0
        assert result.limit_minor < 2**63


@cases
@given(artefact=artefacts(), data=st.data())
def test_more_of_a_feature_moves_a_method_the_way_of_its_factors(artefact: Artefact, data: st.DataObject) -> None:
    """Up where every share of the feature is added, down where every one is taken off."""
    for base, result in results(artefact, data.draw(rows_near_bounds(artefact))):
        for method, name, sign in _directions(artefact):
            if base[name] is None or result.limit_steps is None:
                continue
            before = dict(result.limit_steps.methods)[method]
            for more in (value for value in turning_points(artefact, name) if value > base[name]):
                after = evaluate(artefact, {**base, name: more}, DAY).limit_steps
                if after is not None and before is not None:
                    value = dict(after.methods)[method]
                    assert value is not None
                    assert sign * (value - before) >= 0


def _directions(artefact: Artefact) -> list[tuple[str, str, int]]:
    """(method, feature, 1 or -1) where all of the feature's factors in the method have that sign."""
    found = []
    for method in artefact.limit.methods:
        for name in {name for term in method.terms for name in term.features}:
            factors = [term.factor_bps for term in method.terms if name in term.features]
            found += [(method.id, name, sign) for sign in (1, -1) if all(factor * sign >= 0 for factor in factors)]
    return found


@cases
@given(document=artefact_documents(), data=st.data())
def test_a_fast_pass_turns_referrals_into_approvals_and_changes_nothing_else(
    document: dict[str, Any], data: st.DataObject
) -> None:
    artefact = load(json.dumps(seal(document)))
    rule = {
        "id": "fast", "stage": "lists", "when": {"or": [{"missing": "count"}, {"not": {"missing": "count"}}]},
        "if_unknown": "pass", "outcome": "fast_pass", "priority": 0, "aspect": "ability", "effective_from": None,
        "effective_until": None, "reason_code": "R1", "label": {"zh-CN": "文", "en": "text"},
    }  # fmt: skip
    passing = load(json.dumps(seal({**document, "rules": [*document["rules"], rule]})))
    same = ("score", "grade", "annual_rate_bps", "limit_minor", "risk_index", "price_reasons", "points")
    for row, result in results(artefact, data.draw(rows_near_bounds(artefact))):
        passed = evaluate(passing, row, DAY)
        assert passed.decision == ("approve" if result.decision == "refer" else result.decision)
        assert [getattr(passed, name) for name in same] == [getattr(result, name) for name in same]


@cases
@given(artefact=artefacts(), data=st.data())
def test_only_the_rules_in_force_count(artefact: Artefact, data: st.DataObject) -> None:
    row, _ = data.draw(rows_near_bounds(artefact))
    day = data.draw(st.sampled_from([date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 31), date(2026, 2, 1)]))
    reduced = artefact.in_force(day)
    assert all(rule.in_force(day) for rule in reduced.rules)
    assert evaluate(artefact, row, day) == evaluate(reduced, row, day)


@cases
@given(artefact=artefacts(), data=st.data())
def test_fractions_and_what_is_no_number_change_nothing(artefact: Artefact, data: st.DataObject) -> None:
    """A number with a fraction scores as the whole one below it, NaN and infinities as the unknown."""
    row, _ = data.draw(rows_near_bounds(artefact))
    name = data.draw(st.sampled_from([name for name, one in artefact.features.items() if one.type == "integer"]))
    whole = data.draw(st.integers(-(2**52), 2**52))
    given_, taken = data.draw(
        st.sampled_from(
            [(whole + 0.25, whole), (Decimal(whole) + Decimal("0.99"), whole), (math.nan, None), (-math.inf, None)]
        )
    )
    assert evaluate(artefact, {**row, name: given_}, DAY) == evaluate(artefact, {**row, name: taken}, DAY)


SCHEMA = json.loads((Path(__file__).parents[3] / "models/artefact.schema.json").read_text(encoding="utf-8"))


@cases
@given(document=artefact_documents())
def test_the_published_schema_accepts_whatever_the_loader_does(document: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(seal(document))


@cases
@given(document=artefact_documents(), data=st.data())
def test_any_change_to_a_sealed_document_is_noticed(document: dict[str, Any], data: st.DataObject) -> None:
    sealed = seal(document)
    places = [place for place in _places(sealed) if place[-1] != "content_hash"]
    *path, last = data.draw(st.sampled_from(places))
    target = sealed = json.loads(json.dumps(sealed))
    for key in path:
        target = target[key]
    target[last] = _other(target[last])
    with pytest.raises(ArtefactInvalid):
        load(json.dumps(sealed))


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all scalars."""
    if isinstance(value, dict):
        return [place for key, item in value.items() for place in _places(item, (*path, key))]
    if isinstance(value, list):
        return [place for index, item in enumerate(value) for place in _places(item, (*path, index))]
    return [path]


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return f"{value or ''}x"
