"""A portfolio in Parquet scored piece by piece, each piece read where it is scored (C11, C25).

What a Spark job hands to its workers are splits: a file and some of its row groups. A worker reads them itself, only
the columns that are needed, one row group at a time; so memory does not grow with the number of firms, and no row
crosses from the JVM to Python or back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import accumulate, pairwise
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from creditmesh.risk.artefact import load
from creditmesh.risk.kernel.kernel import Kernel, compile_kernel
from creditmesh.risk.kernel.results import RESULT_FIELDS
from creditmesh.risk.kernel.storage import Place, place, polars_options

#: What a worker takes at once; a greater row group is read in several goes.
ROWS_AT_ONCE = 1_000_000
_FOOTERS_AT_ONCE = 16

Counts = Counter[tuple[str, str]]


@dataclass(frozen=True)
class Split:
    """Rows of one file, as (first, count); ``name`` is the same whenever the same portfolio is split."""

    name: str
    uri: str
    ranges: tuple[tuple[int, int], ...]


def splits(portfolio: Place, rows_each: int = ROWS_AT_ONCE) -> list[Split]:
    """Split a folder of Parquet, or one file, along its row groups into pieces of some ``rows_each`` rows.

    Raises:
        ValueError: there is no Parquet.
    """
    files = portfolio.parquet_files()
    if not files:
        raise ValueError(f"no Parquet files in {portfolio.uri}")
    with ThreadPoolExecutor(_FOOTERS_AT_ONCE) as pool:
        found = [piece for pieces in pool.map(lambda file: list(_pieces(file, rows_each)), files) for piece in pieces]
    return [Split(f"part-{index:05}", uri, ranges) for index, (uri, ranges) in enumerate(found)]


def _pieces(file: Place, rows_each: int) -> Iterator[tuple[str, tuple[tuple[int, int], ...]]]:
    footer = pq.read_metadata(file.path, filesystem=file.files())
    groups = [footer.row_group(index).num_rows for index in range(footer.num_row_groups)]
    gathered: list[tuple[int, int]] = []
    for start, stop in pairwise(accumulate(groups, initial=0)):
        for first in range(start, stop, ROWS_AT_ONCE):
            gathered.append((first, min(ROWS_AT_ONCE, stop - first)))
        if sum(count for _, count in gathered) >= rows_each:
            yield file.uri, tuple(gathered)
            gathered = []
    if gathered:
        yield file.uri, tuple(gathered)


@cache
def kernel_of(model: str, on: date) -> Kernel:
    """Return the kernel of an artefact's JSON text, compiled once in each worker."""
    return compile_kernel(load(model), on)


def scored(split: Split, kernel: Kernel, ids: Sequence[str], counts: Counts) -> Iterator[pa.Table]:
    """Read and score the split's ranges one after the other; ``counts`` is added to.

    Yields:
        The columns ``ids`` followed by ``creditmesh.risk.kernel.RESULT_FIELDS``.

    Raises:
        ValueError: an id's column is not there.
        FeatureInvalid: a feature's column is of another type.
    """
    lazy = pl.scan_parquet(split.uri, glob=False, storage_options=polars_options() if _remote(split) else None)
    schema = lazy.collect_schema()
    if absent := [name for name in ids if name not in schema]:
        raise ValueError(f"columns {absent} are not in {split.uri}")
    features = [name for name in kernel.features if name in schema]
    texts = [name for name in features if schema[name] == pl.String and name not in ids]
    plain = [name for name in dict.fromkeys([*ids, *features]) if name not in texts]
    # Words once each instead of once for every firm.
    wanted = lazy.select(pl.col(plain), pl.col(texts).cast(pl.Categorical))
    for first, count in split.ranges:
        yield kernel.score(wanted.slice(first, count).collect().to_arrow(), ids=ids, counts=counts)


def write_scored(split: Split, kernel: Kernel, ids: Sequence[str], folder: Place) -> Counts:
    """Score a split into a file of its own name; a second attempt writes over the first.

    Returns:
        Firms by ("decision", approve …), by ("stage", …) and findings by their kind and feature.
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
    """Ids differ from firm to firm, so a dictionary of them is in vain; few columns are ever searched by range."""
    repeated = [name for name in RESULT_FIELDS if name != "fired_rules"]
    return {
        "use_dictionary": [*repeated, "fired_rules.list.element"],
        "write_statistics": [*ids, "score", "limit_minor"],
    }


def _remote(split: Split) -> bool:
    return place(split.uri).remote
