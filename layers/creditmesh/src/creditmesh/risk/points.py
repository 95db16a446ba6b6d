"""Characteristics with their axes and bins, and the scorecard made of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from creditmesh.risk.expression import Condition, FeatureType, FeatureValue

OTHER = "other"
MISSING = "missing"

Literal = int | str | bool


@dataclass(frozen=True)
class Axis:
    """One feature cut into bins, in this order: intervals or groups, specials, «other» (categories only), «missing»."""

    feature: str
    type: FeatureType
    bounds: tuple[int, ...]
    """For integers: ascending bounds b₁..bₖ of the intervals (-∞, b₁), [b₁, b₂) … [bₖ, ∞)."""
    sets: tuple[tuple[Literal, ...], ...]
    """For integers the special values, which belong to no interval; else the groups of values."""

    @property
    def intervals(self) -> int:
        return len(self.bounds) + 1 if self.type == "integer" else 0

    @cached_property
    def size(self) -> int:
        return self.intervals + len(self.sets) + (self.type != "integer") + 1

    @property
    def missing_index(self) -> int:
        return self.size - 1

    @property
    def other_index(self) -> int:
        """Index of the bin for categories in no group; integers have none."""
        return self.size - 2

    def index(self, value: FeatureValue) -> int:
        if value is None:
            return self.missing_index
        if (place := self._places.get(value)) is not None:
            return place
        return bisect_right(self.bounds, value) if self.type == "integer" else self.other_index

    @cached_property
    def labels(self) -> tuple[str, ...]:
        named = tuple("|".join(_word(value) for value in values) for values in self.sets)
        if self.type != "integer":
            return (*named, OTHER, MISSING)
        ends = ("-inf", *map(str, self.bounds), "inf")
        intervals = tuple(f"{'[' if i else '('}{ends[i]}, {ends[i + 1]})" for i in range(self.intervals))
        return (*intervals, *named, MISSING)

    @cached_property
    def _places(self) -> Mapping[Literal, int]:
        return MappingProxyType({v: self.intervals + i for i, values in enumerate(self.sets) for v in values})


@dataclass(frozen=True)
class Characteristic:
    """Points for the bins of one axis, or for the cells of two (a pair of features that count together)."""

    id: str
    axes: tuple[Axis, ...]
    points: tuple[int, ...]
    """Row by row: the cell of bins (i, j) is at i × (bins of the second axis) + j."""
    reason_code: str
    evidence: str
    """Where the points come from: ``observed`` outcomes, ``simulated`` ones, or ``expert`` judgement."""

    @cached_property
    def best_points(self) -> int:
        """The most points of any cell; lost points are counted from here."""
        return max(self.points)

    def cell(self, features: Mapping[str, FeatureValue]) -> int:
        first, *others = self.axes
        cell = first.index(features[first.feature])
        for axis in others:
            cell = cell * axis.size + axis.index(features[axis.feature])
        return cell

    def bins(self, cell: int) -> tuple[int, ...]:
        if len(self.axes) == 1:
            return (cell,)
        return divmod(cell, self.axes[1].size)

    def label(self, cell: int) -> str:
        if len(self.axes) == 1:
            return self.axes[0].labels[cell]
        return " × ".join(axis.labels[i] for axis, i in zip(self.axes, self.bins(cell), strict=True))


@dataclass(frozen=True)
class Segment:
    """The scorecard of the firms that meet ``when``; the last segment takes all others."""

    id: str
    when: Condition | None
    base_points: int
    characteristics: tuple[Characteristic, ...]


@dataclass(frozen=True)
class Scorecard:
    """Score = a segment's base points + its characteristics' points; below the cutoff the firm is declined."""

    cutoff: int
    refer_below: int | None
    """Scores from the cutoff up to this, exclusive, are referred; None: none are."""
    scale: Mapping[str, int]
    """The scaling, for readers: ``base_score`` at odds of ``base_odds`` to 1, ``pdo`` points to double the odds."""
    segments: tuple[Segment, ...]

    @cached_property
    def named(self) -> tuple[tuple[str, Characteristic], ...]:
        """Every characteristic with a unique name: its id, prefixed by the segment if there are several."""
        prefix = {segment.id: f"{segment.id}." if len(self.segments) > 1 else "" for segment in self.segments}
        return tuple((prefix[s.id] + item.id, item) for s in self.segments for item in s.characteristics)


def _word(value: Literal) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
