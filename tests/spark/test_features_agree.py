"""Features are the same, to the bit, in Python for one firm and on Spark for many (C10, DESIGN 1)."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from creditmesh.gateway.key_data import extract
from creditmesh.gateway.keydata.cleaning import date_of, day_number
from creditmesh.gateway.keydata.exact import month_index
from creditmesh.gateway.keydata.features.table import FEATURES, features_of
from creditmesh.gateway.keydata.row import DDL, SECTIONS, TOP, as_tuple
from creditmesh.gateway.keydata.spark import CLEAN_DDL, clean_rows, with_features
from creditmesh.risk.spark_settings import RESIDENT, SCAN
from tests.spark.clean_rows import rows
from tests.support.third_information import AS_OF, INPUTS, documents, line

# Workers import the package: with the interpreter that runs the test.
os.environ["PYSPARK_PYTHON"] = sys.executable
NAMES = [feature.name for feature in FEATURES]

# Shrinking would run Spark hundreds of times; the rows that differ are shown as they are.
spark_settings = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@pytest.fixture(params=["resident", "scan"])
def either(request: pytest.FixtureRequest, spark: SparkSession) -> Iterator[SparkSession]:
    """The session as the resident job has it, which interprets, and as scans have it, which compile."""
    compiled = {**SCAN, "spark.sql.codegen.wholeStage": "true", "spark.sql.codegen.factoryMode": "CODEGEN_ONLY"}
    chosen = compiled if request.param == "scan" else {}
    before = {name: spark.conf.get(name, None) for name in chosen}
    for name, value in chosen.items():
        spark.conf.set(name, value)
    yield spark
    for name, value in before.items():
        spark.conf.unset(name) if value is None else spark.conf.set(name, value)
    assert spark.conf.get("spark.sql.codegen.factoryMode") == RESIDENT["spark.sql.codegen.factoryMode"]


def on_spark(spark: SparkSession, given_rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Features of clean rows by Spark, in order."""
    tuples = [(number, *as_tuple(row)) for number, row in enumerate(given_rows)]
    df = with_features(spark.createDataFrame(tuples, f"number INT, {DDL}"))
    found = sorted((row.asDict() for row in df.collect()), key=lambda row: int(row["number"]))
    return [{name: row[name] for name in NAMES} for row in found]


def differences(given_rows: Sequence[dict[str, Any]], results: Sequence[dict[str, Any]]) -> list[Any]:
    """What Python computes otherwise: feature, Python's value, Spark's."""
    return [
        (row["as_of"], name, value, result[name])
        for row, result in zip(given_rows, results, strict=True)
        for name, value in features_of(row).items()
        if result[name] != value or type(result[name]) is not type(value)
    ]


@settings(spark_settings, max_examples=4)
@given(seed=st.integers(0, 2**32))
def test_agree_on_any_rows(either: SparkSession, seed: int) -> None:
    """300 rows at a time, with unknowns, empty lists and numbers to the bounds of the schema."""
    made = rows(seed, 300)
    assert not differences(made, on_spark(either, made))


def test_rows_reach_every_feature_known_and_unknown() -> None:
    """Else the agreement above would say nothing of some of them."""
    seen = [features_of(row) for row in rows(1, 600)]
    assert [name for name in NAMES if len({row[name] for row in seen} - {None}) < 2] == []
    platform = {column.name for column in TOP}
    assert [name for name in NAMES if all(row[name] is not None for row in seen)] == [
        name for name in NAMES if name in platform
    ]


def test_agree_on_lists_as_long_as_they_may_be(spark: SparkSession) -> None:
    """5,000 rows of the largest amounts, and nothing overflows."""
    (row,) = rows(3, 1)
    for section in SECTIONS:
        if section.is_list and section.most > 24:
            item = {c.name: {"amount": 10**14, "count": 10**9, "flag": True}.get(c.kind) for c in section.columns}
            item |= {c.name: c.words[-1] for c in section.columns if c.kind == "word"}
            item |= {c.name: row["as_of_month"] - 3 for c in section.columns if c.kind == "month"}
            item |= {c.name: row["as_of"] - 9 for c in section.columns if c.kind == "day"}
            row[section.name] = [item] * section.most
    assert features_of(row)["guarantee_balance_minor"] == 0
    assert features_of(row)["penalty_amount_24m_minor"] == 5_000 * 10**14
    assert not differences([row], on_spark(spark, [row]))


