"""The table ``scoring-requests`` as a queue: requests are stored, claimed by a worker with a lease, and answered.

An item is in the index ``by-queue`` only while it has the attribute ``queue`` (``open#<shard>``), that is until it is
answered. Every change is one conditional write, so exactly one worker answers. The DynamoDB client is an argument: this
package imports nothing of AWS.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any
from zlib import crc32

from creditmesh.risk.expression import FeatureValue
from creditmesh.risk.result import RiskResult

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

_CLAIMABLE = "#state = :open OR (#state = :claimed AND lease_until <= :now)"
_MINE = "#state = :claimed AND claimed_by = :me AND attempts = :attempt"


@dataclass(frozen=True)
class ScoringRequest:
    """A claimed request. ``attempts`` counts claims, including this one, and fences off earlier ones."""

    request_id: str
    application_id: str
    model_id: str
    features: str
    created_at: str
    attempts: int
    claimed_at_ms: int
    rules_of: str

    @property
    def on(self) -> date:
        """The day whose rules apply, for every engine.

        Raises:
            ValueError: ``rules_of`` is not a day.
        """
        return rules_day(self.rules_of)


def packed(text: str) -> str:
    """Compress a text for storage, since DynamoDB bills writes by size."""
    return b64encode(zlib.compress(text.encode())).decode()


def unpacked(stored: str) -> str:
    """The inverse of `packed`.

    Raises:
        ValueError: not packed by `packed`.
    """
    try:
        return zlib.decompress(b64decode(stored)).decode()
    except (ValueError, zlib.error):
        raise ValueError("is not packed") from None


def open_item(
    *,
    request_id: str,
    application_id: str,
    model_id: str,
    task_token: str,
    features: Mapping[str, FeatureValue],
    created_at: str,
    shards: int,
    rules_of: date,
) -> dict[str, str | int]:
    """Return the item of a scoring request, as plain values.

    Args:
        created_at: ISO 8601 instant in UTC.
        rules_of: the day whose rules apply.
    """
    return {
        "request_id": request_id,
        "queue": f"open#{crc32(request_id.encode()) % shards}",
        "application_id": application_id,
        "model_id": model_id,
        "task_token": task_token,
        "features": packed(json.dumps(dict(features), ensure_ascii=False, sort_keys=True, separators=(",", ":"))),
        "state": "open",
        "created_at": created_at,
        "attempts": 0,
        "rules_of": rules_of.isoformat(),
    }


def rules_day(rules_of: str) -> date:
    """Parse the day whose rules apply.

    Raises:
        ValueError: not a day.
    """
    try:
        return date.fromisoformat(rules_of)
    except ValueError as error:
        raise ValueError("rules_of: must be a day") from error


def _text(stored: str) -> str:
    """The features as text; for unreadable ones the worker closes the request with an error."""
    try:
        return unpacked(stored)
    except ValueError:
        return ""


class ScoringQueue:
    """One worker's view of the table."""

    def __init__(
        self,
        client: DynamoDBClient,
        *,
        table: str,
        index: str,
        shards: int,
        worker_id: str,
        lease_ms: int,
        now_ms: Callable[[], int],
    ) -> None:
        """``now_ms`` is the wall clock in epoch milliseconds; a claim holds for ``lease_ms`` of it."""
        self._client = client
        self._table = table
        self._index = index
        self._shards = shards
        self._worker_id = worker_id
        self._lease_ms = lease_ms
        self._now_ms = now_ms
        self._first_shard = 0

    def claimable(self, limit: int) -> list[str]:
        """Return up to ``limit`` ids of requests that are open or whose lease has ended, oldest first in each shard."""
        found: list[str] = []
        for offset in range(self._shards):
            if len(found) < limit:
                found += self._claimable_in((self._first_shard + offset) % self._shards, limit - len(found))
        self._first_shard = (self._first_shard + 1) % self._shards
        return found

    def _claimable_in(self, shard: int, limit: int) -> list[str]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=self._index,
            KeyConditionExpression="#queue = :queue",
            FilterExpression=_CLAIMABLE,
            ProjectionExpression="request_id",
            ExpressionAttributeNames={"#queue": "queue", "#state": "state"},
            ExpressionAttributeValues={":queue": {"S": f"open#{shard}"}, **self._claim_values()},
        )
        found: list[str] = []
        for page in pages:
            found += [item["request_id"]["S"] for item in page["Items"]]
            if len(found) >= limit:
                break
        return found[:limit]

    def claim(self, request_id: str) -> ScoringRequest | None:
        """Claim the request; None if another worker holds or has answered it."""
        now = self._now_ms()
        values: dict[str, AttributeValueTypeDef] = {
            **self._claim_values(now),
            ":me": {"S": self._worker_id},
            ":until": {"N": str(now + self._lease_ms)},
            ":one": {"N": "1"},
        }
        update = "SET #state = :claimed, claimed_by = :me, claimed_at_ms = :now, lease_until = :until ADD attempts :one"
        item = self._update(request_id, update, _CLAIMABLE, values)
        if item is None:
            return None
        return ScoringRequest(
            request_id=request_id,
            application_id=item["application_id"]["S"],
            model_id=item["model_id"]["S"],
            features=_text(item.get("features", {}).get("S", "")),
            created_at=item["created_at"]["S"],
            attempts=int(item["attempts"]["N"]),
            claimed_at_ms=now,
            rules_of=item["rules_of"]["S"],
        )

    def answer(self, request: ScoringRequest, result: RiskResult) -> bool:
        """Write the result; False if the lease ended and another worker claimed the request."""
        text = packed(json.dumps(result.to_dict(), ensure_ascii=False))
        return self._close(request, "done", "#result = :text, engine = :engine", text, {"#result": "result"})

    def fail(self, request: ScoringRequest, error: str) -> bool:
        """Close a request that can never be scored; ``error`` says why, without its values."""
        return self._close(request, "failed", "#error = :text, engine = :engine", error, {"#error": "error"})

    def release(self, request: ScoringRequest) -> bool:
        """Release a claim, so that any worker can take it at once."""
        values: dict[str, AttributeValueTypeDef] = {":open": {"S": "open"}, **self._mine_values(request)}
        update = "SET #state = :open REMOVE lease_until, claimed_by, claimed_at_ms"
        return self._update(request.request_id, update, _MINE, values) is not None

    def _close(self, request: ScoringRequest, state: str, assignments: str, text: str, names: dict[str, str]) -> bool:
        values: dict[str, AttributeValueTypeDef] = {
            **self._mine_values(request),
            ":closed": {"S": state},
            ":text": {"S": text},
            ":engine": {"S": "spark"},
            ":now": {"N": str(self._now_ms())},
        }
        update = f"SET #state = :closed, scored_at_ms = :now, {assignments} REMOVE #queue, lease_until"
        return self._update(request.request_id, update, _MINE, values, {"#queue": "queue", **names}) is not None

    def _mine_values(self, request: ScoringRequest) -> dict[str, AttributeValueTypeDef]:
        return {
            ":claimed": {"S": "claimed"},
            ":me": {"S": self._worker_id},
            ":attempt": {"N": str(request.attempts)},
        }

    def _claim_values(self, now: int | None = None) -> dict[str, AttributeValueTypeDef]:
        moment = self._now_ms() if now is None else now
        return {":open": {"S": "open"}, ":claimed": {"S": "claimed"}, ":now": {"N": str(moment)}}

    def _update(
        self,
        request_id: str,
        update: str,
        condition: str,
        values: dict[str, AttributeValueTypeDef],
        names: dict[str, str] | None = None,
    ) -> dict[str, Any] | None:
        """Return the updated item, or None if the condition failed."""
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key={"request_id": {"S": request_id}},
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames={"#state": "state", **(names or {})},
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return None
        return answer["Attributes"]
