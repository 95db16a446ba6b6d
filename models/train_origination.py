"""Learns the points of the origination model: ``python -m models.train_origination > models/origination-learnt.json``.

Two sources, and every characteristic says from which it comes:

* ``observed``: line of business and employees, from the public loans of the U.S. Small Business Administration that
  were guaranteed in part. docs/explanation/training-data.md says which of their columns are used, and why.
* ``simulated``: taxes, invoices, statements, credit and the rest, from made-up firms whose outcome follows the open
  formula of ``training.data.outcomes``. Nobody has real outcomes of such firms to publish.

Points of both add up; calibration and grades are of their sum, on the made-up firms.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from sklearn.metrics import roc_auc_score

from models.parts import laid_out
from training import calibration, grades, scoring
from training.config import GradesConfig, Monotonic, ScaleConfig, SelectionConfig, TrainingConfig
from training.data import columns, firms, sba
from training.measures import ks
from training.train import train

SCALE = ScaleConfig(base_score=600, base_odds=20, pdo=40)
GRADES = GradesConfig(
    names=["A", "B", "C", "D", "E", "F"],
    margin_bps=[100, 150, 200, 260, 330, 420],
    limit_factor_bps=[10_000, 9_000, 7_500, 6_000, 4_500, 3_000],
    cutoff_pd_ppm=140_000,
    refer_pd_ppm=None,
)
#: Features that take what the public loans tell.
OBSERVED = ("industry", "employee_count")
#: feature -> (reason when it loses points, how the default rate goes as its value rises)
SIMULATED: dict[str, tuple[str, str]] = {
    "tax_credit_rating": ("LOW_TAX_RATING", "none"),
    "revenue_12m_minor": ("SMALL_SCALE", "descending"),
    "revenue_growth_bps": ("REVENUE_TREND", "descending"),
    "profit_margin_bps": ("LOW_PROFIT", "descending"),
    "debt_ratio_bps": ("HIGH_DEBT", "ascending"),
    "current_ratio_bps": ("LOW_LIQUIDITY", "descending"),
    "tax_burden_bps": ("LOW_TAX_BURDEN", "descending"),
    "tax_late_count_24m": ("LATE_TAX", "ascending"),
    "invoice_volatility_bps": ("INVOICE_VOLATILE", "ascending"),
    "invoice_trend_bps": ("INVOICE_FALLING", "descending"),
    "invoice_void_rate_bps": ("INVOICE_VOIDED", "ascending"),
    "invoice_months_active_12m": ("INVOICE_INACTIVE", "descending"),
    "top_customer_share_bps": ("CUSTOMER_CONCENTRATION", "ascending"),
    "legal_rep_changes_24m": ("MANAGEMENT_CHANGES", "ascending"),
    "penalty_count_24m": ("PENALTIES", "ascending"),
    "pledge_active_count": ("PLEDGES", "ascending"),
    "overdue_months_24m": ("CREDIT_OVERDUE", "ascending"),
    "credit_utilisation_bps": ("HIGH_UTILISATION", "ascending"),
    "debt_service_to_revenue_bps": ("HIGH_DEBT_SERVICE", "ascending"),
    "enquiry_count_6m": ("MANY_ENQUIRIES", "ascending"),
    "fraud_score": ("FRAUD_SUSPECTED", "ascending"),
}


def main() -> None:
    """Learn both parts, put them together, tell how the whole does."""
    made_up = firms.cached()
    tax = _simulated(made_up)
    public = observed(sba.guaranteed_in_part(sba.approved_within(sba.clean(sba.read(sba.fetch())))))
    characteristics = [*public, *tax["characteristics"]]
    rows = firms.training_set(made_up, [*SIMULATED, *OBSERVED])
    base, score = _centred(tax["base_points"], characteristics, rows.features)
    table = calibration.calibrate(score.astype(np.float64), rows.bad, rows.weight, SCALE)
    cutoff = min(step["min_score"] for step in table if step["pd_ppm"] <= GRADES.cutoff_pd_ppm)
    risk = -score
    print(f"AUC {roc_auc_score(rows.bad, risk):.4f}, KS {ks(risk, rows.bad):.4f}", file=sys.stderr)
    learnt = {
        "note": "made by models/train_origination.py",
        "base_points": base,
        "cutoff": int(cutoff),
        "characteristics": characteristics,
        "calibration": table,
        "grades": grades.grade(score, rows.bad, rows.weight, int(cutoff), GRADES),
    }
    sys.stdout.write(laid_out(learnt) + "\n")


def _simulated(made_up: Any) -> dict[str, Any]:
    """The scorecard of what only the institutions tell."""
    wanted = {config.name: config for config in columns.feature_configs(made_up, list(SIMULATED))}
    features = [
        replace(wanted[name], reason_code=reason, monotonic=way, source="third_party")  # type: ignore[arg-type]
        for name, (reason, way) in SIMULATED.items()
    ]
    config = TrainingConfig(features=features, scale=SCALE, grades=GRADES, complexity="logistic")
    model = train(firms.training_set(made_up, list(SIMULATED)), config)
    found: dict[str, Any] = model.sections()["scorecard"]["segments"][0]
    return found


def observed(loans: pl.DataFrame) -> list[dict[str, Any]]:
    """Line of business and employees, from the public loans, on the features of key data.

    Args:
        loans: cleaned records (``sba.clean``).
    """
    loans = loans.with_columns(_line().alias("line_of_business"))
    ways: dict[str, Monotonic] = {"line_of_business": "none", "employees": "descending"}
    names = list(ways)
    features = [replace(config, monotonic=ways[config.name]) for config in columns.feature_configs(loans, names)]
    every = SelectionConfig(min_iv=0.0, sign_constraint=False)  # both are wanted, however little they tell
    config = TrainingConfig(features=features, scale=SCALE, complexity="logistic", selection=every)
    model = train(sba.training_set(loans, names), config)
    (card,) = model.sections()["scorecard"]["segments"]
    by_feature = {item["axes"][0]["feature"]: item for item in card["characteristics"]}
    return [_industry(by_feature["line_of_business"]), _employees(by_feature["employees"])]


def _line() -> pl.Expr:
    """A loan's line of business: its three-digit group where a division of ours is one, else its sector."""
    group = pl.col("industry_group")
    return pl.when(group.is_in(list(firms.NAICS_GROUPS.values()))).then(group).otherwise(pl.col("industry_sector"))


