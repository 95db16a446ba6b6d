"""DynamoDB streams to Lambda: delivered at once and independently, with all failure settings of the mapping.

Upstream polls all mappings of all sources from one thread, so that one slow function delays all others, pauses 50 ms
after a wake for another table, retries a failing batch for ever whatever MaximumRetryAttempts says, and lacks
BisectBatchOnFunctionError and ReportBatchItemFailures. It keeps each record for 24 hours, and writes of Step Functions'
threads can come between the condition and the write of another operation.

Each mapping has its own thread (``cloud.stream_mapping``), woken by the write. Records are dropped once every mapping
has passed them. Writes are serialised.
"""

from __future__ import annotations

import functools
import threading
from typing import Any

from cloud.config import Config
from cloud.stream_mapping import Key, StreamMapping, operations, trim
from cloud.upstream import dynamodb, lambda_svc, responses

_TRIM_EVERY = 500  # writes to a table
_WRITES = (
    "_put_item", "_update_item", "_delete_item", "_transact_write_items", "_batch_write_item", "_execute_statement",
    "_batch_execute_statement", "_execute_transaction",
)  # fmt: skip


class _Mappings:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Key, StreamMapping] = {}
        self._seen = 0
        self._writes = 0

    def look(self) -> None:
        """Start a thread for every new mapping; drop those of deleted ones."""
        with self._lock:
            present = lambda_svc._esms._data
            self._seen = len(present)
            for key in [key for key in self._known if key not in present]:
                self._known.pop(key).wake.set()
            for key, mapping in list(present.items()):
                source = mapping.get("EventSourceArn", "")
                if key not in self._known and ":dynamodb:" in source:
                    self._known[key] = StreamMapping(key, source.split(":table/")[1].split("/")[0])
                    self._known[key].start()

    def written(self, table: str) -> None:
        """Wake the mappings of the caller's account and region that want the table's newest record."""
        if self._seen != len(lambda_svc._esms._data):
            self.look()
        records = dynamodb._stream_records.get(table)
        if not records:
            return
        scope = (responses.get_account_id(), responses.get_region())
        for key, mapping in list(self._known.items()):
            if mapping.table == table and key[:2] == scope and mapping.wants(records[-1]):
                mapping.wake.set()
        self._writes += 1
        if self._writes % _TRIM_EVERY == 0:
            trim(table)


def apply(_config: Config) -> None:
    """Take DynamoDB streams out of upstream's poller; serialise writes."""
    for name in _WRITES:
        setattr(dynamodb, name, _alone(getattr(dynamodb, name)))
    mappings = _Mappings()
    upstream_emit, upstream_ensure = dynamodb._emit_stream_event, lambda_svc._ensure_poller

    def emit(table: str, *arguments: Any, **named: Any) -> None:
        upstream_emit(table, *arguments, **named)
        mappings.written(table)

    def ensure() -> None:
        upstream_ensure()
        mappings.look()

    dynamodb._emit_stream_event = emit
    dynamodb.esm_wake = threading.Event()  # upstream's poller must not read streams
    lambda_svc._ensure_poller = ensure
    lambda_svc._poll_dynamodb_streams = lambda: False


def _alone(upstream: Any) -> Any:
    @functools.wraps(upstream)
    def run(*arguments: Any, **named: Any) -> Any:
        with operations:
            return upstream(*arguments, **named)

    return run
