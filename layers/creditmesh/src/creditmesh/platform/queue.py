"""The outbox's queues on SQS. They carry tickets only; messages stay encrypted in the table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from creditmesh.platform.deliveries import Ticket

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_BATCH = 10


def ticket(body: str) -> Ticket:
    return Ticket(**json.loads(body))


def _body(one: Ticket) -> str:
    return json.dumps(asdict(one))


@dataclass(frozen=True)
class DeliveryQueue:
    """The FIFO queue with one message group per lane, so that a blocked lane does not delay the others."""

    client: SQSClient
    url: str

    def enqueue(self, tickets: Mapping[str, Ticket]) -> Sequence[str]:
        """Enqueue tickets; repeats within five minutes are dropped by the queue.

        Args:
            tickets: by a name chosen by the caller.

        Returns:
            The names of those that the queue did not accept.
        """
        failed: list[str] = []
        names = list(tickets)
        for start in range(0, len(names), _BATCH):
            batch = names[start : start + _BATCH]
            entries: list[Any] = [
                {
                    "Id": str(number),
                    "MessageBody": _body(tickets[name]),
                    "MessageGroupId": tickets[name].lane,
                    "MessageDeduplicationId": f"{tickets[name].message_id}.{tickets[name].attempt}",
                }
                for number, name in enumerate(batch)
            ]
            answer = self.client.send_message_batch(QueueUrl=self.url, Entries=entries)
            failed += [batch[int(one["Id"])] for one in answer.get("Failed", [])]
        return failed


@dataclass(frozen=True)
class SqsRetryQueue:
    """The standard queue for retries, which delays single messages."""

    client: SQSClient
    retry_url: str

    def later(self, ticket: Ticket, seconds: int) -> None:
        """Enqueue the ticket again after `seconds`, at most 900."""
        self.client.send_message(QueueUrl=self.retry_url, MessageBody=_body(ticket), DelaySeconds=seconds)
