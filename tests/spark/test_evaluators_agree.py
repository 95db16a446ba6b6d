"""Both evaluators give the same result for the same features, on the shipped model and on made-up ones (DESIGN 1)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from creditmesh.risk.artefact import Artefact
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.resident import ResidentScorer
from creditmesh.risk.spark import RESULT_FIELDS, feature_schema, result_from_row, score
from tests.spark.artefact_strategies import artefacts, feature_rows, rows_near_bounds

# Shrinking would run Spark hundreds of times; the rows that differ are shown as they are.
spark_settings = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@pytest.fixture(scope="module")
def shipped(spark: SparkSession, origination: Artefact) -> ResidentScorer:
    """The shipped model on the resident session, planned once."""
    return ResidentScorer(spark, origination)


def on_spark(spark: SparkSession, artefact: Artefact, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Score ``rows`` as a DataFrame of their own."""
    schema = T.StructType([T.StructField("id", T.IntegerType()), *feature_schema(artefact).fields])
    values = [(i, *(row[name] for name in artefact.features)) for i, row in enumerate(rows)]
    scored = score(spark.createDataFrame(values, schema), artefact).collect()
    return [result_from_row(artefact, row).to_dict() for row in sorted(scored, key=lambda row: int(row["id"]))]


def differences(artefact: Artefact, rows: Sequence[Mapping[str, Any]], results: Sequence[dict[str, Any]]) -> list[Any]:
    """Return the rows on which the Python evaluator says something else, with both results."""
    expected = [evaluate(artefact, row).to_dict() for row in rows]
    return [item for item in zip(rows, expected, results, strict=True) if item[1] != item[2]]


@settings(spark_settings, max_examples=10)
@given(data=st.data())
def test_agree_on_the_shipped_model(
    shipped: ResidentScorer, origination: Artefact, good_firm: dict[str, Any], data: st.DataObject
) -> None:
    """5,000 rows with unknowns, extremes to the bounds of 64 bits and categories never seen."""
    seeds = data.draw(st.lists(rows_near_bounds(origination), min_size=5, max_size=5))
    seeds += [(good_firm, number) for _, number in seeds]
    rows = [row for seed in seeds for row in feature_rows(origination, seed, 50)]
    results = [result.to_dict() for result in shipped.score_batch(rows)]
    assert not differences(origination, rows, results)


@settings(spark_settings, max_examples=12)
@given(artefact=artefacts(), data=st.data())
def test_agree_on_any_valid_model(spark: SparkSession, artefact: Artefact, data: st.DataObject) -> None:
    """Rules, bins, grades and limits that nobody chose."""
    seeds = data.draw(st.lists(rows_near_bounds(artefact), min_size=10, max_size=10))
    rows = [row for seed in seeds for row in feature_rows(artefact, seed, 20)]
    assert not differences(artefact, rows, on_spark(spark, artefact, rows))


def test_rows_reach_every_stage(origination: Artefact, good_firm: dict[str, Any]) -> None:
    """The mutations of one good firm end at every stage, so the agreement above covers all of them."""
    stages = {evaluate(origination, row).stage for row in feature_rows(origination, (good_firm, 7), 400)}
    assert stages == {"blacklist", "admission", "score", "limit", "approved"}


@pytest.mark.parametrize("partitions", [1, 3])
def test_resident_session_agrees_batch_after_batch(
    spark: SparkSession, origination: Artefact, good_firm: dict[str, Any], partitions: int
) -> None:
    """One plan serves batches of any size, in order, and nothing of an earlier batch is left over."""
    scorer = ResidentScorer(spark, origination, partitions)
    for size in (5, 1, 0, 300, 2):
        rows = feature_rows(origination, (good_firm, size), size)
        assert not differences(origination, rows, [result.to_dict() for result in scorer.score_batch(rows)])


def test_resident_session_keeps_text_exactly(
    spark: SparkSession, origination: Artefact, good_firm: dict[str, Any]
) -> None:
    """Quotes, escapes, NUL, other scripts and blanks at the end pass through the cells unchanged."""
    scorer = ResidentScorer(spark, origination)
    rows = [{**good_firm, "industry": text} for text in ('"', "\\", "\x00", "C34 ", "c34", "中", "😀", "\u2028", "C34")]
    results = [result.to_dict() for result in scorer.score_batch(rows)]
    assert not differences(origination, rows, results)
    assert len({json.dumps(result["points"]) for result in results}) == 2


def test_result_columns_are_the_contract(spark: SparkSession, origination: Artefact) -> None:
    """What is no feature passes through; then come exactly the result's fields."""
    schema = T.StructType([T.StructField("request_id", T.StringType()), *feature_schema(origination).fields])
    scored = score(spark.createDataFrame([], schema), origination)
    assert [(f.name, f.dataType.simpleString()) for f in scored.schema.fields] == [
        ("request_id", "string"),
        *RESULT_FIELDS.items(),
    ]


@pytest.mark.parametrize(
    ("change", "message"), [("drop", "debt_ratio_bps must be bigint"), ("type", "debt_ratio_bps must be bigint")]
)
def test_refuses_another_schema(spark: SparkSession, origination: Artefact, change: str, message: str) -> None:
    """A column missing or of another type is an error, not a null."""
    df = spark.createDataFrame([], feature_schema(origination))
    wrong = df.drop("debt_ratio_bps")
    with pytest.raises(ValueError, match=message):
        score(wrong if change == "drop" else wrong.withColumn("debt_ratio_bps", df["industry"]), origination)


def test_refuses_columns_that_clash(spark: SparkSession, origination: Artefact) -> None:
    """A passed column may not be called as one of the result's."""
    df = spark.createDataFrame([], feature_schema(origination))
    with pytest.raises(ValueError, match="clash"):
        score(df.withColumn("score", df["debt_ratio_bps"]), origination)
