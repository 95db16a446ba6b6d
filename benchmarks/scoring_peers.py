"""Scoring by optbinning and scorecardpy, for comparison; run by the Python of ``.venvs/peers``.

``scoring_peers.py DATA ROWS`` with the characteristics as JSON on standard input: name -> bounds or groups. Both get
the same bins and a logistic regression over made-up outcomes; timed is scoring alone, of rows already in memory, and
once reading their Parquet included. They compute a score only: no rules, no grade, no limit.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scorecardpy
from optbinning import BinningProcess, Scorecard
from sklearn.linear_model import LogisticRegression as _LogisticRegression

LogisticRegression: Any = _LogisticRegression
"""The library has no types."""
_FIT_ROWS = 20_000
_SLOW_ROWS = 50_000
_REPEATS = 3
Bins = dict[str, dict[str, list[Any]]]


def main() -> None:
    """Measure both and print the figures."""
    warnings.simplefilter("ignore")
    files, rows = sorted(Path(sys.argv[1]).glob("*.parquet")), int(sys.argv[2])
    bins: Bins = json.load(sys.stdin)

    def read() -> pd.DataFrame:
        return pd.concat([pd.read_parquet(file, columns=list(bins)) for file in files]).head(rows)

    frame, read_seconds = timed(read)
    bad = outcomes(frame.head(_FIT_ROWS), bins)
    score = optbinning_scorer(frame.head(_FIT_ROWS), bad, bins)
    seconds = best(lambda: score(frame))
    slow = scorecardpy_scorer(frame.head(_FIT_ROWS), bad, bins)
    part = frame.head(_SLOW_ROWS)
    slow_seconds = best(lambda: slow(part))
    print(
        json.dumps(
            {
                "optbinning": rates(len(frame), seconds, read_seconds),
                "scorecardpy": rates(len(part), slow_seconds, read_seconds * len(part) / len(frame)),
            }
        )
    )


def rates(rows: int, seconds: float, read_seconds: float) -> dict[str, float]:
    """Rows per second of processor time, in memory and from Parquet."""
    return {
        "rows": rows,
        "in_memory_rows_per_cpu_second": round(rows / seconds),
        "from_parquet_rows_per_cpu_second": round(rows / (seconds + read_seconds)),
    }


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What ``work`` gives, and its seconds of processor time, which other processes make no longer."""
    started = time.process_time()
    result = work()
    return result, time.process_time() - started


def best(work: Callable[[], Any]) -> float:
    """Seconds of the quickest of some runs."""
    return min(timed(work)[1] for _ in range(_REPEATS))


def outcomes(frame: pd.DataFrame, bins: Bins) -> np.ndarray[Any, Any]:
    """A made-up outcome that depends on every number a little."""
    numbers = frame[[name for name in bins if "bounds" in bins[name]]].rank(pct=True).fillna(0.5)
    weight = np.linspace(-1.0, 1.0, numbers.shape[1])
    chance = np.random.default_rng(7).random(len(frame))
    return (chance < 1 / (1 + np.exp(-(numbers.to_numpy() - 0.5) @ weight + 2))).astype(int)


def optbinning_scorer(frame: pd.DataFrame, bad: Any, bins: Bins) -> Callable[[pd.DataFrame], Any]:
    """A fitted optbinning scorecard's ``score``."""
    names = list(bins)
    categorical = [name for name in names if "groups" in bins[name]]
    fit: dict[str, Any] = {name: {"user_splits": bins[name]["bounds"]} for name in names if name not in categorical}
    process = BinningProcess(names, categorical_variables=categorical, binning_fit_params=fit)
    card = Scorecard(
        process,
        LogisticRegression(max_iter=1_000),
        scaling_method="pdo_odds",
        scaling_method_params={"pdo": 40, "odds": 20, "scorecard_points": 500},
    )
    card.fit(frame, bad)
    return lambda rows: card.score(rows)


def scorecardpy_scorer(frame: pd.DataFrame, bad: Any, bins: Bins) -> Callable[[pd.DataFrame], Any]:
    """A fitted scorecardpy card's ``scorecard_ply``."""
    breaks = {name: bin_["bounds"] for name, bin_ in bins.items() if "bounds" in bin_}
    data = frame.assign(bad=bad)
    woe = scorecardpy.woebin(data, y="bad", breaks_list=breaks, no_cores=1)
    transformed = scorecardpy.woebin_ply(data, woe, no_cores=1)
    names = [f"{name}_woe" for name in bins]
    model = LogisticRegression(max_iter=1_000).fit(transformed[names].fillna(0.0), bad)
    card = scorecardpy.scorecard(woe, model, names)
    return lambda rows: scorecardpy.scorecard_ply(rows, card, print_step=0)


if __name__ == "__main__":
    main()
