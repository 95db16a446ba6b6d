"""Records dead letters as failed events, so that they are listed and can be replayed."""

from __future__ import annotations

from functools import partial
from typing import Any

from creditmesh.failures.bootstrap import failed_events
from creditmesh.failures.dead_letters import failures
from creditmesh.platform.bootstrap import platform
from creditmesh.platform.failed_records import kept_batch
from creditmesh.platform.observability import LambdaContext, count, logger, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Record each; what cannot be read stays in its queue, whose alarm tells of it."""
    unread = []
    for message in event["Records"]:
        try:
            _record(message)
        except Exception as error:  # one bad message must not block its batch
            logger.error("dead letter not recorded", extra={"error": type(error).__name__})
            unread.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": unread}


def _record(message: dict[str, Any]) -> None:
    sent_ms = int(message["attributes"]["SentTimestamp"])
    found = failures(message, partial(kept_batch, platform().failed_records))
    if new := sum(failed_events().record(one, sent_ms) for one in found):
        count("FailedEvents", new)
