"""Bins of single features: few and monotone for the logistic part (optbinning), finer ones for the additive part."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from training.axes import Axis, sums
from training.config import BinningConfig, FeatureConfig, Value
from training.merging import merge_line

Floats = NDArray[np.float64]
Trend = Literal["rising", "falling", "free"]
_QUANTILES = 200
_ATOM_SHARE = 0.005
"""A single value with this share of rows starts as a bin of its own (round amounts, zero)."""
_TREND_LOSS = 0.05
"""A monotone trend is kept if it loses no more than this share of the information value."""
_PENALTY = 3.0
_LARGEST = 2**63 - 1
"""Bounds are 64-bit integers; optbinning uses floats, which may round up beyond them."""


@dataclass(frozen=True)
class CoarseBins:
    """Result of optbinning for a feature."""

    axis: Axis
    trend: Trend
    """Trend of the default rate; ``free`` with a peak or valley, and for strings and booleans."""


def coarse(column: pd.Series, bad: NDArray[np.int8], weight: Floats, feature: FeatureConfig) -> CoarseBins:
    """Optimal bins of one feature; monotone if configured or nearly free."""
    if feature.kind == "integer":
        return _coarse_numbers(column, bad, weight, feature)
    return CoarseBins(_coarse_groups(column, bad, weight, feature), "free")


def fine(
    column: pd.Series, g: Floats, h: Floats, feature: FeatureConfig, settings: BinningConfig, kept: Axis | None = None,
    *, penalty: float = _PENALTY,
) -> Axis:  # fmt: skip
    """Finer bins, from gradient and curvature of the log-likelihood of each row.

    Args:
        column: the rows' values.
        g: gradient of each row.
        h: curvature of each row.
        feature: settings; forced bins are kept.
        settings: minimum and maximum sizes.
        kept: an axis whose bounds are kept.
        penalty: log-likelihood that a separate bin must gain.
    """
    if feature.bounds is not None or feature.groups is not None or feature.kind == "boolean":
        return _forced(feature)
    least = max(float(settings.min_bin_rows), settings.min_bin_share * len(column) / 4)
    if feature.kind == "string":
        return _fine_groups(column, g, h, feature, settings, least, penalty, kept)
    axis = Axis(feature.name, "integer", _first_bounds(column, feature), (), _specials(feature))
    summed = _sums(axis, column, g, h)
    merged = merge_line(*summed, max_bins=settings.max_bins, min_count=least, penalty=penalty)
    ends = {axis.bounds[place - 1] for place in range(1, len(merged)) if merged[place] != merged[place - 1]}
    bounds = sorted(ends | set(kept.bounds if kept else ()))
    return Axis(feature.name, "integer", tuple(bounds), (), axis.specials)


def shrunk(axis: Axis, column: pd.Series, g: Floats, h: Floats, max_bins: int) -> Axis:
    """Reduce the axis to that many intervals or groups by the least costly merges."""
    if axis.regular <= max_bins:
        return axis
    summed = _sums(axis, column, g, h)
    if axis.kind == "integer":
        merged = merge_line(*summed, max_bins=max_bins, min_count=0, penalty=0)
        bounds = [bound for place, bound in enumerate(axis.bounds) if merged[place] != merged[place + 1]]
        return Axis(axis.feature, axis.kind, tuple(bounds), (), axis.specials)
    order = np.argsort(summed[0] / (summed[1] + 1.0), kind="stable")
    merged = merge_line(*(part[order] for part in summed), max_bins=max_bins, min_count=0, penalty=0)
    return regrouped(axis, merged[np.argsort(order, kind="stable")])


def regrouped(axis: Axis, numbers: NDArray[np.intp]) -> Axis:
    """Merge the groups with equal numbers."""
    groups = tuple(
        tuple(sorted(value for place in np.flatnonzero(numbers == number) for value in axis.groups[place]))
        for number in sorted(set(numbers.tolist()))
    )
    return Axis(axis.feature, axis.kind, (), groups)


def _sums(axis: Axis, column: pd.Series, g: Floats, h: Floats) -> tuple[Floats, Floats, Floats]:
    """Gradient, curvature and rows of the axis's intervals or groups."""
    codes = axis.codes(column)
    first, second, third = (sums(codes, part, axis.size)[: axis.regular] for part in (g, h, np.ones(len(codes))))
    return first, second, third


def _first_bounds(column: pd.Series, feature: FeatureConfig) -> tuple[int, ...]:
    values = _ordinary(column, feature)
    if values.size == 0:
        return ()
    quantiles = np.quantile(values, np.linspace(0, 1, _QUANTILES + 1)[1:-1], method="lower")
    found, counts = np.unique(values, return_counts=True)
    if len(found) <= _QUANTILES:
        return tuple(int(value) for value in found[1:])
    atoms = found[counts >= _ATOM_SHARE * values.size]
    bounds = np.unique(np.concatenate([quantiles, atoms, atoms + 1]))
    return tuple(int(bound) for bound in bounds if found[0] < bound <= found[-1])


