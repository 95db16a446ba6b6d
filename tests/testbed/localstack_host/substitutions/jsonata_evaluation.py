"""JSONata: upstream starts a JVM with libraries that it downloads; we evaluate with PyPI's jsonata-python.

Also the functions that Step Functions adds to JSONata (AWS Step Functions, "Transforming data with JSONata"), and
strings in variables are declared as JSON, since upstream quotes them without escaping.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import random
import uuid
from collections.abc import Callable
from typing import Any

from localstack_host import upstream
from localstack_host.config import Config

_jsonata: Any = importlib.import_module("jsonata")


def partition(items: list[Any], size: float) -> list[list[Any]]:
    """``$partition``: chunks of ``size``."""
    step = int(size)
    return [items[start : start + step] for start in range(0, len(items), step)]


def numbers(first: float, last: float, step: float) -> list[int]:
    """``$range``: both ends included."""
    return list(range(int(first), int(last) + (1 if step > 0 else -1), int(step)))


def digest(text: str, algorithm: str) -> str:
    """``$hash``: hexadecimal."""
    return hashlib.new(algorithm.replace("-", "").lower(), text.encode()).hexdigest()


def chance(*seed: float | None) -> float:
    """``$random``: 0 to below 1, repeatable with a seed."""
    return (random.Random(seed[0]) if seed and seed[0] is not None else random).random()


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "partition": partition, "range": numbers, "hash": digest, "random": chance, "uuid": lambda: str(uuid.uuid4()),
    "parse": json.loads,
}  # fmt: skip


def evaluate(expression: str) -> Any:
    """The value of a JSONata expression, as JSON values; None for undefined.

    Raises:
        Exception: whatever the library raises for a malformed or failing expression.
    """
    compiled = _jsonata.Jsonata(expression)
    for name, function in FUNCTIONS.items():
        compiled.register_lambda(name, function)
    return compiled.evaluate(None)


def declarations(bindings: dict[str, Any]) -> str:
    """JSONata that binds variables to JSON values."""
    return "".join(
        f"{name}:={json.dumps(value, separators=(',', ':'), default=str)};" for name, value in bindings.items()
    )


def apply(_config: Config) -> None:
    """Put the evaluator where upstream keeps its own once it has started."""

    def evaluate_or_fail(jsonata_expression: str) -> Any:
        try:
            return evaluate(jsonata_expression)
        except Exception as problem:  # an expression may fail with anything; upstream makes a query error of it
            raise upstream.jsonata.JSONataException("UNKNOWN", str(problem)) from problem

    upstream.jsonata._eval_jsonata  # noqa: B018  it must exist
    upstream.jsonata._eval_jsonata = evaluate_or_fail
    for user in (upstream.jsonata, upstream.jsonata_states, upstream.jsonata_variables):
        user.encode_jsonata_variable_declarations  # noqa: B018  it must exist
        user.encode_jsonata_variable_declarations = declarations
