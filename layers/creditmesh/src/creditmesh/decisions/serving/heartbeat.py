"""Heartbeats of resident jobs, in one item of the table ``scoring-requests``.

The item has one attribute per job, named like the job run, with the epoch second until which the job counts as ready.
Requests go to Spark only while a job does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY = "resident-jobs"
"""Key of the item; ids of applications are UUIDs."""
NAME = "score-applications"
EVERY_SECONDS, BELIEVED_SECONDS = 60, 150
"""Interval of heartbeats, and how long each is valid: one may be lost."""
_FORGOTTEN_SECONDS = 86_400


def ready_jobs(item: Mapping[str, Any] | None, now: float) -> set[str]:
    """The names of the jobs that are ready at epoch second ``now``."""
    return {name for name, until in job_times(item).items() if until > now}


def job_times(item: Mapping[str, Any] | None) -> dict[str, int]:
    """Until when each job counts as ready."""
    return {name: int(until) for name, until in (item or {}).items() if name.startswith(NAME)}


class Heartbeat:
    """One job's entry.

    Args:
        job: the name of its job run.
        now: the wall clock in epoch seconds.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        *,
        table: str,
        job: str,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._table, self._job = client, table, job
        self._now, self._monotonic = now, monotonic
        self._beaten = float("-inf")

    def beat(self) -> None:
        """Report that the job is ready, if due; a late report never shortens a newer one."""
        if self._monotonic() - self._beaten < EVERY_SECONDS:
            return
        now = int(self._now())
        self._update(
            "SET #job = :until, expires_at = :forgotten",
            "attribute_not_exists(#job) OR #job < :until",
            {":until": {"N": str(now + BELIEVED_SECONDS)}, ":forgotten": {"N": str(now + _FORGOTTEN_SECONDS)}},
        )
        self._beaten = self._monotonic()

    def end(self) -> None:
        """Report that the job takes no more requests."""
        self._update("REMOVE #job", "attribute_exists(#job)", {})

    def _update(self, update: str, condition: str, values: dict[str, Any]) -> None:
        arguments: dict[str, Any] = {"ExpressionAttributeValues": values} if values else {}
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"request_id": {"S": KEY}},
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames={"#job": self._job},
                **arguments,
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return  # up to date
