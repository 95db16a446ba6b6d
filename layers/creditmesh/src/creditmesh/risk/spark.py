"""The artefact compiled to Spark SQL column expressions, without a UDF, for any number of firms (C11-C15, M06).

Equal to ``creditmesh.risk.evaluator`` to the last digit: all numbers are 64-bit integers that cannot overflow (the
artefact's ranges see to that), conditions follow SQL's three-valued logic in both, and strings compare by code point.

Where only numbers and ids go in, columns are written as SQL text: a call into the JVM per literal would make building
the plan slow. Texts from outside always go in as literals, never into SQL text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql import types as T

from creditmesh.risk.model import AMOUNT_CEILING_MINOR, BPS, Artefact, Characteristic, LimitMethod
from creditmesh.risk.result import LimitSteps, PointsLine, RiskResult
from creditmesh.risk.spark_conditions import fired

_TYPES: dict[str, T.DataType] = {"integer": T.LongType(), "string": T.StringType(), "boolean": T.BooleanType()}

#: What ``score`` puts after the columns it passes through.
RESULT_FIELDS: dict[str, str] = {
    "decision": "string",
    "stage": "string",
    "fired_rules": "array<string>",
    "score": "bigint",
    "bins": "array<int>",
    "points": "array<bigint>",
    "grade": "string",
    "pd_bps": "bigint",
    "annual_rate_bps": "bigint",
    "limit_minor": "bigint",
    "method_minor": "array<bigint>",
    "binding_method": "string",
    "least_minor": "bigint",
    "grade_factor_bps": "bigint",
    "factored_minor": "bigint",
    "rounded_minor": "bigint",
    "reasons": "array<string>",
    "model_id": "string",
    "model_version": "string",
    "model_hash": "string",
}


def feature_schema(artefact: Artefact) -> T.StructType:
    """Return the schema in which ``score`` wants the artefact's features."""
    return T.StructType([T.StructField(item.name, _TYPES[item.type]) for item in artefact.features.values()])


def score(df: DataFrame, artefact: Artefact) -> DataFrame:
    """Return the columns of ``df`` that are no features (such as an id), followed by ``RESULT_FIELDS``.

    Raises:
        ValueError: a feature is missing in ``df`` or has another type, or a passed column's name is taken.
    """
    kept = _checked_columns(df, artefact)
    staged = _with_rules(df, artefact)
    staged = _with_points(staged, artefact)
    staged = _with_limit(_with_grade(staged, artefact), artefact)
    return _with_decision(staged, artefact).select(
        *(F.col(name) for name in kept),
        *(F.col(f"_{name}").cast(kind).alias(name) for name, kind in RESULT_FIELDS.items()),
    )


def result_from_row(artefact: Artefact, row: Row) -> RiskResult:
    """Return the result in a row that ``score`` made: bins get their labels, nothing is computed."""
    lines = tuple(
        PointsLine(item.id, item.labels[index], points, item.best_points - points)
        for item, index, points in zip(
            artefact.scorecard.characteristics, row.bins or (), row.points or (), strict=False
        )
    )
    return RiskResult(
        decision=row.decision,
        stage=row.stage,
        fired_rules=tuple(row.fired_rules),
        score=row.score,
        points=lines,
        grade=row.grade,
        pd_bps=row.pd_bps,
        annual_rate_bps=row.annual_rate_bps,
        limit_minor=row.limit_minor,
        limit_steps=_steps_from_row(artefact, row),
        reasons=tuple(row.reasons),
        model_id=row.model_id,
        model_version=row.model_version,
        model_hash=row.model_hash,
    )


def _steps_from_row(artefact: Artefact, row: Row) -> LimitSteps | None:
    if row.method_minor is None:
        return None
    return LimitSteps(
        methods=tuple((m.id, value) for m, value in zip(artefact.limit.methods, row.method_minor, strict=True)),
        binding_method=row.binding_method,
        least_minor=row.least_minor,
        grade_factor_bps=row.grade_factor_bps,
        factored_minor=row.factored_minor,
        step_minor=artefact.limit.step_minor,
        rounded_minor=row.rounded_minor,
        floor_minor=artefact.limit.floor_minor,
    )


