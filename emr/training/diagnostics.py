"""The contents of a model card: data, selection, bins, separation, calibration, stability, fairness, limits.

Everything is measured on the shipped integer scores and calibrated rates.
"""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, roc_auc_score

from training import measures, scoring
from training.axes import Coded, cell_count
from training.fairness import fairness
from training.finished import Finished, Part
from training.split import OUT_OF_TIME, TEST, TRAIN
from training.tables import axes_of, characteristics, selection

_PPM = 1_000_000
_SCORE_BANDS = 20
_LIBRARIES = ("numpy", "pandas", "scipy", "scikit-learn", "optbinning")


def diagnose(run: Finished) -> dict[str, Any]:
    parts = {
        name: _part(run, rows)
        for name, rows in ((TRAIN, run.parts.train), (TEST, run.parts.test), (OUT_OF_TIME, run.parts.out_of_time))
        if len(rows)
    }
    judged = parts.get(TEST, parts[TRAIN])
    found = {
        "data": _data(run),
        "splits": {name: _counts(part) for name, part in parts.items()},
        "complexity": _complexity(run),
        "selection": selection(run),
        "characteristics": characteristics(run),
        "performance": {name: _performance(part) for name, part in parts.items()},
        "roc": {name: measures.roc(-part.score, part.rows.bad) for name, part in parts.items()},
        "gains": measures.gains(-judged.score, judged.rows.bad),
        "scores": _distribution(parts),
        "cutoff": run.sections["scorecard"]["cutoff"],
        "grades": run.sections["grades"],
        "stability": _stability(run, parts),
        "fairness": fairness(judged.rows, judged.score, judged.rate, run.sections, run.config),
        "rounding": _rounding(run, parts),
        "reject_inference": _inference(run),
        "limits_of_use": _limits(run),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}},
        "seed": run.config.seed,
    }
    return {**found, "gates": _gates(found, run)}


def _part(run: Finished, places: NDArray[np.intp]) -> Part:
    rows = run.rows.take(places)
    score = scoring.scores_of(run.sections, rows.features)
    return Part(rows, score, scoring.pd_ppm(run.sections, score) / _PPM)


def _data(run: Finished) -> dict[str, Any]:
    days = run.rows.observed[~np.isnat(run.rows.observed)]
    return {
        "name": run.rows.name,
        "content_hash": run.rows.content_hash(),
        "outcome_kind": run.rows.outcome_kind,
        "rows": len(run.rows),
        "bad": int((run.rows.bad == 1).sum()),
        "good": int((run.rows.bad == 0).sum()),
        "rejected": int((run.rows.bad < 0).sum()),
        "first_day": str(days.min()) if len(days) else None,
        "last_day": str(days.max()) if len(days) else None,
        "features": len(run.config.features),
    }


def _counts(part: Part) -> dict[str, Any]:
    return {
        "rows": len(part.rows),
        "bad": int((part.rows.bad == 1).sum()),
        "bad_rate": round(float((part.rows.bad == 1).mean()), 5),
    }


def _complexity(run: Finished) -> dict[str, Any]:
    """The steps from the simple to the complex scorecard, and why the last one was chosen."""
    steps = [
        {"step": number, "added": added, "log_loss": round(loss, 6)}
        for number, (added, loss) in enumerate(zip(run.judged.added, run.judged.losses, strict=True))
    ]
    return {"chosen_step": run.judged.steps, "steps": steps, "rows_kept_back": len(run.judged.rows)}


def _performance(part: Part) -> dict[str, Any]:
    bad = part.rows.bad
    area = float(roc_auc_score(bad, -part.score))
    low, high = measures.auc_interval(-part.score, bad)
    table = measures.reliability(part.rate, bad)
    return {
        "auc": round(area, 5), "auc_low": round(low, 5), "auc_high": round(high, 5), "gini": round(2 * area - 1, 5),
        "ks": round(measures.ks(-part.score, bad), 5), "brier": round(float(brier_score_loss(bad, part.rate)), 5),
        "reliability": table, "calibration_error": round(measures.calibration_error(table), 5),
        "hosmer_lemeshow": measures.hosmer_lemeshow(table),
    }  # fmt: skip


