"""Scoring of a Parquet portfolio in splits, each read by the worker that scores it.

A split is a list of row groups. A Spark worker reads only the needed columns, one row group at a time: memory does not
grow with the portfolio, and no row passes between JVM and Python.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import accumulate, groupby, pairwise
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from creditmesh.kernel.unread import UNREAD
from creditmesh.risk.artefact import load
from creditmesh.risk.bulk.results import RESULT_FIELDS
from creditmesh.risk.bulk.scoring import Kernel, compile_kernel
from creditmesh.risk.bulk.storage import Place, place, polars_options

ROWS_AT_ONCE = 1_000_000
"""Most rows in a worker's memory at once; a larger row group is read in parts."""
_LEAST_ROWS, _MOST_ROWS = 500_000, 8_000_000
"""A Spark task costs 0.1 s of processor time in Python, however small it is."""
_SPLITS_PER_WORKER = 2
_FOOTERS_AT_ONCE = 16

Counts = Counter[tuple[str, str]]


@dataclass(frozen=True)
class Range:
    """``count`` rows of a file, starting at row ``first``: a row group or part of one."""

    uri: str
    first: int
    count: int


@dataclass(frozen=True)
class Split:
    """The input of one task. ``name`` is the same for the same portfolio and number of workers."""

    name: str
    ranges: tuple[Range, ...]


def splits(portfolio: Place, workers: int) -> list[Split]:
    """Split a folder of Parquet files, or one file, along its row groups, at least two splits per worker.

    Raises:
        ValueError: no Parquet files.
    """
    files = portfolio.parquet_files()
    if not files:
        raise ValueError(f"no Parquet files in {portfolio.uri}")
    with ThreadPoolExecutor(_FOOTERS_AT_ONCE) as pool:
        ranges = [item for found in pool.map(_ranges, files) for item in found]
    rows = sum(item.count for item in ranges)
    wanted = min(max(rows // (_SPLITS_PER_WORKER * workers), _LEAST_ROWS), _MOST_ROWS)
    return [Split(f"part-{index:05}", piece) for index, piece in enumerate(_packed(ranges, wanted))]


def _ranges(file: Place) -> list[Range]:
    footer = pq.read_metadata(file.path, filesystem=file.files())
    groups = [footer.row_group(index).num_rows for index in range(footer.num_row_groups)]
    return [
        Range(file.uri, first, min(ROWS_AT_ONCE, stop - first))
        for start, stop in pairwise(accumulate(groups, initial=0))
        for first in range(start, stop, ROWS_AT_ONCE)
    ]


def _packed(ranges: Sequence[Range], rows: int) -> Iterator[tuple[Range, ...]]:
    """Group neighbouring ranges until they have ``rows`` rows."""
    gathered: list[Range] = []
    for item in ranges:
        gathered.append(item)
        if sum(one.count for one in gathered) >= rows:
            yield tuple(gathered)
            gathered = []
    if gathered:
        yield tuple(gathered)


@cache
def kernel_of(model: str, on: date) -> Kernel:
    """Return the kernel of an artefact's JSON text, compiled once per worker."""
    kernel = compile_kernel(load(model), on)
    gc.freeze()  # PySpark collects garbage after every task; imported modules need no scan
    return kernel


def scored(split: Split, kernel: Kernel, ids: Sequence[str], counts: Counts) -> Iterator[pa.Table]:
    """Read and score the split's ranges one after the other; adds to ``counts``.

    Yields:
        The columns ``ids`` followed by ``creditmesh.risk.bulk.RESULT_FIELDS``.

    Raises:
        ValueError: a column of ``ids`` is missing.
        FeatureInvalid: a feature's column has the wrong type.
    """
    for uri, ranges in groupby(split.ranges, key=lambda item: item.uri):
        wanted = _columns(uri, kernel, ids)
        for item in ranges:
            yield kernel.score(wanted.slice(item.first, item.count).collect().to_arrow(), ids=ids, counts=counts)


def _columns(uri: str, kernel: Kernel, ids: Sequence[str]) -> pl.LazyFrame:
    """The needed columns of a file, texts as dictionaries."""
    lazy = pl.scan_parquet(uri, glob=False, storage_options=polars_options() if place(uri).remote else None)
    schema = lazy.collect_schema()
    if absent := [name for name in ids if name not in schema]:
        raise ValueError(f"columns {absent} are not in {uri}")
    features = [name for name in (*kernel.features, UNREAD) if name in schema]
    texts = [name for name in features if schema[name] == pl.String and name not in ids]
    plain = [name for name in dict.fromkeys([*ids, *features]) if name not in texts]
    return lazy.select(pl.col(plain), pl.col(texts).cast(pl.Categorical))


def write_scored(split: Split, kernel: Kernel, ids: Sequence[str], folder: Place) -> Counts:
    """Score a split into a file named after it; a retry overwrites it.

    Returns:
        Counts of firms by ("decision", …) and ("stage", …), and of findings by kind and feature.
    """
    counts: Counts = Counter()
    target, writer = folder.below(f"{split.name}.parquet"), None
    with target.output_stream() as stream:
        for table in scored(split, kernel, ids, counts):
            writer = writer or pq.ParquetWriter(stream, table.schema, **_layout(ids))
            writer.write_table(table)
        if writer:
            writer.close()
    return counts


def _layout(ids: Sequence[str]) -> dict[str, Any]:
    """Parquet options: no dictionary for ids, which are all different.

    Statistics only where range filters are likely.
    """
    lists = ("fired_rules", "unread_rules")
    repeated = [name for name in RESULT_FIELDS if name not in lists]
    return {
        "use_dictionary": [*repeated, *(f"{name}.list.element" for name in lists)],
        "write_statistics": [*ids, "score", "limit_minor"],
    }
