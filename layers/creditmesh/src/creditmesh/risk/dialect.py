"""What differs between the SQL of the engines that the artefact is compiled for: Spark, and duckdb to check it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from creditmesh.risk.document import INT64_MAX, INT64_MIN

#: Up to so many bounds a comparison for each is no more than sorting.
_FEW_BOUNDS = 2


class Dialect(Protocol):
    """One engine's way of writing names, literals and arrays. Indices count from nought."""

    text_type: str

    def name(self, identifier: str) -> str:
        """A column's name."""
        ...

    def text(self, value: str) -> str:
        """A string literal of any characters."""
        ...

    def integer(self, value: int) -> str:
        """A 64-bit literal."""
        ...

    def array(self, items: Sequence[str], of: str) -> str:
        """An array of expressions; ``of`` is the type that an empty one takes."""
        ...

    def pick(self, items: Sequence[str], index: str) -> str:
        """The item at ``index``; null where that is null."""
        ...

    def known(self, array: str) -> str:
        """The array without its nulls."""
        ...

    def joined(self, first: str, second: str) -> str:
        """One array after the other."""
        ...

    def first(self, array: str, count: int) -> str:
        """The first ``count`` different items, in order."""
        ...

    def reached(self, value: str, bounds: Sequence[int]) -> str:
        """How many of some rising bounds a known number is not below."""
        ...

    def divided(self, amount: str, by: str) -> str:
        """Whole division of what is not negative."""
        ...

    def losses(self, rows: Sequence[tuple[str, int, str]]) -> str:
        """Of (points lost, position, code) the codes, most lost first, by position among equals, none without loss.

        Points and codes are expressions.
        """
        ...


def whole(expression: str, kind: str, dialect: Dialect) -> str:
    """A number of another kind as an integer feature: what ``creditmesh.risk.values`` does, for a column.

    Args:
        expression: the column.
        kind: ``integer``, ``float`` or ``decimal``.
        dialect: the engine's.
    """
    if kind == "integer":
        return f"CAST({expression} AS BIGINT)"
    nothing = "FALSE"
    top, bottom = "9223372036854775807", "-9223372036854775808"
    if kind == "float":
        nothing = f"isnan({expression}) OR abs({expression}) = CAST('infinity' AS DOUBLE)"
        top, bottom = "CAST('9.223372036854775807E18' AS DOUBLE)", "CAST('-9.223372036854775808E18' AS DOUBLE)"
    return (
        f"CASE WHEN {expression} IS NULL OR {nothing} THEN NULL"
        f" WHEN {expression} >= {top} THEN {dialect.integer(INT64_MAX)}"
        f" WHEN {expression} <= {bottom} THEN {dialect.integer(INT64_MIN)}"
        f" ELSE CAST(floor({expression}) AS BIGINT) END"
    )


class SparkDialect:
    """Spark SQL 4."""

    text_type = "STRING"

    def name(self, identifier: str) -> str:
        """A column's name."""
        return f"`{identifier}`"

    def text(self, value: str) -> str:
        """Letters, digits and blanks as they are, everything else as an escape."""
        return "'" + "".join(_escaped(character) for character in value) + "'"

    def integer(self, value: int) -> str:
        """A 64-bit literal."""
        return f"{value}L"

    def array(self, items: Sequence[str], of: str) -> str:
        """An array of expressions."""
        return f"array({', '.join(items)})" if items else f"CAST(array() AS ARRAY<{of}>)"

    def pick(self, items: Sequence[str], index: str) -> str:
        """The item at ``index``."""
        return f"get(array({', '.join(items)}), {index})"

    def known(self, array: str) -> str:
        """The array without its nulls."""
        return f"array_compact({array})"

    def joined(self, first: str, second: str) -> str:
        """One array after the other."""
        return f"concat({first}, {second})"

    def first(self, array: str, count: int) -> str:
        """The first ``count`` different items."""
        return f"slice(array_distinct({array}), 1, {count})"

    def reached(self, value: str, bounds: Sequence[int]) -> str:
        """The number's place when it is sorted in among the bounds, from the greatest down.

        A comparison for each bound would be four nodes of the plan, which Spark sends to a task anew for each batch:
        with the bounds in one literal the resident plan has a third fewer.
        """
        if len(bounds) <= _FEW_BOUNDS:
            return _chain(value, bounds, self)
        among = f"array_append({self.array([self.integer(bound) for bound in bounds], 'BIGINT')}, {value})"
        return f"CAST({len(bounds) + 1} - array_position(sort_array({among}, FALSE), {value}) AS INT)"

    def divided(self, amount: str, by: str) -> str:
        """Whole division."""
        return f"({amount} DIV {by})"

    def losses(self, rows: Sequence[tuple[str, int, str]]) -> str:
        """The codes, most lost first; the negated position keeps their order among equals."""
        structs = ", ".join(
            f"named_struct('lost', {lost}, 'place', {-place}, 'code', {code})" for lost, place, code in rows
        )
        return f"transform(filter(sort_array(array({structs}), FALSE), x -> x.lost > 0), x -> x.code)"


class DuckDialect:
    """DuckDB's SQL: the same artefact run by another engine, to check the first two."""

    text_type = "VARCHAR"

    def name(self, identifier: str) -> str:
        """A column's name."""
        return f'"{identifier}"'

    def text(self, value: str) -> str:
        """Quotes are doubled; NUL cannot stand in the text of a query."""
        parts = value.replace("'", "''").split("\0")
        return "(" + " || chr(0) || ".join(f"'{part}'" for part in parts) + ")"

    def integer(self, value: int) -> str:
        """A 64-bit literal."""
        return f"CAST({value} AS BIGINT)"

    def array(self, items: Sequence[str], of: str) -> str:
        """A list of expressions."""
        return f"CAST([{', '.join(items)}] AS {of}[])"

    def pick(self, items: Sequence[str], index: str) -> str:
        """The item at ``index``; lists count from one."""
        return f"list_extract([{', '.join(items)}], {index} + 1)"

    def known(self, array: str) -> str:
        """The list without its nulls."""
        return f"list_filter({array}, lambda x: x IS NOT NULL)"

    def joined(self, first: str, second: str) -> str:
        """One list after the other."""
        return f"list_concat({first}, {second})"

    def first(self, array: str, count: int) -> str:
        """Items at which their value stands for the first time."""
        return f"list_slice(list_filter({array}, lambda x, i: list_position({array}, x) = i), 1, {count})"

    def reached(self, value: str, bounds: Sequence[int]) -> str:
        """A comparison for each bound."""
        return _chain(value, bounds, self)

    def divided(self, amount: str, by: str) -> str:
        """Whole division."""
        return f"({amount} // {by})"

    def losses(self, rows: Sequence[tuple[str, int, str]]) -> str:
        """The codes, most lost first."""
        structs = ", ".join(f"{{'lost': {lost}, 'place': {-place}, 'code': {code}}}" for lost, place, code in rows)
        kept = f"list_filter(list_reverse_sort([{structs}]), lambda x: x.lost > 0)"
        return f"list_transform({kept}, lambda x: x.code)"


def _chain(value: str, bounds: Sequence[int], dialect: Dialect) -> str:
    steps = "".join(f" WHEN {value} < {dialect.integer(bound)} THEN {i}" for i, bound in enumerate(bounds))
    return f"CASE{steps} ELSE {len(bounds)} END" if bounds else "0"


def _escaped(character: str) -> str:
    if character.isascii() and (character.isalnum() or character == " "):
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
