"""Step Functions: start executions, answer waiting tasks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

# The task has ended and the execution has gone on without the answer; not an error here.
_GONE = {"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"}


class Tasks:
    """Starts the origination process and answers its waiting tasks."""

    def __init__(self, client: SFNClient, origination_arn: str) -> None:
        self._client = client
        self._origination_arn = origination_arn

    def start(self, name: str, application_id: str, problem: str | None = None) -> bool:
        """Start the process; False if an execution of that name has ended, or runs with other input.

        Idempotent for the same input while the execution runs.

        Args:
            problem: why the firm must be asked for an authorisation first, if known.
        """
        given = {"application_id": application_id, **({"problem": problem} if problem else {})}
        return _started(self._client, self._origination_arn, name, given)

    def running(self, between_pages: Callable[[], None]) -> Iterator[str]:
        """Names of running executions; one started a moment ago may be missing."""
        pages = self._client.get_paginator("list_executions").paginate(
            stateMachineArn=self._origination_arn, statusFilter="RUNNING", PaginationConfig={"PageSize": 1000}
        )
        for number, page in enumerate(pages):
            if number:
                between_pages()
            yield from (execution["name"] for execution in page["executions"])

    def is_running(self, name: str) -> bool:
        arn = self._origination_arn.replace(":stateMachine:", ":execution:") + f":{name}"
        try:
            return self._client.describe_execution(executionArn=arn)["status"] in ("RUNNING", "PENDING_REDRIVE")
        except self._client.exceptions.ExecutionDoesNotExist:
            return False

    def succeed(self, token: str | None, output: Mapping[str, Any]) -> bool:
        """Complete a waiting task with `output`; False if it no longer waits."""
        return self._answer("send_task_success", token, output=json.dumps(dict(output)))

    def fail(self, token: str | None, error: str, cause: str = "") -> bool:
        """Fail a waiting task with the error's name; False if it no longer waits."""
        return self._answer("send_task_failure", token, error=error, cause=cause)

    def _answer(self, call: str, token: str | None, **arguments: str) -> bool:
        if not token:
            return False
        try:
            getattr(self._client, call)(taskToken=token, **arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                return False
            raise
        return True


class Process:
    """Starts executions of one state machine."""

    def __init__(self, client: SFNClient, arn: str) -> None:
        self._client, self._arn = client, arn

    def start(self, name: str, document: Mapping[str, Any]) -> bool:
        """Start an execution; False if one of that name has ended, or runs with other input.

        Idempotent for the same input while the execution runs.
        """
        return _started(self._client, self._arn, name, document)


def _started(client: SFNClient, arn: str, name: str, document: Mapping[str, Any]) -> bool:
    try:
        client.start_execution(stateMachineArn=arn, name=name, input=json.dumps(dict(document)))
    except client.exceptions.ExecutionAlreadyExists:
        return False
    return True
