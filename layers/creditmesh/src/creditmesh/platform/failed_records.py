"""Records of a table's stream that a function could not handle: Lambda keeps the batch, a replay takes one of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from creditmesh.platform.bootstrap import platform
from creditmesh.platform.objects import Objects

StreamRecord = dict[str, Any]


def kept_batch(objects: Objects, key: str) -> tuple[dict[str, Any], list[StreamRecord]]:
    """The record of a failed invocation as Lambda writes it, and the stream records that the function was given.

    Raises:
        NotFound: it is not kept any more.
    """
    document: dict[str, Any] = objects.get_json(key)
    return document, json.loads(document["payload"])["Records"]


def stream_records(event: Mapping[str, Any]) -> Sequence[StreamRecord]:
    """The records that a reader of a stream is to handle: its batch, or the one that a replay names.

    Args:
        event: `{"Records": [...]}` of the event source, or `{"failed_record": {"key", "position"}}`: object and place
            in its batch.

    Raises:
        NotFound: the failed record is not kept any more.
    """
    if "failed_record" not in event:
        records: list[StreamRecord] = event["Records"]
        return records
    place = event["failed_record"]
    _, batch = kept_batch(platform().failed_records, place["key"])
    return [batch[place["position"]]]
