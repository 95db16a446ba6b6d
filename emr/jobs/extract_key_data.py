"""Batch Spark job: third information of many firms made key data, as Parquet (C10, E16, G08).

Run by spark-submit with ``--py-files`` (a zip of ``creditmesh/__init__.py``, ``creditmesh/kernel``,
``creditmesh/gateway/__init__.py`` and ``creditmesh/gateway/keydata``) and the settings
``creditmesh.risk.spark_settings.SCAN``. docs/interfaces/key-data.md tells the form of input and output.
"""

from __future__ import annotations

import argparse
import json
import time

from pyspark.sql import DataFrame, SparkSession

from creditmesh.gateway.keydata.spark import clean_rows, with_features

THIRD_INFORMATION, CLEAN_ROWS = "third-information", "clean-rows"


def main() -> None:
    """Read, clean where need be, draw the features, write."""
    arguments = parse_arguments()
    started = time.monotonic()
    spark = SparkSession.builder.appName("extract-key-data").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    rows = read(spark, arguments.input, arguments.input_kind)
    if arguments.rows_output:
        rows.write.mode("overwrite").parquet(arguments.rows_output)
        # Cleaning is the dear part: the features are drawn from what was just written.
        rows = read(spark, arguments.rows_output, CLEAN_ROWS)
    with_features(rows).write.mode("overwrite").parquet(arguments.output)
    took_ms = round((time.monotonic() - started) * 1000)
    print(json.dumps({"job": "extract-key-data", "event": "written", "took_ms": took_ms}), flush=True)
    spark.stop()


def read(spark: SparkSession, path: str, kind: str) -> DataFrame:
    """Return the clean rows of an input: JSON lines to be cleaned, or Parquet that was."""
    return spark.read.parquet(path) if kind == CLEAN_ROWS else clean_rows(spark, spark.read.text(path))


def parse_arguments() -> argparse.Namespace:
    """Read the job's entry point arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True, help="directory or file, s3:// or local")
    parser.add_argument("--input-kind", choices=(THIRD_INFORMATION, CLEAN_ROWS), default=THIRD_INFORMATION)
    parser.add_argument("--output", required=True, help="directory for Parquet of firm, quality, as_of and features")
    parser.add_argument("--rows-output", help="directory for Parquet of the clean rows")
    return parser.parse_args()


if __name__ == "__main__":
    main()
