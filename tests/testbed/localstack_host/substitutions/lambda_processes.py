"""Lambda without containers: LocalStack's runtime executor starts one of our worker processes per environment.

LocalStack decides when an environment is started, reused and stopped; code and layers are the archives that were
uploaded, unpacked. The interpreter is this machine's, not Lambda's, and memory is not limited.
"""

from __future__ import annotations

import json
import threading
from typing import Any

from cloud.artefacts import python_paths
from cloud.lambda_worker_process import StartFailed, Worker, WorkerDied, Zygote
from localstack_host import upstream
from localstack_host.config import Config


class Zygotes:
    """One parent process per set of layers, shared by all functions that have it."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._known: dict[tuple[str, ...], Zygote] = {}

    def fork(self, layers: list[str], settings: dict[str, Any]) -> Worker:
        """Start a worker; raises what ``Zygote.fork`` raises."""
        with self._lock:
            zygote = self._known.get(tuple(layers))
            if zygote is None or not zygote.alive():
                zygote = self._known[tuple(layers)] = Zygote(self._config.lambda_python, layers, self._config.preload)
        return zygote.fork(settings)


def worker_settings(function_version: Any, environment: dict[str, Any], code: str, layers: list[str]) -> dict[str, Any]:
    """What a worker is told about the function it runs."""
    config, identity = function_version.config, function_version.id
    own = {
        "LAMBDA_TASK_ROOT": code, "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "en_US.UTF-8",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config.runtime}",
    }  # fmt: skip
    return {
        "code_dir": code, "paths": layers, "handler": config.handler, "function_name": identity.function_name,
        "version": identity.qualifier, "memory": config.memory_size,
        "environment": {name: str(value) for name, value in {**environment, **own}.items()},
    }  # fmt: skip


class Processes:
    """The part of an executor that knows nothing of LocalStack's classes: one worker, brought back after it died."""

    def __init__(self, zygotes: Zygotes, layers: list[str], settings: dict[str, Any]) -> None:
        self._zygotes, self._layers, self._settings = zygotes, layers, settings
        self._worker: Worker | None = None

    def start(self) -> None:
        """Start the worker; raises StartFailed or WorkerDied."""
        self._worker = self._zygotes.fork(self._layers, self._settings)

    def stop(self) -> None:
        """End it."""
        if self._worker is not None:
            self._worker.kill()
            self._worker = None

    def call(self, event: Any, request_id: str, arn: str, timeout: float, trace_id: str) -> tuple[Any, bool, str]:
        """One invocation: the answer or Lambda's error document, whether it is an error, and what was printed."""
        invocation = {
            "event": event, "request_id": request_id, "arn": arn, "timeout": timeout, "trace_id": trace_id,
        }  # fmt: skip
        try:
            if self._worker is None:
                self.start()
            assert self._worker is not None
            answer = self._worker.call(invocation, timeout)
        except StartFailed as failure:
            return {**failure.document, "requestId": request_id}, True, failure.log
        except TimeoutError:
            answer = _gone(
                "Sandbox.Timedout", f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
            )
        except WorkerDied:
            answer = _gone(
                "Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited without providing a reason"
            )
        log = self._worker.take_log() if self._worker is not None else ""
        if answer.get("fatal"):
            self.stop()
        if answer["status"] == "ok":
            return answer["result"], False, log
        return answer["document"], True, log


def _gone(kind: str, message: str) -> dict[str, Any]:
    return {"status": "error", "fatal": True, "document": {"errorType": kind, "errorMessage": message}}


def _executor(config: Config) -> type[Any]:
    zygotes = Zygotes(config)
    base: Any = upstream.lambda_executor.RuntimeExecutor

    class ProcessExecutor(base):  # type: ignore[misc]
        """LocalStack's runtime executor over ``Processes``; its interface is upstream's."""

        def start(self, env_vars: dict[str, str]) -> None:
            """Start the environment."""
            code = str(self.function_version.config.code.get_unzipped_code_location())
            layers: list[str] = []
            for layer in self.function_version.config.layers or []:
                layer.code.prepare_for_execution()
                layers += python_paths(str(layer.code.get_unzipped_code_location()))
            settings = worker_settings(self.function_version, env_vars, code, layers)
            self._tail = ""
            self._processes = Processes(zygotes, layers, settings)
            try:
                self._processes.start()
            except StartFailed as failure:
                payload = json.dumps(failure.document).encode()
                raise upstream.lambda_endpoint.StatusErrorException("start failed", payload=payload) from failure

        def stop(self) -> None:
            """End the environment."""
            if hasattr(self, "_processes"):
                self._processes.stop()

        def get_address(self) -> str:
            """Workers listen nowhere."""
            return "127.0.0.1"

        def get_endpoint_from_executor(self) -> str:
            """Where a function reaches LocalStack."""
            return "127.0.0.1"

        def get_runtime_endpoint(self) -> str:
            """Unused: workers answer over their own socket."""
            return f"http://127.0.0.1:{config.port}/_unused"

        def get_logs(self) -> str:
            """What the last invocation printed."""
            return self._tail

        def invoke(self, payload: dict[str, str]) -> Any:
            """Run one invocation."""
            request_id = payload["invoke-id"]
            answer, failed, log = self._processes.call(
                json.loads(payload["payload"]), request_id, payload["invoked-function-arn"],
                float(self.function_version.config.timeout), payload["trace-id"],
            )  # fmt: skip
            self._tail = f"START RequestId: {request_id} Version: $LATEST\n{log}END RequestId: {request_id}\n"
            return upstream.lambda_models.InvocationResult(request_id, json.dumps(answer).encode(), failed, self._tail)

        @classmethod
        def prepare_version(cls, function_version: Any) -> None:
            """Unpack the code."""
            if function_version.config.code:
                function_version.config.code.prepare_for_execution()

        @classmethod
        def cleanup_version(cls, function_version: Any) -> None:
            """Nothing is prepared beyond the unpacked code, which LocalStack deletes itself."""

    return ProcessExecutor


def apply(config: Config) -> None:
    """Have LocalStack take our executor wherever it asks for one."""
    executor = _executor(config)
    for user in (
        upstream.lambda_executor,
        upstream.lambda_environment,
        upstream.lambda_versions,
        upstream.lambda_provider,
    ):
        user.get_runtime_executor  # noqa: B018  it must exist
        user.get_runtime_executor = lambda: executor
