"""Measures of a score: separation, calibration, stability. Here a higher score always means more risk."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, rankdata
from sklearn.metrics import roc_curve

Floats = NDArray[np.float64]
Outcome = NDArray[np.integer]


def ks(risk: NDArray[np.number], bad: Outcome) -> float:
    """Kolmogorov–Smirnov: the maximum distance between both classes' cumulative shares."""
    alarms, hits, _ = roc_curve(bad, risk)
    return float(np.abs(hits - alarms).max())


def delong(first: NDArray[np.number], second: NDArray[np.number], bad: Outcome) -> tuple[float, float]:
    """The difference of two AUCs on the same rows and its standard error (DeLong et al., 1988)."""
    parts = [a - b for a, b in zip(_placements(first, bad), _placements(second, bad), strict=True)]
    return float(parts[0].mean()), _error(parts)


def auc_interval(risk: NDArray[np.number], bad: Outcome, confidence: float = 0.95) -> tuple[float, float]:
    """Confidence interval of the AUC (DeLong et al., 1988), unweighted."""
    parts = _placements(risk, bad)
    area = float(parts[0].mean())
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * _error(parts)
    return max(area - half, 0.0), min(area + half, 1.0)


def _placements(risk: NDArray[np.number], bad: Outcome) -> list[Floats]:
    """For each bad row the share of good ones below it, and for each good row that of bad ones above.

    Ties count half.
    """
    bads, goods = risk[bad == 1], risk[bad == 0]
    every = rankdata(np.concatenate([bads, goods]))
    among_goods = (every[: len(bads)] - rankdata(bads)) / len(goods)
    return [among_goods, 1 - (every[len(bads) :] - rankdata(goods)) / len(bads)]


def _error(parts: list[Floats]) -> float:
    return math.sqrt(sum(np.var(part, ddof=1) / len(part) for part in parts))


def roc(risk: NDArray[np.number], bad: Outcome, points: int = 100) -> list[dict[str, float]]:
    """The ROC curve from the riskiest rows on, with at most that many points plus the first."""
    alarms, hits, _ = roc_curve(bad, risk, drop_intermediate=False)
    chosen = np.unique([0, *np.searchsorted(alarms[1:], np.linspace(0, 1, points)) + 1])
    return [{"good_share": round(float(alarms[i]), 5), "bad_share": round(float(hits[i]), 5)} for i in chosen]


def gains(risk: NDArray[np.number], bad: Outcome, parts: int = 10) -> list[dict[str, float]]:
    """Rows from the riskiest down in equal parts: default rate, share of all defaults so far, lift."""
    order = np.argsort(-risk.astype(np.float64), kind="stable")
    table, found, total = [], 0, int((bad == 1).sum())
    for number, rows in enumerate(np.array_split(order, parts)):
        part = int((bad[rows] == 1).sum())
        found += part
        share = found / total
        table.append({
            "part": number + 1, "rows": len(rows), "bad_rate": round(part / max(len(rows), 1), 5),
            "bad_share": round(share, 5), "lift": round(share * parts / (number + 1), 3),
        })  # fmt: skip
    return table


def reliability(rate: Floats, bad: Outcome, parts: int = 10) -> list[dict[str, float]]:
    """Rows by predicted rate in equal parts: predicted rate, and actual rate with its 95 % interval."""
    order = np.argsort(rate, kind="stable")
    table = []
    for rows in np.array_split(order, parts):
        if len(rows):
            bads = int((bad[rows] == 1).sum())
            low, high = wilson(bads, len(rows), 0.95)
            table.append({
                "rows": len(rows), "foretold": round(float(rate[rows].mean()), 5), "seen": round(bads / len(rows), 5),
                "low": round(low, 5), "high": round(high, 5),
            })  # fmt: skip
    return table


def calibration_error(table: list[dict[str, float]]) -> float:
    """Mean difference of predicted and actual rates over the parts of ``reliability``."""
    rows = sum(part["rows"] for part in table)
    return sum(part["rows"] * abs(part["foretold"] - part["seen"]) for part in table) / rows


def hosmer_lemeshow(table: list[dict[str, float]]) -> dict[str, float]:
    """Hosmer–Lemeshow test over the parts of ``reliability``; with many rows it rejects negligible differences."""
    statistic = sum(
        part["rows"] * (part["seen"] - part["foretold"]) ** 2 / max(part["foretold"] * (1 - part["foretold"]), 1e-9)
        for part in table
    )
    degrees = max(len(table) - 2, 1)
    return {
        "statistic": round(statistic, 3),
        "degrees": degrees,
        "p": round(float(chi2.sf(statistic, degrees)), 5),
    }


def psi(before: NDArray[np.integer], after: NDArray[np.integer], bins: int) -> float:
    """Population stability index of two samples of bin numbers; below 0.1 is stable, above 0.25 a shift."""
    first, second = (
        np.maximum(np.bincount(part, minlength=bins) / max(len(part), 1), 1e-4) for part in (before, after)
    )
    return float(((second - first) * np.log(second / first)).sum())


def wilson(bads: float, rows: float, confidence: float) -> tuple[float, float]:
    """Confidence interval of a rate (Wilson's score interval)."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate, spread = bads / rows, z * z / rows
    middle = (rate + spread / 2) / (1 + spread)
    half = z * math.sqrt(rate * (1 - rate) / rows + spread / (4 * rows)) / (1 + spread)
    return max(middle - half, 0.0), min(middle + half, 1.0)
