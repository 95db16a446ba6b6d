"""The SQL text of single formulas: conditions, folds of lists, divisions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from creditmesh.gateway.keydata.exact import BPS, MAX_RATIO_BPS
from creditmesh.gateway.keydata.formula import (
    All,
    Arithmetic,
    Compare,
    Const,
    Expression,
    Field,
    Fold,
    InMonths,
    Item,
    Literal,
    MonthOf,
    Not,
    OrElse,
    Rows,
)
from creditmesh.gateway.keydata.row import BY_NAME

_LEAST, _MOST = "(-9223372036854775807L - 1L)", "9223372036854775807L"
WIDE = "DECIMAL(38,0)"
# Beyond it a ratio is capped, so that a numerator need never be looked at beyond this many denominators.
_CAP = MAX_RATIO_BPS // BPS
# Up to here 2 × 10,000 × numerator + denominator, and denominator × _CAP, stay inside 64 bits.
_NARROW_NUMERATOR, _NARROW_DENOMINATOR = 4 * 10**14, 4 * 10**13
# What may stand in SQL as a name: ours, lower case.
NAME = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?")
_WORD = re.compile(r"[A-Za-z_]+")


def plain(node: Expression) -> str:
    """The text of an expression without folds and divisions, such as stands inside a list."""
    match node:
        case Field(path):
            return _checked(NAME, path)
        case Item(name):
            return f"x.{_checked(NAME, name)}"
        case Const(value):
            return literal(value)
        case Arithmetic() | Compare() | All() | Not() | OrElse():
            return joined(node, plain)
        case MonthOf(day):
            date = _date(plain(day))
            return f"CAST(year({date}) * 12 + month({date}) - 1 AS BIGINT)"
        case InMonths(month, first, last):
            text = plain(month)
            return f"({text} >= as_of_month - {first}L AND {text} <= as_of_month - {last}L)"
        case _:
            raise ValueError(f"{type(node).__name__} cannot stand here")


def joined(node: Arithmetic | Compare | All | Not | OrElse, text: Callable[[Expression], str]) -> str:
    """The text of what joins other expressions; ``text`` gives that of its parts."""
    match node:
        case Arithmetic(operator, left, right) | Compare(operator, left, right):
            return f"({text(left)} {operator} {text(right)})"
        case All(parts):
            return f"({' AND '.join(map(text, parts))})"
        case Not(part):
            return f"(NOT {text(part)})"
        case OrElse(value, default):
            return f"coalesce({text(value)}, {literal(default)})"


def always_known(node: Expression, section: str) -> bool:
    """Whether an expression over a list's rows is known in every one of them (``schema.Column.always``)."""
    match node:
        case Item(name):
            return BY_NAME[section].column(name).always
        case Compare(_, left, right):
            return always_known(left, section) and always_known(right, section)
        case All(parts):
            return all(always_known(part, section) for part in parts)
        case InMonths(part, _, _) | Not(part):
            return always_known(part, section)
        case Const() | OrElse():
            return True
        case _:
            return False


def split(rows: Rows) -> tuple[Expression | None, Expression | None]:
    """A condition's part that is always known, and the rest: by three-valued logic one can be met after the other."""
    if rows.where is None:
        return None, None
    parts = rows.where.parts if isinstance(rows.where, All) else (rows.where,)
    known = tuple(part for part in parts if always_known(part, rows.section))
    rest = tuple(part for part in parts if part not in known)
    return All(known) if known else None, All(rest) if rest else None


def fold(node: Fold, section: str, where: Expression | None) -> str:
    """The text that folds a list; null as soon as the list, the condition or a value is null.

    Args:
        section: The list, or the column with a part of it.
        where: The condition left to be met.
    """
    value = plain(node.value)
    chosen = _Chosen(node.rows.section, where)
    if node.operation == "distinct":
        return _distinct(section, "true" if where is None else plain(where), value)
    if node.operation == "longest_run":
        return _longest_run(section, chosen, value)
    if node.operation == "sum":
        if where is None and node.value == Const(1):
            return f"CAST(size({section}) AS BIGINT)"
        return f"aggregate({section}, 0L, (a, x) -> a + {chosen.text(value, '0L')})"
    start, better, worse = (_LEAST, ">", "<=") if node.operation == "max" else (_MOST, "<", ">=")
    step = f"CASE WHEN {value} {better} a THEN {value} WHEN {value} {worse} a THEN a END"
    empty = "NULL" if node.empty is None else literal(node.empty)
    finish = f"a -> CASE WHEN a = {start} THEN {empty} ELSE a END"
    return f"aggregate({section}, {start}, (a, x) -> {chosen.text(step, 'a')}, {finish})"


