"""Batch Spark job: third information of many firms to key data, as Parquet.

Run by spark-submit with ``--py-files creditmesh-spark.zip`` and the settings
``creditmesh.decisions.serving.spark_settings.SCAN``. Input and output: docs/reference/key-data.md.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from creditmesh.features.spark import features_of_rows, features_of_texts, rows_and_features

THIRD_INFORMATION, CLEAN_ROWS = "third-information", "clean-rows"


def main() -> None:
    arguments = parse_arguments()
    started = time.monotonic()
    spark = SparkSession.builder.appName("extract-key-data").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    counts = write(features_of(spark, arguments.input, arguments.input_kind, arguments.rows_output), arguments.output)
    if arguments.summary:
        # Last: a summary means that all features are written.
        write_text(spark, arguments.summary, json.dumps(counts))
    took_ms = round((time.monotonic() - started) * 1000)
    print(json.dumps({"job": "extract-key-data", "event": "written", "took_ms": took_ms, **counts}), flush=True)
    spark.stop()


def features_of(spark: SparkSession, path: str, kind: str, rows_output: str | None) -> DataFrame:
    """Compute the features of an input: JSON lines, or Parquet of clean rows.

    Also writes the clean rows if asked to.
    """
    if kind == CLEAN_ROWS:
        return features_of_rows(spark, spark.read.parquet(path))
    if rows_output is None:
        return features_of_texts(spark, spark.read.text(path))
    rows, features = rows_and_features(spark, spark.read.text(path))
    rows.write.mode("overwrite").parquet(rows_output)
    return features


def write(features: DataFrame, path: str) -> dict[str, Any]:
    """Write the features, replacing earlier ones, and count them on the way.

    Returns:
        ``rows``, ``unreadable`` (lines), ``with_errors`` (rows with a finding of that severity) and the first and last
            as-of day, None without rows.
    """
    seen = Observation("written")
    day = F.col("as_of").cast("string")
    features.observe(
        seen,
        F.count(F.lit(1)).alias("rows"),
        F.count_if(day.isNull()).alias("unreadable"),
        F.count_if(F.exists("quality", lambda note: note["severity"] == "error")).alias("with_errors"),
        F.min(day).alias("first_as_of"),
        F.max(day).alias("last_as_of"),
    ).write.mode("overwrite").parquet(path)
    return dict(seen.get)


def write_text(spark: SparkSession, path: str, text: str) -> None:
    """Write one small file through Hadoop, which supports s3:// and local paths."""
    jvm: Any = spark._jvm
    target = jvm.org.apache.hadoop.fs.Path(path)
    stream = target.getFileSystem(spark._jsc.hadoopConfiguration()).create(target, True)
    try:
        stream.write(text.encode())
    finally:
        stream.close()


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True, help="directory or file, s3:// or local")
    parser.add_argument("--input-kind", choices=(THIRD_INFORMATION, CLEAN_ROWS), default=THIRD_INFORMATION)
    parser.add_argument("--output", required=True, help="directory for Parquet of firm, quality, as_of and features")
    parser.add_argument("--rows-output", help="directory for Parquet of the clean rows")
    parser.add_argument("--summary", help="file for the counts of what was written, as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
