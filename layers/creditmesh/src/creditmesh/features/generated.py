"""Compiles formulas to one Python function of a clean row: one loop per list, shared parts computed once.

The source consists of fixed templates, generated names and the clean row's column names. Literals are bound to names
and passed as values, so that no text from the document is ever executed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from creditmesh.features import exact
from creditmesh.features.cleaning import date_of
from creditmesh.features.formula import (
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
    Volatility,
    walk,
)
from creditmesh.features.row import BY_NAME, TOP_BY_NAME
from creditmesh.features.schema import Section, Values

Value = int | str | bool | None
_SYMBOLS = {"+": "+", "-": "-", "*": "*", "=": "==", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_MONTHS_KEPT = 100_000

# A fold's initial value, the step for each row's value, and the result.
_STARTS = {"sum": "0", "max": "None", "min": "None", "distinct": "set()", "longest_run": "0", "volatility": "[]"}
_STEPS = {
    "sum": "{a} += {v}",
    "max": "{a} = {v} if {a} is None or {v} > {a} else {a}",
    "min": "{a} = {v} if {a} is None or {v} < {a} else {a}",
    "distinct": "{a}.add({v})",
    "longest_run": "{a}_run = {a}_run + 1 if {v} else 0; {a} = max({a}, {a}_run)",
    "volatility": "{a}.append({v})",
}
_ENDS = {
    "sum": "{a}",
    "max": "{e} if {a} is None else {a}",
    "min": "{e} if {a} is None else {a}",
    "distinct": "len({a})",
    "longest_run": "{a}",
    "volatility": "None if len({a}) < {e} else volatility({a})",
}


def function_of(formulas: Sequence[Expression]) -> Callable[[Values], tuple[Value, ...]]:
    """Return a function that computes the formulas' values for a clean row, in order; None if unknown."""
    writer = _Writer()
    text = writer.function(formulas)
    scope: dict[str, Any] = {
        "date_of": date_of, "full_months": exact.full_months, "ratio": exact.ratio_bps, "quotient": exact.quotient,
        "volatility": exact.volatility_bps, "month_of": _Months(), **writer.literals,
    }  # fmt: skip
    exec(compile(text, "<features>", "exec"), scope)
    function: Callable[[Values], tuple[Value, ...]] = scope["features"]
    return function


class _Months(dict[int, int]):
    """Cache of month indexes by day: a portfolio has few distinct days."""

    def __missing__(self, day: int) -> int:
        if len(self) > _MONTHS_KEPT:
            self.clear()
        self[day] = month = exact.month_index(date_of(day))
        return month


class _Name(NamedTuple):
    """A variable of the function, and whether it may be None."""

    text: str
    nullable: bool


@dataclass
class _Block:
    """Lines of a list's loop or, without a section, of the whole row, with the variables they set."""

    indent: str
    section: Section | None = None
    lines: list[str] = field(default_factory=list)
    names: dict[Expression, _Name] = field(default_factory=dict)


