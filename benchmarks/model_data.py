"""Data sets for the comparison of models, cut once into the same training and test rows for everybody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from training.data import german, sba

TEST_SHARE = 0.3
RANDOM_STATE = 42
RATIOS = ("disbursed_bps", "approved_per_employee_minor", "jobs_per_employee_bps", "disbursed_whole_thousands")
"""What ``with_ratios`` makes of the peers' columns."""
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class DataSet:
    """Rows cut in two, with the columns that may be used."""

    label: str
    """What a person reads."""
    train: pl.DataFrame
    """Rows to learn from, every column of the source; ``test``: rows to be judged by."""
    test: pl.DataFrame
    features: Sequence[str]
    """The columns that everybody gets."""
    target: str = sba.TARGET
    """Boolean column, true where the loan went bad."""

    def shortened(self, rows: int) -> DataSet:
        """The same test rows, and at most so many of the training rows."""
        return replace(self, train=self.train.head(rows))

    def write(self, directory: Path) -> tuple[Path, Path]:
        """Both parts as Parquet files that any library reads: numbers as floats, unknowns as null, ``bad`` 0 or 1."""
        directory.mkdir(parents=True, exist_ok=True)
        plain = [
            pl.col(name) if self.train[name].dtype == pl.String else pl.col(name).cast(pl.Float64)
            for name in self.features
        ]
        paths = directory / "train.parquet", directory / "test.parquet"
        for part, path in zip((self.train, self.test), paths, strict=True):
            part.select(*plain, pl.col(self.target).cast(pl.Int8).alias("bad")).write_parquet(path)
        return paths


@cache
def loans() -> pl.DataFrame:
    """All loans of the Small Business Administration that have an outcome."""
    return sba.clean(sba.read(sba.fetch()))


def at_random(frame: pl.DataFrame, random_state: int = RANDOM_STATE) -> tuple[pl.DataFrame, pl.DataFrame]:
    """70 and 30 of a hundred, each with the same share of bad loans."""
    train, test = train_test_split(
        np.arange(frame.height), test_size=TEST_SHARE, random_state=random_state, stratify=frame[sba.TARGET].to_numpy()
    )
    return frame[train], frame[test]


def by_time(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Loans of the window; the test is what was approved after everything that was learnt from."""
    within = sba.approved_within(frame)
    later = pl.col(sba.APPROVED_ON) >= sba.OUT_OF_TIME_FROM
    return within.filter(~later), within.filter(later)


def with_ratios(frame: pl.DataFrame) -> pl.DataFrame:
    """The loans with ``RATIOS``, for comparison only: what was disbursed is known after the decision.

    A scorecard of single columns and pairs sees a ratio only if it is a column. Null where the divisor is 0.
    """
    approved, disbursed, employees = pl.col("approved_minor"), pl.col("disbursed_minor"), pl.col("employees")
    jobs = pl.col("jobs_created") + pl.col("jobs_retained")
    return frame.with_columns(
        pl.when(approved > 0).then(disbursed * 10_000 // approved).alias("disbursed_bps"),
        pl.when(employees > 0).then(approved // employees).alias("approved_per_employee_minor"),
        pl.when(employees > 0).then(jobs * 10_000 // employees).alias("jobs_per_employee_bps"),
        (disbursed % 100_000 == 0).alias("disbursed_whole_thousands"),
    )


def _peers() -> DataSet:
    return DataSet("SBA, the peers' columns, no term", *at_random(loans()), sba.PEERS)


def _ratios() -> DataSet:
    parts = at_random(with_ratios(loans()))
    return DataSet("SBA, the peers' columns and ratios of them, no term", *parts, (*sba.PEERS, *RATIOS))


def _term() -> DataSet:
    return DataSet("SBA, the peers' columns and the term (a leak)", *at_random(loans()), sba.PEERS_WITH_TERM)


def _origination() -> DataSet:
    return DataSet("SBA, what is known at the decision", *at_random(loans()), sba.ORIGINATION)


def _window() -> DataSet:
    parts = at_random(sba.approved_within(loans()))
    return DataSet("SBA 2001-2007, what is known at the decision", *parts, sba.ORIGINATION)


def _later() -> DataSet:
    return DataSet("SBA 2001-2007, known at the decision, judged by later years", *by_time(loans()), sba.ORIGINATION)


def _shipped() -> DataSet:
    parts = at_random(sba.guaranteed_in_part(sba.approved_within(loans())))
    return DataSet("SBA 2001-2007, guaranteed in part, known at the decision", *parts, sba.ORIGINATION)


def _shipped_later() -> DataSet:
    parts = by_time(sba.guaranteed_in_part(loans()))
    label = "SBA 2001-2007, guaranteed in part, known at the decision, judged by later years"
    return DataSet(label, *parts, sba.ORIGINATION)


def _german(random_state: int = RANDOM_STATE) -> DataSet:
    frame = german.read(german.fetch())
    parts = at_random(frame, random_state)
    return DataSet("German credit", *parts, [name for name in frame.columns if name != german.TARGET])


DATA_SETS: dict[str, Callable[[], DataSet]] = {
    "sba": _peers,
    "sba-ratios": _ratios,
    "sba-origination": _origination,
    "sba-window": _window,
    "sba-later": _later,
    "sba-shipped": _shipped,
    "sba-shipped-later": _shipped_later,
    "sba-with-term": _term,
    "german": _german,
}
SPLITS = {f"german-{state}": partial(_german, state) for state in range(1, 11)}
"""300 rows say little, so the smallest set is also cut in other ways, to be averaged."""