def _checked_columns(df: DataFrame, artefact: Artefact) -> list[str]:
    types = {field.name: field.dataType for field in df.schema.fields}
    for field in feature_schema(artefact).fields:
        if types.get(field.name) != field.dataType:
            raise ValueError(f"column {field.name} must be {field.dataType.simpleString()}")
    kept = [name for name in df.columns if name not in artefact.features]
    if clash := [name for name in kept if name in RESULT_FIELDS or name.startswith("_")]:
        raise ValueError(f"columns {clash} would clash with the result's")
    return kept


def _with_rules(df: DataFrame, artefact: Artefact) -> DataFrame:
    """Adds which rules fired and their reason codes; a blacklist hit hides the admission rules."""
    ids = df.withColumns(
        {
            "_blacklisted": fired(artefact.blacklist, lambda rule: rule.id),
            "_refused": fired(artefact.admission, lambda rule: rule.id),
        }
    )
    hit = F.size("_blacklisted") > 0
    return ids.withColumns(
        {
            "_fired_rules": F.when(hit, F.col("_blacklisted")).otherwise(F.col("_refused")),
            "_rule_stage": F.when(hit, F.lit("blacklist")).when(F.size("_refused") > 0, F.lit("admission")),
            "_rule_reasons": F.when(hit, fired(artefact.blacklist, lambda rule: rule.reason_code)).otherwise(
                fired(artefact.admission, lambda rule: rule.reason_code)
            ),
        }
    )


# Score and grade


def _with_points(df: DataFrame, artefact: Artefact) -> DataFrame:
    """Adds each characteristic's bin and points, and the score; null where a rule has stopped the firm."""
    items = artefact.scorecard.characteristics
    binned = df.withColumns({f"_bin_{i}": _bin_index(item) for i, item in enumerate(items)})
    pointed = binned.withColumns({f"_points_{i}": _pick(item.points, f"_bin_{i}") for i, item in enumerate(items)})
    indexes = range(len(items))
    open_ = F.col("_rule_stage").isNull()
    total = reduce(lambda left, right: left + right, (F.col(f"_points_{i}") for i in indexes))
    return pointed.withColumns(
        {
            "_bins": F.when(open_, F.array(*(F.col(f"_bin_{i}") for i in indexes))),
            "_points": F.when(open_, F.array(*(F.col(f"_points_{i}") for i in indexes))),
            "_score": F.when(open_, F.lit(artefact.scorecard.base_points) + total),
        }
    )


def _bin_index(item: Characteristic) -> Column:
    if not item.numeric_bins:
        return _category_index(item)
    bounds = "".join(f" WHEN `{item.feature}` < {b.upper}L THEN {i}" for i, b in enumerate(item.numeric_bins[:-1]))
    last = len(item.numeric_bins) - 1
    return F.expr(f"CASE WHEN `{item.feature}` IS NULL THEN {item.missing_index}{bounds} ELSE {last} END")


def _category_index(item: Characteristic) -> Column:
    value = F.col(item.feature)
    result = F.when(value.isNull(), F.lit(item.missing_index))
    for index, category in enumerate(item.category_bins):
        result = result.when(value.isin(*category.values), F.lit(index))
    return result.otherwise(F.lit(item.other_index))


def _pick(values: Sequence[int], index: str) -> Column:
    """``values[index]``, null where the column ``index`` is null."""
    return F.expr(f"get(array({', '.join(map(str, values))}), {index})")


def _pick_name(names: Sequence[str], index: str) -> Column:
    """``names[index]``; the format of ids and codes leaves nothing in them to escape."""
    return F.expr(f"get(array({', '.join(map(repr, names))}), {index})")


def _with_grade(df: DataFrame, artefact: Artefact) -> DataFrame:
    """Adds the grade's index among the artefact's grades; null without a score or below the last grade."""
    index = F.when(F.col("_score").isNull(), F.lit(None).cast("int"))
    for position, grade in enumerate(artefact.grades):
        index = index.when(F.col("_score") >= F.lit(grade.min_score), F.lit(position))
    return df.withColumn("_grade_index", index)


# Limit