class _Writer:
    """Writes the function's source."""

    def __init__(self) -> None:
        self.literals: dict[str, Any] = {}
        """The formulas' literals by their names in the source."""
        self._count = 0
        self._folds: dict[Expression, _Name] = {}

    def function(self, formulas: Sequence[Expression]) -> str:
        nodes = dict.fromkeys(node for formula in formulas for node in walk(formula))
        sections: dict[str, list[Fold | Volatility]] = {}
        for node in nodes:
            if isinstance(node, Fold | Volatility):
                sections.setdefault(node.rows.section, []).append(node)
        body = [
            "def features(row):",
            "    as_of = row['as_of']; as_of_month = row['as_of_month']; end = date_of(as_of)",
        ]
        for name, folds in sections.items():
            body += self._loop(BY_NAME[name], folds)
        block = _Block("    ")
        names = [self._name(formula, block).text for formula in formulas]
        return "\n".join([*body, *block.lines, f"    return ({', '.join(names)},)"])

    def _loop(self, section: Section, folds: Sequence[Fold | Volatility]) -> list[str]:
        """All folds of a list; each is None if the list, a condition or a value of a row is unknown."""
        block, before, after = _Block(" " * 12, section), list[str](), list[str]()
        results = []
        for fold in folds:
            operation = fold.operation if isinstance(fold, Fold) else "volatility"
            extra = fold.empty if isinstance(fold, Fold) else fold.fewest
            a = self._new()
            before.append(f"        {a} = {_STARTS[operation]}; {a}_known = True")
            if operation == "longest_run":
                before.append(f"        {a}_run = 0")
            met = None if fold.rows.where is None else self._name(fold.rows.where, block)
            value = self._name(fold.value, block)
            unknown = [f"{name.text} is None" for name in (met, value) if name and name.nullable]
            step, indent = _STEPS[operation].format(a=a, v=value.text), block.indent
            if met:
                block.lines.append(f"{indent}if {met.text}{' is not False' if met.nullable else ''}:")
                indent += "    "
            if unknown:
                block.lines += [f"{indent}if {' or '.join(unknown)}: {a}_known = False", f"{indent}else: {step}"]
            else:
                block.lines.append(f"{indent}{step}")
            after.append(
                f"        {a} = ({_ENDS[operation].format(a=a, e=self._literal(extra))}) if {a}_known else None"
            )
            self._folds[fold] = _Name(a, nullable=True)
            results.append(a)
        head = [f"    if row[{section.name!r}] is None:", f"        {' = '.join(results)} = None", "    else:"]
        return [*head, *before, f"        for item in row[{section.name!r}]:", *block.lines, *after]

    def _name(self, node: Expression, block: _Block) -> _Name:
        """The variable of a formula's value; assigned in ``block`` at its first use."""
        if isinstance(node, Const):
            return _Name(self._literal(node.value), nullable=False)
        if isinstance(node, Fold | Volatility):
            return self._folds[node]
        if node not in block.names:
            text, nullable = self._text(node, block)
            name = self._new()
            block.lines.append(f"{block.indent}{name} = {text}")
            block.names[node] = _Name(name, nullable)
        return block.names[node]

    def _text(self, node: Expression, block: _Block) -> tuple[str, bool]:
        """The right side of the assignment, and whether it may be None."""

        def names(*parts: Expression) -> list[_Name]:
            return [self._name(part, block) for part in parts]

        match node:
            case Field(path):
                return _field(path)
            case Item(name):
                assert block.section is not None, "the document allows it inside lists only"
                column = block.section.column(name)
                return f"item[{column.name!r}]", not column.always
            case Arithmetic(operator, left, right) | Compare(operator, left, right):
                return _strict(f"{{}} {_SYMBOLS[operator]} {{}}", names(left, right))
            case All(parts):
                return _all(names(*parts))
            case Not(part):
                return _strict("not {}", names(part))
            case OrElse(part, default):
                (value,) = names(part)
                return f"{self._literal(default)} if {value.text} is None else {value.text}", False
            case MonthOf(day):
                return _strict("month_of[{}]", names(day))
            case MonthsSince(day):
                (start,) = names(day)
                known = f"{start.text} is None or {start.text} > as_of" if start.nullable else f"{start.text} > as_of"
                return f"None if {known} else full_months(date_of({start.text}), end)", True
            case InMonths(month, first, last):
                ends = f"as_of_month - {self._literal(first)} <= {{}} <= as_of_month - {self._literal(last)}"
                return _strict(ends, names(month))
            case Ratio(left, right):
                return "ratio({}, {})".format(*(name.text for name in names(left, right))), True
            case Quotient(left, right):
                return "quotient({}, {})".format(*(name.text for name in names(left, right))), True
            case Given(condition, value):
                met, found = names(condition, value)
                return f"{found.text} if {met.text} else None", True
            case Last(section, name):
                column = BY_NAME[section].column(name)
                rows = f"row[{BY_NAME[section].name!r}]"
                return f"{rows}[-1][{column.name!r}] if {rows} else None", True
        raise TypeError(node)

    def _literal(self, value: Value) -> str:
        if value is None:
            return "None"
        name = next(
            (name for name, known in self.literals.items() if known == value and type(known) is type(value)), None
        )
        if name is None:
            name = f"c{len(self.literals)}"
            self.literals[name] = value
        return name

    def _new(self) -> str:
        self._count += 1
        return f"t{self._count}"


def _field(path: str) -> tuple[str, bool]:
    head, _, name = path.partition(".")
    if not name:
        column = TOP_BY_NAME[head]
        return f"row[{column.name!r}]", column.name not in ("as_of", "as_of_month")
    section = BY_NAME[head]
    rows, column = f"row[{section.name!r}]", section.column(name)
    return f"None if {rows} is None else {rows}[{column.name!r}]", True


def _strict(form: str, names: Sequence[_Name]) -> tuple[str, bool]:
    """Unknown if any part is."""
    text = form.format(*(name.text for name in names))
    nulls = " or ".join(f"{name.text} is None" for name in names if name.nullable)
    return (f"None if {nulls} else {text}", True) if nulls else (text, False)


def _all(names: Sequence[_Name]) -> tuple[str, bool]:
    """Three-valued «and»: false if a part is false, even if others are unknown."""
    nulls = [name.text for name in names if name.nullable]
    if not nulls:
        return " and ".join(name.text for name in names), False
    false = [f"{name.text} is False" if name.nullable else f"not {name.text}" for name in names]
    return (
        f"False if {' or '.join(false)} else None if {' or '.join(f'{name} is None' for name in nulls)} else True",
        True,
    )
