"""Runs a Lambda invocation on a pooled worker and answers in the form that MiniStack expects."""

from __future__ import annotations

import contextvars
import threading
import time
from typing import Any

from cloud.artefacts import Unpacked, python_paths
from cloud.config import Config
from cloud.lambda_pool import Busy, WorkerPool
from cloud.lambda_worker_process import StartFailed, Worker, WorkerDied, Zygote
from cloud.mends import usage
from cloud.upstream import lambda_runtime, lambda_svc

Key = tuple[str, str, str, str]
_TURN_SECONDS = 300.0  # how long a call waits for a worker
_STARTS = 2  # attempts to start a worker: the zygote may have been killed meanwhile


class Executor:
    """All zygotes and workers of the emulator."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._unpacked = Unpacked(config.state_dir / "unpacked")
        self.pool = WorkerPool(config.max_workers, config.max_workers_per_function)
        self._zygotes: dict[tuple[str, ...], Zygote] = {}
        self._prepared: set[str] = set()
        self._lock = threading.Lock()

    def execute(self, func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        """Run one invocation; returns MiniStack's result: ``body``, ``log`` and, if it failed, ``error``."""
        config = func.get("config") or func
        timeout = float(config.get("Timeout", 3))
        key = _key(config)
        try:
            worker = self.pool.lease(key, lambda: self._start(func, config), max(timeout, _TURN_SECONDS))
        except Busy:
            return dict(
                lambda_svc._throttle_response(
                    "ConcurrentInvocationLimitExceeded", "Rate Exceeded: no worker became free"
                )
            )
        except StartFailed as failure:
            return {"body": {**failure.document, "requestId": request_id}, "error": True, "log": failure.log}
        except WorkerDied:
            return {"body": _exit_error(request_id), "error": True, "log": ""}
        return self._call(key, worker, config, event, request_id, timeout)

    def prepare(self, layers: list[Any]) -> None:
        """Unpack a function's layers and start the parent of its workers, in the background."""
        if layers and str(layers) not in self._prepared:
            self._prepared.add(str(layers))
            prepare = contextvars.copy_context().run
            threading.Thread(target=prepare, args=(self._zygote_of, {"Layers": layers}), daemon=True).start()

    def _call(
        self, key: Key, worker: Worker, config: dict[str, Any], event: Any, request_id: str, timeout: float
    ) -> dict[str, Any]:
        invocation = {
            "event": event, "request_id": request_id, "arn": config.get("FunctionArn", ""), "timeout": timeout,
            "trace_id": lambda_svc._xray_trace_id_for_invocation(config),
        }  # fmt: skip
        healthy, began = False, time.monotonic()
        try:
            answer = worker.call(invocation, timeout)
            healthy = not answer.get("fatal")
        except TimeoutError:
            answer = {"status": "error", "document": _timed_out(request_id, timeout)}
        except WorkerDied:
            answer = {"status": "error", "document": _exit_error(request_id)}
        wall_ms, log = (time.monotonic() - began) * 1000, worker.take_log()
        self.pool.release(key, worker, healthy)
        usage.note_invocation(key[2], int(config.get("MemorySize", 128)), wall_ms, answer.get("cpu_ms", wall_ms), log)
        if answer["status"] == "ok":
            return {"body": answer["result"], "log": log}
        return {"body": answer["document"], "error": True, "function_error": "Unhandled", "log": log}

    def _start(self, func: dict[str, Any], config: dict[str, Any]) -> Worker:
        code = self._unpacked.directory(func["code_zip"], config.get("CodeSha256"))
        layers = self._layers(config)
        settings = {
            "code_dir": code, "paths": layers, "handler": config.get("Handler", ""),
            "function_name": config.get("FunctionName", ""), "version": config.get("Version", "$LATEST"),
            "memory": config.get("MemorySize", 128), "environment": self._environment(config, code),
        }  # fmt: skip
        for attempt in range(_STARTS):
            zygote = self._zygote(layers)
            try:
                return zygote.fork(settings)
            except WorkerDied:
                if zygote.alive() or attempt + 1 == _STARTS:
                    raise
        raise WorkerDied

    def _layers(self, config: dict[str, Any]) -> list[str]:
        """The layers' directories on the function's path."""
        paths: list[str] = []
        for layer in config.get("Layers", []):
            archive = lambda_svc._resolve_layer_zip(layer)
            if archive:
                paths += python_paths(self._unpacked.directory(archive, _layer_sha256(layer)))
        return paths

    def _zygote_of(self, config: dict[str, Any]) -> Zygote:
        return self._zygote(self._layers(config))

    def _zygote(self, layers: list[str]) -> Zygote:
        with self._lock:
            zygote = self._zygotes.get(tuple(layers))
            if zygote is None or not zygote.alive():
                zygote = Zygote(self._config.lambda_python, layers, self._config.preload)
                self._zygotes[tuple(layers)] = zygote
            return zygote

    def _environment(self, config: dict[str, Any], code: str) -> dict[str, str]:
        """What Lambda sets, this emulator's endpoint, and the function's own variables."""
        name, region = config.get("FunctionName", ""), config["FunctionArn"].split(":")[3]
        log = lambda_svc_log_group(config)
        own = (config.get("Environment") or {}).get("Variables") or {}
        fixed = {
            "AWS_REGION": region, "AWS_DEFAULT_REGION": region, **lambda_runtime.execution_credentials(config),
            "AWS_LAMBDA_FUNCTION_NAME": name, "AWS_LAMBDA_FUNCTION_VERSION": config.get("Version", "$LATEST"),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
            "AWS_LAMBDA_LOG_GROUP_NAME": log,
            "AWS_LAMBDA_LOG_STREAM_NAME": f"local/[{config.get('Version', '$LATEST')}]",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{config.get('Runtime', '')}",
            "LAMBDA_TASK_ROOT": code, "LAMBDA_RUNTIME_DIR": "/var/runtime", "_HANDLER": config.get("Handler", ""),
        }  # fmt: skip
        defaults = {
            "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "en_US.UTF-8", "TZ": ":UTC",
            "AWS_ENDPOINT_URL": self._config.endpoint,
        }  # fmt: skip
        return {**defaults, **{key: str(value) for key, value in own.items()}, **fixed}

    def forget(self, name: str, account: str | None = None, region: str | None = None) -> None:
        """End the idle workers of a changed or deleted function."""
        self.pool.forget(
            lambda key: (
                isinstance(key, tuple) and key[2] == name and account in (None, key[0]) and region in (None, key[1])
            )
        )

    def close(self) -> None:
        """End every zygote and, with it, its workers."""
        for zygote in self._zygotes.values():
            zygote.stop()
        self._zygotes.clear()


def lambda_svc_log_group(config: dict[str, Any]) -> str:
    """The function's log group: that of its logging configuration, or the default one."""
    return (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config.get('FunctionName', '')}"


def _key(config: dict[str, Any]) -> Key:
    _, _, _, region, account, *_ = config["FunctionArn"].split(":")
    edition = f"{config.get('Version', '$LATEST')}:{config.get('RevisionId', '')}:{config.get('CodeSha256', '')}"
    return account, region, config.get("FunctionName", ""), edition


def _layer_sha256(layer: str | dict[str, Any]) -> str | None:
    arn = layer if isinstance(layer, str) else layer.get("Arn", "")
    name, _, version = arn.partition(":layer:")[2].partition(":")
    _, _, _, region, account, *_ = arn.split(":")
    found, _ = lambda_svc._find_layer_version(name, int(version), account, region, include_deleted=True)
    return ((found or {}).get("Content") or {}).get("CodeSha256")


def _timed_out(request_id: str, timeout: float) -> dict[str, Any]:
    return {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds",
    }


def _exit_error(request_id: str) -> dict[str, Any]:
    return {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {request_id} Error: Runtime exited without providing a reason",
    }
