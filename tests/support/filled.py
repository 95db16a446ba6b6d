"""Answers with every field filled, made from the types of their models."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from datetime import date, datetime
from enum import Enum
from typing import Any

from pydantic import BaseModel

_PLAIN: dict[Any, Any] = {
    Any: "anything",
    str: "text", int: 7, bool: True, float: 0.5, date: date(2026, 11, 30), datetime: datetime(2026, 11, 30, 12),
}  # fmt: skip


def filled(kind: Any) -> Any:
    """A value of a type: no field null, each collection with one member."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind.model_construct(**{name: filled(field.annotation) for name, field in kind.model_fields.items()})
    if origin is typing.Annotated:
        return filled(arguments[0])
    if origin is typing.Literal:
        return arguments[0]
    if origin in (typing.Union, types.UnionType):
        return filled(next(one for one in arguments if one is not type(None)))
    if origin in (list, tuple):
        return [filled(arguments[0])]
    if origin is dict:
        return {"key": filled(arguments[1])}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    return _PLAIN[kind]


def paths(document: Any, here: str = "") -> Iterator[str]:
    """The places of a JSON document that hold a plain value, such as `offers[].amount`."""
    if isinstance(document, dict):
        for name, one in document.items():
            yield from paths(one, f"{here}.{name}" if here else name)
    elif isinstance(document, list):
        for one in document:
            yield from paths(one, f"{here}[]")
    else:
        yield here
