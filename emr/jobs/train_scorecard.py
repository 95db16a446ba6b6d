"""Batch Spark job: trains a candidate scorecard with model card and gates from loans with known outcome.

Run by spark-submit with ``--py-files creditmesh-spark.zip``. Spark reads the rows; the scorecard is trained on the
driver. Below ``--output-uri`` it writes ``diagnostics.json``, ``card.html``, ``card.zh-CN.html``, ``candidate.json``
and, last, ``summary.json``:

* With ``--champion-uri`` the candidate is a complete artefact with the champion's policy, and there are
``baseline.json`` and ``gates.json``. Unusable rows are an outcome in the summary.
* Without, the candidate consists of the trained sections only, and unusable rows end the job with exit status 2.

In both cases the output has a line ``training_set_invalid: <code>: <message>``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import SparkSession

from creditmesh.risk.artefact import load
from creditmesh.risk.bulk.storage import Place, place
from training import collected, config, decided, gates
from training.candidate import baseline, candidate
from training.card import render_card
from training.config import TrainingConfig
from training.frame import TrainingSet, TrainingSetInvalid
from training.train import TrainedModel, train

INVALID = 2


def main() -> None:
    arguments = parse_arguments()
    started = time.monotonic()
    output = place(arguments.output_uri)
    spark = SparkSession.builder.appName("train-scorecard").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    settings = config.load(place(arguments.config_uri).read_text())
    champion = place(arguments.champion_uri).read_text() if arguments.champion_uri else None
    try:
        rows = read(spark, arguments, settings, champion)
        summary = learn(rows, settings, champion, output)
    except TrainingSetInvalid as problem:
        print(f"training_set_invalid: {problem}", file=sys.stderr, flush=True)
        summary = {"outcome": "training_set_invalid", "code": problem.code, "message": problem.message,
                   "columns": list(problem.columns)}  # fmt: skip
    # Last: a summary means that everything else is written.
    summary = {**summary, "run": arguments.run_id, "took_ms": round((time.monotonic() - started) * 1000)}
    write(output, "summary.json", summary)
    print(json.dumps({"job": "train-scorecard", "event": summary["outcome"], **summary}), flush=True)
    spark.stop()
    if champion is None and summary["outcome"] != "trained":
        raise SystemExit(INVALID)


def read(
    spark: SparkSession, arguments: argparse.Namespace, settings: TrainingConfig, champion: str | None
) -> TrainingSet:
    """The given rows, or the platform's own decisions with their outcomes."""
    if arguments.data_uri:
        return collected.training_set(spark.read.parquet(arguments.data_uri), settings)
    if champion is None:
        raise SystemExit("--champion-uri must be given with --labels-uri: it names the features of the reports")
    found = decided.training_rows(spark, arguments.labels_uri, arguments.reports_uri, load(champion))
    return collected.training_set(found, settings)


def learn(rows: TrainingSet, settings: TrainingConfig, champion: str | None, output: Place) -> dict[str, Any]:
    """Train, and write everything but the summary, which is returned."""
    model = train(rows, settings)
    write(output, "diagnostics.json", model.diagnostics)
    output.below("card.html").write_text(render_card(model.diagnostics, "en"))
    output.below("card.zh-CN.html").write_text(render_card(model.diagnostics, "zh-CN"))
    found = model.diagnostics["performance"]
    told = {"outcome": "trained", "data_hash": model.diagnostics["data"]["content_hash"], "rows": len(rows),
            "auc": {part: performance["auc"] for part, performance in found.items()}}  # fmt: skip
    if champion is None:
        write(output, "candidate.json", model.sections())
        return told
    return {**told, **propose(model, settings, champion, output)}


def propose(model: TrainedModel, settings: TrainingConfig, champion: str, output: Place) -> dict[str, Any]:
    """Write the candidate's artefact, the baseline for drift, and the gates."""
    document, artefact = candidate(champion, model.sections())
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    checked = gates.check(
        artefact, load(champion), model.fitted, model.kept_back, max(model.diagnostics["rounding"].values()),
        settings.gates, settings.fairness,
    )  # fmt: skip
    report = gates.report(checked, made_at)
    write(output, "baseline.json", baseline(artefact, model.fitted.features))
    write(output, "gates.json", report)
    write(output, "candidate.json", document)
    return {"content_hash": document["content_hash"], "version": document["version"], "gates_passed": report["passed"]}


def write(output: Place, name: str, document: dict[str, Any]) -> None:
    """Write one document as JSON."""
    output.below(name).write_text(json.dumps(document, ensure_ascii=False))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    rows = parser.add_mutually_exclusive_group(required=True)
    rows.add_argument("--data-uri", help="Parquet: features, bad, observed and, where there are, weight and labels")
    rows.add_argument("--labels-uri", help="folder of labels; the rows are the platform's own decisions")
    parser.add_argument("--reports-uri", help="folder of assessment reports, with --labels-uri")
    parser.add_argument("--config-uri", required=True, help="training configuration, JSON")
    parser.add_argument("--output-uri", required=True, help="folder for what is written, s3:// or local")
    parser.add_argument("--run-id", required=True, help="the run's name, kept in the summary")
    parser.add_argument("--champion-uri", help="artefact of the model in force")
    arguments = parser.parse_args()
    if arguments.labels_uri and not arguments.reports_uri:
        parser.error("--reports-uri must be given with --labels-uri")
    return arguments


if __name__ == "__main__":
    main()
