"""What holds for any valid artefact and any features (C12-C15, S10)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from creditmesh.risk.artefact import Artefact, ArtefactInvalid, load, seal
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.result import RiskResult
from tests.spark.artefact_strategies import (
    artefact_documents,
    artefacts,
    feature_rows,
    rows_near_bounds,
    turning_points,
)

cases = settings(max_examples=60, deadline=None)


def results(artefact: Artefact, seed: tuple[dict[str, Any], int]) -> list[tuple[dict[str, Any], RiskResult]]:
    return [(row, evaluate(artefact, row)) for row in feature_rows(artefact, seed, 20)]


@cases
@given(artefact=artefacts(), data=st.data())
def test_every_result_is_consistent_in_itself(artefact: Artefact, data: st.DataObject) -> None:
    for _, result in results(artefact, data.draw(rows_near_bounds(artefact))):
        assert (result.decision == "approve") == (result.stage == "approved")
        assert (result.limit_minor is None) == (result.decision == "decline")
        assert bool(result.fired_rules) == (result.stage in ("blacklist", "admission"))
        assert bool(result.points) == (result.score is not None) == (not result.fired_rules)
        assert len(set(result.reasons)) == len(result.reasons) <= artefact.max_reasons
        assert not (result.reasons and result.decision == "approve")
        if result.score is not None:
            assert result.score == artefact.scorecard.base_points + sum(line.points for line in result.points)
            assert all(line.lost >= 0 for line in result.points)


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
def test_more_of_a_limit_feature_never_makes_any_method_smaller(artefact: Artefact, data: st.DataObject) -> None:
    row, number = data.draw(rows_near_bounds(artefact))
    for base, result in results(artefact, (row, number)):
        for name in {name for method in artefact.limit.methods for name in method.features}:
            if base[name] is None or result.limit_steps is None:
                continue
            for more in (value for value in turning_points(artefact, name) if value > base[name]):
                richer = evaluate(artefact, {**base, name: more}).limit_steps
                if richer is not None:
                    pairs = zip(richer.methods, result.limit_steps.methods, strict=True)
                    assert all((new or 0) >= (old or 0) for (_, new), (_, old) in pairs)


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
