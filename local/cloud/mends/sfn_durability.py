"""Executions: a start and an end that were acknowledged survive a kill; what ran comes back as failed.

Upstream keeps executions, with every event of their history, in memory for ever and writes them once, at an orderly
end; after a kill a name could be used a second time.

We journal each start before its answer leaves and each end, rebuild the executions at start (those without an end as
FAILED with ``States.ServiceRestart``, as upstream itself does after an orderly restart, announced on the event bus as
any other end), and keep the full history of the last thousand finished executions only.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from typing import Any

from cloud.config import Config
from cloud.executions import deadlines
from cloud.journal import Journal
from cloud.upstream import app, responses
from cloud.upstream import stepfunctions as sf

_KEPT_HISTORIES = 1000
_ANNOUNCED_AFTER_SECONDS = 0.5  # what hears of it must be able to reach us
_COMPACT_BYTES = 8 * 1024 * 1024
_START = ("executionArn", "stateMachineArn", "name", "startDate", "input")
_END = ("status", "stopDate", "output", "error", "cause")


def apply(config: Config) -> None:
    """Wrap start, end, state and restore."""
    journal = Journal(config.state_dir / "stepfunctions", "executions", config.journal_segments)
    finished: deque[dict[str, Any]] = deque()
    _wrap_start(journal)
    _wrap_end(journal, finished)
    _wrap_state(journal)


def _scope() -> list[str]:
    return [responses.get_account_id(), responses.get_region()]


def _wrap_start(journal: Journal) -> None:
    upstream = sf._start_execution

    def start(data: dict[str, Any]) -> Any:
        answer = upstream(data)
        if answer[0] == 200:
            execution = sf._executions[json.loads(answer[2])["executionArn"]]
            journal.append(["start", *_scope(), {name: execution[name] for name in _START}])
        return answer

    sf._start_execution = start


def _wrap_end(journal: Journal, finished: deque[dict[str, Any]]) -> None:
    upstream_emit = sf._emit_execution_status_event

    def emit(execution: dict[str, Any]) -> None:
        """Upstream calls this at every change of status."""
        if execution["status"] != "RUNNING" and "mapRunArn" not in execution:
            outcome = {name: execution.get(name) for name in _END}
            journal.append(["end", *_scope(), execution["executionArn"], outcome])
            finished.append(execution)
            if len(finished) > _KEPT_HISTORIES:
                old = finished.popleft()
                old["events"] = [old["events"][0], old["events"][-1]]
        upstream_emit(execution)

    sf._emit_execution_status_event = emit


def _wrap_state(journal: Journal) -> None:
    upstream_load = app._load_persisted_state

    def get_state() -> dict[str, Any]:
        """Definitions only; the journal holds executions."""
        names = ("state_machines", "tags", "activities", "state_machine_versions", "state_machine_aliases")
        return {name: getattr(sf, f"_{name}") for name in names}

    def load() -> None:
        upstream_load()
        early: dict[tuple[str, ...], dict[str, Any]] = {}
        for record in journal.replay():
            _replay(record, early)
        broken: list[tuple[str, str, dict[str, Any]]] = []
        for key, execution in sf._executions.all_items():
            if execution["status"] == "RUNNING":
                execution.update(
                    status="FAILED", stopDate=responses.now_iso(), error="States.ServiceRestart",
                    cause="Execution was running when service restarted",
                )  # fmt: skip
                broken.append((*key[:2], execution))
        deadlines.call_in(_ANNOUNCED_AFTER_SECONDS, lambda: _announce(broken))
        if journal.wants_compaction(_COMPACT_BYTES):
            journal.replace_base(_base_records(), journal.rotate())

    upstream_reset = app._reset_all_state

    def reset() -> None:
        upstream_reset()
        journal.replace_base((), journal.rotate())

    sf.get_state, app._load_persisted_state, app._reset_all_state = get_state, load, reset


def _announce(broken: list[tuple[str, str, dict[str, Any]]]) -> None:
    """Journal and publish the end of executions that a restart broke off."""

    def announce() -> None:
        for account, region, execution in broken:
            responses.set_request_account_id(account)
            responses.set_request_region(region)
            sf._emit_execution_status_event(execution)

    if broken:
        threading.Thread(target=announce, name="cloud-broken-executions", daemon=True).start()


def _base_records() -> Any:
    for key, execution in sf._executions.all_items():
        yield ["start", *key[:2], {name: execution[name] for name in _START}]
        yield ["end", *key[:2], execution["executionArn"], {name: execution.get(name) for name in _END}]


def _replay(record: list[Any], early: dict[tuple[str, ...], dict[str, Any]]) -> None:
    """Take up one record; the end of a very short execution may stand before its start."""
    kind, account, region, *rest = record
    if kind == "start":
        started = rest[0]
        event = {"id": 1, "type": "ExecutionStarted", "timestamp": started["startDate"]}
        sf._executions._data[(account, region, started["executionArn"])] = {
            **started, "status": "RUNNING", "stopDate": None, "output": None, "error": None, "cause": None,
            "inputDetails": {"included": True}, "outputDetails": {"included": True}, "events": [event],
            "testCase": "", "mockAttempts": {}, "encryptionConfiguration": sf._default_encryption(),
            **early.pop((account, region, started["executionArn"]), {}),
        }  # fmt: skip
    elif (account, region, rest[0]) in sf._executions._data:
        sf._executions._data[(account, region, rest[0])].update(rest[1])
    else:
        early[(account, region, rest[0])] = rest[1]
