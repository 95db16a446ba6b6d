"""AWS services in memory: boto3 clients whose calls end in this process; the rest of boto3 is the real one."""

from __future__ import annotations

from threading import RLock
from typing import Any

import boto3


class Refused(Exception):
    """The service answers with an error.

    Attributes:
        code: the error's name.
        more: what the answer holds besides.
    """

    def __init__(self, code: str, message: str, status: int = 400, **more: Any) -> None:
        super().__init__(message)
        self.code, self.status, self.more = code, status, more


class Service:
    """What a client's calls do; a method `_PutItem` is the operation `PutItem`. Calls do not overlap.

    Attributes:
        client: the boto3 client; who listens to its calls is told by `before-parameter-build`.
    """

    name: str

    def __init__(self, region: str) -> None:
        self.client: Any = boto3.client(  # type: ignore[call-overload]
            self.name, region_name=region, aws_access_key_id="test", aws_secret_access_key="test"
        )
        self.client._make_api_call, self.client.behind = self._call, self
        self._lock = RLock()

    def _call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        meta = self.client.meta
        model = meta.service_model.operation_model(operation)
        event = f"before-parameter-build.{self.name}.{operation}"
        meta.events.emit(event, params=arguments, model=model, context={})
        try:
            with self._lock:
                answer: dict[str, Any] = getattr(self, f"_{operation}")(**arguments)
        except Refused as refused:
            error = {
                "Error": {"Code": refused.code, "Message": str(refused)},
                "ResponseMetadata": {"HTTPStatusCode": refused.status},
                **refused.more,
            }
            raise self.client.exceptions.from_code(refused.code)(error, operation) from None
        return answer