def _fine_groups(
    column: pd.Series, g: Floats, h: Floats, feature: FeatureConfig, settings: BinningConfig, least: float,
    penalty: float, kept: Axis | None,
) -> Axis:  # fmt: skip
    """Groups of similar values; with a kept axis, each is inside one of its groups or outside all."""
    counts = column.value_counts()
    often = {str(value) for value, count in counts.items() if count >= least}
    within = [[str(value) for value in group] for group in (kept.groups if kept else ())]
    known = {value for group in within for value in group}
    outside = sorted(often - known)
    groups: list[tuple[Value, ...]] = []
    for values in [*within, *([outside] if outside else [])]:
        single = Axis(feature.name, "string", (), tuple((value,) for value in sorted(values)))
        summed = _sums(single, column, g, h)
        order = np.argsort(summed[0] / (summed[1] + 1.0), kind="stable")
        ordered = (part[order] for part in summed)
        merged = merge_line(*ordered, max_bins=settings.max_groups, min_count=least, penalty=penalty / 6)
        groups += regrouped(single, merged[np.argsort(order, kind="stable")]).groups
    return Axis(feature.name, "string", (), tuple(groups))


def _coarse_numbers(column: pd.Series, bad: NDArray[np.int8], weight: Floats, feature: FeatureConfig) -> CoarseBins:
    wanted = feature.monotonic
    if feature.bounds is not None:
        return CoarseBins(_forced(feature), _trend_of(wanted))
    usual = (~column.isna()).to_numpy(dtype=bool) & ~column.isin([v for group in feature.specials for v in group])
    known = np.asarray(usual, dtype=bool)
    values = column[known].to_numpy(dtype=np.float64)
    if len(np.unique(values)) < 2 or len(np.unique(bad[known])) < 2:
        return CoarseBins(Axis(feature.name, "integer", (), (), _specials(feature)), "free")
    outcome, counted = bad[known], weight[known]
    if wanted in ("ascending", "descending"):
        return CoarseBins(_numbers(feature, values, outcome, counted, wanted)[0], _trend_of(wanted))
    free, most = _numbers(feature, values, outcome, counted, "auto" if wanted == "auto" else None)
    if wanted == "auto":
        trend = "ascending" if roc_auc_score(outcome, values, sample_weight=counted) >= 0.5 else "descending"
        axis, iv = _numbers(feature, values, outcome, counted, trend)
        if iv >= (1 - _TREND_LOSS) * most and len(axis.bounds) > 0:
            return CoarseBins(axis, _trend_of(trend))
    return CoarseBins(free, "free")


def _numbers(
    feature: FeatureConfig, values: Floats, bad: NDArray[np.int8], weight: Floats, trend: str | None
) -> tuple[Axis, float]:
    """Optbinning's bins under a trend, and their information value."""
    binning = _optimal(name=feature.name, dtype="numerical", monotonic_trend=trend)
    binning.fit(values, bad, sample_weight=weight)
    # For integers, below 3.5 means below 4.
    bounds = tuple(sorted({min(max(int(np.ceil(split)), -_LARGEST), _LARGEST) for split in binning.splits}))
    axis = Axis(feature.name, "integer", bounds, (), _specials(feature))
    codes = np.searchsorted(np.asarray(bounds, dtype=np.float64), values, side="right")
    return axis, information(codes, bad, weight, len(bounds) + 1)


def _coarse_groups(column: pd.Series, bad: NDArray[np.int8], weight: Floats, feature: FeatureConfig) -> Axis:
    if feature.groups is not None or feature.kind == "boolean":
        return _forced(feature)
    known = column.notna().to_numpy(dtype=bool)
    counts = column[known].value_counts()
    often = sorted(str(value) for value, count in counts.items() if count >= max(10, 0.002 * len(column)))
    chosen = known & column.isin(often).to_numpy(dtype=bool)
    if len(often) < 2 or len(np.unique(bad[chosen])) < 2:
        return Axis(feature.name, "string", (), tuple((value,) for value in often))
    binning = _optimal(name=feature.name, dtype="categorical")
    binning.fit(column[chosen].to_numpy(dtype=object), bad[chosen], sample_weight=weight[chosen])
    groups = sorted(tuple(sorted(str(value) for value in group)) for group in binning.splits)
    return Axis(feature.name, "string", (), tuple(groups))


def information(codes: NDArray[Any], bad: NDArray[np.int8], weight: Floats, bins: int) -> float:
    """Information value of bins."""
    bads, goods = (sums(codes, weight * (bad == kind), bins) + 0.5 for kind in (1, 0))
    share_bad, share_good = bads / bads.sum(), goods / goods.sum()
    return float(((share_bad - share_good) * np.log(share_bad / share_good)).sum())


def _optimal(**settings: Any) -> Any:
    # Imported here: optbinning takes seconds to import solvers, some of which print warnings.
    from optbinning import OptimalBinning

    warnings.filterwarnings("ignore", module="optbinning|sklearn|cvxpy")
    # The MIP solver uses one thread, so the same data give the same bins.
    return OptimalBinning(solver="mip", time_limit=600, **settings)


def _forced(feature: FeatureConfig) -> Axis:
    if feature.kind == "integer":
        return Axis(feature.name, "integer", tuple(feature.bounds or ()), (), _specials(feature))
    groups = feature.groups if feature.groups is not None else [[False], [True]]
    return Axis(feature.name, feature.kind, (), tuple(tuple(group) for group in groups))


def _ordinary(column: pd.Series, feature: FeatureConfig) -> NDArray[np.int64]:
    values = column.dropna().to_numpy(dtype=np.int64)
    return values[~np.isin(values, [code for group in feature.specials for code in group])]


def _specials(feature: FeatureConfig) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(group) for group in feature.specials)


def _trend_of(wanted: str) -> Trend:
    return "rising" if wanted == "ascending" else "falling" if wanted == "descending" else "free"
