"""The outbox's retry queue and its last resort, on SQS."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_DELAY_SECONDS = 900


@dataclass(frozen=True)
class SqsRetryQueue:
    """Messages carry an id only; what they say stays sealed in the outbox."""

    client: SQSClient
    retry_url: str
    parked_url: str

    def later(self, message_id: str, seconds: int) -> None:
        """Deliver again after `seconds`."""
        body = json.dumps({"message_id": message_id})
        self.client.send_message(
            QueueUrl=self.retry_url, MessageBody=body, DelaySeconds=min(seconds, MAX_DELAY_SECONDS)
        )

    def park(self, message_id: str) -> None:
        """Keep for an operator to replay."""
        self.client.send_message(QueueUrl=self.parked_url, MessageBody=json.dumps({"message_id": message_id}))
