"""Evaluates policy statements: the part of IAM that the platform's policies use.

Pure, so that tests of the template use it too. Statements are resolved: strings or lists of strings, no intrinsic
functions. An unknown condition operator raises, so that no policy is misread.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

Context = Mapping[str, str | Iterable[str]]


def allowed(
    statements: Iterable[Mapping[str, Any]], action: str, resource: str, context: Context | None = None
) -> bool:
    """Whether the statements together allow ``action`` on ``resource``.

    Args:
        statements: all statements of all policies of the caller.
        action: such as ``s3:GetObject``.
        resource: the ARN, or ``*`` for a call without one.
        context: values of condition keys; a missing key is absent from the request.

    Raises:
        ValueError: unknown condition operator.
    """
    return decided([statement for statement in statements if names(statement, action, resource)], context)


def decided(statements: Iterable[Mapping[str, Any]], context: Context | None = None) -> bool:
    """Whether statements that match the call allow it under their conditions; see `allowed`."""
    keys = {name.lower(): _listed(value) for name, value in (context or {}).items()}
    effects = {statement["Effect"] for statement in statements if _met(statement.get("Condition") or {}, keys)}
    return "Deny" not in effects and "Allow" in effects


def names(statement: Mapping[str, Any], action: str, resource: str) -> bool:
    """Whether a statement matches the call, regardless of its conditions."""
    return _one_of(statement, "Action", lambda pattern: _matches(action, pattern, ignore_case=True)) and _one_of(
        statement, "Resource", lambda pattern: pattern == "*" or _like_arn(resource, pattern)
    )


def _one_of(statement: Mapping[str, Any], element: str, matching: Callable[[str], bool]) -> bool:
    """Whether the element matches the value, or its ``Not`` form does not."""
    inverted = f"Not{element}" in statement
    return inverted != any(map(matching, _listed(statement[f"Not{element}" if inverted else element])))


def _matches(value: str, pattern: str, ignore_case: bool = False) -> bool:
    """IAM's wildcards: ``*`` for any characters, ``?`` for one."""
    return _compiled(pattern, ignore_case).fullmatch(value) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    text = "".join(parts.get(letter) or re.escape(letter) for letter in pattern)
    return re.compile(text, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _like_arn(actual: str, pattern: str) -> bool:
    """Compares the six parts of ARNs separately: a wildcard crosses a colon only in the last one."""
    have, want = actual.split(":", 5), pattern.split(":", 5)
    return len(have) == len(want) and all(map(_matches, have, want))


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda actual, wanted: actual == wanted,
    "StringEqualsIgnoreCase": lambda actual, wanted: actual.lower() == wanted.lower(),
    "StringLike": _matches,
    "ArnEquals": _like_arn,
    "ArnLike": _like_arn,
    "Bool": lambda actual, wanted: actual.lower() == wanted.lower(),
    "NumericEquals": lambda actual, wanted: float(actual) == float(wanted),
    "NumericLessThan": lambda actual, wanted: float(actual) < float(wanted),
    "NumericLessThanEquals": lambda actual, wanted: float(actual) <= float(wanted),
    "NumericGreaterThan": lambda actual, wanted: float(actual) > float(wanted),
    "NumericGreaterThanEquals": lambda actual, wanted: float(actual) >= float(wanted),
}


def _met(conditions: Mapping[str, Mapping[str, Any]], keys: Mapping[str, list[str]]) -> bool:
    return all(
        _holds(operator, keys.get(key.lower(), []), [str(value) for value in _listed(wanted)])
        for operator, tests in conditions.items()
        for key, wanted in tests.items()
    )


def _holds(operator: str, actual: list[str], wanted: list[str]) -> bool:
    """Applies one operator to one key; several wanted values are alternatives."""
    quantifier, _, name = operator.rpartition(":")
    if name == "Null":
        return (not actual) == (wanted[0].lower() == "true")
    optional, name = name.endswith("IfExists"), name.removesuffix("IfExists")
    negated, name = "Not" in name, name.replace("Not", "")
    compare = _OPERATORS.get(name)
    if compare is None or quantifier not in ("", "ForAnyValue", "ForAllValues"):
        raise ValueError(f"condition operator {operator} is not supported")
    if not actual:
        return optional or quantifier == "ForAllValues" or (negated and not quantifier)
    hits = [negated != any(_compare(compare, value, one) for one in wanted) for value in actual]
    return all(hits) if quantifier == "ForAllValues" else any(hits)


def _compare(compare: Callable[[str, str], bool], actual: str, wanted: str) -> bool:
    try:
        return compare(actual, wanted)
    except ValueError:  # not a number
        return False


def _listed(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [str(value).lower()]
    return [value] if isinstance(value, str | int | float) else list(value)
