"""Made-up applicants whose true default rate is known, for tests of the training."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.config import FeatureConfig, SplitConfig, TrainingConfig
from training.frame import TrainingSet

Floats = NDArray[np.float64]
REGIONS = np.array(["north", "south", "east", "west", "isles"])
FEATURES = [
    FeatureConfig("revenue_minor", "integer", unit="minor"),
    FeatureConfig("arrears_days", "integer", specials=[[-1]], monotonic="ascending"),
    FeatureConfig("region", "string"),
    FeatureConfig("tax_payer", "boolean"),
    FeatureConfig("age_months", "integer"),
    FeatureConfig("noise", "integer"),
]


def applicants(rows: int, seed: int = 1, *, paired: float = 0.0) -> tuple[pd.DataFrame, Floats]:
    """Features of firms, and each one's true log-odds of default.

    Args:
        paired: strength of what region and age say together only.
    """
    random = np.random.default_rng(seed)
    revenue, arrears = random.lognormal(12, 1, rows).astype(np.int64), random.poisson(6, rows)
    region, tax_payer = random.choice(REGIONS, rows), random.random(rows) < 0.6
    age = random.integers(1, 240, rows)
    unknown, special = random.random(rows) < 0.06, random.random(rows) < 0.1
    log_odds = (
        -1.6 - 0.7 * (np.log(revenue) - 12) + 0.22 * np.where(special, 0, arrears - 6) + 0.9 * special
        + 0.6 * (region == "isles") - 0.8 * tax_payer + 0.5 * unknown
        + paired * np.where(np.isin(region, ["north", "isles"]), 1, -1) * np.where(age < 90, 1, -1)
    )  # fmt: skip
    frame = pd.DataFrame({
        "revenue_minor": pd.arrays.IntegerArray(revenue, unknown),
        "arrears_days": pd.array(np.where(special, -1, arrears), dtype="Int64"),
        "region": pd.Series(np.where(random.random(rows) < 0.03, None, region), dtype=object),
        "tax_payer": pd.array(tax_payer, dtype="boolean"),
        "age_months": pd.array(age, dtype="Int64"),
        "noise": pd.array(random.integers(0, 50, rows), dtype="Int64"),
    })  # fmt: skip
    return frame, log_odds


def outcomes(log_odds: Floats, seed: int = 2) -> NDArray[np.int8]:
    """1 where a firm of these log-odds defaulted."""
    chance = 1 / (1 + np.exp(-log_odds))
    return (np.random.default_rng(seed).random(len(chance)) < chance).astype(np.int8)


def days(rows: int) -> NDArray[np.datetime64]:
    """Days of decision, one after another over three years."""
    return np.datetime64("2022-01-01") + (np.arange(rows) * 1095 // max(rows, 1)).astype("timedelta64[D]")


def training_set(rows: int, seed: int = 1, *, paired: float = 0.0) -> TrainingSet:
    """Applicants with their outcomes."""
    frame, log_odds = applicants(rows, seed, paired=paired)
    return TrainingSet("made-up firms", frame, outcomes(log_odds, seed + 100), days(rows))


def config(**settings: object) -> TrainingConfig:
    """The features above; two folds, so that tests are quick."""
    told = {"features": FEATURES, "split": SplitConfig(folds=2), **settings}
    return TrainingConfig(**told)  # type: ignore[arg-type]
