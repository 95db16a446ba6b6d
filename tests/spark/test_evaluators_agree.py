"""Every engine gives the same result for the same features, on the shipped model and on made-up ones (DESIGN 1)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from creditmesh.risk.artefact import Artefact, load, seal
from creditmesh.risk.dialect import DuckDialect
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.lowering import query
from creditmesh.risk.resident import ResidentScorer
from creditmesh.risk.spark import RESULT_FIELDS, feature_schema, result_from_row, score
from tests.spark.artefact_strategies import artefacts, feature_rows, rows_near_bounds
from tests.spark.conftest import ROOT
from tests.unit.risk.small_model import FIRM, loaded, refer_below, rule

DAY = date(2026, 1, 15)
#: Makes of the good firm one a little above the cutoff; hardly any step leads the good firm itself below it.
DOUBTFUL = {
    "industry": "F51", "employee_count": 3, "tax_credit_rating": "C", "debt_ratio_bps": 6_200, "tax_late_count_24m": 4,
    "revenue_growth_bps": -600,
}  # fmt: skip

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
    scored = score(spark.createDataFrame(values, schema), artefact.in_force(DAY)).collect()
    return [result_from_row(artefact, row).to_dict() for row in sorted(scored, key=lambda row: int(row["id"]))]


def on_duckdb(artefact: Artefact, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Score ``rows`` by the artefact's published SQL."""
    kinds = {"integer": "BIGINT", "string": "VARCHAR", "boolean": "BOOLEAN"}
    columns = ", ".join(f'"{name}" {kinds[feature.type]}' for name, feature in artefact.features.items())
    frame = {"row_number": pa.array(range(len(rows)), pa.int64())}
    types = {"integer": pa.int64(), "string": pa.string(), "boolean": pa.bool_()}
    for name, feature in artefact.features.items():
        frame[name] = pa.array([row.get(name) for row in rows], types[feature.type])
    with duckdb.connect() as engine:
        engine.execute(f"CREATE TABLE firms (row_number BIGINT, {columns})")
        table = pa.table(frame)
        engine.register("given", table)
        engine.execute("INSERT INTO firms SELECT * FROM given")
        statement = query(artefact.in_force(DAY), DuckDialect(), "firms", ["row_number"])
        answer = engine.execute(f"SELECT * FROM ({statement}) ORDER BY row_number")
        names = [column[0] for column in answer.description]
        found = [SimpleNamespace(**dict(zip(names, values, strict=True))) for values in answer.fetchall()]
    return [result_from_row(artefact, row).to_dict() for row in found]


def differences(artefact: Artefact, rows: Sequence[Mapping[str, Any]], results: Sequence[dict[str, Any]]) -> list[Any]:
    """Return the rows on which the Python evaluator says something else, with both results."""
    expected = [evaluate(artefact, row, DAY).to_dict() for row in rows]
    return [item for item in zip(rows, expected, results, strict=True) if item[1] != item[2]]


@settings(spark_settings, max_examples=20)
@given(data=st.data())
def test_agree_on_the_shipped_model(
    shipped: ResidentScorer, origination: Artefact, good_firm: dict[str, Any], data: st.DataObject
) -> None:
    """50,000 rows with unknowns, extremes to the bounds of 64 bits and categories never seen."""
    seeds = data.draw(st.lists(rows_near_bounds(origination), min_size=5, max_size=5))
    seeds += [({**good_firm, **(DOUBTFUL if number % 2 else {})}, number) for _, number in seeds]
    rows = [row for seed in seeds for row in feature_rows(origination, seed, 250)]
    results = [result.to_dict() for result in shipped.score_batch(rows, DAY)]
    assert not differences(origination, rows, results)


@settings(spark_settings, max_examples=25)
@given(artefact=artefacts(), data=st.data())
def test_agree_on_any_valid_model(spark: SparkSession, artefact: Artefact, data: st.DataObject) -> None:
    """50,000 rows on rules, bins, pairs, segments, grades, limits and indices that nobody chose; a third engine too."""
    seeds = data.draw(st.lists(rows_near_bounds(artefact), min_size=20, max_size=20))
    rows = [row for seed in seeds for row in feature_rows(artefact, seed, 100)]
    assert not differences(artefact, rows, on_spark(spark, artefact, rows))
    assert not differences(artefact, rows, on_duckdb(artefact, rows))


def test_duckdb_agrees_on_the_shipped_model(origination: Artefact, good_firm: dict[str, Any]) -> None:
    """The model's SQL, run by an engine that has nothing in common with the other two."""
    rows = [row for base in (good_firm, good_firm | DOUBTFUL) for row in feature_rows(origination, (base, 3), 2_000)]
    assert not differences(origination, rows, on_duckdb(origination, rows))


def test_agree_where_rules_take_points_and_where_nothing_was_lost(spark: SparkSession) -> None:
    """A referral for its score without a lost point, and reasons that come from rules among those of bins."""
    adjusts = [rule("down", "adjust", points=-12, reason_code="PAIR", when={"==": [{"var": "flag"}, True]})]
    adjusts.append(rule("up", "adjust", points=9))
    firms = [{**FIRM, "debt": debt, "kind": kind, "flag": flag}
             for debt in (30, 60, None) for kind in ("A", "C") for flag in (True, False)]  # fmt: skip
    reasons = set()
    for below in (None, 120):
        artefact = loaded(scorecard=refer_below(below), rules=adjusts)
        assert not differences(artefact, firms, on_spark(spark, artefact, firms))
        assert not differences(artefact, firms, on_duckdb(artefact, firms))
        found = [evaluate(artefact, firm, DAY) for firm in firms]
        reasons |= {(result.stage, result.reasons or result.price_reasons) for result in found}
    assert {("referred", ()), ("approved", ("KIND", "PAIR", "DEBT"))} <= reasons


