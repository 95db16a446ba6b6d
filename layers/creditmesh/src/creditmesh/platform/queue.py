"""The outbox's queues on SQS; they carry tickets only, what messages say stays sealed in the table."""

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
    """The ticket in a message's body."""
    return Ticket(**json.loads(body))


def _body(one: Ticket) -> str:
    return json.dumps(asdict(one))


@dataclass(frozen=True)
class DeliveryQueue:
    """The FIFO queue: a message group for each lane, so that a lane that is stuck holds up no other."""

    client: SQSClient
    url: str

    def enqueue(self, tickets: Mapping[str, Ticket]) -> Sequence[str]:
        """Hand tickets in; a repeat within five minutes is dropped by the queue.

        Args:
            tickets: by a name of the caller's.

        Returns:
            The names of those that the queue did not take.
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
    """The standard queue whose delays carry the backoff, which a FIFO queue has not; and the last resort."""

    client: SQSClient
    retry_url: str
    parked_url: str

    def later(self, ticket: Ticket, seconds: int) -> None:
        """Hand the ticket in again after `seconds`, at most 900."""
        self.client.send_message(QueueUrl=self.retry_url, MessageBody=_body(ticket), DelaySeconds=seconds)

    def park(self, message_id: str) -> None:
        """Keep for an operator to replay."""
        self.client.send_message(QueueUrl=self.parked_url, MessageBody=json.dumps({"message_id": message_id}))
