"""Draws ``sba_sample.csv.gz``: ``PYTHONPATH=emr .venv/bin/python -m tests.data.make_sba_sample``.

15,000 of the 897,167 loans with an outcome, each stratum (outcome, band of approval years) with its share of them.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars as pl

from training.data import sba

TARGET = Path(__file__).with_name("sba_sample.csv.gz")
SEED = 20261122
ROWS = 15_000
BANDS = (1990, 1994, 1997, 1999, 2001, 2003, 2005, 2006, 2007, 2008, 2009, 2011)
"""The first approval year of each band but the first."""


def main() -> None:
    """Write the sample; the same bytes at every run."""
    raw = sba.read(sba.fetch())
    drawn = raw[sorted(rows(sba.clean(raw)))]
    text = without_brand(drawn).write_csv()
    with TARGET.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(text.encode())
    print(f"{TARGET.name}: {drawn.height} loans, {TARGET.stat().st_size:,} bytes")


def rows(cleaned: pl.DataFrame) -> list[int]:
    """Numbers of the drawn rows."""
    years = cleaned[sba.APPROVED_ON].dt.year().to_numpy()
    strata = np.searchsorted(BANDS, years, side="right") * 2 + cleaned[sba.TARGET].to_numpy()
    chance = np.random.Generator(np.random.PCG64(SEED))
    found: list[int] = []
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        wanted = max(1, round(ROWS * len(members) / len(strata)))
        found += chance.permutation(members)[:wanted].tolist()
    return found


def without_brand(drawn: pl.DataFrame) -> pl.DataFrame:
    """Which franchise a firm belongs to is left out; that it is one stays, as the code 2."""
    code = pl.col("FranchiseCode")
    return drawn.with_columns(pl.when(code.is_in(["0", "1"])).then(code).otherwise(pl.lit("2")).alias("FranchiseCode"))


if __name__ == "__main__":
    main()