NUMBERS = [0.0, -0.0, 0.5, -0.5, 1e-300, 4_500.999, -1.5, 1e15, 2.0**63, -(2.0**63), 9.3e18, -1e300]
NO_NUMBERS = [float("nan"), float("inf"), float("-inf")]
DECIMALS = ["0", "-0.00", "4500.99", "-0.01", "9223372036854775807.99", "-9223372036854775808.5", "9" * 30 + ".99"]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (T.DoubleType(), [*NUMBERS, *NO_NUMBERS, None]),
        (T.FloatType(), [0.5, -0.0, 16_777_216.0, 3.0e38, *NO_NUMBERS, None]),
        (T.DecimalType(38, 6), [*map(Decimal, DECIMALS), None]),
        (T.DecimalType(20, 0), [Decimal(10**20 - 1), Decimal(-(10**20) + 1), Decimal(2**63), Decimal(-(2**63))]),
        (T.ShortType(), [-32_768, 0, 32_767, None]),
    ],
    ids=lambda item: item.simpleString() if isinstance(item, T.DataType) else "",
)
def test_agree_on_numbers_of_every_kind(
    spark: SparkSession, origination: Artefact, good_firm: dict[str, Any], kind: T.DataType, values: Sequence[Any]
) -> None:
    """NaN, infinities, negative nought, fractions and decimals beyond 64 bits enter every engine alike."""
    for name in ("debt_ratio_bps", "revenue_12m_minor", "profit_12m_minor", "tax_late_count_24m"):
        rows = [{**dict.fromkeys(origination.features), **good_firm, name: value} for value in values]
        fields = [f if f.name != name else T.StructField(name, kind) for f in feature_schema(origination).fields]
        data = [tuple(row[field.name] for field in fields) for row in rows]
        scored = score(spark.createDataFrame(data, T.StructType(fields)), origination.in_force(DAY)).collect()
        results = [result_from_row(origination, row).to_dict() for row in scored]
        assert not differences(origination, rows, results)


def test_rows_reach_every_stage(origination: Artefact, good_firm: dict[str, Any]) -> None:
    """The mutations of a good and of a doubtful firm end at every stage, so the agreement above covers all of them."""
    rows = [row for base in (good_firm, good_firm | DOUBTFUL) for row in feature_rows(origination, (base, 7), 200)]
    stages = {evaluate(origination, row, DAY).stage for row in rows}
    assert stages == {"blacklist", "admission", "score", "limit", "referred", "approved"}


@pytest.mark.parametrize("partitions", [1, 3])
def test_resident_session_agrees_batch_after_batch(
    spark: SparkSession, origination: Artefact, good_firm: dict[str, Any], partitions: int
) -> None:
    """One plan serves batches of any size, in order, and nothing of an earlier batch is left over."""
    scorer = ResidentScorer(spark, origination, partitions)
    for size in (5, 1, 0, 300, 2):
        rows = feature_rows(origination, (good_firm, size), size)
        assert not differences(origination, rows, [result.to_dict() for result in scorer.score_batch(rows, DAY)])


def test_resident_session_keeps_text_exactly(
    spark: SparkSession, origination: Artefact, good_firm: dict[str, Any]
) -> None:
    """Quotes, escapes, NUL, other scripts and blanks at the end pass through the cells unchanged."""
    scorer = ResidentScorer(spark, origination)
    rows = [{**good_firm, "industry": text} for text in ('"', "\\", "\x00", "C34 ", "c34", "中", "😀", "\u2028", "C34")]
    results = [result.to_dict() for result in scorer.score_batch(rows, DAY)]
    assert not differences(origination, rows, results)
    assert len({json.dumps(result["points"]) for result in results}) == 2


def test_result_columns_are_the_contract(spark: SparkSession, origination: Artefact) -> None:
    """What is no feature passes through; then come exactly the result's fields."""
    names = {"text": "string", "text[]": "array<string>", "bigint[]": "array<bigint>", "int[]": "array<int>"}
    schema = T.StructType([T.StructField("request_id", T.StringType()), *feature_schema(origination).fields])
    scored = score(spark.createDataFrame([], schema), origination)
    assert [(f.name, f.dataType.simpleString()) for f in scored.schema.fields] == [
        ("request_id", "string"),
        *((name, names.get(kind, kind)) for name, kind in RESULT_FIELDS.items()),
    ]


@pytest.mark.parametrize(
    ("change", "message"), [("drop", "debt_ratio_bps must be a number"), ("type", "debt_ratio_bps must be a number")]
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


def test_a_rule_counts_on_its_days_only_in_either_engine(spark: SparkSession, good_firm: dict[str, Any]) -> None:
    document = json.loads((ROOT / "models" / "origination-2.1.0.json").read_text(encoding="utf-8"))
    rule = next(one for one in document["rules"] if one["id"] == "company_too_young")
    tomorrow, after = DAY + timedelta(days=1), DAY + timedelta(days=2)
    dated = {"effective_from": tomorrow.isoformat(), "effective_until": after.isoformat()}
    always = {">=": [{"var": "company_age_months"}, 0]}
    document["rules"].append({**rule, **dated, "id": "dated", "when": always})
    artefact = load(json.dumps(seal(document)))
    scorer = ResidentScorer(spark, artefact)
    for day, decision in ((DAY, "approve"), (tomorrow, "decline"), (after, "approve"), (DAY, "approve")):
        (result,) = scorer.score_batch([good_firm], day)
        assert result == evaluate(artefact, good_firm, day)
        assert (result.decision, result.fired_rules) == (decision, ("dated",) if decision == "decline" else ())
