"""The scorecard's part of an artefact's document."""

from __future__ import annotations

from itertools import chain, pairwise
from math import prod
from typing import Annotated, Literal, Self

from pydantic import Field, Tag, ValidationInfo, model_validator

from creditmesh.governance.document.parts import (
    MAX_POINTS,
    Condition,
    FeatureName,
    Identifier,
    Int64,
    Part,
    Points,
    ReasonCode,
    Score,
    distinct,
    has,
    must,
    types,
)
from creditmesh.risk.artefact import read_axis
from creditmesh.risk.document import Node
from creditmesh.risk.errors import ArtefactInvalid
from creditmesh.risk.expression import parse_literal

MAX_CELLS = 2_500
_RISING = must(lambda bounds: all(one < other for one, other in pairwise(bounds)), "must list ascending bounds")
_ONCE = must(lambda sets: len(set(chain(*sets))) == sum(map(len, sets)), "must not repeat a value")
_LAST_TAKES_THE_REST = must(
    lambda segments: [segment.when is None for segment in segments] == [False] * (len(segments) - 1) + [True],
    "must have a condition in every segment but the last",
)


class IntegerAxis(Part):
    """An integer feature cut into intervals; specials lie in none of them."""

    feature: FeatureName
    bounds: Annotated[
        list[Int64],
        Field(max_length=200),
        _RISING,
    ]
    specials: Annotated[list[Annotated[list[Int64], Field(min_length=1, max_length=500)]], Field(max_length=200), _ONCE]

    @model_validator(mode="after")
    def _is_integer(self, info: ValidationInfo) -> Self:
        if types(info)[self.feature] != "integer":
            raise ArtefactInvalid("", "must have groups: the feature is not an integer")
        return self


class CategoryAxis(Part):
    """A feature that is a string or true or false, in groups of its values."""

    feature: FeatureName
    groups: Annotated[
        list[Annotated[list[str | bool], Field(min_length=1, max_length=500)]],
        Field(min_length=1, max_length=200),
        _ONCE,
    ]

    @model_validator(mode="after")
    def _are_of_the_feature(self, info: ValidationInfo) -> Self:
        kind = types(info)[self.feature]
        if kind == "integer":
            raise ArtefactInvalid("", "must have bounds and specials: the feature is an integer")
        for place, group in enumerate(self.groups):
            for number, value in enumerate(group):
                parse_literal(Node(value, f".groups[{place}][{number}]"), kind)
        return self


Axis = Annotated[Annotated[CategoryAxis, Tag("with")] | Annotated[IntegerAxis, Tag("without")], has("groups")]


class Characteristic(Part):
    """Points for the bins of one axis, or for the cells of two, row by row."""

    id: Identifier
    axes: list[Axis] = Field(min_length=1, max_length=2)
    points: list[Points]
    reason_code: ReasonCode
    evidence: Literal["observed", "simulated", "expert"]

    @model_validator(mode="after")
    def _has_points_for_each_cell(self, info: ValidationInfo) -> Self:
        if len({axis.feature for axis in self.axes}) != len(self.axes):
            raise ArtefactInvalid(".axes", "must pair two different features")
        cells = prod(read_axis(axis.model_dump(), types(info)).size for axis in self.axes)
        if cells > MAX_CELLS:
            raise ArtefactInvalid(".axes", f"must make at most {MAX_CELLS} cells")
        if len(self.points) != cells:
            raise ArtefactInvalid(".points", f"must have {cells} items, one for each cell")
        return self


Characteristics = Annotated[list[Characteristic], Field(min_length=1, max_length=200), distinct("id")]


class Segment(Part):
    """The scorecard of the firms that meet the condition; the last segment, without one, takes all others."""

    id: Identifier
    when: Condition | None
    base_points: Points
    characteristics: Characteristics


class Scale(Part):
    """Of what the points were made: `base_score` at odds of `base_odds` to 1, `pdo` points doubling the odds."""

    base_score: int = Field(ge=1, le=100_000)
    base_odds: int = Field(ge=1, le=100_000)
    pdo: int = Field(ge=1, le=100_000)


class Scorecard(Part):
    """Below the cutoff a firm is declined; from there up to `refer_below` a person looks at it."""

    cutoff: Points
    refer_below: Annotated[int, Field(le=10 * MAX_POINTS)] | None
    scale: Scale
    segments: Annotated[list[Segment], Field(min_length=1, max_length=20), distinct("id"), _LAST_TAKES_THE_REST]

    @model_validator(mode="after")
    def _refers_above_the_cutoff(self) -> Self:
        if self.refer_below is not None and self.refer_below < self.cutoff:
            raise ArtefactInvalid(".refer_below", f"must not be below the cutoff, {self.cutoff}")
        return self


class CalibrationStep(Part):
    """The default rate of scores from `min_score` up, in parts per million."""

    min_score: Score
    pd_ppm: int = Field(ge=0, le=1_000_000)
