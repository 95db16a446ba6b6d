"""One other library's scorecard, or gradient boosting, as its own documentation shows it: fit, then default rates.

``.venvs/peers/bin/python benchmarks/model_peers.py NAME train.parquet test.parquet rates.npy``; prints seconds as JSON.
Runs in an environment without our code, and imports none of it.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

Fitted = Callable[[pd.DataFrame], Any]
TARGET = "bad"
BINNING_ROWS = 100_000
"""Two libraries find their bins in ten minutes and more on the loans, and no better ones than in a part of the rows."""


def main(name: str, train_path: str, test_path: str, target: str) -> None:
    """Fit on one file, write the default rates of the other's rows."""
    warnings.simplefilter("ignore")
    train, test = pd.read_parquet(train_path), pd.read_parquet(test_path)
    started = time.perf_counter()
    fitted = MODELS[name](train)
    fit_seconds = time.perf_counter() - started
    started = time.perf_counter()
    rates = np.asarray(fitted(test.drop(columns=TARGET)), dtype=np.float64)
    score_seconds = time.perf_counter() - started
    np.save(target, rates)
    # The libraries print too; ours is the last line.
    print("\n" + json.dumps({"fit_seconds": round(fit_seconds, 2), "score_seconds": round(score_seconds, 2)}))


def texts(frame: pd.DataFrame) -> list[str]:
    """Names of the columns that hold text."""
    return [name for name in frame.columns if frame[name].dtype == object]


def part(train: pd.DataFrame) -> pd.DataFrame:
    """Rows to find bins in."""
    return train.sample(min(len(train), BINNING_ROWS), random_state=42)


def optbinning(train: pd.DataFrame) -> Fitted:
    """Optimal binning, WoE, logistic regression."""
    from optbinning import BinningProcess, Scorecard
    from sklearn.linear_model import LogisticRegression

    features = train.drop(columns=TARGET)
    binning = BinningProcess(list(features.columns), categorical_variables=texts(features))
    card = Scorecard(binning_process=binning, estimator=LogisticRegression(max_iter=1000))
    card.fit(features, train[TARGET])
    return lambda test: card.predict_proba(test)[:, 1]


def scorecardpy(train: pd.DataFrame) -> Fitted:
    """Tree-like binning, WoE, logistic regression."""
    import scorecardpy as sc
    from sklearn.linear_model import LogisticRegression

    # A column of more than 50 different texts makes it ask a question on the terminal.
    bins = sc.woebin(part(train), y=TARGET, no_cores=1, print_info=False, check_cate_num=False)
    woe = sc.woebin_ply(train, bins, no_cores=1, print_info=False)
    names = [name for name in woe.columns if name != TARGET]
    model = LogisticRegression(max_iter=1000).fit(woe[names].fillna(0.0), woe[TARGET])

    def rates(test: pd.DataFrame) -> Any:
        # Unknown where no row of the training set was: its WoE would be NaN, so it counts as average.
        given = sc.woebin_ply(test.assign(**{TARGET: 0}), bins, no_cores=1, print_info=False)
        return model.predict_proba(given[names].fillna(0.0))[:, 1]

    return rates


def toad(train: pd.DataFrame) -> Fitted:
    """Chi-merge binning, WoE, logistic regression."""
    from sklearn.linear_model import LogisticRegression
    from toad.transform import Combiner, WOETransformer

    combiner = Combiner()
    combiner.fit(part(train), y=TARGET)
    woe = WOETransformer()
    names = [name for name in train.columns if name != TARGET]
    given = woe.fit_transform(combiner.transform(train), train[TARGET], exclude=[TARGET])
    model = LogisticRegression(max_iter=1000).fit(given[names], train[TARGET])
    return lambda test: model.predict_proba(woe.transform(combiner.transform(test[names])))[:, 1]


def boosting(train: pd.DataFrame) -> Fitted:
    """Gradient boosting with the library's defaults: what can be had without readable points."""
    return _boosted(train)


def boosting_large(train: pd.DataFrame) -> Fitted:
    """More and larger trees, for sets of many rows."""
    large: dict[str, Any] = {"max_iter": 400, "max_leaf_nodes": 63}
    return _boosted(train, **large)


def _boosted(train: pd.DataFrame, **settings: Any) -> Fitted:
    from sklearn.ensemble import HistGradientBoostingClassifier

    kinds = {name: pd.CategoricalDtype(sorted(train[name].dropna().unique())) for name in texts(train)}
    model = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=42, **settings)
    model.fit(train.drop(columns=TARGET).astype(kinds), train[TARGET])
    return lambda test: model.predict_proba(test.astype(kinds))[:, 1]


MODELS: dict[str, Callable[[pd.DataFrame], Fitted]] = {
    "optbinning": optbinning,
    "scorecardpy": scorecardpy,
    "toad": toad,
    "boosting": boosting,
    "boosting-large": boosting_large,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
