"""Rule conditions as data: a small typed JSON expression with three-valued logic.

Grammar (a subset of JsonLogic)::

    operand   := integer | string | boolean | {"var": feature}
    condition := {"==" | "!=" | "<" | "<=" | ">" | ">=": [operand, operand]}
               | {"in": [operand, [literal, ...]]}
               | {"missing": feature | [feature, ...]}
               | {"and" | "or": [condition, ...]} | {"!" | "not": condition | [condition]}

A condition is true, false or unknown (None). A comparison or ``in`` with an unknown operand is unknown; ``and``, ``or``
and ``not`` follow Kleene; ``missing`` is unknown if the feature's source could not be read, which leaves open whether
there is a value. Both sides of a comparison have the same type, and only
integers are ordered.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from creditmesh.risk.document import Node

FeatureType = Literal["integer", "string", "boolean"]
FeatureValue = int | str | bool | None

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
MAX_DEPTH = 16
MAX_ITEMS = 64

Features = Mapping[str, FeatureValue]
Names = Collection[str]


@dataclass(frozen=True)
class Constant:
    """A literal."""

    value: int | str | bool

    def of(self, features: Features) -> FeatureValue:
        return self.value


@dataclass(frozen=True)
class Variable:
    """The value of a feature, which may be unknown."""

    feature: str

    def of(self, features: Features) -> FeatureValue:
        return features.get(self.feature)


Operand = Constant | Variable


@dataclass(frozen=True)
class Comparison:
    """A comparison of two operands of one type."""

    operator: str
    left: Operand
    right: Operand

    def holds(self, features: Features, unread: Names = ()) -> bool | None:
        first, second = self.left.of(features), self.right.of(features)
        return None if first is None or second is None else COMPARISONS[self.operator](first, second)


@dataclass(frozen=True)
class Membership:
    """True if the operand equals one of the literals."""

    item: Operand
    options: tuple[int | str | bool, ...]

    def holds(self, features: Features, unread: Names = ()) -> bool | None:
        value = self.item.of(features)
        return None if value is None else value in self.options


@dataclass(frozen=True)
class Missing:
    """True if the feature has no value, unknown if it could not be read."""

    feature: str

    def holds(self, features: Features, unread: Names = ()) -> bool | None:
        return None if self.feature in unread else features.get(self.feature) is None


@dataclass(frozen=True)
class AllOf:
    """«and» in Kleene's logic."""

    items: tuple[Condition, ...]

    def holds(self, features: Features, unread: Names = ()) -> bool | None:
        return _kleene(self.items, features, unread, decisive=False)


@dataclass(frozen=True)
class AnyOf:
    """«or» in Kleene's logic."""

    items: tuple[Condition, ...]

    def holds(self, features: Features, unread: Names = ()) -> bool | None:
        return _kleene(self.items, features, unread, decisive=True)


@dataclass(frozen=True)
class Negation:
    """«not» in Kleene's logic."""

    item: Condition

    def holds(self, features: Features, unread: Names = ()) -> bool | None:
        inner = self.item.holds(features, unread)
        return None if inner is None else not inner


Condition = Comparison | Membership | Missing | AllOf | AnyOf | Negation


def _kleene(items: tuple[Condition, ...], features: Features, unread: Names, *, decisive: bool) -> bool | None:
    """A decisive item decides; otherwise an unknown item makes the result unknown."""
    unknown = False
    for item in items:
        value = item.holds(features, unread)
        if value is decisive:
            return decisive
        unknown = unknown or value is None
    return None if unknown else not decisive


def variables(condition: Condition) -> set[str]:
    """Return the features that ``condition`` reads."""
    match condition:
        case Comparison(_, left, right):
            return {side.feature for side in (left, right) if isinstance(side, Variable)}
        case Membership(item, _):
            return {item.feature} if isinstance(item, Variable) else set()
        case Missing(feature):
            return {feature}
        case Negation(item):
            return variables(item)
        case AllOf(items) | AnyOf(items):
            return set().union(*map(variables, items))


def parse_condition(node: Node, types: Mapping[str, FeatureType], depth: int = 0) -> Condition:
    """Read and type-check a condition over the features of ``types``.

    Raises:
        ArtefactInvalid: the expression breaks the grammar or mixes types.
    """
    if depth > MAX_DEPTH:
        raise node.fail(f"must be nested at most {MAX_DEPTH} deep")
    pairs = node.mapping()
    if len(pairs) != 1:
        raise node.fail("must have exactly one operator")
    name, argument = next(iter(pairs.items()))
    if name in COMPARISONS:
        return _parse_comparison(name, argument, types)
    if name == "in":
        return _parse_membership(argument, types)
    if name == "missing":
        return _parse_missing(argument, types)
    if name in ("!", "not"):
        (item,) = argument.items(1, 1) if isinstance(argument.value, list) else (argument,)
        return Negation(parse_condition(item, types, depth + 1))
    if name in ("and", "or"):
        parts = tuple(parse_condition(item, types, depth + 1) for item in argument.items(1, MAX_ITEMS))
        return AllOf(parts) if name == "and" else AnyOf(parts)
    raise node.fail(f"must have one of the operators {' '.join(COMPARISONS)} in missing and or !")


def _parse_comparison(name: str, node: Node, types: Mapping[str, FeatureType]) -> Comparison:
    first, second = node.items(2, 2)
    left, right = _parse_operand(first, types), _parse_operand(second, types)
    kind = _type_of(left, types)
    if kind != _type_of(right, types):
        raise node.fail("must compare two operands of the same type")
    if name not in ("==", "!=") and kind != "integer":
        raise node.fail("must order integers only")
    return Comparison(name, left, right)


def _parse_membership(node: Node, types: Mapping[str, FeatureType]) -> Membership:
    first, second = node.items(2, 2)
    item = _parse_operand(first, types)
    kind = _type_of(item, types)
    return Membership(item, tuple(parse_literal(option, kind) for option in second.items(1, MAX_ITEMS)))


def _parse_missing(node: Node, types: Mapping[str, FeatureType]) -> Condition:
    """A list of features is true if any of them is unknown, like JsonLogic's ``missing``."""
    if not isinstance(node.value, list):
        return Missing(node.choice(types))
    found = tuple(Missing(item.choice(types)) for item in node.items(1, MAX_ITEMS))
    return found[0] if len(found) == 1 else AnyOf(found)


def _parse_operand(node: Node, types: Mapping[str, FeatureType]) -> Operand:
    if isinstance(node.value, dict):
        if node.value.keys() != {"var"}:
            raise node.fail("must have the key 'var' only")
        return Variable(node.mapping()["var"].choice(types))
    if isinstance(node.value, bool):
        return Constant(node.value)
    return Constant(node.integer() if isinstance(node.value, int) else node.text(r"(?s).{0,200}"))


def parse_literal(node: Node, kind: FeatureType) -> int | str | bool:
    """Return the literal at ``node``, which must be of type ``kind``."""
    if kind == "integer":
        return node.integer()
    if kind == "string":
        return node.text(r"(?s).{0,200}")
    if not isinstance(node.value, bool):
        raise node.fail("must be true or false")
    return node.value


def _type_of(operand: Operand, types: Mapping[str, FeatureType]) -> FeatureType:
    if isinstance(operand, Variable):
        return types[operand.feature]
    if isinstance(operand.value, bool):
        return "boolean"
    return "integer" if isinstance(operand.value, int) else "string"
