"""Reading the scorecard: axes, characteristics, segments, calibration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from math import prod
from types import MappingProxyType

from creditmesh.risk.document import Node
from creditmesh.risk.expression import FeatureType, parse_condition, parse_literal
from creditmesh.risk.points import Axis, Characteristic, Literal, Scorecard, Segment

EVIDENCE = ("observed", "simulated", "expert")
MAX_POINTS = 10_000
MAX_CELLS = 2_500
_PPM = 1_000_000
_ID = "[a-z][a-z0-9_]{0,63}"

Types = Mapping[str, FeatureType]


def parse_scorecard(node: Node, types: Types, reasons: Iterable[str]) -> Scorecard:
    """Return the scorecard at ``node`` over the features of ``types``.

    Raises:
        ArtefactInvalid: a bin overlaps, a feature or reason is unknown, an id repeats, or a number is out of range.
    """
    parts = node.fields(["cutoff", "refer_below", "scale", "segments"])
    scale = parts["scale"].fields(["base_score", "base_odds", "pdo"])
    segments = parse_segments(parts["segments"], types, reasons)
    cutoff = _points(parts["cutoff"])
    refer = parts["refer_below"]
    return Scorecard(
        cutoff=cutoff,
        refer_below=None if refer.value is None else refer.integer(cutoff, MAX_POINTS * 10),
        scale=MappingProxyType({name: item.integer(1, 100_000) for name, item in scale.items()}),
        segments=segments,
    )


def parse_segments(node: Node, types: Types, reasons: Iterable[str]) -> tuple[Segment, ...]:
    """Return the segments listed at ``node``; all but the last have a condition."""
    segments = tuple(_segment(item, types, reasons) for item in node.items(1, 20))
    unique((segment.id for segment in segments), node)
    if [segment.when is None for segment in segments] != [False] * (len(segments) - 1) + [True]:
        raise node.fail("has a condition in every segment but the last")
    return segments


def parse_characteristics(node: Node, types: Types, reasons: Iterable[str]) -> tuple[Characteristic, ...]:
    """Return the characteristics listed at ``node``."""
    items = tuple(_characteristic(item, types, reasons) for item in node.items(1, 200))
    unique((item.id for item in items), node)
    return items


def parse_calibration(node: Node) -> tuple[tuple[int, int], ...]:
    """Return (least score, default rate in parts per million), from the highest score down; rates never fall."""
    steps = tuple(_calibration_step(item) for item in node.items(1, 2_000))
    for (upper, rate), (lower, next_rate) in pairwise(steps):
        if upper <= lower:
            raise node.fail("lists steps from the highest min_score down")
        if rate > next_rate:
            raise node.fail("has a pd_ppm that does not fall with the score")
    return steps


def unique(ids: Iterable[str], node: Node) -> None:
    """Refuse a list in which an id stands twice."""
    seen = list(ids)
    if len(set(seen)) != len(seen):
        raise node.fail("repeats no id")


def _calibration_step(node: Node) -> tuple[int, int]:
    parts = node.fields(["min_score", "pd_ppm"])
    return parts["min_score"].integer(-(10**6), 10**6), parts["pd_ppm"].integer(0, _PPM)


def _points(node: Node) -> int:
    return node.integer(-MAX_POINTS, MAX_POINTS)


def _segment(node: Node, types: Types, reasons: Iterable[str]) -> Segment:
    parts = node.fields(["id", "when", "base_points", "characteristics"])
    when = parts["when"]
    return Segment(
        id=parts["id"].text(_ID),
        when=None if when.value is None else parse_condition(when, types),
        base_points=_points(parts["base_points"]),
        characteristics=parse_characteristics(parts["characteristics"], types, reasons),
    )


def _characteristic(node: Node, types: Types, reasons: Iterable[str]) -> Characteristic:
    parts = node.fields(["id", "axes", "points", "reason_code", "evidence"])
    axes = tuple(_axis(item, types) for item in parts["axes"].items(1, 2))
    if len({axis.feature for axis in axes}) != len(axes):
        raise parts["axes"].fail("pairs two different features")
    cells = prod(axis.size for axis in axes)
    if cells > MAX_CELLS:
        raise parts["axes"].fail(f"makes at most {MAX_CELLS} cells")
    return Characteristic(
        id=parts["id"].text(_ID),
        axes=axes,
        points=parts["points"].integers(cells, -MAX_POINTS, MAX_POINTS),
        reason_code=parts["reason_code"].choice(reasons),
        evidence=parts["evidence"].choice(EVIDENCE),
    )


def _axis(node: Node, types: Types) -> Axis:
    feature = Node(node.mapping().get("feature", Node(None)).value, f"{node.path}.feature").choice(types)
    kind = types[feature]
    if kind == "integer":
        parts = node.fields(["feature", "bounds", "specials"])
        bounds = tuple(item.integer() for item in parts["bounds"].items(0, 200))
        if any(lower >= upper for lower, upper in pairwise(bounds)):
            raise parts["bounds"].fail("lists rising bounds")
        return Axis(feature, kind, bounds, _sets(parts["specials"], kind, 0))
    parts = node.fields(["feature", "groups"])
    return Axis(feature, kind, (), _sets(parts["groups"], kind, 1))


def _sets(node: Node, kind: FeatureType, least: int) -> tuple[tuple[Literal, ...], ...]:
    sets = tuple(tuple(parse_literal(item, kind) for item in part.items(1, 500)) for part in node.items(least, 200))
    values = [value for part in sets for value in part]
    if len(set(values)) != len(values):
        raise node.fail("names no value twice")
    return sets
