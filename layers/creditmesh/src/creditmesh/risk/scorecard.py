"""Reading the scorecard: characteristics, their bins, and the labels by which decisions name the bins (C14)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from creditmesh.risk.document import Node
from creditmesh.risk.expression import FeatureType, parse_literal
from creditmesh.risk.model import CategoryBin, Characteristic, NumericBin, Scorecard, Texts

OTHER = "other"
MISSING = "missing"
_MAX_POINTS = 10_000


def parse_scorecard(node: Node, types: Mapping[str, FeatureType], reasons: Mapping[str, Texts]) -> Scorecard:
    """Return the scorecard at ``node`` over the features of ``types``.

    Raises:
        ArtefactInvalid: a bin overlaps, a feature or reason is unknown, an id repeats, or a number is out of range.
    """
    parts = node.fields(["base_points", "cutoff", "characteristics"])
    nodes = parts["characteristics"].items(1, 100)
    characteristics = tuple(_characteristic(item, types, reasons) for item in nodes)
    if len({item.id for item in characteristics}) != len(characteristics):
        raise parts["characteristics"].fail("repeats no id")
    return Scorecard(_points(parts["base_points"]), _points(parts["cutoff"]), characteristics)


def _points(node: Node) -> int:
    return node.integer(-_MAX_POINTS, _MAX_POINTS)


def _characteristic(node: Node, types: Mapping[str, FeatureType], reasons: Mapping[str, Texts]) -> Characteristic:
    parts = node.fields(["id", "feature", "bins", "missing_points", "reason_code"], ["other_points"])
    feature = parts["feature"].choice(types)
    numeric = types[feature] == "integer"
    if numeric == ("other_points" in parts):
        raise node.fail("has other_points if and only if its feature is no integer")
    bins = parts["bins"].items(1, 50)
    numeric_bins = _numeric_bins(bins) if numeric else ()
    category_bins = () if numeric else _category_bins(bins, types[feature])
    labels = _numeric_labels(numeric_bins) if numeric else _category_labels(category_bins)
    missing = _points(parts["missing_points"])
    other = missing if numeric else _points(parts["other_points"])
    return Characteristic(
        id=parts["id"].text("[a-z][a-z0-9_]{0,63}"),
        feature=feature,
        numeric_bins=numeric_bins,
        category_bins=category_bins,
        reason_code=parts["reason_code"].choice(reasons),
        labels=(*labels, OTHER, MISSING),
        points=(*(item.points for item in numeric_bins), *(item.points for item in category_bins), other, missing),
    )


def _numeric_bins(nodes: Sequence[Node]) -> tuple[NumericBin, ...]:
    """Upper bounds rise, and only the last is null, so that every integer has exactly one bin."""
    bins = tuple(_numeric_bin(node) for node in nodes)
    uppers = [item.upper for item in bins[:-1] if item.upper is not None]
    if bins[-1].upper is not None or len(uppers) != len(bins) - 1:
        raise nodes[-1].fail("has upper null in the last bin and only there")
    if any(lower >= upper for lower, upper in pairwise(uppers)):
        raise nodes[-1].fail("follows bins with rising upper bounds")
    return bins


def _numeric_bin(node: Node) -> NumericBin:
    parts = node.fields(["upper", "points"])
    upper = None if parts["upper"].value is None else parts["upper"].integer()
    return NumericBin(upper, _points(parts["points"]))


def _category_bins(nodes: Sequence[Node], kind: FeatureType) -> tuple[CategoryBin, ...]:
    bins = tuple(_category_bin(node, kind) for node in nodes)
    values = [value for item in bins for value in item.values]
    if len(set(values)) != len(values):
        raise nodes[-1].fail("names no category that another bin names")
    return bins


def _category_bin(node: Node, kind: FeatureType) -> CategoryBin:
    parts = node.fields(["values", "points"])
    return CategoryBin(
        tuple(parse_literal(item, kind) for item in parts["values"].items(1, 200)), _points(parts["points"])
    )


def _numeric_labels(bins: Sequence[NumericBin]) -> list[str]:
    bounds = ["-inf", *(str(item.upper) for item in bins[:-1]), "inf"]
    opening = ["(", *("[" for _ in bins[1:])]
    return [f"{mark}{lower}, {upper})" for mark, (lower, upper) in zip(opening, pairwise(bounds), strict=True)]


def _category_labels(bins: Sequence[CategoryBin]) -> list[str]:
    return ["|".join(str(value).lower() if isinstance(value, bool) else str(value) for value in b.values) for b in bins]
