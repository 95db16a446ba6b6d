"""DynamoDB's expressions: conditions, updates and projections over items in wire form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from tests.support.memory import Refused

Item = Mapping[str, Any]
"""In wire form; never changed in place, so that it may be handed out as it is."""
Step = str | int
"""A name, or a place in a list."""
Path = tuple[Step, ...]
_TOKEN = re.compile(r"\s*([#:]?\w+|<=|>=|<>|[=<>(),.\[\]+-])")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip


def invalid(message: str) -> Refused:
    return Refused("ValidationException", message)


@dataclass(frozen=True)
class Given:
    """An item, and what the placeholders of a request stand for."""

    item: Item
    names: Mapping[str, str]
    values: Mapping[str, Any]


Value = Callable[[Given], Any]
"""An operand: its value in wire form, or None."""
Test = Callable[[Given], bool]


@dataclass(frozen=True)
class Change:
    """One action of an update; `value` is None for REMOVE."""

    verb: str
    path: Path
    value: Value | None = None


@dataclass(frozen=True)
class Condition:
    """A condition, its tokens, and the paths that it names."""

    holds: Test
    words: frozenset[str]
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Updating:
    """An update and its tokens."""

    changes: tuple[Change, ...]
    words: frozenset[str]


@cache
def condition(text: str) -> Condition:
    parser = _Parser(text)
    holds = parser.either()
    parser.end()
    return Condition(holds, frozenset(parser.tokens), tuple(parser.paths))


@cache
def update(text: str) -> Updating:
    parser = _Parser(text)
    changes: list[Change] = []
    while parser.at < len(parser.tokens):
        changes += parser.clause()
    return Updating(tuple(changes), frozenset(parser.tokens))


@cache
def paths(text: str) -> tuple[Path, ...]:
    """The paths of a projection."""
    parser = _Parser(text)
    found = [parser.path()]
    while parser.taken(","):
        found.append(parser.path())
    parser.end()
    return tuple(found)


class _Parser:
    """Reads by descent; words that DynamoDB reserves are refused as names."""

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        self.paths: list[Path] = []
        end = 0
        while text[end:].strip():
            found = _TOKEN.match(text, end)
            if not found:
                raise invalid(f"Invalid expression: syntax error at {text[end:]!r}")
            self.tokens.append(found[1])
            end = found.end()
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def next(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def taken(self, word: str) -> bool:
        """Whether the next token is `word`; then it is passed."""
        if self.peek().upper() != word:
            return False
        self.at += 1
        return True

    def need(self, word: str) -> None:
        if not self.taken(word):
            raise invalid(f"Invalid expression: {word} expected, found {self.peek()!r}")

    def end(self) -> None:
        if self.peek():
            raise invalid(f"Invalid expression: syntax error at {self.peek()!r}")

    def either(self) -> Test:
        tests = [self.all()]
        while self.taken("OR"):
            tests.append(self.all())
        return tests[0] if len(tests) == 1 else lambda given: any(test(given) for test in tests)

    def all(self) -> Test:
        tests = [self.one()]
        while self.taken("AND"):
            tests.append(self.one())
        return tests[0] if len(tests) == 1 else lambda given: all(test(given) for test in tests)

    def one(self) -> Test:
        if self.taken("NOT"):
            test = self.one()
            return lambda given: not test(given)
        if self.taken("("):
            test = self.either()
            self.need(")")
            return test
        name = self.peek().lower()
        if name in _TESTS and self.tokens[self.at + 1 : self.at + 2] == ["("]:
            self.at += 1
            left, *more = self.arguments()
            return lambda given: _TESTS[name](left(given), *(one(given) for one in more))
        left = self.operand()
        if self.taken("IN"):
            options = self.arguments()
            return lambda given: any(_equal(left(given), option(given)) for option in options)
        if self.taken("BETWEEN"):
            low = self.operand()
            self.need("AND")
            high = self.operand()
            return lambda given: _ordered("<=", low(given), left(given)) and _ordered("<=", left(given), high(given))
        sign, right = self.next(), self.operand()
        if sign == "=":
            return lambda given: _equal(left(given), right(given))
        if sign == "<>":
            return lambda given: not _equal(left(given), right(given))
        if sign not in _COMPARE:
            raise invalid(f"Invalid expression: syntax error at {sign!r}")
        return lambda given: _ordered(sign, left(given), right(given))

    def arguments(self) -> list[Value]:
        self.need("(")
        found = [self.operand()]
        while self.taken(","):
            found.append(self.operand())
        self.need(")")
        return found

    def operand(self) -> Value:
        token = self.peek()
        if token.startswith(":"):
            self.at += 1
            return lambda given: _value(given, token)
        if token in _OPERANDS and self.tokens[self.at + 1 : self.at + 2] == ["("]:
            self.at += 1
            arguments = self.arguments()
            return lambda given: _OPERANDS[token](*(one(given) for one in arguments))
        path = self.path()
        self.paths.append(path)
        return lambda given: at(given.item, named(path, given.names))

    def path(self) -> Path:
        steps: list[Step] = [self.name()]
        while True:
            if self.taken("."):
                steps.append(self.name())
            elif self.taken("["):
                steps.append(int(self.next()))
                self.need("]")
            else:
                return tuple(steps)

    def name(self) -> str:
        token = self.next()
        if not re.fullmatch(r"#?\w+", token):
            raise invalid(f"Invalid expression: syntax error at {token!r}")
        if token.upper() in _reserved():
            raise invalid(f"Invalid expression: Attribute name is a reserved keyword; reserved keyword: {token}")
        return token

    def clause(self) -> list[Change]:
        """SET, REMOVE, ADD or DELETE with what follows."""
        verb = self.next().upper()
        if verb not in ("SET", "REMOVE", "ADD", "DELETE"):
            raise invalid(f"Invalid UpdateExpression: syntax error at {verb!r}")
        found = [self.change(verb)]
        while self.taken(","):
            found.append(self.change(verb))
        return found

    def change(self, verb: str) -> Change:
        path = self.path()
        if verb == "REMOVE":
            return Change(verb, path)
        if verb == "SET":
            self.need("=")
        value = self.operand()
        for sign in "+-":
            if self.taken(sign):
                return Change(verb, path, _sum(value, self.operand(), 1 if sign == "+" else -1))
        return Change(verb, path, value)


@cache
def _reserved() -> frozenset[str]:
    return frozenset(word.upper() for word in ReservedKeywords.get_reserved_keywords())


def named(path: Path, names: Mapping[str, str]) -> Path:
    """A path with its placeholders filled in."""
    try:
        return tuple(names[step] if isinstance(step, str) and step[0] == "#" else step for step in path)
    except KeyError as missing:
        raise invalid(f"An expression attribute name used in the document path is not defined: {missing}") from None


def at(item: Item, path: Path) -> Any:
    """What lies there, or None."""
    value: Any = {"M": item}
    for step in path:
        inner = value.get("L" if isinstance(step, int) else "M")
        if inner is None or (isinstance(step, int) and step >= len(inner)):
            return None
        value = inner[step] if isinstance(step, int) else inner.get(step)
        if value is None:
            return None
    return value


def _with(value: Any, path: Path, new: Any) -> Any:
    """A copy with something else, or nothing, at a path."""
    step, *rest = path
    kind = "L" if isinstance(step, int) else "M"
    if value is None or kind not in value:
        raise invalid("The document path provided in the update expression is invalid for update")
    inner = value[kind].copy()
    known = step < len(inner) if isinstance(step, int) else step in inner
    if rest:
        new = _with(inner[step] if known else None, tuple(rest), new)
    if new is None:
        if known:
            del inner[step]
    elif kind == "L" and not known:
        inner.append(new)
    else:
        inner[step] = new
    return {kind: inner}


def changed(item: Item, text: str, given: Given) -> Item:
    """The item after an update; all operands are those of before."""
    found: Any = {"M": item}
    touched: set[Path] = set()
    for change in update(text).changes:
        path = named(change.path, given.names)
        if any(path[: len(one)] == one or one[: len(path)] == path for one in touched):
            raise invalid("Two document paths overlap with each other")
        touched.add(path)
        new = change.value(given) if change.value else None
        if change.value and new is None:
            raise invalid("The provided expression refers to an attribute that does not exist in the item")
        if change.verb in ("ADD", "DELETE"):
            new = _merged(change.verb, at(item, path), new)
        found = _with(found, path, new)
    return dict(found["M"])


def _merged(verb: str, before: Any, given: Any) -> Any:
    ((kind, content),) = given.items()
    if before is not None and kind not in before:
        raise invalid("An operand in the update expression has an incorrect data type")
    if kind == "N" and verb == "ADD":
        return {"N": str(Decimal(before["N"] if before else 0) + Decimal(content))}
    if kind not in ("SS", "NS", "BS"):
        raise invalid("Incorrect operand type for operator or function")
    members = before[kind] if before else []
    if verb == "ADD":
        return {kind: [*members, *(one for one in content if one not in members)]}
    left = [one for one in members if one not in content]
    return {kind: left} if left else None


def _sum(left: Value, right: Value, sign: int) -> Value:
    def added(given: Given) -> Any:
        numbers = [left(given), right(given)]
        if any(one is None or "N" not in one for one in numbers):
            raise invalid("An operand in the update expression has an incorrect data type")
        return {"N": str(Decimal(numbers[0]["N"]) + sign * Decimal(numbers[1]["N"]))}

    return added


def picked(item: Item, wanted: tuple[Path, ...], names: Mapping[str, str]) -> Item:
    """An item's attributes that a projection names; paths into them are not used here."""
    found = {path[0]: item.get(str(path[0])) for path in (named(path, names) for path in wanted)}
    return {str(name): value for name, value in found.items() if value is not None}


