"""Everything but DynamoDB items, executions and S3 objects: written soon after it changes.

Upstream writes the state of its services once, at an orderly end, and puts whole layer archives and all log events
into it. We write each service whose state changed, within CREDITMESH_SNAPSHOT_SECONDS of the change (at once for users,
secrets, keys and parameters), off the request path, at most about a twentieth of the time; layers go to files of their
own, and log events and metrics, which only grow, are not kept.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from pathlib import Path
from typing import Any

from cloud import gateway
from cloud.config import Config
from cloud.upstream import app, dynamodb, lambda_svc, persistence

logger = logging.getLogger("cloud.snapshots")

_SKIPPED = {"cloudwatch"}
_READ_ACTIONS = ("Get", "Describe", "List", "Query", "Scan", "BatchGet", "TransactGet", "Head", "Filter")
_STATELESS = ("PutEvents", "Encrypt", "Decrypt", "ReEncrypt", "Generate", "Verify", "Sign", "HEAD", "OPTIONS", "GET")
_JOURNALLED = ("dynamodb", "states")  # of these only definitions are saved here
_DEFINITIONS = ("Table", "StateMachine", "TimeToLive", "ContinuousBackups", "Tag")
_URGENT = {"cognito-idp", "secretsmanager", "ssm", "kms", "lambda", "s3", "scheduler"}
_BY_THEMSELVES = {"sqs", "scheduler"}  # change without a call: deliveries, visibility, schedules that fire
_IDLE_SECONDS = 5.0
_STACK_SECONDS = 60.0  # a stack goes on changing all services after the call that began it
_SETTLE_SECONDS = 0.1  # a call of the long way is noted before it is done
_BUSY_SHARE = 20  # pause at least this many times as long as a snapshot took
_stop = threading.Event()
_saver: list[Saver] = []


def changes_state(service: str, action: str, path: str) -> bool:
    """Whether a call can have changed what a snapshot holds."""
    if not service or action.startswith(_READ_ACTIONS + _STATELESS):
        return False
    if service in _JOURNALLED:
        return any(name in action for name in _DEFINITIONS)
    if service == "lambda":
        return not path.split("?")[0].endswith("/invocations")
    if service == "s3":  # objects lie on disk already; buckets and their settings do not
        return len(path.split("?")[0].strip("/").split("/")) == 1
    return service not in ("execute-api", "emr-serverless")


class Saver:
    """Writes changed services; one thread."""

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._digests: dict[str, bytes] = {}
        self._touched: set[str] = set()
        self._all_until = 0.0
        self._changed = threading.Event()
        self._urgent = threading.Event()
        self._lock = threading.Lock()

    def note(self, service: str, action: str, path: str) -> None:
        """A call came in; called on the request path."""
        if changes_state(service, action, path):
            self._touched.add(service)
            if service == "cloudformation":
                self._all_until = time.monotonic() + _STACK_SECONDS
            self._changed.set()
            if service in _URGENT:
                self._urgent.set()

    def run(self) -> None:
        """Save after changes until the end."""
        while not _stop.is_set():
            stack_at_work = time.monotonic() < self._all_until
            if self._changed.wait(self._pause if stack_at_work else _IDLE_SECONDS):
                self._urgent.wait(self._pause)
                _stop.wait(_SETTLE_SECONDS)
            self._changed.clear()
            self._urgent.clear()
            touched, self._touched = self._touched, set()
            started = time.monotonic()
            self.save(None if stack_at_work else _state_keys(touched))
            took = time.monotonic() - started
            logger.info("looked for changed state in %.0f ms", took * 1000)
            _stop.wait(took * _BUSY_SHARE)

    def save(self, names: set[str] | None = None) -> None:
        """Write those of the named services, or of all, whose state is not what was last written."""
        with self._lock:
            for name, get_state in app._build_persistence_save_dict().items():
                if name in _SKIPPED or (names is not None and name not in names):
                    continue
                try:
                    self._save_service(name, get_state)
                except RuntimeError:  # a dictionary changed under the encoder; the next round finds it at rest
                    self._touched.add(name)
                    self._changed.set()

    def _save_service(self, name: str, get_state: Any) -> None:
        state = get_state()
        if state is None:
            return
        document = {"__ministack_format__": persistence._state_format_version(name), "payload": state}
        data = json.dumps(document, default=persistence._json_default).encode()
        digest = hashlib.blake2b(data).digest()
        if self._digests.get(name) == digest:
            return
        folder = Path(persistence.STATE_DIR)
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{name}.json.part"
        part.write_bytes(data)
        part.replace(folder / f"{name}.json")
        self._digests[name] = digest


def _state_keys(services: set[str]) -> set[str] | None:
    """The persistence keys behind services; None, which is all, after CloudFormation or an unknown service."""
    keys = set(_BY_THEMSELVES)
    for service in services:
        entry = app.SERVICE_REGISTRY.get(service) or app.SERVICE_REGISTRY.get(app.SERVICE_NAME_ALIASES.get(service, ""))
        if entry is None or service == "cloudformation":
            return None
        keys |= {entry.get("state_key", entry["module"]), *entry.get("sub_modules", ())}
    return keys


def apply(config: Config) -> None:
    """Start saving, and make the two large states small."""
    _externalise_layers(config.state_dir / "layers")
    _log_groups_without_events()
    saver = Saver(config.snapshot_seconds)
    _saver.append(saver)
    gateway.listeners.append(saver.note)
    app.save_all = lambda _services: None  # the last save is ours, in close()
    upstream_load = app._load_persisted_state

    def load() -> None:
        upstream_load()
        _forget_stream_positions()
        threading.Thread(target=saver.run, name="cloud-snapshots", daemon=True).start()

    app._load_persisted_state = load


def close() -> None:
    """Save for the last time."""
    _stop.set()
    for saver in _saver:
        saver.save()


def _externalise_layers(folder: Path) -> None:
    upstream_state, upstream_restore = lambda_svc.get_state, lambda_svc._restore_state

    def get_state() -> Any:
        state = upstream_state()
        folder.mkdir(parents=True, exist_ok=True)
        for layer in state["layers"]._data.values():
            for version in layer.get("versions", []):
                archive = version.get("_zip_data")
                if isinstance(archive, bytes):
                    version["_zip_data"] = {"file": _keep(folder, archive, version)}
        return state

    def restore(data: Any) -> None:
        for layer in (data["layers"]._data if data else {}).values():
            for version in layer.get("versions", []):
                if isinstance(version.get("_zip_data"), dict):
                    version["_zip_data"] = (folder / version["_zip_data"]["file"]).read_bytes()
        upstream_restore(data)

    lambda_svc.get_state, lambda_svc._restore_state = get_state, restore


def _keep(folder: Path, archive: bytes, version: dict[str, Any]) -> str:
    digest = (version.get("Content") or {}).get("CodeSha256") or hashlib.sha256(archive).hexdigest()
    name = digest.replace("/", "_").replace("=", "") + ".zip"
    if not (folder / name).exists():
        part = folder / f"{name}.part"
        part.write_bytes(archive)
        part.replace(folder / name)
    return name


def _log_groups_without_events() -> None:
    logs = app._get_module("cloudwatch_logs")

    def get_state() -> dict[str, Any]:
        """Groups and their settings; streams and events are not kept."""
        groups = type(logs._log_groups)()
        for key, group in logs._log_groups.all_items():
            groups._data[key] = {**group, "streams": {}}
        names = ("destinations", "resource_policies", "metric_filters", "log_group_policies")
        return {"log_groups": groups, **{name: getattr(logs, f"_{name}") for name in names}}

    logs.get_state = get_state


def _forget_stream_positions() -> None:
    """Stream records die with the process, so old positions would lie beyond the end and stop the mapping for ever."""
    lambda_svc._dynamodb_stream_positions.clear()
    dynamodb._stream_records.clear()
