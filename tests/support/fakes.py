"""Fakes of what lies outside the process: Step Functions, institutions over HTTP, the retry queue."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from creditmesh.platform.deliveries import Ticket
from creditmesh.platform.http import Answer, InstitutionUnavailable

Respond = Callable[["Call"], Answer]


class _Gone(ClientError):
    def __init__(self, code: str, call: str) -> None:
        super().__init__({"Error": {"Code": code, "Message": "made up"}}, call)


class ExecutionAlreadyExists(_Gone):
    """As the real client's."""


class ExecutionDoesNotExist(_Gone):
    """As the real client's."""


class _Exceptions:
    ExecutionAlreadyExists = ExecutionAlreadyExists
    ExecutionDoesNotExist = ExecutionDoesNotExist


@dataclass
class FakeSteps:
    """Step Functions' client: keeps what it was told."""

    executions: dict[str, str] = field(default_factory=dict)
    """Name -> status."""
    inputs: dict[str, Any] = field(default_factory=dict)
    machines: dict[str, str] = field(default_factory=dict)
    """Name -> ARN of the state machine."""
    succeeded: dict[str, Any] = field(default_factory=dict)
    """Token -> output of tasks that were answered well."""
    failed: dict[str, str] = field(default_factory=dict)
    """Token -> error."""
    gone: set[str] = field(default_factory=set)
    """Tokens nobody waits for."""
    refuse: str | None = None
    """Error code that every call gives."""
    exceptions: type[_Exceptions] = _Exceptions
    listener: Callable[[str, str], None] | None = None
    """Told of each call, and of the machine, execution or token that it names."""

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, str]:
        """As on AWS, a repeat with the same input succeeds while the execution runs."""
        self._checked("StartExecution", stateMachineArn)
        given = json.loads(input)
        repeated = self.executions.get(name) == "RUNNING" and self.inputs.get(name) == given
        if name in self.executions and not repeated:
            raise ExecutionAlreadyExists("ExecutionAlreadyExists", "StartExecution")
        self.executions[name], self.inputs[name], self.machines[name] = "RUNNING", given, stateMachineArn
        return {"executionArn": f"{stateMachineArn}:{name}"}

    def get_paginator(self, operation: str) -> FakeSteps:
        assert operation == "list_executions"
        return self

    def paginate(
        self, *, stateMachineArn: str, statusFilter: str, PaginationConfig: Mapping[str, int]
    ) -> Iterator[dict[str, Any]]:
        """Pages of ListExecutions."""
        found = [
            {"name": name}
            for name, status in self.executions.items()
            if status == statusFilter and self.machines.get(name) == stateMachineArn
        ]
        size = PaginationConfig["PageSize"]
        for start in range(0, len(found) or 1, size):
            self._checked("ListExecutions", stateMachineArn)
            yield {"executions": found[start : start + size]}

    def describe_execution(self, *, executionArn: str) -> dict[str, str]:
        self._checked("DescribeExecution", executionArn)
        name = executionArn.rpartition(":")[2]
        if name not in self.executions:
            raise ExecutionDoesNotExist("ExecutionDoesNotExist", "DescribeExecution")
        return {"status": self.executions[name]}

    def send_task_success(self, *, taskToken: str, output: str) -> None:
        self._answer(taskToken, "SendTaskSuccess")
        self.succeeded[taskToken] = json.loads(output)

    def send_task_failure(self, *, taskToken: str, error: str, cause: str) -> None:
        self._answer(taskToken, "SendTaskFailure")
        self.failed[taskToken] = error

    def _answer(self, token: str, call: str) -> None:
        self._checked(call, token)
        if token in self.gone:
            raise _Gone("TaskTimedOut", call)
        self.gone.add(token)

    def _checked(self, call: str, resource: str) -> None:
        if self.listener:
            self.listener(call, resource)
        if self.refuse:
            raise _Gone(self.refuse, call)


@dataclass(frozen=True)
class Call:
    """One HTTP call an institution got."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class FakeHttp:
    """The institutions' side of `HttpClient`."""

    routes: dict[tuple[str, str], Respond] = field(default_factory=dict)
    """(method, start of the URL) -> what answers; the longest start that fits is asked."""
    calls: list[Call] = field(default_factory=list)

    def answer(self, method: str, url: str, status: int, document: Any = None) -> None:
        """Answer from now on with a JSON document."""
        body = json.dumps(document, ensure_ascii=False).encode()
        self.routes[method, url] = lambda call: Answer(status, body)

    def fail(self, method: str, url: str, error: Exception) -> None:
        """Fail from now on."""

        def respond(call: Call) -> Answer:
            raise error

        self.routes[method, url] = respond

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        is_answer: Callable[[Answer], bool] = lambda _: True,
        **limits: Any,
    ) -> Answer:
        """As `HttpClient.call`; time and size are no matter here."""
        call = Call(method, url, dict(headers), body or b"")
        self.calls.append(call)
        fitting = [start for verb, start in self.routes if verb == method and url.startswith(start)]
        assert fitting, f"nobody answers {method} {url} in this test"
        answer = self.routes[method, max(fitting, key=len)](call)
        if not is_answer(answer):
            raise InstitutionUnavailable("answered", status=answer.status)
        return answer

    def to(self, start: str) -> list[Call]:
        """The calls whose URL starts so."""
        return [call for call in self.calls if call.url.startswith(start)]


@dataclass
class FakeQueue:
    """The retry queue: keeps what it was told."""

    delays: list[tuple[Ticket, int]] = field(default_factory=list)

    def later(self, ticket: Ticket, seconds: int) -> None:
        self.delays.append((ticket, seconds))