def _value(given: Given, token: str) -> Any:
    if token not in given.values:
        raise invalid(f"An expression attribute value used in expression is not defined; attribute value: {token}")
    return given.values[token]


def _plain(value: Any) -> tuple[str, Any]:
    """Type and what can be compared."""
    ((kind, content),) = value.items()
    if kind == "N":
        return kind, Decimal(content)
    if kind == "S":
        return kind, content.encode()
    if kind in ("SS", "NS", "BS"):
        return kind, frozenset(content)
    return kind, content


def _equal(left: Any, right: Any) -> bool:
    return left is not None and right is not None and _plain(left) == _plain(right)


def _ordered(sign: str, left: Any, right: Any) -> bool:
    if left is None or right is None:
        return False
    (kind, one), (other_kind, other) = _plain(left), _plain(right)
    return kind == other_kind and _COMPARE[sign](one, other)


def _contains(value: Any, member: Any) -> bool:
    if value is None:
        return False
    ((kind, content),) = value.items()
    ((sought, wanted),) = member.items()
    if kind == "L":
        return any(_equal(one, member) for one in content)
    return (kind == sought or kind == f"{sought}S") and wanted in content


def _begins(value: Any, start: Any) -> bool:
    return value is not None and "S" in value and value["S"].startswith(start["S"])


def _length(value: Any) -> Any:
    if value is None:
        return None
    ((kind, content),) = value.items()
    return {"N": str(len(content.encode() if kind == "S" else content))}


def _joined(left: Any, right: Any) -> Any:
    if not left or not right or "L" not in left or "L" not in right:
        raise invalid("An operand in the update expression has an incorrect data type")
    return {"L": [*left["L"], *right["L"]]}


_TESTS: dict[str, Callable[..., bool]] = {
    "attribute_exists": lambda value: value is not None,
    "attribute_not_exists": lambda value: value is None,
    "contains": _contains,
    "begins_with": _begins,
}
_OPERANDS: dict[str, Callable[..., Any]] = {
    "size": _length,
    "if_not_exists": lambda value, otherwise: otherwise if value is None else value,
    "list_append": _joined,
}
