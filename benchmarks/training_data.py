"""The figures of docs/explanation/training-data.md: what each column of the loans tells, and when it was known.

``python -m benchmarks.training_data``: JSON on standard output and in build/bench/training-data.json.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from benchmarks.bench_models import within
from benchmarks.model_data import at_random, by_time, loans
from training.checks import single_auc
from training.data import columns, sba

ROOT = Path(__file__).parents[1]
ROWS = 150_000
SEED = 1
TIME_PROXIES = ("jobs_created", "jobs_retained", "urban_rural", "low_doc")
"""Known at the decision, but what they tell is mostly the year."""
LEFT_OUT = (
    *TIME_PROXIES, "guaranteed_minor", "revolving_code",
    "franchise_recorded", "disbursed_minor", "term_months", "charged_off_minor",
)  # fmt: skip
"""Left out of the shipped columns; what each would add is measured."""


def main() -> None:
    """Measure, print, keep."""
    frame = loans()
    sample = sba.approved_within(frame).sample(ROWS, seed=SEED)
    report = {
        "years": years(frame),
        "time_alone": {"all_years": fitted(frame, ["year"]), "window": fitted(sba.approved_within(frame), ["year"])},
        "peers_columns": fitted(frame, sba.PEERS),
        "peers_columns_and_year": fitted(frame, [*sba.PEERS, "year"]),
        "origination": fitted(sample, sba.ORIGINATION),
        "later_years": {
            "origination": later(frame, sba.ORIGINATION),
            "with_time_proxies": later(frame, [*sba.ORIGINATION, *TIME_PROXIES]),
        },
        "without": {name: fitted(sample, [c for c in sba.ORIGINATION if c != name]) for name in sba.ORIGINATION},
        "with": {name: fitted(sample, [*sba.ORIGINATION, name]) for name in LEFT_OUT},
        "alone": alone(frame),
        "after_the_decision": afterwards(frame),
    }
    text = json.dumps(report, indent=2)
    target = ROOT / "build" / "bench" / "training-data.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text + "\n", encoding="utf-8")
    print(text)


def years(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """By year of approval: how many, how many of them bad, how soon, and which columns are recorded at all."""
    by_year = frame.group_by(pl.col(sba.APPROVED_ON).dt.year().alias("year")).agg(
        pl.len().alias("loans"),
        pl.col(sba.TARGET).mean().round(4).alias("bad"),
        *(_failed_by(months) for months in (24, 48)),
        pl.col("industry_sector").is_null().mean().round(3).alias("no_industry"),
        pl.col("urban_rural").is_null().mean().round(3).alias("no_urban_rural"),
        pl.col("revolving").is_null().mean().round(3).alias("no_revolving"),
        ((pl.col("jobs_retained") == 0) & (pl.col("jobs_created") == 0)).mean().round(3).alias("no_jobs"),
        (~pl.col("franchise_recorded")).mean().round(3).alias("franchise_0"),
        (pl.col("disbursed_minor") > pl.col("approved_minor")).mean().round(3).alias("disbursed_above_approved"),
    )
    return by_year.sort("year").to_dicts()


def fitted(frame: pl.DataFrame, names: Sequence[str]) -> dict[str, float]:
    """AUC of boosting on the test rows, over all and among loans of the same year."""
    return _judged(*at_random(frame), names)


def later(frame: pl.DataFrame, names: Sequence[str]) -> dict[str, float]:
    """The same, learnt from the window's first years and judged by its last."""
    return _judged(*by_time(frame), names)


def alone(frame: pl.DataFrame) -> dict[str, float]:
    """What the trainer's leak detector measures for every column by itself."""
    names = sorted({*sba.PEERS, *sba.ORIGINATION, *sba.LEAKS})
    given = columns.training_set(frame, names, name="all", target=sba.TARGET, observed=sba.APPROVED_ON)
    return {name: round(single_auc(given.features[name], given.bad), 4) for name in names}


def afterwards(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """By outcome: terms that are whole years, draws above the amount, charge-off fields filled, balance left."""
    shares = frame.group_by(sba.TARGET).agg(
        (pl.col("term_months") % 12 == 0).mean().round(4).alias("term_whole_years"),
        (pl.col("disbursed_minor") > pl.col("approved_minor")).mean().round(4).alias("disbursed_above_approved"),
        (pl.col("disbursed_minor") == pl.col("approved_minor")).mean().round(4).alias("disbursed_as_approved"),
        pl.col("charged_off_on").is_not_null().mean().round(4).alias("charge_off_date"),
        (pl.col("charged_off_minor") > 0).mean().round(4).alias("charge_off_amount"),
        (pl.col("balance_minor") > 0).sum().alias("balance_left"),
        (pl.col("disbursed_on") - pl.col(sba.APPROVED_ON)).dt.total_days().median().alias("days_to_disbursement"),
    )
    return shares.sort(sba.TARGET).to_dicts()


def _failed_by(months: int) -> pl.Expr:
    failed = pl.col(sba.TARGET) & (pl.col("charged_off_months") <= months)
    return failed.fill_null(False).mean().round(4).alias(f"bad_by_{months}_months")


def _judged(train: pl.DataFrame, test: pl.DataFrame, names: Sequence[str]) -> dict[str, float]:
    model = HistGradientBoostingClassifier(categorical_features=_texts(train, names) or None, random_state=SEED)
    model.fit(_matrix(train, names), train[sba.TARGET].to_numpy())
    risk, bad = model.predict_proba(_matrix(test, names))[:, 1], test[sba.TARGET].cast(pl.Int8).to_numpy()
    year = test[sba.APPROVED_ON].dt.year().to_numpy()
    return {"auc": round(float(roc_auc_score(bad, risk)), 4), "auc_within_year": round(within(risk, bad, year), 4)}


def _texts(frame: pl.DataFrame, names: Sequence[str]) -> list[int]:
    return [place for place, name in enumerate(names) if name != "year" and frame[name].dtype == pl.String]


def _matrix(frame: pl.DataFrame, names: Sequence[str]) -> Any:
    """Numbers; text as the place of its value among all values of the loans."""
    given = frame.with_columns(pl.col(sba.APPROVED_ON).dt.year().alias("year"))
    parts = []
    for name in names:
        column = given[name]
        if column.dtype == pl.String:
            known = loans()[name].drop_nulls().unique().sort()
            column = column.replace_strict(known, range(len(known)), return_dtype=pl.Float64)
        parts.append(column.cast(pl.Float64).fill_null(np.nan).to_numpy())
    return np.column_stack(parts)


if __name__ == "__main__":
    main()
