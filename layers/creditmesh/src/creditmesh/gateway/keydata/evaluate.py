"""Formulas computed in Python, for one clean row. Each is turned into nested functions once, then called."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from creditmesh.gateway.keydata import exact
from creditmesh.gateway.keydata.cleaning import date_of
from creditmesh.gateway.keydata.formula import (
    All,
    Arithmetic,
    Compare,
    Const,
    Expression,
    Field,
    Fold,
    Given,
    InMonths,
    Item,
    Last,
    MonthOf,
    MonthsSince,
    Not,
    OrElse,
    Quotient,
    Ratio,
    Rows,
    Volatility,
)
from creditmesh.gateway.keydata.schema import Values

Value = int | str | bool | None
# Of the clean row and, inside a list, of the list's row.
Compiled = Callable[[Values, Values], Any]

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "=": lambda left, right: left == right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}
_NO_ITEM: Values = {}


def compiled(formula: Expression) -> Callable[[Values], Value]:
    """Compile a formula to a function of the clean row."""
    function = _compile(formula)
    return lambda row: function(row, _NO_ITEM)


def _compile(node: Expression) -> Compiled:
    match node:
        case Field(path):
            return _field(path)
        case Item(name):
            return lambda row, item: item[name]
        case Const(value):
            return lambda row, item: value
        case Arithmetic(operator, left, right) | Compare(operator, left, right):
            return _strict(_OPERATORS[operator], _compile(left), _compile(right))
        case All(parts):
            return _all([_compile(part) for part in parts])
        case Not(part):
            return _strict(lambda value: not value, _compile(part))
        case OrElse(part, default):
            return _or_else(_compile(part), default)
        case MonthOf(day):
            return _strict(lambda value: exact.month_index(date_of(value)), _compile(day))
        case MonthsSince(day):
            return _months_since(_compile(day))
        case InMonths(month, first, last):
            return _in_months(_compile(month), first, last)
        case Ratio(numerator, denominator):
            return _pair(exact.ratio_bps, _compile(numerator), _compile(denominator))
        case Quotient(numerator, denominator):
            return _pair(exact.quotient, _compile(numerator), _compile(denominator))
        case Given(condition, value):
            return _given(_compile(condition), _compile(value))
        case Last(section, name):
            return lambda row, item: row[section][-1][name] if row[section] else None
        case Volatility(rows, value, fewest):
            return _volatility(rows, _compile(value), fewest)
        case Fold(operation, rows, value, empty):
            return _fold(operation, rows, _compile(value), empty)


def _field(path: str) -> Compiled:
    section, _, name = path.partition(".")
    if not name:
        return lambda row, item: row[section]
    return lambda row, item: None if row[section] is None else row[section][name]


def _strict(operation: Callable[..., Any], *parts: Compiled) -> Compiled:
    def value(row: Values, item: Values) -> Value:
        found = [part(row, item) for part in parts]
        return None if None in found else operation(*found)

    return value


def _pair(operation: Callable[[Any, Any], int | None], left: Compiled, right: Compiled) -> Compiled:
    return lambda row, item: operation(left(row, item), right(row, item))


def _all(parts: list[Compiled]) -> Compiled:
    def value(row: Values, item: Values) -> bool | None:
        known = True
        for part in parts:
            found = part(row, item)
            if found is False:
                return False
            known = known and found is not None
        return True if known else None

    return value


def _or_else(part: Compiled, default: Value) -> Compiled:
    def value(row: Values, item: Values) -> Value:
        found: Value = part(row, item)
        return default if found is None else found

    return value


def _months_since(day: Compiled) -> Compiled:
    def value(row: Values, item: Values) -> int | None:
        start, end = day(row, item), row["as_of"]
        return None if start is None or start > end else exact.full_months(date_of(start), date_of(end))

    return value


def _in_months(month: Compiled, first: int, last: int) -> Compiled:
    def value(row: Values, item: Values) -> bool | None:
        found, now = month(row, item), row["as_of_month"]
        return None if found is None else now - first <= found <= now - last

    return value


def _given(condition: Compiled, value: Compiled) -> Compiled:
    return lambda row, item: value(row, item) if condition(row, item) is True else None


def _values(rows: Rows, value: Compiled) -> Callable[[Values], list[Any] | None]:
    """The values of the rows that a condition picks; None where list, condition or value is not known."""
    where = None if rows.where is None else _compile(rows.where)

    def chosen(row: Values) -> Iterator[Any]:
        for item in row[rows.section]:
            met = True if where is None else where(row, item)
            if met is not False:
                yield None if met is None else value(row, item)

    def values(row: Values) -> list[Any] | None:
        if row[rows.section] is None:
            return None
        found = list(chosen(row))
        return None if None in found else found

    return values


def _fold(operation: str, rows: Rows, value: Compiled, empty: int | None) -> Compiled:
    values = _values(rows, value)
    finish: dict[str, Callable[[list[Any]], int | None]] = {
        "sum": sum,
        "max": lambda found: max(found, default=empty),
        "min": lambda found: min(found, default=empty),
        "distinct": lambda found: len(set(found)),
        "longest_run": _longest_run,
    }

    def folded(row: Values, item: Values) -> int | None:
        found = values(row)
        return None if found is None else finish[operation](found)

    return folded


def _longest_run(states: list[bool]) -> int:
    longest = run = 0
    for state in states:
        run = run + 1 if state else 0
        longest = max(longest, run)
    return longest


def _volatility(rows: Rows, value: Compiled, fewest: int) -> Compiled:
    values = _values(rows, value)

    def folded(row: Values, item: Values) -> int | None:
        found = values(row)
        return None if found is None or len(found) < fewest else exact.volatility_bps(found)

    return folded
