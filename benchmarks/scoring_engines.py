"""What the scoring benchmark runs side by side: plain scans of the columns, and scoring with its result added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.scoring_work import IDS, ON, Sums, add_up, warm, write
from creditmesh.risk.bulk.portfolio import Split, kernel_of, splits
from creditmesh.risk.bulk.storage import place


@dataclass(frozen=True)
class Bench:
    """What the engines work on."""

    spark: SparkSession
    data: Path
    model: str
    output: Path

    @property
    def frame(self) -> DataFrame:
        """The firms' features, without their ids."""
        return self.spark.read.parquet(str(self.data)).drop(*IDS)


# Plain scans: every value of every column is read and looked at.


def spark_scan(bench: Bench) -> Sums:
    """The vectorised reader and one aggregate for each column."""
    frame = bench.frame
    kinds = {field.name: field.dataType.simpleString() for field in frame.schema.fields}
    looks: dict[str, Callable[[str], Any]] = {"bigint": F.max, "string": F.count, "boolean": F.count_if}
    found = frame.agg(F.count(F.lit(1)).alias("rows"), *(looks[kind](name) for name, kind in kinds.items())).collect()
    return {"rows": int(found[0]["rows"])}


def spark_scan_to_noop(bench: Bench) -> Sums:
    """The same columns as rows, thrown away."""
    bench.frame.write.format("noop").mode("overwrite").save()
    return {}


def polars_scan(bench: Bench) -> Sums:
    """Polars, all cores."""
    lazy = pl.scan_parquet(bench.data / "*.parquet").drop(*IDS)
    numbers = [name for name, kind in lazy.collect_schema().items() if kind == pl.Int64]
    others = [name for name in lazy.collect_schema().names() if name not in numbers]
    found = lazy.select(pl.len().alias("rows"), pl.col(numbers).max(), pl.col(others).count())
    return {"rows": int(found.collect(engine="streaming")["rows"][0])}


def arrow_scan(bench: Bench) -> Sums:
    """Pyarrow into memory, one row group at a time, its own threads."""
    rows = 0
    for path in sorted(bench.data.glob("*.parquet")):
        file = pq.ParquetFile(path)
        names = [name for name in file.schema_arrow.names if name not in IDS]
        rows += sum(file.read_row_group(i, columns=names).num_rows for i in range(file.num_row_groups))
    return {"rows": rows}


# Scoring


def kernel_on_splits(bench: Bench) -> Sums:
    """The kernel in Spark's Python workers, which read their splits themselves."""
    return _on_splits(bench, partial(add_up, model=bench.model))


def kernel_on_splits_written(bench: Bench) -> Sums:
    """The same with every result written as Parquet: what the job does."""
    bench.output.mkdir(parents=True, exist_ok=True)
    return _on_splits(bench, partial(write, model=bench.model, output=str(bench.output)))


def kernel_alone(bench: Bench) -> Sums:
    """The kernel in this process, one thread, no Spark."""
    return _total(add_up(split, bench.model) for split in splits(place(str(bench.data)), 1))


def start_workers(bench: Bench) -> None:
    """Have every Python worker of the session up, with the kernel compiled."""
    cores = bench.spark.sparkContext.defaultParallelism
    bench.spark.sparkContext.parallelize(range(cores), cores).map(partial(warm, model=bench.model)).collect()


def _on_splits(bench: Bench, work: Callable[[Split], Sums]) -> Sums:
    found = splits(place(str(bench.data)), bench.spark.sparkContext.defaultParallelism)
    return _total(bench.spark.sparkContext.parallelize(found, len(found)).map(work).collect())


def _total(parts: Iterable[Sums]) -> Sums:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return dict(total)


def in_memory(bench: Bench, rows: int) -> dict[str, Callable[[], Any]]:
    """Work on rows in memory, one thread: the whole result, and the score alone as peers compute it."""
    found = pl.scan_parquet(bench.data / "*.parquet").head(rows).collect()
    table: pa.Table = found.with_columns(pl.col(pl.String).cast(pl.Categorical)).to_arrow()
    compiled = kernel_of(bench.model, ON)
    return {"whole_result": lambda: compiled.score(table), "score_alone": lambda: compiled.points(table)}
