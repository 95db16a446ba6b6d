"""Weight of evidence and logistic regression with feature selection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

from training.additive import Additive, Table
from training.axes import Axis
from training.binning import CoarseBins, coarse, information
from training.config import SelectionConfig, TrainingConfig
from training.sample import Sample

Floats = NDArray[np.float64]


@dataclass
class Choice:
    """The result of the selection for one feature."""

    feature: str
    bins: CoarseBins
    iv: float
    woe: Floats
    reason: str | None = None
    """None if selected."""
    coefficient: float | None = None


def woe(axis: Axis, sample: Sample, least: int) -> Floats:
    """Log-odds of default of each bin relative to all rows.

    0 for an empty bin. Specials, «other» and «missing» with fewer than ``least`` rows are not better than 0: a few rows
    must not make it profitable to withhold a value.
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
    """Select features, noting a reason for each that is dropped, and fit the rest.

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
    covariance = np.cov(np.stack([columns[choice.feature] for choice in kept]), aweights=weight)
    scale = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
    correlation = covariance / np.outer(scale, scale)
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


def _signed(
    found: list[Choice], columns: dict[str, Floats], sample: Sample, selection: SelectionConfig
) -> tuple[float, dict[str, float]]:
    """Fit; while a coefficient has the wrong sign, drop the worst and fit again."""
    while kept := [choice for choice in found if choice.reason is None]:
        fitted = regression().fit(
            np.column_stack([columns[choice.feature] for choice in kept]), sample.bad, sample.weight
        )
        beta = fitted.coef_[0]
        worst = int(np.argmin(beta))
        if not selection.sign_constraint or beta[worst] > 0:
            named = {choice.feature: float(value) for choice, value in zip(kept, beta, strict=True)}
            return float(fitted.intercept_[0]), named
        kept[worst].reason = f"wrong_sign: coefficient {beta[worst]:.3f} beside the others"
    return float(logit(np.average(sample.bad, weights=sample.weight))), {}


def regression() -> LogisticRegression:
    """With a slight ridge on all coefficients except the intercept; fitted to convergence."""
    return LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-10)
