"""Puts the results of a training run into an existing model and keeps the model's policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from creditmesh.risk.artefact import seal

_GRADE_POLICY = ("margin_bps", "limit_factor_bps")
"""Fields of a grade that are policy, not learnt."""


def assemble(base: Mapping[str, Any], sections: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with the scorecard, calibration and grades of ``sections``, sealed under the next minor version.

    Rules, test cases, price table, limit, risk index and reasons stay. Each grade keeps the margin and limit factor of
    the base's grade of the same rank; additional grades take those of the last. New features are added.

    Args:
        base: the document of the model in force.
        sections: ``scorecard``, ``calibration``, ``grades`` and ``feature_schema`` of a training run. Each of its
            features has every field that a feature of the base has.
    """
    schema = base["feature_schema"]
    learnt = sections["feature_schema"]["features"]
    added = {name: feature for name, feature in learnt.items() if name not in schema["features"]}
    return seal(
        {
            **base,
            "version": next_minor(base["version"]),
            "feature_schema": {**schema, "features": {**schema["features"], **added}},
            "scorecard": sections["scorecard"],
            "calibration": sections["calibration"],
            "grades": _with_policy(sections["grades"], base["grades"]),
        }
    )


def next_minor(version: str) -> str:
    """Return the next minor version: 2.4.0 for 2.3.1 and for 2.3.1-rc.1."""
    major, minor, _ = version.split("-")[0].split(".")
    return f"{major}.{int(minor) + 1}.0"


def _with_policy(grades: Sequence[Mapping[str, Any]], policy: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    last = len(policy) - 1
    return [
        {**grade, **{name: policy[min(rank, last)][name] for name in _GRADE_POLICY}}
        for rank, grade in enumerate(grades)
    ]
