"""The Lambda functions as Lambda calls them: by their handler, each with a process of its own."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest

from creditmesh.platform.settings import variables
from tests.support import template, wired
from tests.support.aws import table_name
from tests.support.world import World

CONTEXT = SimpleNamespace(
    aws_request_id="request-1", function_name="test", memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:test",
    get_remaining_time_in_millis=lambda: 20_000,
)  # fmt: skip


@cache
def handler(name: str) -> Callable[[Mapping[str, Any], Any], Any]:
    """The handler of a function by its logical id."""
    module, _, attribute = template.source()["Resources"][name]["Properties"]["Handler"].rpartition(".")
    found: Callable[[Mapping[str, Any], Any], Any] = getattr(importlib.import_module(module), attribute)
    return found


def invoke(name: str, event: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Any:
    """Invoke a function in a fresh process, as far as our own caches go.

    Args:
        environment: what the function is given, of all that settings know; None leaves the environment as it is.
    """
    wired.renew()
    with pytest.MonkeyPatch.context() as patch:
        if environment is not None:
            for one in variables().values():
                patch.delenv(one.name, raising=False)
            for variable, value in environment.items():
                patch.setenv(variable, value)
        return handler(name)(event, CONTEXT)


def stream_event(
    world: World, table: str, kind: str = "INSERT", before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What a table's stream gives of all its items."""
    records = []
    for number, image in enumerate(world.stack.clients["dynamodb"].scan(TableName=table_name(table))["Items"]):
        keys = {name: image[name] for name in world.stack.tables[table]}
        images = {"Keys": keys, "NewImage": image, "SequenceNumber": str(number)}
        images |= {"OldImage": before} if before else {}
        records.append({"eventSource": "aws:dynamodb", "eventName": kind, "dynamodb": images})
    return {"Records": records}