def _industry(learnt: Mapping[str, Any]) -> dict[str, Any]:
    """Each division of industry takes the points of its group, or of its sector where it has none."""
    points = _by_value(learnt)
    divisions: dict[int, list[str]] = {}
    for division, sector in sorted(firms.NAICS.items()):
        line = firms.NAICS_GROUPS.get(division, sector)
        divisions.setdefault(points[line], []).append(division)
    ranked = sorted(divisions.items(), reverse=True)
    return {
        "id": "industry",
        "axes": [{"feature": "industry", "groups": [names for _, names in ranked]}],
        "points": [*(value for value, _ in ranked), _known_only(points), _known_only(points)],
        "reason_code": "INDUSTRY_RISK",
        "evidence": "observed",
    }


def _employees(learnt: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers of people are numbers of people: the bounds are taken over as they are."""
    (axis,) = learnt["axes"]
    known = learnt["points"][:-1]
    return {
        "id": "employees",
        "axes": [{**axis, "feature": "employee_count"}],
        "points": [*known, min(known)],  # as in ``_known_only``
        "reason_code": "FEW_EMPLOYEES",
        "evidence": "observed",
    }


def _known_only(points: Mapping[Any, int]) -> int:
    """What a firm gets of which the public loans know nothing: the least of the known points.

    Their own «missing» tells of years in which a field was not asked for, not of firms.
    """
    return min(value for name, value in points.items() if name not in ("other", "missing"))


def _by_value(learnt: Mapping[str, Any]) -> dict[Any, int]:
    (axis,) = learnt["axes"]
    groups, points = axis["groups"], learnt["points"]
    found = {value: points[place] for place, group in enumerate(groups) for value in group}
    return {**found, "other": points[len(groups)], "missing": points[len(groups) + 1]}


def _centred(base: int, characteristics: list[dict[str, Any]], features: pd.DataFrame) -> tuple[int, Any]:
    """The base under which what the public loans add is nought on average, and the scores of the rows."""
    own = [item for item in characteristics if item["evidence"] == "observed"]
    base -= round(float(_scores(0, own, features).mean()))
    return base, _scores(base, characteristics, features)


def _scores(base: int, characteristics: list[dict[str, Any]], features: pd.DataFrame) -> Any:
    kinds = {
        axis["feature"]: "integer" if "bounds" in axis else "string" for c in characteristics for axis in c["axes"]
    }
    card = {"id": "all", "when": None, "base_points": base, "characteristics": characteristics}
    schema = {"features": {name: {"type": kind} for name, kind in kinds.items()}}
    return scoring.scores_of({"feature_schema": schema, "scorecard": {"segments": [card]}}, features)


if __name__ == "__main__":
    main()
