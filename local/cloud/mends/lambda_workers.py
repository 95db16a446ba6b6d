"""Lambda workers: fast to start, bounded in number, killed without hanging, with the real error type.

Upstream unpacks code and layers into a new directory for every worker, starts its own interpreter with its own
environment, keeps any number of workers, ends a worker after each error, waits up to 50 ms after each call for output,
and answers every exception as ``Runtime.HandlerError`` without a stack, so that Retry and Catch by name never match.

We fork workers from a zygote that has loaded the layer's libraries (``cloud.zygote``) and starts while the stack
creates its functions, unpack each content once, set the environment as Lambda does, bound the pool, and answer
``errorType``, ``errorMessage`` and ``stackTrace`` as Lambda does. A worker that dies during a call answers
``Runtime.ExitError`` at once.
"""

from __future__ import annotations

from typing import Any

from cloud.config import Config
from cloud.lambda_executor import Executor
from cloud.upstream import lambda_svc, provisioners

_executors: list[Executor] = []


def apply(config: Config) -> None:
    """Replace the worker pool for Python functions by our executor."""
    executor = Executor(config)
    _executors.append(executor)
    upstream_execute = lambda_svc._execute_function_warm
    upstream_invalidate = lambda_svc.invalidate_worker

    def execute(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        runtime = (func.get("config") or func).get("Runtime", "")
        if not runtime.startswith("python") or not func.get("code_zip"):
            return dict(upstream_execute(func, event, request_id))
        return executor.execute(func, event, request_id)

    def invalidate(
        name: str, qualifier: str | None = None, account: str | None = None, region: str | None = None
    ) -> None:
        upstream_invalidate(name, qualifier=qualifier, account=account, region=region)
        executor.forget(name, account, region)

    resource = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    upstream_create = resource["create"]

    def create(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        made = upstream_create(logical_id, properties, stack)
        executor.prepare(properties.get("Layers") or [])
        return made

    resource["create"] = create
    lambda_svc._execute_function_warm = execute
    lambda_svc.invalidate_worker = invalidate


def close() -> None:
    """End all workers."""
    for executor in _executors:
        executor.close()
