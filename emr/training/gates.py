"""Gates: what a candidate must show before it may replace the champion.

Both are judged on the same rows, the newest, which neither was fitted to. Labels are checked too, so that a batch of
wrong ones does not reach the next model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from creditmesh.risk.model import Artefact
from training.config import GatesConfig
from training.frame import REJECTED, TrainingSet
from training.measures import delong, ks, psi
from training.scoring import bins, scores

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LABEL_SOURCE = "label_source"
"""Optional columns of a training set, for these checks only."""
LABEL_CHANGED = "label_changed"
_EPSILON = 1e-4
_SURE = 3.0  # standard errors; exceeded by chance once in 700 times
_PPM = 1_000_000


@dataclass(frozen=True)
class Gate:
    """A check with its result and threshold, in the unit of ``note``."""

    id: str
    passed: bool
    value: int
    threshold: int
    note: str
    """The sentence of the id, with ``parameters``."""
    parameters: Mapping[str, str | int] = field(default_factory=dict)


def report(gates: Iterable[Gate], made_at: str) -> dict[str, Any]:
    listed = [{**vars(gate), "parameters": dict(gate.parameters)} for gate in gates]
    return {"passed": all(gate["passed"] for gate in listed), "gates": listed, "made_at": made_at}


def check(
    candidate: Artefact,
    champion: Artefact,
    fitted: TrainingSet,
    kept_back: TrainingSet,
    rounding_loss: float,
    config: GatesConfig,
    fairness: Iterable[str] = (),
) -> list[Gate]:
    """Judge a candidate.

    Args:
        candidate: the new model.
        champion: the model in force.
        fitted: the candidate's training rows.
        kept_back: the newest rows, which neither model was fitted to.
        rounding_loss: AUC lost by rounding to integer points.
        config: thresholds.
        fairness: columns for comparing approval.
    """
    test = _labelled(kept_back)
    risk = {"candidate": -scores(candidate, test.features), "champion": -scores(champion, test.features)}
    return [
        _enough(test, config),
        _better(risk["candidate"], risk["champion"], test, config),
        _separates(risk["candidate"], risk["champion"], test, config),
        _calibrated(candidate, -risk["candidate"], test, config),
        _rounding(rounding_loss, config),
        _ordered(candidate, -risk["candidate"], test),
        *_stable(candidate, fitted, kept_back, config),
        _approvals(candidate, champion, kept_back, config),
        *_fair(candidate, kept_back, fairness, config),
        *check_labels(fitted, kept_back, config),
    ]


def check_labels(fitted: TrainingSet, kept_back: TrainingSet, config: GatesConfig) -> list[Gate]:
    """Judge the labels: a jump of the newest ones, a deviating source, too many changed later."""
    both = [_labelled(part) for part in (fitted, kept_back)]
    frame = pd.DataFrame(
        {
            "bad": np.concatenate([part.bad for part in both]),
            "month": np.concatenate([part.observed for part in both]).astype("datetime64[M]"),
        }
    )
    found = [_jump(frame, config)]
    if all(LABEL_SOURCE in part.features for part in both):
        frame["source"] = pd.concat([part.features[LABEL_SOURCE] for part in both]).to_numpy()
        found.append(_sources(frame, config))
    if all(LABEL_CHANGED in part.features for part in both):
        changed = pd.concat([part.features[LABEL_CHANGED] for part in both]).fillna(False).astype(bool)
        share = float(changed.mean())
        found.append(_at_most("label_changes", share, config.max_label_changes, "share of labels changed afterwards"))
    return found


def _labelled(rows: TrainingSet) -> TrainingSet:
    return rows.take(np.flatnonzero(rows.bad != REJECTED))


def _gate(name: str, passed: bool, value: float, threshold: float, note: str, **parameters: str | int) -> Gate:
    said = f"{note.format(**parameters)}; parts per million"
    return Gate(name, bool(passed), round(value * _PPM), round(threshold * _PPM), said, parameters)


def _at_most(name: str, value: float, threshold: float, note: str, **parameters: str | int) -> Gate:
    return _gate(name, value <= threshold, value, threshold, note, **parameters)


def _enough(test: TrainingSet, config: GatesConfig) -> Gate:
    fewer = int(min((test.bad == 1).sum(), (test.bad == 0).sum()))
    return Gate("rows", fewer >= config.min_class_rows, fewer, config.min_class_rows, "rows of the smaller class")


def _better(candidate: Ints, champion: Ints, test: TrainingSet, config: GatesConfig) -> Gate:
    difference, error = delong(candidate, champion, test.bad)
    least = difference - NormalDist().inv_cdf(0.975) * error
    areas = [f"{roc_auc_score(test.bad, risk):.4f}" for risk in (candidate, champion)]
    note = "AUC {candidate} against {champion}, lower end of the 95 % band"
    passed = least >= config.min_auc_gain
    return _gate("auc_gain", passed, least, config.min_auc_gain, note, candidate=areas[0], champion=areas[1])


def _separates(candidate: Ints, champion: Ints, test: TrainingSet, config: GatesConfig) -> Gate:
    lost = ks(champion, test.bad) - ks(candidate, test.bad)
    return _at_most("ks_loss", lost, config.max_ks_loss, "KS of the champion less the candidate's")


def _calibrated(candidate: Artefact, score: Ints, test: TrainingSet, config: GatesConfig) -> Gate:
    """Expected calibration error over tenths of the predicted rate."""
    steps = np.asarray(candidate.calibration)[::-1]
    place = np.maximum(np.searchsorted(steps[:, 0], score, side="right") - 1, 0)
    predicted = steps[place, 1] / _PPM
    tenth = (rankdata(predicted, method="ordinal") - 1) * 10 // len(predicted)
    parts = [tenth == i for i in np.unique(tenth)]
    error = sum(part.mean() * abs(predicted[part].mean() - test.bad[part].mean()) for part in parts)
    return _at_most("calibration_error", float(error), config.max_calibration_error, "predicted against seen rate")


def _rounding(loss: float, config: GatesConfig) -> Gate:
    return _at_most("rounding_loss", loss, config.max_rounding_loss, "AUC lost by whole points")


def _ordered(candidate: Artefact, score: Ints, test: TrainingSet) -> Gate:
    """No grade defaults significantly more often than the next worse one."""
    counts = []
    unplaced = np.ones(len(score), dtype=bool)
    for grade in candidate.grades:
        mine = unplaced & (score >= grade.min_score)
        unplaced &= ~mine
        counts.append((int(test.bad[mine].sum()), int(mine.sum())))
    seen = [(bads, rows) for bads, rows in counts if rows]
    wrong = sum(_surely_more(*upper, *lower) for upper, lower in zip(seen, seen[1:], strict=False))
    return Gate("grade_order", wrong == 0, wrong, 0, "grades that default more often than the next worse one")


def _surely_more(bads: int, rows: int, other_bads: int, other_rows: int) -> bool:
    return _z(bads, rows, other_bads, other_rows) > _SURE


def _z(bads: int, rows: int, other_bads: int, other_rows: int) -> float:
    """Difference of two default rates in standard errors."""
    pooled = (bads + other_bads) / (rows + other_rows)
    error = np.sqrt(pooled * (1 - pooled) * (1 / rows + 1 / other_rows))
    return float((bads / rows - other_bads / other_rows) / error) if error > 0 else 0.0


def _stable(candidate: Artefact, fitted: TrainingSet, kept_back: TrainingSet, config: GatesConfig) -> list[Gate]:
    before, after = scores(candidate, fitted.features), scores(candidate, kept_back.features)
    edges = np.unique(np.quantile(before, np.linspace(0.1, 0.9, 9)))
    value = psi(np.searchsorted(edges, before), np.searchsorted(edges, after), len(edges) + 1)
    found = [_at_most("score_psi", value, config.max_psi, "score of the fitted rows against the rows kept back")]
    axes = {axis: None for item in candidate.characteristics for axis in item.axes if axis.feature in fitted.features}
    shifts = [(psi(bins(axis, fitted.features), bins(axis, kept_back.features), axis.size), axis) for axis in axes]
    if shifts:
        worst, axis = max(shifts, key=lambda pair: pair[0])
        note, limit = "worst characteristic: {feature}", config.max_characteristic_psi
        found.append(_at_most("characteristic_psi", worst, limit, note, feature=axis.feature))
    return found


def _approvals(candidate: Artefact, champion: Artefact, rows: TrainingSet, config: GatesConfig) -> Gate:
    shares = [float((scores(m, rows.features) >= m.scorecard.cutoff).mean()) for m in (candidate, champion)]
    note = "change of the share of firms at the cutoff or above"
    return _at_most("approval_shift", abs(shares[0] - shares[1]), config.max_approval_shift, note)


def _fair(candidate: Artefact, rows: TrainingSet, columns: Iterable[str], config: GatesConfig) -> list[Gate]:
    """Four-fifths rule: no group's approval rate is below that share of the best group's; small groups are ignored."""
    approved = scores(candidate, rows.features) >= candidate.scorecard.cutoff
    found = []
    for column in columns:
        groups = pd.Series(approved).groupby(rows.features[column].astype(object).to_numpy()).agg(["mean", "size"])
        rates = groups.loc[groups["size"] >= config.min_class_rows, "mean"]
        ratio = float(rates.min() / rates.max()) if len(rates) > 1 and rates.max() > 0 else 1.0
        passed = ratio >= config.min_four_fifths
        found.append(_gate(f"fairness_{column}", passed, ratio, config.min_four_fifths, "lowest approval rate to best"))
    return found


def _jump(frame: pd.DataFrame, config: GatesConfig) -> Gate:
    """The newest month with enough labels against the year before: significantly, and by more than a factor."""
    months = frame.groupby("month")["bad"].agg(["sum", "size"])
    months = months[months["size"] >= config.min_class_rows]
    if len(months) < 2:
        note = "{months} months with enough labels, two are needed"
        return _gate("label_jump", True, 1.0, config.max_label_jump, note, months=len(months))
    newest, history = months.iloc[-1], months.iloc[-13:-1].sum()
    rate, usual = newest["sum"] / newest["size"], max(history["sum"] / history["size"], _EPSILON)
    sure = abs(_z(int(newest["sum"]), int(newest["size"]), int(history["sum"]), int(history["size"]))) > _SURE
    factor = float(max(rate, _EPSILON) / usual)
    apart = max(factor, 1 / factor)
    passed = not (sure and apart > config.max_label_jump)
    return _gate("label_jump", passed, apart, config.max_label_jump, "default rate of the newest month to the year's")


def _sources(frame: pd.DataFrame, config: GatesConfig) -> Gate:
    """The source whose labels differ most from all others'."""
    worst, name = 1.0, ""
    for source, part in frame.groupby("source"):
        rest = frame[frame["source"] != source]
        if min(len(part), len(rest)) < config.min_class_rows:
            continue
        if abs(_z(int(part["bad"].sum()), len(part), int(rest["bad"].sum()), len(rest))) > _SURE:
            factor = max(part["bad"].mean(), _EPSILON) / max(rest["bad"].mean(), _EPSILON)
            if max(factor, 1 / factor) > worst:
                worst, name = float(max(factor, 1 / factor)), str(source)
    if not name:
        return _at_most("label_source", worst, config.max_label_jump, "default rates of the sources")
    note = "default rate of source {source} to all others'"
    return _at_most("label_source", worst, config.max_label_jump, note, source=name)
