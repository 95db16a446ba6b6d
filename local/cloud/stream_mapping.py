"""One event source mapping from a DynamoDB stream to a Lambda function: batches, retries, bisection, failure records.

Follows the Lambda Developer Guide ("Process DynamoDB records with Lambda"): order is kept; a failing batch is retried
until MaximumRetryAttempts or MaximumRecordAgeInSeconds; BisectBatchOnFunctionError halves it; ReportBatchItemFailures
continues at the first failed record; abandoned records go to the OnFailure destination.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from cloud.failed_batches import report
from cloud.upstream import app, dynamodb, lambda_svc, responses

_LOOK_SECONDS = 1.0
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
_KEPT_RECORDS = 2000

operations = threading.RLock()
"""Held by each write to DynamoDB, so that readers of a stream see all records of a transaction or none."""

Key = tuple[str, str, str]  # account, region, mapping id


class StreamMapping:
    """The thread of one mapping; it ends when the mapping is deleted."""

    def __init__(self, key: Key, table: str) -> None:
        self.key = key
        self.table = table
        self.wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"stream-{table}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wants(self, record: dict[str, Any]) -> bool:
        """Whether a record must wake the thread; it reads, and filters out, other records in time."""
        mapping = lambda_svc._esms.get(self.key[2])
        return not self.wake.is_set() and bool(mapping and lambda_svc._apply_filter_criteria([record], mapping))

    def _run(self) -> None:
        account, region, number = self.key
        responses._request_account_id.set(account)
        responses._request_region.set(region)
        while (mapping := lambda_svc._esms.get(number)) is not None:
            self.wake.clear()
            try:
                busy = self._deliver_next(mapping)
            except Exception:  # the thread must survive; the next round retries
                app.logger.exception("stream mapping of %s", self.table)
                busy = False
            if not busy:
                self.wake.wait(_LOOK_SECONDS)

    def _deliver_next(self, mapping: dict[str, Any]) -> bool:
        function, _ = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
        table = dynamodb._tables.get(self.table)
        if not mapping.get("Enabled", True) or function is None or not table:
            return False
        if table.get("LatestStreamArn") != mapping["EventSourceArn"]:
            return False
        position = self._position(mapping)
        records = self._collect(mapping, position)
        if not records:
            return False
        wanted = lambda_svc._apply_filter_criteria(records, mapping)
        if wanted:
            self._deliver(mapping, function, wanted)
        self._advance(position + len(records))
        return True

    def _position(self, mapping: dict[str, Any]) -> int:
        positions, number = lambda_svc._dynamodb_stream_positions, self.key[2]
        with lambda_svc._dynamodb_stream_positions_lock:
            if number not in positions:
                start = dynamodb.stream_start_position(self.table)
                newest = mapping.get("StartingPosition", "LATEST") != "TRIM_HORIZON"
                positions[number] = dynamodb.stream_end_position(self.table) if newest else start
            return max(int(positions[number]), int(dynamodb.stream_start_position(self.table)))

    def _collect(self, mapping: dict[str, Any], position: int) -> list[Any]:
        """The next batch: full, or as large as it gets within MaximumBatchingWindowInSeconds."""
        size = int(mapping.get("BatchSize") or 100)
        deadline = None
        while True:
            with operations:
                records: list[Any] = dynamodb.stream_records_since(self.table, position, size)
            window = float(mapping.get("MaximumBatchingWindowInSeconds") or 0)
            if not records or len(records) >= size or not window:
                return records
            deadline = deadline or time.monotonic() + window
            if (left := deadline - time.monotonic()) <= 0:
                return records
            self.wake.set()  # do not wait for a wake-up
            time.sleep(min(left, _LOOK_SECONDS / 10))

    def _advance(self, position: int) -> None:
        with lambda_svc._dynamodb_stream_positions_lock:
            lambda_svc._dynamodb_stream_positions[self.key[2]] = position

    def _deliver(self, mapping: dict[str, Any], function: dict[str, Any], batch: list[Any], attempt: int = 0) -> None:
        while batch:
            failed_at, result = self._invoke(mapping, function, batch)
            if failed_at is None:
                mapping["LastProcessingResult"] = f"OK - {len(batch)} records"
                return
            mapping["LastProcessingResult"] = "FAILED"
            if failed_at > 0:
                batch, attempt = batch[failed_at:], 0  # earlier records are done
            if reason := self._given_up(mapping, batch, attempt):
                report(mapping, function, batch, result, reason)
                return
            attempt += 1
            if mapping.get("BisectBatchOnFunctionError") and len(batch) > 1 and failed_at == 0:
                middle = len(batch) // 2
                self._deliver(mapping, function, batch[:middle], attempt)
                batch = batch[middle:]
                continue
            time.sleep(min(_FIRST_PAUSE * 2.0 ** (attempt - 1), _LONGEST_PAUSE))

    @staticmethod
    def _given_up(mapping: dict[str, Any], batch: list[Any], attempt: int) -> str | None:
        most = mapping.get("MaximumRetryAttempts")
        if most is not None and int(most) >= 0 and attempt >= int(most):
            return "RetryAttemptsExhausted"
        age = mapping.get("MaximumRecordAgeInSeconds")
        if age is not None and int(age) > 0:
            oldest = min(float(record["dynamodb"]["ApproximateCreationDateTime"]) for record in batch)
            if time.time() - oldest > int(age):
                return "MaxRecordAgeExceeded"
        return None

    @staticmethod
    def _invoke(
        mapping: dict[str, Any], function: dict[str, Any], batch: list[Any]
    ) -> tuple[int | None, dict[str, Any]]:
        """Index of the first failed record (0 if the whole batch failed), or None; and the invocation's result."""
        result = lambda_svc._execute_function(function, {"Records": batch})
        if result.get("error"):
            return 0, result
        if "ReportBatchItemFailures" not in (mapping.get("FunctionResponseTypes") or []):
            return None, result
        body = result.get("body")
        failures = body.get("batchItemFailures") if isinstance(body, dict) else None
        if not failures:
            return None, result
        named = {failure.get("itemIdentifier") for failure in failures}
        places = [place for place, record in enumerate(batch) if record["dynamodb"]["SequenceNumber"] in named]
        return (min(places) if len(places) == len(named) else 0), result


def trim(table: str) -> None:
    """Drop records that every mapping of the table has passed, except the newest ones."""
    records = dynamodb._stream_records.get(table)
    if not records or len(records) <= 2 * _KEPT_RECORDS:
        return
    passed = [
        int(lambda_svc._dynamodb_stream_positions.get(mapping["UUID"], 0))
        for mapping in lambda_svc._esms.values()
        if f":table/{table}/stream/" in mapping.get("EventSourceArn", "")
    ]
    start = dynamodb._stream_trimmed.get(table, 0)
    spare = min(min(passed, default=start + len(records)) - start, len(records) - _KEPT_RECORDS)
    if spare > 0:
        del records[:spare]
        dynamodb._stream_trimmed[table] = start + spare
