"""Reports and labels make training rows (M08)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from pyspark.sql import SparkSession

from creditmesh.governance.drift import Distribution, distribution
from creditmesh.risk.artefact import Artefact
from creditmesh.risk.evaluator import evaluate
from training.candidate import baseline
from training.decided import training_rows


def written(folder: Path, name: str, documents: list[dict[str, Any]]) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(json.dumps(document) for document in documents), encoding="utf-8")
    return str(folder)


def report(name: str, decision: str, at: str, features: dict[str, Any]) -> dict[str, Any]:
    return {
        "application_id": name,
        "decided_at": at,
        "features": features,
        "result": {"decision": decision, "score": 1},
        "firm_name": "Made up",
    }


def test_labelled_and_declined_applications_become_rows(
    spark: SparkSession, origination: Artefact, good_firm: dict[str, Any], tmp_path: Path
) -> None:
    first = [
        report("paid", "approve", "2025-01-02T10:00:00.000Z", good_firm),
        report("open", "approve", "2025-01-02T11:00:00.000Z", good_firm),
        report("declined", "decline", "2025-01-02T12:00:00.000Z", {**good_firm, "debt_ratio_bps": 9_900}),
        report("twice", "refer", "2025-01-02T23:59:59.000Z", {**good_firm, "debt_ratio_bps": 1}),
    ]
    again = [report("twice", "refer", "2025-01-03T00:00:01.000Z", {**good_firm, "debt_ratio_bps": 2})]
    for day, reports in (("2025-01-02", first), ("2025-01-03", again)):
        for document in reports:
            written(tmp_path / "reports" / f"on={day}", f"{document['application_id']}.json", [document])
    settled = {"label_source": "servicing", "label_changed": False}
    labels = [
        {**settled, "application_id": "paid", "bad": 0, "observed": "2025-01-01"},
        {**settled, "application_id": "twice", "bad": 1, "observed": "2025-01-03", "label_changed": True},
    ]
    rows = training_rows(spark, written(tmp_path / "labels", "l.jsonl", labels), str(tmp_path / "reports"), origination)
    found = {row["debt_ratio_bps"]: row for row in rows.collect()}
    assert set(rows.columns) == {*origination.features, "bad", "observed", "label_source", "label_changed"}
    assert {debt: row["bad"] for debt, row in found.items()} == {4_500: 0, 9_900: -1, 2: 1}
    assert str(found[4_500]["observed"]) == "2025-01-01"
    assert (str(found[9_900]["observed"]), found[9_900]["label_source"]) == ("2025-01-02", None)
    assert found[2]["label_changed"] is True


def test_the_baseline_is_what_the_drift_watch_counts(origination: Artefact, good_firm: dict[str, Any]) -> None:
    rows = [
        {**good_firm, "debt_ratio_bps": debt, "industry": "C34" if debt % 2 else None} for debt in range(0, 9_999, 99)
    ]
    frame = pd.DataFrame(rows).astype({name: "Int64" for name in good_firm if type(good_firm[name]) is int})
    decided = [(evaluate(origination, row, origination.tests[0].on).score or 0, row) for row in rows]
    assert Distribution.model_validate(baseline(origination, frame)) == distribution(origination, decided)
