"""Cleaning and features on Spark for a million firms × 24 months: rows a second, on two cores.

``python -m benchmarks.bench_features [--firms N]``. The firms are copies of some hundred made-up ones, multiplied in
Spark itself, so that making them costs next to nothing. Everything that the job does to real input is done and counted:
JSON text into Python's workers, parsing, cleaning, rows back to the JVM, all features, every value consumed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import psutil
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from benchmarks.measures import cpu_seconds
from cloud.java import java_home
from creditmesh.decisions.serving.spark_settings import SCAN
from creditmesh.features.spark import features_of_rows, features_of_texts, rows_and_features
from creditmesh.features.table import FEATURES
from institutions.court_figures import judicial_data
from institutions.credit_figures import credit_bureau_data
from institutions.education_figures import education_data
from institutions.fraud_figures import anti_fraud_data
from institutions.population import Firm, Population
from institutions.registry_figures import registry_data
from institutions.shop_figures import shop_data
from institutions.tax_figures import tax_data

ROOT = Path(__file__).parents[1]
AS_OF = date(2026, 11, 21)
MONTHS = 24
STEPS = ("multiply_texts", "multiply_rows", "features", "clean_and_features")
CORES = 2
_READERS: dict[str, Callable[[Firm, date], dict[str, Any] | None]] = {
    "tax": tax_data,
    "registry": registry_data,
    "judicial": judicial_data,
    "credit_bureau": credit_bureau_data,
    "shop": shop_data,
    "education": education_data,
    "anti_fraud": anti_fraud_data,
}


def main() -> None:
    """Measure, print the figures as JSON and keep them in build/bench/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--firms", type=int, default=1_000_000)
    parser.add_argument("--templates", type=int, default=400, help="how many different firms there are")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS, help="what to measure")
    arguments = parser.parse_args()
    lines = templates(arguments.templates)
    spark = session()
    try:
        with tempfile.TemporaryDirectory() as directory:
            report = measured(spark, lines, arguments.firms, Path(directory), arguments.steps)
    finally:
        spark.stop()
    text = json.dumps(report, indent=2)
    target = ROOT / "build" / "bench" / "features.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text + "\n", encoding="utf-8")
    print(text)


def session() -> SparkSession:
    """A local session as a scan has it."""
    os.environ["JAVA_HOME"] = str(java_home(ROOT / ".venvs" / "spark", ROOT / "build" / "java"))
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master(f"local[{CORES}]").appName("bench-features")
    local = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1", "spark.driver.memory": "2g"}
    quiet = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
    spark = builder.config(map={**SCAN, **local, **quiet}).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def templates(count: int) -> list[str]:
    """Lines of third information of made-up firms that have lived the whole window."""
    population, found = Population(7, 4 * count), list[str]()
    for index in range(4 * count):
        firm = population.firm(index, AS_OF)
        sources = {kind: read(firm, AS_OF) for kind, read in _READERS.items()}
        tax = sources["tax"] or {}
        if len(tax["invoices"]) == MONTHS:
            known = {kind: document for kind, document in sources.items() if document is not None}
            found.append(json.dumps(_line(f"firm-{index}", known), ensure_ascii=False, separators=(",", ":")))
        if len(found) == count:
            return found
    raise SystemExit(f"the population has no {count} firms of {MONTHS} months")


def _line(firm: str, sources: dict[str, Any]) -> dict[str, Any]:
    inputs = {"blacklist_hits": 0, "requested_amount_minor": 30_000_000, "requested_term_months": 12}
    return {"firm": firm, "as_of": AS_OF.isoformat(), "sources": sources, **inputs}


def measured(
    spark: SparkSession, lines: list[str], firms: int, directory: Path, wanted: Sequence[str]
) -> dict[str, Any]:
    """The figures: multiplying alone, features of clean rows, and cleaning with features."""
    numbered = spark.createDataFrame(list(enumerate(lines)), "number BIGINT, value STRING")
    texts = multiplied(spark, numbered, len(lines), firms)
    cleaned, _ = rows_and_features(spark, numbered.select("value"))
    ranked = cleaned.withColumn("number", F.row_number().over(Window.orderBy("firm")) - F.lit(1))
    ranked.write.parquet(str(directory / "rows"))
    rows = multiplied(spark, spark.read.parquet(str(directory / "rows")), len(lines), firms)
    steps: dict[str, Callable[[], DataFrame]] = {
        "multiply_texts": lambda: texts,
        "multiply_rows": lambda: rows,
        "features": lambda: features_of_rows(spark, rows),
        "clean_and_features": lambda: features_of_texts(spark, texts),
    }
    consume(features_of_texts(spark, numbered.select("value")))
    report: dict[str, Any] = {
        "firms": firms,
        "months": MONTHS,
        "cores": CORES,
        "feature_count": len(FEATURES),
        "different_firms": len(lines),
        "mean_line_bytes": round(sum(len(line.encode()) for line in lines) / len(lines)),
        "load_average_before": os.getloadavg()[0],
    }
    for name, step in steps.items():
        if name not in wanted:
            continue
        before = cpu_seconds(psutil.Process())
        seconds = consume(step())
        report[name] = _rates(seconds, cpu_seconds(psutil.Process()) - before, firms)
        print(json.dumps({name: report[name]}), file=sys.stderr, flush=True)
    return report


def multiplied(spark: SparkSession, numbered: DataFrame, different: int, firms: int) -> DataFrame:
    """``firms`` copies of the rows, made where they are used."""
    ids = spark.range(0, firms, 1, max(CORES * 4, firms // 10_000))
    copies = ids.withColumn("number", F.col("id") % F.lit(different))
    return copies.join(F.broadcast(numbered), "number").drop("number", "id")


def consume(df: DataFrame) -> float:
    """Compute every column of every row and let it go; the seconds it took."""
    started = time.perf_counter()
    df.write.format("noop").mode("overwrite").save()
    return time.perf_counter() - started


def _rates(seconds: float, cpu: float, firms: int) -> dict[str, float]:
    """By the clock; the processor time says more on a machine that others use as well."""
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "firms_per_cpu_second": round(firms / cpu),
        "firms_per_second": round(firms / seconds),
        "month_rows_per_second": round(firms * MONTHS / seconds),
    }


if __name__ == "__main__":
    main()
