"""Measures of a score: separation, calibration, stability. A higher score here always means more risk."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Outcome = NDArray[np.integer]


def auc(risk: NDArray[np.number], bad: Outcome, weight: Floats | None = None) -> float:
    """Area under the ROC curve: the chance that a defaulted row has more risk than one that did not; ties are half."""
    bads, goods = _by_value(risk, bad, weight)
    below = np.cumsum(goods) - goods
    return float((bads * (below + goods / 2)).sum() / (bads.sum() * goods.sum()))


def ks(risk: NDArray[np.number], bad: Outcome, weight: Floats | None = None) -> float:
    """Kolmogorov–Smirnov: the widest gap between both classes' cumulative shares."""
    bads, goods = _by_value(risk, bad, weight)
    return float(np.abs(np.cumsum(bads) / bads.sum() - np.cumsum(goods) / goods.sum()).max())


def _by_value(risk: NDArray[np.number], bad: Outcome, weight: Floats | None) -> tuple[Floats, Floats]:
    """Weight of bad and of good rows at each different value of risk, rising."""
    _, place = np.unique(risk, return_inverse=True)
    counted = np.ones(len(bad)) if weight is None else weight
    bads, goods = (np.bincount(place, counted * (bad == kind)).astype(np.float64) for kind in (1, 0))
    return bads, goods


def auc_interval(risk: NDArray[np.number], bad: Outcome, confidence: float = 0.95) -> tuple[float, float]:
    """Confidence interval of the AUC (DeLong, DeLong and Clarke-Pearson 1988), rows counted alike."""
    bads, goods = _by_value(risk, bad, None)
    m, n = bads.sum(), goods.sum()
    # For each bad row the share of goods below it; for each good row the share of bads above it.
    of_bad = (np.cumsum(goods) - goods / 2) / n
    of_good = 1 - (np.cumsum(bads) - bads / 2) / m
    area = float((bads * of_bad).sum() / m)
    spread = [
        float((mass * (part - area) ** 2).sum() / max(count - 1, 1) / count)
        for mass, part, count in ((bads, of_bad, m), (goods, of_good, n))
    ]
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * math.sqrt(sum(spread))
    return max(area - half, 0.0), min(area + half, 1.0)


def brier(rate: Floats, bad: Outcome, weight: Floats | None = None) -> float:
    """Mean squared difference of rate and outcome."""
    return float(np.average((rate - bad) ** 2, weights=weight))


def roc(risk: NDArray[np.number], bad: Outcome, points: int = 100) -> list[dict[str, float]]:
    """The ROC curve, at most so many points, from the riskiest rows on."""
    bads, goods = (part[::-1] for part in _by_value(risk, bad, None))
    hits, alarms = np.cumsum(bads) / bads.sum(), np.cumsum(goods) / goods.sum()
    chosen = np.unique(np.searchsorted(alarms, np.linspace(0, 1, points)).clip(0, len(alarms) - 1))
    told = [{"good_share": round(float(alarms[i]), 5), "bad_share": round(float(hits[i]), 5)} for i in chosen]
    return [{"good_share": 0.0, "bad_share": 0.0}, *told]


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
    """Rows by foretold rate in equal parts: what was foretold, and what was seen with its 95 % interval."""
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
    """Mean difference of foretold and seen rates over the parts of ``reliability``."""
    rows = sum(part["rows"] for part in table)
    return sum(part["rows"] * abs(part["foretold"] - part["seen"]) for part in table) / rows


def hosmer_lemeshow(table: list[dict[str, float]]) -> dict[str, float]:
    """Hosmer and Lemeshow's test over the parts of ``reliability``; with many rows it refuses what is near enough."""
    # Here: scipy takes a while to import, and only this needs it.
    from scipy.special import gammaincc

    statistic = sum(
        part["rows"] * (part["seen"] - part["foretold"]) ** 2 / max(part["foretold"] * (1 - part["foretold"]), 1e-9)
        for part in table
    )
    degrees = max(len(table) - 2, 1)
    return {
        "statistic": round(statistic, 3),
        "degrees": degrees,
        "p": round(float(gammaincc(degrees / 2, statistic / 2)), 5),
    }


def psi(before: NDArray[np.integer], after: NDArray[np.integer], bins: int) -> float:
    """Population stability index between two samples of bin numbers; below 0.1 is calm, above 0.25 is a shift."""
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