def _with_limit(df: DataFrame, artefact: Artefact) -> DataFrame:
    """Adds the limit's steps where the score passes; null elsewhere."""
    formula = artefact.limit
    passes = (F.col("_score") >= F.lit(artefact.scorecard.cutoff)) & F.col("_grade_index").isNotNull()
    names = [f"_method_{i}" for i in range(len(formula.methods))]
    values = {name: _method_value(method) for name, method in zip(names, formula.methods, strict=True)}
    factor = _pick([grade.limit_factor_bps for grade in artefact.grades], "_grade_index")
    valued = df.withColumns({"_passes": F.coalesce(passes, F.lit(False)), **values})
    least = valued.withColumns(
        {
            "_method_minor": F.when(F.col("_passes"), F.array(*names)),
            "_least_minor": F.when(F.col("_passes"), F.least(*names)),
            "_grade_factor_bps": F.when(F.col("_passes"), factor),
        }
    )
    factored = least.withColumn("_factored_minor", _times_bps(F.col("_least_minor"), F.col("_grade_factor_bps")))
    return factored.withColumn(
        "_rounded_minor", F.col("_factored_minor") - F.col("_factored_minor") % F.lit(formula.step_minor)
    )


def _method_value(method: LimitMethod) -> Column:
    if method.amount_minor is not None:
        return F.lit(method.amount_minor).cast("bigint")
    columns = [F.col(name) for name in method.features]
    base = F.greatest(*columns) if len(columns) > 1 else columns[0]
    bounded = F.least(F.greatest(base, F.lit(0)), F.lit(AMOUNT_CEILING_MINOR))
    known = F.when(base.isNotNull(), _times_bps(bounded, F.lit(method.factor_bps)))
    return F.coalesce(known, F.lit(0).cast("bigint")) if method.zero_if_missing else known


def _times_bps(amount: Column, bps: Column) -> Column:
    """floor(amount × bps / 10000) without ever leaving 64 bits: quotient and remainder apart."""
    ten_thousand = F.lit(BPS)
    whole = F.call_function("div", amount, ten_thousand) * bps
    return whole + F.call_function("div", (amount % ten_thousand) * bps, ten_thousand)


# Decision and reasons


def _with_decision(df: DataFrame, artefact: Artefact) -> DataFrame:
    """Adds the rest of the result: stage, decision, price and reasons."""
    too_low = F.col("_rounded_minor") < F.lit(artefact.limit.floor_minor)
    stage = (
        F.when(F.col("_rule_stage").isNotNull(), F.col("_rule_stage"))
        .when(~F.col("_passes"), F.lit("score"))
        .when(too_low, F.lit("limit"))
        .otherwise(F.lit("approved"))
    )
    binding = [
        F.when(F.col(f"_method_{i}") == F.col("_least_minor"), F.lit(i)) for i in range(len(artefact.limit.methods))
    ]
    staged = df.withColumns({"_stage": stage, "_binding": F.coalesce(*binding)})
    approved = F.col("_stage") == "approved"
    grades, index = artefact.grades, "_grade_index"
    return staged.withColumns(
        {
            "_decision": F.when(approved, F.lit("approve")).otherwise(F.lit("decline")),
            "_grade": _pick_name([grade.grade for grade in grades], index),
            "_pd_bps": _pick([grade.pd_bps for grade in grades], index),
            "_annual_rate_bps": F.when(approved, _pick([grade.annual_rate_bps for grade in grades], index)),
            "_limit_minor": F.when(approved, F.col("_rounded_minor")),
            "_binding_method": _pick_name([method.id for method in artefact.limit.methods], "_binding"),
            "_reasons": _reasons(artefact),
            "_model_id": F.lit(artefact.model_id),
            "_model_version": F.lit(artefact.version),
            "_model_hash": F.lit(artefact.content_hash),
        }
    )


def _reasons(artefact: Artefact) -> Column:
    methods = artefact.limit.methods
    binding = _pick_name([method.reason_code for method in methods], "_binding")
    codes = (
        F.when(F.col("_stage") == "approved", F.array().cast("array<string>"))
        .when(F.col("_stage") == "limit", F.array(F.lit(artefact.limit.reason_code), binding))
        .when(F.col("_stage") == "score", _lost_points_reasons(artefact))
        .otherwise(F.col("_rule_reasons"))
    )
    return F.slice(F.array_distinct(codes), 1, artefact.max_reasons)


def _lost_points_reasons(artefact: Artefact) -> Column:
    """Codes by points lost, most first; the negated position keeps scorecard order among equals."""
    losses = ", ".join(
        f"named_struct('lost', {item.best_points} - _points_{i}, 'order', {-i}, 'code', '{item.reason_code}')"
        for i, item in enumerate(artefact.scorecard.characteristics)
    )
    losing = F.filter(F.sort_array(F.expr(f"array({losses})"), asc=False), lambda loss: loss["lost"] > 0)
    return F.transform(losing, lambda loss: loss["code"])