def _distribution(parts: dict[str, Part]) -> dict[str, Any]:
    """Score bands of equal width: rows and defaults of each part."""
    every = np.concatenate([part.score for part in parts.values()])
    low, high = int(every.min()), int(every.max()) + 1
    width = max(1, -(-(high - low) // _SCORE_BANDS))
    starts = list(range(low, high, width))
    told: dict[str, Any] = {"from": starts, "width": width}
    for name, part in parts.items():
        place = (part.score - low) // width
        told[name] = {
            "rows": np.bincount(place, minlength=len(starts)).tolist(),
            "bad": np.bincount(place, part.rows.bad == 1, len(starts)).astype(int).tolist(),
        }
    return told


def _stability(run: Finished, parts: dict[str, Part]) -> dict[str, Any]:
    """PSI of score and characteristics, from the training rows to the other parts."""
    bounds = np.unique(np.quantile(parts[TRAIN].score, np.linspace(0, 1, 11)[1:-1]))
    bands = {name: np.searchsorted(bounds, part.score, side="right") for name, part in parts.items()}
    told: dict[str, Any] = {}
    for name, part in parts.items():
        if name != TRAIN:
            told[name] = {
                "score": round(measures.psi(bands[TRAIN], bands[name], len(bounds) + 1), 5),
                "characteristics": _drifts(run, parts[TRAIN].rows.features, part.rows.features),
            }
    return told


def _drifts(run: Finished, before: pd.DataFrame, after: pd.DataFrame) -> dict[str, float]:
    first, second = Coded(before), Coded(after)
    told: dict[str, float] = {}
    for card in run.sections["scorecard"]["segments"]:
        for item in card["characteristics"]:
            axes = axes_of(item, run.sections)
            value = measures.psi(first.cells(axes), second.cells(axes), cell_count(axes))
            told[item["id"]] = round(max(value, told.get(item["id"], 0.0)), 5)
    return told


def _rounding(run: Finished, parts: dict[str, Part]) -> dict[str, float]:
    """AUC of the unrounded tables minus that of the points."""
    told = {}
    for name, part in parts.items():
        exact = run.step.predict(Coded(part.rows.features))
        areas = [float(roc_auc_score(part.rows.bad, risk)) for risk in (exact, -part.score)]
        told[name] = round(areas[0] - areas[1], 6)
    return told


def _inference(run: Finished) -> dict[str, Any]:
    assumption = {
        "none": "only applications with an outcome were learnt from",
        "reweighting": "given the features, rejected firms default as accepted ones do",
        "fuzzy": "rejected firms have the odds that the accepted show, times the prudence",
        "parcelling": "rejected firms have the odds that the accepted show, times the prudence",
    }[run.config.reject_inference]
    return {
        "method": run.config.reject_inference, "assumption": assumption, "prudence": run.config.reject_prudence,
        "rows": len(run.parts.rejected), "bad_rate_fitted": round(
            float(np.average(run.sample.bad, weights=run.sample.weight)), 5
        ),
    }  # fmt: skip


def _limits(run: Finished) -> list[str]:
    told = list(run.config.limits_of_use)
    if run.rows.outcome_kind == "simulated":
        told.insert(0, "Outcomes were simulated: the model shows how the platform works and must not decide on firms.")
    if not len(run.parts.out_of_time):
        told.append("No younger rows were kept back: how this very model fares in later years was not measured.")
    return told


def _gates(found: dict[str, Any], run: Finished) -> list[dict[str, Any]]:
    """Gates of the candidate alone; see `gates` for the comparison with the champion."""
    gates, performance = run.config.gates, found["performance"]
    judged = performance.get(OUT_OF_TIME, performance.get(TEST, performance[TRAIN]))
    shifts = [part["score"] for part in found["stability"].values()]
    checks = (
        ("min_auc", judged["auc"], gates.min_auc, judged["auc"] >= gates.min_auc),
        ("max_auc_drop", round(performance[TRAIN]["auc"] - judged["auc"], 5), gates.max_auc_drop, None),
        ("max_calibration_error", judged["calibration_error"], gates.max_calibration_error, None),
        ("max_psi", max(shifts, default=0.0), gates.max_psi, None),
        ("max_rounding_loss", max(found["rounding"].values()), gates.max_rounding_loss, None),
    )
    return [
        {"gate": name, "value": value, "limit": limit, "passed": value <= limit if passed is None else passed}
        for name, value, limit, passed in checks
    ]