class _Chosen(NamedTuple):
    """A condition on the rows of a section."""

    section: str
    where: Expression | None

    def text(self, then: str, otherwise: str) -> str:
        """``then`` for a row that it picks, ``otherwise`` for one it does not, null where it is not known."""
        if self.where is None:
            return then
        met = plain(self.where)
        if always_known(self.where, self.section):
            return f"CASE WHEN {met} THEN {then} ELSE {otherwise} END"
        return f"CASE WHEN {met} THEN {then} WHEN NOT {met} THEN {otherwise} END"


def _distinct(section: str, met: str, value: str) -> str:
    unknown = f"exists({section}, x -> {met} IS NULL OR ({met} AND {value} IS NULL))"
    values = f"array_distinct(transform(filter({section}, x -> {met}), x -> {value}))"
    return f"CASE WHEN NOT {unknown} THEN CAST(size({values}) AS BIGINT) END"


def _longest_run(section: str, chosen: _Chosen, value: str) -> str:
    grown = "named_struct('run', a.run + 1L, 'longest', greatest(a.longest, a.run + 1L))"
    ended = "named_struct('run', 0L, 'longest', a.longest)"
    step = f"CASE WHEN {value} THEN {grown} WHEN NOT {value} THEN {ended} END"
    # Once unknown, it stays so: greatest() would forget a null.
    step = f"CASE WHEN a IS NOT NULL THEN {chosen.text(step, 'a')} END"
    start = "named_struct('run', 0L, 'longest', 0L)"
    return f"aggregate({section}, {start}, (a, x) -> {step}, a -> a.longest)"


def sum_of_squares(rows: Rows, value: Expression, section: str, where: Expression | None) -> str:
    """The text that folds a list to the sum of a value's squares, with 38 digits."""
    # 15 digits hold every amount (schema.KINDS), and keep the product's type small.
    text = f"CAST({plain(value)} AS DECIMAL(15,0))"
    chosen = _Chosen(rows.section, where).text(f"CAST({text} * {text} AS {WIDE})", f"CAST(0 AS {WIDE})")
    return f"aggregate({section}, CAST(0 AS {WIDE}), (a, x) -> CAST(a + {chosen} AS {WIDE}))"


def ratio(numerator: str, denominator: str) -> str:
    """Numerator over denominator in basis points, half up, capped; 64 bits where they suffice, else 38 digits."""
    n, d = numerator, denominator
    narrow = f"abs({n}) <= {_NARROW_NUMERATOR}L AND {d} <= {_NARROW_DENOMINATOR}L"
    short = _half_up(f"least(abs({n}), {d} * {_CAP}L) * {BPS}L", d, "2L")
    wide = f"CAST({d} AS {WIDE})"
    long = _half_up(f"least(CAST(abs({n}) AS {WIDE}), {wide} * {_CAP}) * {BPS}", wide, "2")
    magnitude = f"CASE WHEN {narrow} THEN {short} ELSE {long} END"
    # The numerator too must be known, for least() would pass over a null.
    return f"CASE WHEN {d} > 0L AND {n} IS NOT NULL THEN {_signed(n, magnitude)} END"


def quotient(numerator: str, denominator: str) -> str:
    """Numerator over denominator, half up."""
    magnitude = _half_up(f"abs({numerator})", denominator, "2L")
    return f"CASE WHEN {denominator} > 0L THEN {_signed(numerator, magnitude)} END"


def _half_up(numerator: str, denominator: str, two: str) -> str:
    return f"(({two} * {numerator} + {denominator}) div ({two} * {denominator}))"


def _signed(number: str, magnitude: str) -> str:
    return f"(CASE WHEN {number} < 0L THEN -1L ELSE 1L END) * ({magnitude})"


def months_since(day: str) -> str:
    """Full months from a day to the as-of day; the last day of a month completes one that began on a later day."""
    start, end = _date(day), _date("as_of")
    months = f"(year({end}) * 12 + month({end})) - (year({start}) * 12 + month({start}))"
    complete = f"day({end}) >= day({start}) OR {end} = last_day({end})"
    return f"CASE WHEN {day} <= as_of THEN CAST({months} - CASE WHEN {complete} THEN 0 ELSE 1 END AS BIGINT) END"


def literal(value: Literal) -> str:
    """A constant of a formula as SQL."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value}L" if isinstance(value, int) else f"'{_checked(_WORD, value)}'"


def _date(day: str) -> str:
    return f"date_from_unix_date(CAST({day} AS INT))"


def _checked(form: re.Pattern[str], text: str) -> str:
    if not form.fullmatch(text):
        raise ValueError(f"{text!r} cannot stand in SQL")
    return text
