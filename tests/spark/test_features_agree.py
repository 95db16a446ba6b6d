"""Many firms on Spark get the key data that one firm gets."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from pyspark.sql import DataFrame, SparkSession

from creditmesh.features.cleaning import date_of, day_number
from creditmesh.features.exact import month_index
from creditmesh.features.row import TOP, as_tuple
from creditmesh.features.spark import CLEAN_DDL, features_of_rows, features_of_texts, rows_and_features
from creditmesh.features.table import FEATURES, features_of
from creditmesh.gateway.key_data import extract
from tests.spark.clean_rows import rows
from tests.support.third_information import AS_OF, INPUTS, documents, line

NAMES = [feature.name for feature in FEATURES]


def test_rows_reach_every_feature_known_and_unknown() -> None:
    seen = [features_of(row) for row in rows(1, 600)]
    assert [name for name in NAMES if len({row[name] for row in seen} - {None}) < 2] == []
    platform = {column.name for column in TOP}
    assert [name for name in NAMES if all(row[name] is not None for row in seen)] == [
        name for name in NAMES if name in platform
    ]


def texts(spark: SparkSession, lines: Sequence[str | None]) -> DataFrame:
    return spark.createDataFrame([(one,) for one in lines], "value STRING")


def test_documents_give_the_same_key_data_spark_way(spark: SparkSession) -> None:
    firms = {f"firm-{index}": documents(index) for index in range(60)}
    # Some as sources really are: one down, one not asked, numbers written in their own way.
    firms["firm-3"]["tax"] = None
    del firms["firm-4"]["judicial"]
    firms["firm-7"]["judicial"]["dishonest_debtor"]["listed"] = {"nil": "true"}
    firms["firm-5"]["tax"]["statements"][-1]["revenue"] = "（１２．５万元）"
    firms["firm-6"]["tax"]["invoices"].append(dict(firms["firm-6"]["tax"]["invoices"][0], amount="1.00"))
    given = texts(spark, [line(firm, sources) for firm, sources in firms.items()])
    cleaned, features = rows_and_features(spark, given)
    assert cleaned.schema == spark.createDataFrame([], CLEAN_DDL).schema
    found = {row["firm"]: row.asDict(recursive=True) for row in features_of_rows(spark, cleaned).collect()}
    assert "dishonest_debtor_listed:judicial" in found["firm-7"]["unread"]
    assert features.collect() == features_of_texts(spark, given).collect()
    assert set(found) == set(firms)
    for firm, sources in firms.items():
        expected = extract(sources, **INPUTS, as_of=AS_OF)
        assert {name: found[firm][name] for name in NAMES} == expected.features
        assert found[firm]["unread"] == expected.unread
        assert found[firm]["quality"] == [finding.model_dump() for finding in expected.quality]
        assert found[firm]["as_of"] == expected.as_of


def test_clean_rows_are_the_rows_of_the_key_data(spark: SparkSession) -> None:
    (row,) = rows_and_features(spark, texts(spark, [line("one", documents(1))]))[0].collect()
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
    found = features_of_texts(spark, texts(spark, lines)).collect()
    rows, features = rows_and_features(spark, texts(spark, lines))
    assert features.collect() == found
    assert features_of_rows(spark, rows).collect() == found
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


def test_features_of_rows_are_those_of_the_table(spark: SparkSession) -> None:
    """300 rows with unknowns, empty lists and numbers to the schema's bounds, through Spark and back."""
    made = rows(7, 300)
    df = spark.createDataFrame([(str(n), *as_tuple(row), []) for n, row in enumerate(made)], CLEAN_DDL)
    found = {int(row["firm"]): row for row in features_of_rows(spark, df).collect()}
    assert [{name: found[n][name] for name in NAMES} for n in range(300)] == [features_of(row) for row in made]


def test_features_want_the_clean_rows_schema(spark: SparkSession) -> None:
    df = spark.createDataFrame([], CLEAN_DDL)
    with pytest.raises(ValueError, match="'invoices'"):
        features_of_rows(spark, df.drop("invoices"))
    with pytest.raises(ValueError, match="'as_of'"):
        features_of_rows(spark, df.withColumn("as_of", df["as_of"].cast("int")))
