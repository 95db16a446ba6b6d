"""Batch Spark job: scores every firm of a portfolio by one model, as Parquet.

Run by spark-submit with ``--py-files creditmesh-spark.zip`` and the settings
``creditmesh.decisions.serving.spark_settings.KERNEL``. Spark distributes splits only; a Python worker reads its split
from storage, scores it by ``creditmesh.risk.bulk`` and writes its part. How to run it:
docs/how-to/score-a-portfolio.md.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from datetime import date
from functools import partial
from typing import Any

import boto3
from pyspark.sql import SparkSession

from creditmesh.decisions.serving.model_signature import kms_verify
from creditmesh.risk.artefact import Verify, load
from creditmesh.risk.bulk.portfolio import Counts, Split, kernel_of, splits, write_scored
from creditmesh.risk.bulk.storage import Place, place


def main() -> None:
    arguments = parse_arguments()
    started = time.monotonic()
    output = empty(place(arguments.output_uri))
    model = place(arguments.model_uri).read_text()
    artefact = load(model, verifier(arguments))
    spark = SparkSession.builder.appName("score-portfolio").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    pieces = splits(place(arguments.data_uri), spark.sparkContext.defaultParallelism)
    work = partial(score_split, model=model, on=arguments.on, ids=arguments.ids, output=output)
    counts: Counts = Counter()
    for part in spark.sparkContext.parallelize(pieces, len(pieces)).map(work).collect():
        counts.update(part)
    told = {"model": f"{artefact.model_id}-{artefact.version}", "model_hash": artefact.content_hash, **summary(counts)}
    # Last: its presence means that all parts are written.
    output.below("_SUCCESS").write_text(json.dumps(told))
    took_ms = round((time.monotonic() - started) * 1000)
    print(json.dumps({"job": "score-portfolio", "event": "scored", "took_ms": took_ms, **told}), flush=True)
    spark.stop()


def verifier(arguments: argparse.Namespace) -> Verify | None:
    """The verifier of the model's signature; only a developer's local file needs none."""
    if arguments.trusted_keys:
        return kms_verify(boto3.client("kms"), arguments.trusted_keys)
    if place(arguments.model_uri).remote:
        raise SystemExit("--trusted-keys must be given for a model in S3")
    return None


def empty(folder: Place) -> Place:
    """Require an empty folder, so that the parts of two runs do not mix."""
    if not folder.is_empty():
        raise SystemExit(f"--output-uri must be an empty folder, which {folder.uri} is not")
    return folder


def score_split(split: Split, model: str, on: date, ids: list[str], output: Place) -> Counts:
    """Score one split into its file; runs in a worker."""
    return write_scored(split, kernel_of(model, on), ids, output)


def summary(counts: Counts) -> dict[str, Any]:
    """Firms by stage, and values per quality finding, by feature."""

    def of(kind: str) -> dict[str, int]:
        return {name: count for (found, name), count in sorted(counts.items()) if found == kind}

    stages = of("stage")
    return {"rows": sum(stages.values()), "stages": stages, "absent": of("absent"), "not_a_number": of("not_a_number")}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-uri", required=True, help="folder or file of Parquet, s3:// or local")
    parser.add_argument("--model-uri", required=True, help="the artefact, s3:// or local")
    parser.add_argument(
        "--trusted-keys", type=comma_separated, default=[], help="ARNs of KMS keys whose signatures count"
    )
    parser.add_argument("--output-uri", required=True, help="an empty folder, s3:// or local")
    parser.add_argument("--on", type=date.fromisoformat, required=True, help="the day whose rules are in force")
    parser.add_argument("--ids", type=comma_separated, default=[], help="columns to keep: one,another")
    return parser.parse_args()


def comma_separated(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


if __name__ == "__main__":
    main()
