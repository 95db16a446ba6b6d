"""Reads and validates ``features.json``, the document of features; no row can break a formula that passes.

A feature has a name, a unit, a window, a meaning and a formula: a literal, or an object with one operation::

    {"field": "as_of" | "section.column"}   {"item": column}   {"feature": an earlier one}   {"last": "list.column"}
    {"+" | "-" | "*": [number, number]}     {"=" | "<" | "<=" | ">" | ">=": [a, b]}
    {"and": [condition, …]}                 {"not": condition}
    {"or_else": [a, literal]}               {"given": [condition, a]}
    {"month_of": day}                       {"months_since": day}    {"in_months": [month, first, last]}
    {"ratio_bps" | "quotient": [number, number]}
    {"sum" | "max" | "min" | "distinct" | "longest_run": {"of": a, "rows": list, "where": condition, "empty": number}}
    {"count": {"rows": list, "where": condition}}
    {"volatility_bps": {"of": number, "rows": list, "where": condition, "fewest": number}}

The classes of ``formula`` say what each means. Columns are those of ``row``. ``item`` is valid inside ``of`` and
``where`` only, operations over lists outside of them only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn, get_args

from creditmesh.features import formula as f
from creditmesh.features.exact import MAX_RATIO_BPS
from creditmesh.features.feature import Feature, Unit
from creditmesh.features.row import BY_NAME, TOP_BY_NAME
from creditmesh.features.schema import KINDS, Column, Section

FORMAT_VERSION = 1
INT64 = 2**63 - 1
_MAX_DEPTH = 12
_MAX_MONTHS = 120
_TYPES = {"month": "month", "day": "day", "flag": "condition", "word": "text", "text": "text"}
_ORDERED = ("number", "month", "day")
_SUFFIXES = {"fen": "_minor", "bps": "_bps"}


class FeaturesInvalid(ValueError):
    """The document breaks a rule of its format."""

    def __init__(self, path: str, rule: str) -> None:
        super().__init__(f"{path}: {rule}")
        self.path, self.rule = path, rule
        """For example ``features.tax_burden_bps.formula.ratio_bps[0]`` and what must hold there."""


@dataclass(frozen=True)
class FeatureSet:
    """All features of a version, in order."""

    version: int
    features: tuple[Feature, ...]


class _Typed(NamedTuple):
    """A formula with its type (``number``, ``month``, ``day``, ``condition``, ``text``) and the bounds of its value."""

    node: f.Expression
    type: str
    low: int = 0
    high: int = 0
    words: tuple[str, ...] = ()


def parse(text: str) -> FeatureSet:
    """Return the features of a document.

    Raises:
        FeaturesInvalid: with the path and the rule broken.
    """
    try:
        document = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise FeaturesInvalid("$", "must be one JSON document without repeated keys") from None
    parts = _object(document, "$", ("format_version", "version", "features"))
    if parts["format_version"] != FORMAT_VERSION:
        raise FeaturesInvalid("format_version", f"must be {FORMAT_VERSION}")
    version = _whole(parts["version"], "version", 1, 1_000_000)
    known: dict[str, tuple[Feature, _Typed]] = {}
    for place, given in enumerate(_list(parts["features"], "features", 1, 1_000)):
        feature, typed = _feature(given, f"features[{place}]", known)
        known[feature.name] = feature, typed
    return FeatureSet(version, tuple(feature for feature, _ in known.values()))


def _feature(given: Any, path: str, known: Mapping[str, tuple[Feature, _Typed]]) -> tuple[Feature, _Typed]:
    parts = _object(given, path, ("name", "unit", "window", "meaning", "formula"))
    name = _text(parts["name"], f"{path}.name", r"[a-z][a-z0-9_]{0,63}")
    path = f"features.{name}"
    if name in known:
        raise FeaturesInvalid(f"{path}.name", "is already taken")
    unit: Unit = _choice(parts["unit"], f"{path}.unit", get_args(Unit))
    for of, suffix in _SUFFIXES.items():
        if (unit == of) != name.endswith(suffix):
            raise FeaturesInvalid(f"{path}.name", f"must end with {suffix} if, and only if, the unit is {of}")
    window = _text(parts["window"], f"{path}.window", r".{1,60}")
    meaning = _text(parts["meaning"], f"{path}.meaning", r".{1,200}\.")
    typed = _Formula(f"{path}.formula", {one: typed for one, (_, typed) in known.items()}).read(parts["formula"])
    wanted = {"code": "text", "flag": "condition"}.get(unit, "number")
    if typed.type != wanted:
        raise FeaturesInvalid(f"{path}.formula", f"must give a {wanted}, as the unit {unit} says, not a {typed.type}")
    return Feature(name, unit, window, meaning, typed.node), typed


class _Formula:
    """Parser of one formula, or of a part of it inside a list."""

    def __init__(self, path: str, known: Mapping[str, _Typed], section: Section | None = None, depth: int = 0) -> None:
        self._path, self._known, self._section, self._depth = path, known, section, depth

    def read(self, given: Any) -> _Typed:
        if self._depth > _MAX_DEPTH:
            self._fail(f"must be nested at most {_MAX_DEPTH} deep")
        found = self._operation(given) if isinstance(given, dict) else self._literal(given)
        if found.type in _ORDERED and not -INT64 <= found.low <= found.high <= INT64:
            self._fail("must stay within 64 bits for every row")
        return found

    def _operation(self, given: dict[str, Any]) -> _Typed:
        if len(given) != 1 or (name := next(iter(given))) not in _OPERATIONS:
            self._fail(f"must have exactly one of the operations {' '.join(_OPERATIONS)}")
        return _OPERATIONS[name](self, name, given[name])

    # Values

    def _literal(self, value: Any) -> _Typed:
        if isinstance(value, bool):
            return _Typed(f.Const(value), "condition")
        if isinstance(value, int):
            return _Typed(f.Const(value), "number", value, value)
        if not isinstance(value, str):
            self._fail("must be an operation, an integer, a text, true or false")
        return _Typed(f.Const(value), "text")

    def _field(self, name: str, given: Any) -> _Typed:
        head, dot, column = self._text(name, given).partition(".")
        if not dot and head in TOP_BY_NAME:
            return _column(f.Field(head), TOP_BY_NAME[head])
        section = BY_NAME.get(head)
        if section is None or section.is_list or column not in _names(section):
            self._fail("must be a value of the clean row or section.column", name)
        return _column(f.Field(f"{section.name}.{column}"), section.column(column))

    def _item(self, name: str, given: Any) -> _Typed:
        if self._section is None:
            self._fail("is allowed in «of» and «where» only")
        column = _choice(given, f"{self._path}.item", _names(self._section))
        return _column(f.Item(column), self._section.column(column))

    def _of_feature(self, name: str, given: Any) -> _Typed:
        self._outside(name)
        if not isinstance(given, str) or given not in self._known:
            self._fail("must be a feature defined earlier", name)
        return self._known[given]

    def _last(self, name: str, given: Any) -> _Typed:
        self._outside(name)
        head, _, column = self._text(name, given).partition(".")
        section = self._list(head, name)
        if column not in _names(section):
            self._fail(f"must be a column of {head}", name)
        return _column(f.Last(section.name, column), section.column(column))

    # Arithmetic and conditions

    def _arithmetic(self, name: str, given: Any) -> _Typed:
        left, right = (self._want(part, "number") for part in self._pair(name, given))
        (a, b), (c, d) = (left.low, left.high), (right.low, right.high)
        products = (a * c, a * d, b * c, b * d)
        ends = {"+": (a + c, b + d), "-": (a - d, b - c), "*": (min(products), max(products))}
        return _Typed(f.Arithmetic(name, left.node, right.node), "number", *ends[name])

    def _compare(self, name: str, given: Any) -> _Typed:
        left, right = self._pair(name, given)
        self._same(name, left, right)
        if name != "=" and left.type not in _ORDERED:
            self._fail(f"must order numbers, months or days, not a {left.type}", name)
        return _Typed(f.Compare(name, left.node, right.node), "condition")

    def _all(self, name: str, given: Any) -> _Typed:
        parts = _list(given, f"{self._path}.{name}", 1, 16)
        found = [self._want(self._at(f".{name}[{i}]").read(part), "condition") for i, part in enumerate(parts)]
        return _Typed(f.All(tuple(part.node for part in found)), "condition")

    def _not(self, name: str, given: Any) -> _Typed:
        return _Typed(f.Not(self._one(name, given, "condition").node), "condition")

    def _or_else(self, name: str, given: Any) -> _Typed:
        value, default = self._pair(name, given)
        if not isinstance(default.node, f.Const):
            self._fail("must be a literal", f"{name}[1]")
        self._same(name, value, default)
        low, high = min(value.low, default.low), max(value.high, default.high)
        return value._replace(node=f.OrElse(value.node, default.node.value), low=low, high=high)

    def _given(self, name: str, given: Any) -> _Typed:
        condition, value = self._pair(name, given)
        return value._replace(node=f.Given(self._want(condition, "condition").node, value.node))

    def _month_of(self, name: str, given: Any) -> _Typed:
        kind = KINDS["month"]
        return _Typed(f.MonthOf(self._one(name, given, "day").node), "month", kind.low, kind.high)

    def _months_since(self, name: str, given: Any) -> _Typed:
        return _Typed(f.MonthsSince(self._one(name, given, "day").node), "number", 0, KINDS["month"].high)

    def _in_months(self, name: str, given: Any) -> _Typed:
        month, first, last = _list(given, f"{self._path}.{name}", 3, 3)
        found = self._want(self._at(f".{name}[0]").read(month), "month")
        first = _whole(first, f"{self._path}.{name}[1]", 0, _MAX_MONTHS)
        return _Typed(f.InMonths(found.node, first, _whole(last, f"{self._path}.{name}[2]", 0, first)), "condition")

    def _divide(self, name: str, given: Any) -> _Typed:
        left, right = (self._want(part, "number") for part in self._pair(name, given))
        if name == "ratio_bps":
            return _Typed(f.Ratio(left.node, right.node), "number", -MAX_RATIO_BPS, MAX_RATIO_BPS)
        return _Typed(f.Quotient(left.node, right.node), "number", left.low, left.high)

    # Lists

    def _fold(self, name: str, given: Any) -> _Typed:
        extreme = name in ("max", "min")
        parts, rows, section = self._rows(name, given, ("of", "rows"), ("where", "empty") if extreme else ("where",))
        value = _Formula(f"{self._path}.{name}.of", {}, section, self._depth + 1).read(parts["of"])
        if extreme:
            empty = parts.get("empty")
            if value.type not in _ORDERED:
                self._fail(f"must order numbers, months or days, not a {value.type}", name)
            if empty is not None:
                empty = _whole(empty, f"{self._path}.{name}.empty", -INT64, INT64)
                value = value._replace(low=min(value.low, empty), high=max(value.high, empty))
            return value._replace(node=f.Fold(name, rows, value.node, empty))
        if name == "sum":
            self._want(value, "number")
            ends = min(0, value.low * section.most), max(0, value.high * section.most)
            return _Typed(f.Fold(name, rows, value.node), "number", *ends)
        if name == "longest_run":
            self._want(value, "condition")
        return _Typed(f.Fold(name, rows, value.node), "number", 0, section.most)

    def _count(self, name: str, given: Any) -> _Typed:
        _, rows, section = self._rows(name, given, ("rows",), ("where",))
        return _Typed(f.count(rows), "number", 0, section.most)

    def _volatility(self, name: str, given: Any) -> _Typed:
        parts, rows, section = self._rows(name, given, ("of", "rows", "fewest"), ("where",))
        value = _Formula(f"{self._path}.{name}.of", {}, section, self._depth + 1).read(parts["of"])
        fewest = _whole(parts["fewest"], f"{self._path}.{name}.fewest", 1, section.most)
        return _Typed(f.Volatility(rows, self._want(value, "number").node, fewest), "number", 0, MAX_RATIO_BPS)

    def _rows(
        self, name: str, given: Any, needed: Sequence[str], allowed: Sequence[str]
    ) -> tuple[dict[str, Any], f.Rows, Section]:
        self._outside(name)
        parts = _object(given, f"{self._path}.{name}", needed, allowed)
        section = self._list(parts["rows"], f"{name}.rows")
        where = None
        if "where" in parts:
            inside = _Formula(f"{self._path}.{name}.where", {}, section, self._depth + 1)
            where = inside._want(inside.read(parts["where"]), "condition").node
        return parts, f.Rows(section.name, where), section

    # Helpers

    def _at(self, place: str) -> _Formula:
        return _Formula(self._path + place, self._known, self._section, self._depth + 1)

    def _one(self, name: str, given: Any, wanted: str) -> _Typed:
        part = self._at(f".{name}")
        return part._want(part.read(given), wanted)

    def _pair(self, name: str, given: Any) -> tuple[_Typed, _Typed]:
        left, right = _list(given, f"{self._path}.{name}", 2, 2)
        return self._at(f".{name}[0]").read(left), self._at(f".{name}[1]").read(right)

    def _want(self, found: _Typed, wanted: str) -> _Typed:
        if found.type != wanted:
            self._fail(f"must be made of a {wanted}, not of a {found.type}")
        return found

    def _same(self, name: str, left: _Typed, right: _Typed) -> None:
        if left.type != right.type:
            self._fail(f"operands must have one type, not a {left.type} and a {right.type}", name)
        if left.words and isinstance(right.node, f.Const) and right.node.value not in left.words:
            self._fail(f"must be one of {' '.join(left.words)}", f"{name}[1]")

    def _outside(self, name: str) -> None:
        if self._section is not None:
            self._fail("is not allowed in «of» or «where»", name)

    def _list(self, given: Any, place: str) -> Section:
        section = BY_NAME.get(given) if isinstance(given, str) else None
        if section is None or not section.is_list:
            self._fail("must be a list of the clean row", place)
        return section

    def _text(self, name: str, given: Any) -> str:
        return _text(given, f"{self._path}.{name}", r".{1,100}")

    def _fail(self, rule: str, place: str = "") -> NoReturn:
        raise FeaturesInvalid(f"{self._path}.{place}" if place else self._path, rule)


_OPERATIONS: dict[str, Callable[[_Formula, str, Any], _Typed]] = {
    "field": _Formula._field, "item": _Formula._item, "feature": _Formula._of_feature, "last": _Formula._last,
    **dict.fromkeys(("+", "-", "*"), _Formula._arithmetic),
    **dict.fromkeys(("=", "<", "<=", ">", ">="), _Formula._compare),
    "and": _Formula._all, "not": _Formula._not, "or_else": _Formula._or_else, "given": _Formula._given,
    "month_of": _Formula._month_of, "months_since": _Formula._months_since, "in_months": _Formula._in_months,
    **dict.fromkeys(("ratio_bps", "quotient"), _Formula._divide),
    **dict.fromkeys(("sum", "max", "min", "distinct", "longest_run"), _Formula._fold),
    "count": _Formula._count, "volatility_bps": _Formula._volatility,
}  # fmt: skip


def _column(node: f.Expression, column: Column) -> _Typed:
    kind = KINDS[column.kind]
    return _Typed(node, _TYPES.get(column.kind, "number"), kind.low, kind.high, column.words)


def _names(section: Section) -> tuple[str, ...]:
    return tuple(column.name for column in section.columns)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("repeated key")
    return found


def _object(given: Any, path: str, needed: Sequence[str], allowed: Sequence[str] = ()) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise FeaturesInvalid(path, "must be an object")
    if missing := [name for name in needed if name not in given]:
        raise FeaturesInvalid(path, f"must have {' '.join(missing)}")
    if more := [name for name in given if name not in (*needed, *allowed)]:
        raise FeaturesInvalid(path, f"must not have {' '.join(map(repr, more))}, only {' '.join((*needed, *allowed))}")
    return given


def _list(given: Any, path: str, least: int, most: int) -> list[Any]:
    if not isinstance(given, list) or not least <= len(given) <= most:
        raise FeaturesInvalid(path, f"must be a list of {least}" + (f" to {most}" if most > least else ""))
    return given


def _whole(given: Any, path: str, least: int, most: int) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not least <= given <= most:
        raise FeaturesInvalid(path, f"must be an integer from {least} to {most}")
    return given


def _text(given: Any, path: str, pattern: str) -> str:
    if not isinstance(given, str) or not re.fullmatch(pattern, given):
        raise FeaturesInvalid(path, f"must be a text that matches {pattern}")
    return given


def _choice(given: Any, path: str, choices: Sequence[str]) -> Any:
    if given not in choices:
        raise FeaturesInvalid(path, f"must be one of {' '.join(choices)}")
    return given