def texts(spark: SparkSession, lines: Sequence[str | None]) -> DataFrame:
    return spark.createDataFrame([(one,) for one in lines], "value STRING")


def test_documents_give_the_same_key_data_either_way(either: SparkSession) -> None:
    firms = {f"firm-{index}": documents(index) for index in range(60)}
    # Some as sources really are: one down, one not asked, numbers written in their own way.
    firms["firm-3"]["tax"] = None
    del firms["firm-4"]["judicial"]
    firms["firm-5"]["tax"]["statements"][-1]["revenue"] = "（１２．５万元）"
    firms["firm-6"]["tax"]["invoices"].append(dict(firms["firm-6"]["tax"]["invoices"][0], amount="1.00"))
    cleaned = clean_rows(either, texts(either, [line(firm, sources) for firm, sources in firms.items()]))
    assert cleaned.schema == either.createDataFrame([], CLEAN_DDL).schema
    found = {row["firm"]: row.asDict(recursive=True) for row in with_features(cleaned).collect()}
    assert set(found) == set(firms)
    for firm, sources in firms.items():
        expected = extract(sources, **INPUTS, as_of=AS_OF)
        assert {name: found[firm][name] for name in NAMES} == expected.features
        assert found[firm]["quality"] == [finding.model_dump() for finding in expected.quality]
        assert found[firm]["as_of"] == expected.as_of


def test_clean_rows_are_the_rows_of_the_key_data(spark: SparkSession) -> None:
    (row,) = clean_rows(spark, texts(spark, [line("one", documents(1))])).collect()
    found = row.asDict(recursive=True)
    expected = extract(documents(1), **INPUTS, as_of=AS_OF)
    assert {name: found[name] for name in expected.rows} == expected.rows
    assert expected.rows["as_of"] == day_number(AS_OF)
    assert date_of(expected.rows["as_of"]) == AS_OF
    assert expected.rows["as_of_month"] == month_index(AS_OF)


def test_no_line_is_lost_and_none_ends_the_job(spark: SparkSession) -> None:
    broken = documents(2) | {"tax": {"basics": []}, "shop": ["<html>"]}
    lines = [
        "{", None, "[]", json.dumps({"firm": "a"}), line("b", {}, as_of="soon"), line("c", broken),
        json.dumps({"firm": "d", "as_of": "2026-11-21", "sources": {}, **INPUTS, "blacklist_hits": -1}),
        json.dumps({"firm": "e", "as_of": "2026-11-21", "sources": 7, **INPUTS}),
    ]  # fmt: skip
    found = with_features(clean_rows(spark, texts(spark, lines))).collect()
    told = [[(note["field"], note["severity"], note["finding"]) for note in row["quality"]] for row in found]
    assert [row["firm"] for row in found] == [None, None, None, "a", "b", "c", "d", "e"]
    assert told[:5] == [
        [("", "error", "not_json")],
        [("", "error", "not_json")],
        [("", "error", "must_be_object")],
        [("as_of", "error", "not_a_date")],
        [("as_of", "error", "not_a_date")],
    ]
    assert ("tax.basics", "error", "must_be_object") in told[5]
    assert ("shop", "error", "must_be_object") in told[5]
    assert found[5]["revenue_12m_minor"] is None
    assert found[5]["company_age_months"] is not None
    assert told[6:] == [[("blacklist_hits", "error", "not_a_whole_number")], [("sources", "error", "must_be_object")]]


def test_features_want_the_clean_rows_schema(spark: SparkSession) -> None:
    df = spark.createDataFrame([], DDL)
    with pytest.raises(ValueError, match="'invoices'"):
        with_features(df.drop("invoices"))
    with pytest.raises(ValueError, match="'as_of'"):
        with_features(df.withColumn("as_of", df["as_of"].cast("int")))
