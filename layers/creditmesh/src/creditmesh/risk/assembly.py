"""Puts what a training run has learnt in place of what a model had learnt before; its policy stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from creditmesh.risk.artefact import seal

_GRADE_POLICY = ("margin_bps", "limit_factor_bps")
"""Policy of a grade, which training does not learn."""


def assemble(base: Mapping[str, Any], sections: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with the scorecard, calibration and grades of ``sections``, sealed under the next version.

    Rules, test cases, price table, limit, risk index and reasons are the base's, and so are margin and share of the
    limit of each grade, by rank; further grades take those of the last. Features new to the base are added.

    Args:
        base: the document of the model in force.
        sections: ``scorecard``, ``calibration``, ``grades`` and ``feature_schema`` of a training run; its features
            carry all that the base's do where the base lacks them.
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
    """Return the next minor version: 2.3.1 and 2.3.1-rc.1 are followed by 2.4.0."""
    major, minor, _ = version.split("-")[0].split(".")
    return f"{major}.{int(minor) + 1}.0"


def _with_policy(grades: Sequence[Mapping[str, Any]], policy: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    last = len(policy) - 1
    return [
        {**grade, **{name: policy[min(rank, last)][name] for name in _GRADE_POLICY}}
        for rank, grade in enumerate(grades)
    ]
