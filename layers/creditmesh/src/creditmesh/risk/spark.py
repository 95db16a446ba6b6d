"""The artefact compiled to Spark SQL column expressions, without a UDF, for any number of firms.

Equal to ``creditmesh.risk.evaluator`` to the last digit; ``creditmesh.risk.lowering`` says how.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Row
from pyspark.sql import types as T

from creditmesh.risk.dialect import SparkDialect, whole
from creditmesh.risk.lowering import RESULT_FIELDS, Lowering
from creditmesh.risk.model import Artefact
from creditmesh.risk.result import IndexResult, LimitSteps, PointsLine, RiskResult

_TYPES: dict[str, T.DataType] = {"integer": T.LongType(), "string": T.StringType(), "boolean": T.BooleanType()}
_DIALECT = SparkDialect()


def feature_schema(artefact: Artefact) -> T.StructType:
    """Return the schema of the artefact's features; ``score`` takes other numbers for integers too."""
    return T.StructType([T.StructField(item.name, _TYPES[item.type]) for item in artefact.features.values()])


def score(df: DataFrame, artefact: Artefact) -> DataFrame:
    """Return the columns of ``df`` that are no features (such as an id), followed by ``RESULT_FIELDS``.

    Args:
        df: a column for every feature; integer features may be any numbers, which are made whole as
            ``creditmesh.risk.values`` tells.
        artefact: the model, with the rules in force on the day (``Artefact.in_force``).

    Raises:
        ValueError: a feature is missing in ``df`` or has another type, or a passed column's name is taken.
    """
    kept = _kept_columns(df, artefact)
    staged = df.selectExpr(*map(_DIALECT.name, kept), *_inputs(df, artefact))
    for layer in Lowering(artefact, _DIALECT).layers():
        staged = staged.selectExpr("*", *(f"{expression} AS {name}" for name, expression in layer.items()))
    return staged.selectExpr(*map(_DIALECT.name, kept), *(f"_result_{name} AS {name}" for name in RESULT_FIELDS))


def result_from_row(artefact: Artefact, row: Row) -> RiskResult:
    """Return the result in a row that ``score`` made: bins get their names, nothing is decided here."""
    segment = next((item for item in artefact.scorecard.segments if item.id == row.segment), None)
    pairs = zip(segment.characteristics, row.cells, strict=True) if segment else ()
    lines = tuple(
        PointsLine(item.id, item.label(cell), item.points[cell], item.best_points - item.points[cell])
        for item, cell in pairs
    )
    return RiskResult(
        decision=row.decision,
        stage=row.stage,
        fired_rules=tuple(row.fired_rules),
        segment=row.segment,
        adjustment=row.adjustment,
        score=row.score,
        pd_ppm=row.pd_ppm,
        points=lines,
        grade=row.grade,
        pd_bps=row.pd_bps,
        annual_rate_bps=row.annual_rate_bps,
        limit_minor=row.limit_minor,
        limit_steps=_steps(artefact, row),
        risk_index=_index(artefact, row),
        reasons=tuple(row.reasons),
        price_reasons=tuple(row.price_reasons),
        model_id=row.model_id,
        model_version=row.model_version,
        model_hash=row.model_hash,
    )


def _steps(artefact: Artefact, row: Row) -> LimitSteps | None:
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


def _index(artefact: Artefact, row: Row) -> IndexResult | None:
    if artefact.risk_index is None or row.risk_index is None:
        return None
    pairs = zip(artefact.risk_index.dimensions, row.dimension_grades, strict=True)
    return IndexResult(row.risk_index, row.index_grade, tuple((item.id, value) for item, value in pairs))


def _inputs(df: DataFrame, artefact: Artefact) -> list[str]:
    """Every feature by its own name and in its own type."""
    types = {field.name: field.dataType for field in df.schema.fields}
    expressions = []
    for feature in artefact.features.values():
        column, found = _DIALECT.name(feature.name), types.get(feature.name)
        if feature.type == "integer" and isinstance(found, T.NumericType):
            expressions.append(f"{whole(column, number_kind(found), _DIALECT)} AS {column}")
        elif found == _TYPES[feature.type]:
            expressions.append(column)
        else:
            wanted = "a number" if feature.type == "integer" else _TYPES[feature.type].simpleString()
            raise ValueError(f"column {feature.name} must be {wanted}")
    return expressions


def number_kind(found: T.NumericType) -> str:
    """Return what ``creditmesh.risk.dialect.whole`` calls a column's kind of number."""
    if isinstance(found, T.DecimalType):
        return "decimal"
    return "integer" if isinstance(found, T.IntegralType) else "float"


def _kept_columns(df: DataFrame, artefact: Artefact) -> list[str]:
    kept = [name for name in df.columns if name not in artefact.features]
    if clash := [name for name in kept if name in RESULT_FIELDS or name.startswith("_")]:
        raise ValueError(f"columns {clash} would clash with the result's")
    return kept
