"""Items as DynamoDB sends and takes them, and an answer's short way past botocore's parser.

Two thirds of a function's processor time go into calls to AWS, a third of that into this form: botocore walks every
attribute value by its model, and boto3's (de)serializer walks it once more. The wire form of an item is what botocore
makes of it already, but for binary values, so its answers need parsing as JSON only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_READING = ("BatchGetItem", "GetItem", "Query", "UpdateItem", "DeleteItem")
"""Operations whose answers carry items."""


def encoded(value: Any) -> dict[str, Any]:
    """One value in DynamoDB's wire form.

    Raises:
        TypeError: of a kind that we do not store, such as a float.
    """
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, Mapping):
        return {"M": {name: encoded(inner) for name, inner in value.items()}}
    if isinstance(value, list | tuple):
        return {"L": [encoded(inner) for inner in value]}
    if value is None:
        return {"NULL": True}
    if isinstance(value, set | frozenset) and all(isinstance(one, str) for one in value):
        return {"SS": sorted(value)}
    raise TypeError(f"{type(value).__name__} is no value of an item")


def decoded(value: Mapping[str, Any]) -> Any:
    """The value that a wire form stands for; all our numbers are integers, where boto3 would give Decimals."""
    ((kind, content),) = value.items()
    return content if kind == "S" else _DECODERS[kind](content)


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "N": int,
    "BOOL": bool,
    "NULL": lambda _: None,
    "M": lambda inner: {name: decoded(value) for name, value in inner.items()},
    "L": lambda inner: [decoded(value) for value in inner],
    "SS": set,
}


def shorten(client: DynamoDBClient) -> None:
    """Have a client leave the items of its answers in wire form, where `decoded` takes them from.

    A client of which others read binary values, or sets of them, is not to be shortened: they would find them as text.
    """
    for operation in _READING:
        client.meta.events.register(f"before-parse.dynamodb.{operation}", _read, unique_id=f"{__name__}.{operation}")


def _read(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Hand botocore what its parser would make of a good answer; errors are its own matter."""
    if response_dict["status_code"] == 200:
        customized_response_dict.update(json.loads(response_dict["body"]))
        response_dict["body"] = b"{}"
