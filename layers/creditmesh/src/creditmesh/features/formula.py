"""The language of features: a small closed set of operations on a clean row.

A formula is data. ``features.document`` parses it, ``generated`` compiles formulas to a Python function, ``str()``
formats them for the documentation, ``lineage`` finds the values that they use.

Unknown values propagate: an operation on an unknown value is unknown, and so is a sum, a count or a run over rows of
which one is unknown. Conditions use three-valued logic: ``false and unknown`` is false. All numbers are 64-bit
integers; ``features.document`` proves from the schema's bounds that none can overflow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

Literal = int | str | bool


@dataclass(frozen=True)
class Field:
    """A value of the row itself: ``as_of_month``, ``registration.status``; unknown if its struct is."""

    path: str

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True)
class Item:
    """A column of the current list row."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Const:
    """A literal."""

    value: Literal

    def __str__(self) -> str:
        return str(self.value).lower() if isinstance(self.value, bool) else str(self.value)


@dataclass(frozen=True)
class Arithmetic:
    """``left + right``, ``left − right`` or ``left × right``."""

    operator: str
    left: Expression
    right: Expression

    def __str__(self) -> str:
        return f"({self.left} {self.operator} {self.right})"


@dataclass(frozen=True)
class Compare:
    """A comparison: ``=``, ``<``, ``<=``, ``>`` or ``>=``."""

    operator: str
    left: Expression
    right: Expression

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right}"


@dataclass(frozen=True)
class All:
    """True if every part is."""

    parts: tuple[Expression, ...]

    def __str__(self) -> str:
        return " and ".join(map(str, self.parts))


@dataclass(frozen=True)
class Not:
    """Negation of a condition."""

    part: Expression

    def __str__(self) -> str:
        return f"not ({self.part})" if isinstance(self.part, All) else f"not {self.part}"


@dataclass(frozen=True)
class OrElse:
    """The value, or the constant if the value is unknown."""

    value: Expression
    default: Literal

    def __str__(self) -> str:
        return f"({self.value}, if unknown {Const(self.default)})"


@dataclass(frozen=True)
class MonthOf:
    """The month index of a day."""

    day: Expression

    def __str__(self) -> str:
        return f"month({self.day})"


@dataclass(frozen=True)
class MonthsSince:
    """Full months from a day to the as-of day; unknown for a later day."""

    day: Expression

    def __str__(self) -> str:
        return f"months_since({self.day})"


@dataclass(frozen=True)
class InMonths:
    """True if a month lies from ``first`` to ``last`` months before the as-of month (0: that month itself)."""

    month: Expression
    first: int
    last: int = 1

    def __str__(self) -> str:
        return f"{self.month} in [{-self.first}, {-self.last}]"


@dataclass(frozen=True)
class Rows:
    """The rows of a list for which a condition is true; all rows without a condition."""

    section: str
    where: Expression | None = None

    def __str__(self) -> str:
        return self.section if self.where is None else f"{self.section} where {self.where}"


@dataclass(frozen=True)
class Fold:
    """An aggregate over rows."""

    operation: str
    """``sum``, ``max``, ``min``, ``longest_run`` (of a condition), ``distinct`` (number of values)."""
    rows: Rows
    value: Expression
    """Per row; a condition for ``longest_run``."""
    empty: int | None = None
    """Result of ``max`` and ``min`` without rows; None is unknown."""

    def __str__(self) -> str:
        if self == count(self.rows):
            return f"count({self.rows})"
        empty = f"; {self.empty} without any" if self.empty is not None else ""
        return f"{self.operation}({self.value} of {self.rows}{empty})"


@dataclass(frozen=True)
class Last:
    """A value of a list's last row; unknown for an empty list."""

    section: str
    name: str

    def __str__(self) -> str:
        return f"last({self.name} of {self.section})"


@dataclass(frozen=True)
class Volatility:
    """Population standard deviation / mean in basis points, half up; unknown for fewer rows or no positive mean."""

    rows: Rows
    value: Expression
    fewest: int

    def __str__(self) -> str:
        return f"volatility_bps({self.value} of {self.rows}; at least {self.fewest})"


@dataclass(frozen=True)
class Ratio:
    """``numerator / denominator`` in basis points, half up, capped; unknown without a positive denominator."""

    numerator: Expression
    denominator: Expression

    def __str__(self) -> str:
        return f"ratio_bps({self.numerator} / {self.denominator})"


@dataclass(frozen=True)
class Quotient:
    """``numerator / denominator`` as an integer, half up; unknown without a positive denominator."""

    numerator: Expression
    denominator: Expression

    def __str__(self) -> str:
        return f"round({self.numerator} / {self.denominator})"


@dataclass(frozen=True)
class Given:
    """The value if the condition is true, else unknown."""

    condition: Expression
    value: Expression

    def __str__(self) -> str:
        return f"({self.value} if {self.condition})"


Expression = (
    Field | Item | Const | Arithmetic | Compare | All | Not | OrElse | MonthOf | MonthsSince | InMonths
    | Fold | Last | Volatility | Ratio | Quotient | Given
)  # fmt: skip


def count(rows: Rows) -> Fold:
    return Fold("sum", rows, Const(1))


def children(node: Expression | Rows) -> Iterator[Expression | Rows]:
    for field in fields(node):
        value = getattr(node, field.name)
        for part in value if isinstance(value, tuple) else (value,):
            if hasattr(part, "__dataclass_fields__"):
                yield part


def walk(node: Expression | Rows) -> Iterator[Expression | Rows]:
    yield node
    for child in children(node):
        yield from walk(child)
