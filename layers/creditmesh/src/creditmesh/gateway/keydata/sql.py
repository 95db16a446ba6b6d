"""Formulas turned into Spark SQL text: built-in functions only, the same integers as ``evaluate``.

The text comes in stages, each a set of columns computed from those before: first the parts of lists that several folds
share, then the folds, then the operands of divisions, then the features. So each is computed once, however many
features stand on it; Spark interprets what it does to lists row by row, which is most of the work.

Only names and words of our own tables go into the text, never a value from outside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from creditmesh.gateway.keydata.exact import BPS
from creditmesh.gateway.keydata.formula import (
    All,
    Arithmetic,
    Compare,
    Expression,
    Fold,
    Given,
    Last,
    MonthsSince,
    Not,
    OrElse,
    Quotient,
    Ratio,
    Rows,
    Volatility,
    count,
    walk,
)
from creditmesh.gateway.keydata.sql_text import (
    NAME,
    WIDE,
    fold,
    joined,
    months_since,
    plain,
    quotient,
    ratio,
    split,
    sum_of_squares,
)

Stage = dict[str, str]


class Stages:
    """Collects formulas and gives the columns that compute them."""

    def __init__(self, formulas: Mapping[str, Expression]) -> None:
        self._parts: Stage = {}
        self._folds: Stage = {}
        self._operands: Stage = {}
        self._roots: list[Stage] = [{}, {}, {}]
        self._names: dict[str, str] = {}
        self._shared = _shared_parts(formulas.values())
        self._features: Stage = {name: self._sql(formula) for name, formula in formulas.items()}

    @property
    def stages(self) -> list[Stage]:
        """Columns by name, stage after stage; the last has the formulas' own names."""
        return [stage for stage in (self._parts, self._folds, self._operands, *self._roots, self._features) if stage]

    def _named(self, stage: Stage, sql: str) -> str:
        """The name of the column that a text stands for, made if it is new; a name stays itself."""
        if NAME.fullmatch(sql):
            return sql
        if sql not in self._names:
            self._names[sql] = f"_{len(self._names)}"
            stage[self._names[sql]] = sql
        return self._names[sql]

    def _folded(self, node: Fold) -> str:
        return self._named(self._folds, fold(node, *self._part(node.rows)))

    def _part(self, rows: Rows) -> tuple[str, Expression | None]:
        """The list to fold and the condition left to be met: a part always known is met once for all who share it."""
        known, rest = split(rows)
        if known is None or (rows.section, known) not in self._shared:
            return rows.section, rows.where
        return self._named(self._parts, f"filter({rows.section}, x -> {plain(known)})"), rest

    def _sql(self, node: Expression) -> str:
        match node:
            case Fold():
                return self._folded(node)
            case Last(section, name):
                return f"try_element_at({section}, -1).{name}"
            case Volatility(rows, value, fewest):
                return self._volatility(rows, value, fewest)
            case Ratio(numerator, denominator):
                return ratio(*self._operand_pair(numerator, denominator))
            case Quotient(numerator, denominator):
                return quotient(*self._operand_pair(numerator, denominator))
            case Given(condition, value):
                return f"CASE WHEN {self._sql(condition)} THEN {self._sql(value)} END"
            case Arithmetic() | Compare() | All() | Not() | OrElse():
                return joined(node, self._sql)
            case MonthsSince(day):
                return months_since(self._named(self._operands, self._sql(day)))
            case _:
                return plain(node)

    def _operand_pair(self, numerator: Expression, denominator: Expression) -> tuple[str, str]:
        left, right = (self._named(self._operands, self._sql(part)) for part in (numerator, denominator))
        return left, right

    def _volatility(self, rows: Rows, value: Expression, fewest: int) -> str:
        """⌊(⌊√F⌋ + 1) / 2⌋ with F = ⌊4·10⁸·D / S²⌋ and D = n·Q − S², the same number as ``exact.volatility_bps``.

        F is found digit by digit, like a long division, since 4·10⁸·D may not fit 38 digits. For a series of up to
        24 months F is below 10¹⁰, where a double's square root, rounded down, is exact, and the cap is never reached.
        """
        n, s = self._folded(count(rows)), self._folded(Fold("sum", rows, value))
        q = self._named(self._folds, sum_of_squares(rows, value, *self._part(rows)))
        wide = f"CAST({s} AS {WIDE})"
        usable = f"CASE WHEN {n} >= {fewest}L AND {s} > 0L THEN"
        square = self._named(self._operands, f"{usable} CAST({wide} * {wide} AS {WIDE}) END")
        spread = self._named(self._operands, f"{usable} CAST({n} * {q} - {wide} * {wide} AS {WIDE}) END")
        root = 2 * BPS
        rest, digits = f"CAST({spread} % {square} AS {WIDE})", f"({spread} div {square})"
        rest, digits = (self._named(self._roots[0], text) for text in (rest, digits))
        next_rest = self._named(self._roots[1], f"CAST(({rest} * {root}) % {square} AS {WIDE})")
        next_digits = self._named(self._roots[1], f"({digits} * {root}L + ({rest} * {root}) div {square})")
        whole = self._named(self._roots[2], f"({next_digits} * {root}L + ({next_rest} * {root}) div {square})")
        return f"(CAST(floor(sqrt(CAST({whole} AS DOUBLE))) AS BIGINT) + 1L) div 2L"


def _shared_parts(formulas: Iterable[Expression]) -> set[tuple[str, Expression]]:
    """The parts of lists that more than one fold reads."""
    folds = {node for formula in formulas for node in walk(formula) if isinstance(node, Fold | Volatility)}
    seen = Counter((node.rows.section, known) for node in folds if (known := split(node.rows)[0]) is not None)
    swings = {(node.rows.section, split(node.rows)[0]) for node in folds if isinstance(node, Volatility)}
    return {part for part, times in seen.items() if times > 1 or part in swings}
