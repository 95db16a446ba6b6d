"""Parses JSON documents into dataclasses, strictly: no unknown field, no value of another type."""

from __future__ import annotations

import dataclasses
import datetime
import types
import typing
from typing import Any, TypeVar

from training.errors import ConfigInvalid

T = TypeVar("T")


def read(kind: type[T], value: Any, path: str) -> T:
    """Convert a JSON object to a dataclass.

    Raises:
        ConfigInvalid: names the path.
    """
    return typing.cast(T, _value(kind, value, path))


def _value(kind: Any, value: Any, path: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value, path)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _either(arguments, value, path)
    if origin is typing.Literal:
        return _checked(value in arguments and isinstance(value, str), value, path, f"one of {', '.join(arguments)}")
    if origin is list:
        _checked(isinstance(value, list), value, path, "a list")
        return [_value(arguments[0], item, f"{path}[{index}]") for index, item in enumerate(value)]
    if origin is dict:
        _checked(isinstance(value, dict), value, path, "an object")
        return {key: _value(arguments[1], item, f"{path}.{key}") for key, item in value.items()}
    return _scalar(kind, value, path)


def _dataclass(kind: Any, value: Any, path: str) -> Any:
    _checked(isinstance(value, dict), value, path, "an object")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name in value:
        _checked(name in fields, value, f"{path}.{name}", "no such field")
    for name, field in fields.items():
        optional = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        _checked(name in value or optional, value, f"{path}.{name}", "missing")
    hints = typing.get_type_hints(kind)
    return kind(**{name: _value(hints[name], item, f"{path}.{name}") for name, item in value.items()})


def _either(kinds: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None:
        return _checked(type(None) in kinds, value, path, "a value")
    problem: ConfigInvalid | None = None
    for kind in kinds:
        try:
            return _value(kind, value, path)
        except ConfigInvalid as failed:
            # Report the deepest fault: it belongs to the intended alternative.
            if problem is None or len(failed.path) > len(problem.path):
                problem = failed
    assert problem is not None
    raise problem


def _scalar(kind: Any, value: Any, path: str) -> Any:
    if kind is Any:
        return value
    if kind is type(None):
        return _checked(value is None, value, path, "null")
    if kind is datetime.date:
        try:
            return datetime.date.fromisoformat(value)
        except (TypeError, ValueError) as problem:
            raise ConfigInvalid(path, "a date, as in 2026-01-31") from problem
    if kind is float:
        return float(_checked(type(value) in (int, float), value, path, "a number"))
    return _checked(type(value) is kind, value, path, f"of type {kind.__name__}")


def _checked(right: bool, value: Any, path: str, wanted: str) -> Any:
    if not right:
        raise ConfigInvalid(path, wanted)
    return value
