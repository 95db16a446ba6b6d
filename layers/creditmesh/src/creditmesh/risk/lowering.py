"""The artefact compiled to SQL: layers of scalar expressions, each over the features and the columns before it.

Spark runs them as columns (``creditmesh.risk.spark``); ``query`` writes them as one statement, which any engine with a
dialect can run: the model's published form for auditors, and the third engine of the tests.

Columns of the layers begin with an underscore. All numbers are 64-bit integers that cannot overflow (the artefact's
ranges see to that), and conditions follow SQL's three-valued logic, as the Python evaluator does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from creditmesh.risk.dialect import Dialect
from creditmesh.risk.expression import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Constant,
    Membership,
    Missing,
    Negation,
    Operand,
)
from creditmesh.risk.model import AMOUNT_CEILING_MINOR, BPS, MAX_DIMENSION_GRADE, Artefact, LimitMethod, Rule
from creditmesh.risk.points import Axis, Characteristic

Layer = dict[str, str]

#: What the last layer makes, in order, with the type of each column.
RESULT_FIELDS: dict[str, str] = {
    "decision": "text", "stage": "text", "fired_rules": "text[]", "segment": "text", "adjustment": "bigint",
    "score": "bigint", "pd_ppm": "bigint", "cells": "int[]", "grade": "text", "pd_bps": "bigint",
    "annual_rate_bps": "bigint", "limit_minor": "bigint", "method_minor": "bigint[]", "binding_method": "text",
    "least_minor": "bigint", "grade_factor_bps": "bigint", "factored_minor": "bigint", "rounded_minor": "bigint",
    "risk_index": "bigint", "index_grade": "text", "dimension_grades": "int[]", "reasons": "text[]",
    "price_reasons": "text[]", "model_id": "text", "model_version": "text", "model_hash": "text",
}  # fmt: skip


def query(artefact: Artefact, dialect: Dialect, table: str, kept: Sequence[str] = ()) -> str:
    """Return one SELECT over ``table``, which has the artefact's features as columns of its own types.

    Args:
        artefact: the model, with the rules in force on the day (``Artefact.in_force``).
        dialect: the engine's.
        table: name of the table, or a subquery in parentheses.
        kept: columns to pass through.
    """
    statement = f"SELECT * FROM {table}"
    for layer in Lowering(artefact, dialect).layers():
        columns = ", ".join(f"{expression} AS {name}" for name, expression in layer.items())
        statement = f"SELECT *, {columns} FROM ({statement})"
    results = ", ".join([*map(dialect.name, kept), *(f"_result_{name} AS {name}" for name in RESULT_FIELDS)])
    return f"SELECT {results} FROM ({statement})"


class Lowering:
    """Compiles one artefact for one engine."""

    def __init__(self, artefact: Artefact, dialect: Dialect) -> None:
        self._artefact, self._sql = artefact, dialect
        self._axes: dict[Axis, str] = {}
        for item in artefact.characteristics:
            for axis in item.axes:
                self._axes.setdefault(axis, f"_axis_{len(self._axes)}")

    def layers(self) -> list[Layer]:
        """Return the layers; the last holds ``_result_<field>`` for each of ``RESULT_FIELDS``.

        The fewer layers and the sooner what is many (rules, bins) becomes what is few, the less an engine carries
        from one to the next: to Spark's resident plan that is most of what a small batch costs.
        """
        return [
            {**self._rules(), **self._bins(), **self._methods(), "_segment_index": self._segment_index()},
            {**self._rule_outcomes(), **self._points(), **self._dimensions(), "_least": self._least()},
            self._summary(),
            self._score_lookups(),
            self._gates(),
            self._ends(),
            self._results(),
        ]

    # Rules

    def _rules(self) -> Layer:
        return {
            f"_fires_{i}": f"coalesce({self._condition(rule.when)}, {_flag(rule.fires_if_unknown)})"
            for i, rule in enumerate(self._artefact.rules)
        }

    def _rule_outcomes(self) -> Layer:
        passes = [f"CASE WHEN {name} THEN {rule.priority} ELSE -1 END" for name, rule in self._those("pass")]
        adjusts = [f"CASE WHEN {name} THEN {rule.points} ELSE 0 END" for name, rule in self._those("adjust")]
        return {
            "_list_stop": _any(name for name, rule in self._those("stop") if rule.stage == "lists"),
            "_admission_stop": _any(name for name, rule in self._those("stop") if rule.stage == "admission"),
            "_fast": _any(name for name, _ in self._those("fast_pass")),
            "_silenced": f"greatest(-1, {', '.join(passes)})" if passes else "-1",
            "_adjusted": " + ".join(adjusts) or "0",
        }

    def _those(self, outcome: str) -> list[tuple[str, Rule]]:
        return [(f"_fires_{i}", rule) for i, rule in enumerate(self._artefact.rules) if rule.outcome == outcome]

    def _fired(self) -> str:
        """Ids of the rules that fired; a stop by a list hides the admission rules."""
        rules = list(enumerate(self._artefact.rules))
        parts = {
            stage: self._codes((f"_fires_{i}", rule.id) for i, rule in rules if rule.stage in stages)
            for stage, stages in (("lists", ("lists",)), ("all", ("lists", "admission")))
        }
        return f"CASE WHEN _list_stop THEN {parts['lists']} ELSE {parts['all']} END"

    def _codes(self, items: Iterable[tuple[str, str]]) -> str:
        """The texts whose condition holds."""
        cases = [f"CASE WHEN {condition} THEN {self._sql.text(code)} END" for condition, code in items]
        return self._sql.known(self._texts(cases)) if cases else self._texts([])

    # Score

    def _bins(self) -> Layer:
        return {name: self._bin_index(axis) for axis, name in self._axes.items()}

    def _bin_index(self, axis: Axis) -> str:
        value = self._sql.name(axis.feature)
        sets = [
            f" WHEN {value} IN ({self._list(values)}) THEN {axis.intervals + i}" for i, values in enumerate(axis.sets)
        ]
        last = self._sql.reached(value, axis.bounds) if axis.type == "integer" else str(axis.other_index)
        return f"CASE WHEN {value} IS NULL THEN {axis.missing_index}{''.join(sets)} ELSE {last} END"

    def _segment_index(self) -> str:
        segments = self._artefact.scorecard.segments
        cases = [f" WHEN {self._condition(s.when)} THEN {i}" for i, s in enumerate(segments) if s.when is not None]
        return f"CASE{''.join(cases)} ELSE {len(cases)} END" if cases else "0"

    def _points(self) -> Layer:
        return {
            name: self._cell_points(item)
            for i, segment in enumerate(self._artefact.scorecard.segments)
            for name, item in _named(i, segment.characteristics)
        }

    def _cell(self, item: Characteristic) -> str:
        names = [self._axes[axis] for axis in item.axes]
        return names[0] if len(names) == 1 else f"{names[0]} * {item.axes[1].size} + {names[1]}"

    def _cell_points(self, item: Characteristic) -> str:
        return self._sql.pick([str(points) for points in item.points], self._cell(item))

    def _total(self) -> str:
        segments = self._artefact.scorecard.segments
        sums = [
            " + ".join([str(segment.base_points), *(name for name, _ in _named(i, segment.characteristics))])
            for i, segment in enumerate(segments)
        ]
        return f"{self._by_segment(sums)} + _adjusted"

    def _by_segment(self, expressions: Sequence[str]) -> str:
        if len(expressions) == 1:
            return f"({expressions[0]})"
        cases = "".join(f" WHEN {i} THEN {expression}" for i, expression in enumerate(expressions[:-1]))
        return f"(CASE _segment_index{cases} ELSE {expressions[-1]} END)"

    def _score_lookups(self) -> Layer:
        artefact = self._artefact
        rising = artefact.calibration[::-1]
        rate = self._sql.pick(
            [str(rate) for _, rate in rising], self._sql.reached("_total", [least for least, _ in rising[1:]])
        )
        index = artefact.risk_index.grades if artefact.risk_index else ()
        return {
            "_grade_index": self._step("_total", [grade.min_score for grade in artefact.grades]),
            "_default_rate": _unless_stopped(rate),
            "_level": self._step("_index", [grade.min_index for grade in index]) if index else "CAST(NULL AS BIGINT)",
        }

    def _step(self, value: str, falling: Sequence[int]) -> str:
        """Index of the first of some falling bounds that the value reaches; null where it reaches none."""
        reached = self._sql.reached(value, falling[::-1])
        return _unless_stopped(f"nullif({len(falling)} - {reached}, {len(falling)})")

    # Risk index

    def _dimensions(self) -> Layer:
        formula = self._artefact.risk_index
        layer = {}
        for i, dimension in enumerate(formula.dimensions if formula else ()):
            total = " + ".join([str(dimension.base), *map(self._cell_points, dimension.characteristics)])
            layer[f"_dimension_{i}"] = f"least(greatest({total}, 0), {MAX_DIMENSION_GRADE})"
        return layer

    def _index(self) -> str:
        formula = self._artefact.risk_index
        if formula is None:
            return "CAST(NULL AS BIGINT)"
        weighted = " + ".join(f"{item.weight_bps} * _dimension_{i}" for i, item in enumerate(formula.dimensions))
        return self._sql.divided(f"({weighted})", "100")

    def _summary(self) -> Layer:
        """What is left of rules, bins and methods once they have been counted together."""
        artefact, sql = self._artefact, self._sql
        cells = [sql.array(list(map(self._cell, s.characteristics)), "INT") for s in artefact.scorecard.segments]
        formula = artefact.risk_index
        dimensions = [f"_dimension_{i}" for i in range(len(formula.dimensions) if formula else 0)]
        methods = [f"_method_{i}" for i in range(len(artefact.limit.methods))]
        referrals = [(f"({name} AND {rule.priority} > _silenced)", rule) for name, rule in self._those("refer")]
        return {
            "_total": self._total(),
            "_stopped": "(_list_stop OR _admission_stop)",
            "_fired": self._fired(),
            "_stop_codes": self._stop_codes(),
            "_referred": _any(condition for condition, _ in referrals),
            "_refer_codes": self._codes((condition, rule.reason_code) for condition, rule in referrals),
            "_cells": self._by_segment(cells),
            "_lost": self._lost(),
            "_index": self._index(),
            "_dimension_grades": sql.array(dimensions, "INT"),
            "_method_minor": sql.array(methods, "BIGINT"),
            "_binding": self._binding(),
        }

    def _stop_codes(self) -> str:
        codes = {
            stage: self._codes((name, rule.reason_code) for name, rule in self._those("stop") if rule.stage == stage)
            for stage in ("lists", "admission")
        }
        return f"CASE WHEN _list_stop THEN {codes['lists']} ELSE {codes['admission']} END"

    def _level_is(self, outcome: str) -> str:
        formula = self._artefact.risk_index
        found = [str(i) for i, grade in enumerate(formula.grades if formula else ()) if grade.outcome == outcome]
        return f"coalesce(_level IN ({', '.join(found)}), FALSE)" if found else "FALSE"

    # Price and limit

    def _methods(self) -> Layer:
        return {f"_method_{i}": self._method(method) for i, method in enumerate(self._artefact.limit.methods)}

    def _method(self, method: LimitMethod) -> str:
        if method.amount_minor is not None:
            return self._int(method.amount_minor)
        bases = []
        for term in method.terms:
            columns = [self._sql.name(feature) for feature in dict.fromkeys(term.features)]
            bases.append(f"greatest({', '.join(columns)})" if len(columns) > 1 else columns[0])
        values = []
        for base, term in zip(bases, method.terms, strict=True):
            bounded = f"least(greatest({base}, {self._int(0)}), {self._int(AMOUNT_CEILING_MINOR)})"
            amount = f"CASE WHEN {base} IS NULL THEN 0 ELSE {self._times_bps(bounded, str(abs(term.factor_bps)))} END"
            values.append(f"{'-' if term.factor_bps < 0 else '+'} {amount}")
        unknown = {
            kind: [f"{base} IS NULL" for base, t in zip(bases, method.terms, strict=True) if t.if_missing == kind]
            for kind in ("zero", "skip")
        }
        nought = f" WHEN {_any(unknown['zero'])} THEN {self._int(0)}"
        return f"CASE{nought} WHEN {_any(unknown['skip'])} THEN NULL ELSE greatest(0 {' '.join(values)}, 0) END"

    def _least(self) -> str:
        return f"least({', '.join(f'_method_{i}' for i in range(len(self._artefact.limit.methods)))})"

    def _gates(self) -> Layer:
        artefact = self._artefact
        refused = [str(i) for i, price in enumerate(artefact.prices) if price.refused]
        return {
            "_below": f"(_grade_index IS NULL OR _total < {artefact.scorecard.cutoff})",
            "_too_dear": f"coalesce(_grade_index IN ({', '.join(refused)}), FALSE)" if refused else "FALSE",
            "_factored": self._times_bps("_least", self._factor()),
        }

    def _factor(self) -> str:
        return self._sql.pick([str(grade.limit_factor_bps) for grade in self._artefact.grades], "_grade_index")

    def _ends(self) -> Layer:
        rounded = f"_factored - _factored % {self._int(self._artefact.limit.step_minor)}"
        return {
            "_lends": f"NOT (_stopped OR _below OR _too_dear OR {self._level_is('stop')})",
            "_rounded": rounded,
            "_stage": self._stage(rounded),
        }

    def _binding(self) -> str:
        """Index of the least method, the first of several."""
        cases = (f" WHEN _method_{i} = _least THEN {i}" for i in range(len(self._artefact.limit.methods)))
        return f"CASE{''.join(cases)} END"

    def _times_bps(self, amount: str, bps: str) -> str:
        """floor(amount × bps / 10000) without ever leaving 64 bits: quotient and remainder apart."""
        whole = f"{self._sql.divided(amount, str(BPS))} * {bps}"
        return f"({whole} + {self._sql.divided(f'(({amount} % {BPS}) * {bps})', str(BPS))})"

    # Decision

    def _stage(self, rounded: str) -> str:
        too_low = f"({rounded}) < {self._int(self._artefact.limit.floor_minor)}"
        referred = _any(["_referred", self._level_is("refer"), self._score_refers()])
        return (
            "CASE WHEN _list_stop THEN 'blacklist' WHEN _admission_stop THEN 'admission' WHEN _below THEN 'score'"
            f" WHEN _too_dear THEN 'price' WHEN {self._level_is('stop')} THEN 'index' WHEN {too_low} THEN 'limit'"
            f" WHEN NOT _fast AND ({referred}) THEN 'referred' ELSE 'approved' END"
        )

    def _score_refers(self) -> str:
        below = self._artefact.scorecard.refer_below
        return "FALSE" if below is None else f"_total < {below}"

    def _lost(self) -> str:
        """Codes of what cost points, most lost first; among equals the scorecard's order, then the rules'."""
        rules = [
            (f"CASE WHEN {name} THEN {-rule.points} ELSE 0 END", self._sql.text(rule.reason_code))
            for name, rule in self._those("adjust")
            if rule.points < 0
        ]
        lists = []
        for i, segment in enumerate(self._artefact.scorecard.segments):
            cells = [
                (f"{item.best_points} - {name}", self._reason(item))
                for name, item in _named(i, segment.characteristics)
            ]
            lists.append(self._sql.losses([(lost, place, code) for place, (lost, code) in enumerate([*cells, *rules])]))
        return self._by_segment(lists)

    def _reason(self, item: Characteristic) -> str:
        """Of what is unknown nothing bad is said but that it is unknown."""
        unknown = _any(f"{self._sql.name(axis.feature)} IS NULL" for axis in item.axes)
        missing, known = self._sql.text(self._artefact.missing_reason_code), self._sql.text(item.reason_code)
        return f"CASE WHEN {unknown} THEN {missing} ELSE {known} END"

    def _reasons(self) -> str:
        artefact, text, nothing = self._artefact, self._sql.text, self._texts([])
        binding = self._sql.pick([text(method.reason_code) for method in artefact.limit.methods], "_binding")
        index = self._texts([text(artefact.risk_index.reason_code)] if artefact.risk_index else [])
        level = f"CASE WHEN {self._level_is('refer')} THEN {index} ELSE {nothing} END"
        low = f"CASE WHEN {self._score_refers()} THEN _lost ELSE {nothing} END"
        cases = {
            "blacklist": "_stop_codes",
            "admission": "_stop_codes",
            "score": "_lost",
            "price": self._sql.joined(self._texts([text(artefact.price.reason_code)]), "_lost"),
            "index": index,
            "limit": self._texts([text(artefact.limit.reason_code), binding]),
            "referred": self._sql.joined(self._sql.joined("_refer_codes", level), low),
        }
        whens = "".join(f" WHEN '{stage}' THEN {codes}" for stage, codes in cases.items())
        return self._sql.first(f"(CASE _stage{whens} ELSE {nothing} END)", artefact.max_reasons)

    def _results(self) -> Layer:
        artefact, sql = self._artefact, self._sql
        lent = "_stage IN ('approved', 'referred')"
        segments, grades, formula = artefact.scorecard.segments, artefact.grades, artefact.risk_index
        methods = artefact.limit.methods
        levels = sql.pick([sql.text(grade.grade) for grade in formula.grades], "_level") if formula else "NULL"
        price_reasons = f"CASE WHEN {lent} AND _grade_index > 0 THEN _lost ELSE {self._texts([])} END"
        expressions = {
            "decision": "CASE WHEN _stage = 'approved' THEN 'approve' WHEN _stage = 'referred' THEN 'refer'"
            " ELSE 'decline' END",
            "stage": "_stage",
            "fired_rules": "_fired",
            "segment": _unless_stopped(sql.pick([sql.text(s.id) for s in segments], "_segment_index")),
            "adjustment": _unless_stopped("_adjusted"),
            "score": _unless_stopped("_total"),
            "pd_ppm": "_default_rate",
            "cells": _unless_stopped("_cells"),
            "grade": sql.pick([sql.text(grade.grade) for grade in grades], "_grade_index"),
            "pd_bps": sql.pick([str(grade.pd_bps) for grade in grades], "_grade_index"),
            "annual_rate_bps": _when(
                lent, sql.pick([str(price.annual_rate_bps) for price in artefact.prices], "_grade_index")
            ),
            "limit_minor": _when(lent, "_rounded"),
            "method_minor": _when("_lends", "_method_minor"),
            "binding_method": _when("_lends", sql.pick([sql.text(method.id) for method in methods], "_binding")),
            "least_minor": _when("_lends", "_least"),
            "grade_factor_bps": _when("_lends", self._factor()),
            "factored_minor": _when("_lends", "_factored"),
            "rounded_minor": _when("_lends", "_rounded"),
            "risk_index": _unless_stopped("_index"),
            "index_grade": levels,
            "dimension_grades": _unless_stopped("_dimension_grades"),
            "reasons": self._reasons(),
            "price_reasons": sql.first(f"({price_reasons})", artefact.max_reasons),
            "model_id": sql.text(artefact.model_id),
            "model_version": sql.text(artefact.version),
            "model_hash": sql.text(artefact.content_hash),
        }
        return {
            f"_result_{name}": self._cast(expression, RESULT_FIELDS[name]) for name, expression in expressions.items()
        }

    # Conditions

    def _condition(self, condition: Condition) -> str:
        """The boolean expression for ``condition``; null means unknown."""
        match condition:
            case Comparison(name, left, right):
                return f"({self._operand(left)} {_OPERATORS.get(name, name)} {self._operand(right)})"
            case Membership(item, options):
                return f"({self._operand(item)} IN ({self._list(options)}))"
            case Missing(feature):
                return f"({self._sql.name(feature)} IS NULL)"
            case Negation(item):
                return f"(NOT {self._condition(item)})"
            case AllOf(items):
                return f"({' AND '.join(map(self._condition, items))})"
            case AnyOf(items):
                return f"({' OR '.join(map(self._condition, items))})"

    def _operand(self, operand: Operand) -> str:
        if isinstance(operand, Constant):
            return self._literal(operand.value)
        return self._sql.name(operand.feature)

    def _literal(self, value: int | str | bool) -> str:
        if isinstance(value, bool):
            return _flag(value)
        return self._int(value) if isinstance(value, int) else self._sql.text(value)

    def _list(self, values: Sequence[int | str | bool]) -> str:
        return ", ".join(map(self._literal, values))

    def _int(self, value: int) -> str:
        return self._sql.integer(value)

    def _texts(self, items: Sequence[str]) -> str:
        return self._sql.array(items, self._sql.text_type)

    def _cast(self, expression: str, kind: str) -> str:
        names: Mapping[str, str] = {"text": self._sql.text_type, "bigint": "BIGINT"}
        return f"CAST({expression} AS {names[kind]})" if kind in names else expression


_OPERATORS = {"==": "=", "!=": "<>"}


def _named(segment: int, items: Sequence[Characteristic]) -> list[tuple[str, Characteristic]]:
    """The columns that hold the points of a segment's characteristics."""
    return [(f"_points_{segment}_{i}", item) for i, item in enumerate(items)]


def _any(conditions: Iterable[str]) -> str:
    return " OR ".join(f"({condition})" for condition in conditions) or "FALSE"


def _flag(value: bool) -> str:
    return "TRUE" if value else "FALSE"


def _when(condition: str, expression: str) -> str:
    return f"CASE WHEN {condition} THEN {expression} END"


def _unless_stopped(expression: str) -> str:
    return f"CASE WHEN NOT _stopped THEN {expression} END"
