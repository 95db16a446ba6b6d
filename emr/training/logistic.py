"""Weight of evidence and logistic regression: which features stay, and why the others go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.additive import Additive, Table, logistic
from training.axes import Axis
from training.binning import CoarseBins, coarse, information
from training.config import SelectionConfig, TrainingConfig
from training.sample import Sample

Floats = NDArray[np.float64]
_RIDGE = 1.0
_STEPS = 50
_STILL = 1e-9


@dataclass
class Choice:
    """What became of one feature in the selection."""

    feature: str
    bins: CoarseBins
    iv: float
    woe: Floats
    #: None: it stays.
    reason: str | None = None
    coefficient: float | None = None


def woe(axis: Axis, sample: Sample, least: int) -> Floats:
    """Log-odds of default of each bin against all rows.

    Nought for a bin that no row is in. Specials, «other» and «missing» of less than ``least`` rows are not better than
    nought: what a handful of rows happened to do must not make it pay to withhold a value.
    """
    codes = sample.rows.codes(axis)
    bads, goods = (np.bincount(codes, sample.weight * (sample.bad == kind), axis.size) for kind in (1, 0))
    prior = bads.sum() / (bads.sum() + goods.sum())
    values = np.log((bads + prior) / (goods + 1 - prior)) - np.log(bads.sum() / goods.sum())
    handful = (np.bincount(codes, minlength=axis.size) < least) & (np.arange(axis.size) >= axis.regular)
    return np.where(bads + goods > 0, np.where(handful, np.maximum(values, 0.0), values), 0.0)


def choices(sample: Sample, config: TrainingConfig, left_out: dict[str, str]) -> list[Choice]:
    """Bins, weight of evidence and information value of every feature that is not left out."""
    found = []
    for feature in config.features:
        if feature.name in left_out:
            continue
        bins = coarse(sample.rows.frame[feature.name], sample.bad, sample.weight, feature)
        codes = sample.rows.codes(bins.axis)
        iv = information(codes, sample.bad, sample.weight, bins.axis.size)
        found.append(Choice(feature.name, bins, iv, woe(bins.axis, sample, config.binning.min_bin_rows)))
    return sorted(found, key=lambda choice: (-choice.iv, choice.feature))


def fit(sample: Sample, config: TrainingConfig, found: list[Choice]) -> Additive:
    """Select features, giving each that goes its reason, and fit the rest.

    Returns:
        The logistic regression as a sum of tables over the coarse bins.
    """
    selection = config.selection
    for choice in found:
        if choice.bins.axis.regular == 0:
            choice.reason = "no_common_value: no value has rows enough for a bin"
        if choice.reason is None and choice.iv < selection.min_iv:
            choice.reason = f"low_iv: information value {choice.iv:.4f} is below {selection.min_iv}"
    columns = {choice.feature: choice.woe[sample.rows.codes(choice.bins.axis)] for choice in found}
    _drop_correlated([choice for choice in found if choice.reason is None], columns, sample.weight, selection)
    kept = [choice for choice in found if choice.reason is None]
    for choice in kept[selection.max_characteristics :]:
        choice.reason = f"too_many: not among the {selection.max_characteristics} of most information value"
    intercept, coefficients = _signed(found, columns, sample, selection)
    tables = []
    for choice in found:
        if choice.reason is None:
            choice.coefficient = coefficients[choice.feature]
            values = choice.coefficient * choice.woe
            tables.append(Table((choice.bins.axis,), values, values.copy(), (choice.bins.trend,)))
    return Additive(intercept, tables)


def _drop_correlated(
    kept: list[Choice], columns: dict[str, Floats], weight: Floats, selection: SelectionConfig
) -> None:
    if len(kept) < 2:
        return
    matrix = np.stack([columns[choice.feature] for choice in kept])
    correlation = _correlation(matrix, weight)
    staying: list[int] = []
    for place, choice in enumerate(kept):
        near = [other for other in staying if abs(correlation[place, other]) > selection.max_correlation]
        if near:
            value = correlation[place, near[0]]
            choice.reason = f"correlated: {value:.2f} with {kept[near[0]].feature}, which tells more"
        else:
            staying.append(place)
    while len(staying) > 1:
        inflation = np.diag(np.linalg.pinv(correlation[np.ix_(staying, staying)]))
        worst = int(np.argmax(inflation))
        if inflation[worst] <= selection.max_vif:
            return
        kept[staying[worst]].reason = f"collinear: variance inflation {inflation[worst]:.1f}"
        del staying[worst]


def _correlation(matrix: Floats, weight: Floats) -> Floats:
    centred = matrix - np.average(matrix, axis=1, weights=weight)[:, None]
    covariance = (centred * weight) @ centred.T
    scale = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
    return np.asarray(covariance / np.outer(scale, scale))


def _signed(
    found: list[Choice], columns: dict[str, Floats], sample: Sample, selection: SelectionConfig
) -> tuple[float, dict[str, float]]:
    """Fit; while a coefficient has the wrong sign, leave the worst out and fit again."""
    while True:
        kept = [choice for choice in found if choice.reason is None]
        matrix = np.stack([np.ones(len(sample.bad)), *(columns[choice.feature] for choice in kept)])
        beta = regression(matrix, sample.bad.astype(np.float64), sample.weight)
        worst = int(np.argmin(beta[1:])) if kept else 0
        if not kept or not selection.sign_constraint or beta[1 + worst] > 0:
            return float(beta[0]), {choice.feature: float(beta[1 + i]) for i, choice in enumerate(kept)}
        kept[worst].reason = f"wrong_sign: coefficient {beta[1 + worst]:.3f} beside the others"


def regression(matrix: Floats, bad: Floats, weight: Floats) -> Floats:
    """Coefficients of a logistic regression by Newton's method; a slight ridge on all but the first.

    Args:
        matrix: one line for each coefficient, the first of ones.
        bad: outcomes.
        weight: what each row counts.
    """
    ridge = np.full(len(matrix), _RIDGE)
    ridge[0] = 0.0
    rate = float(np.average(bad, weights=weight))
    beta = np.zeros(len(matrix))
    beta[0] = np.log(rate / (1 - rate))
    for _ in range(_STEPS):
        chance = logistic(beta @ matrix)
        gradient = matrix @ (weight * (bad - chance)) - ridge * beta
        curvature = (matrix * (weight * chance * (1 - chance))) @ matrix.T + np.diag(ridge)
        step = np.linalg.solve(curvature, gradient)
        beta = beta + step
        if np.abs(step).max() < _STILL:
            break
    return beta
