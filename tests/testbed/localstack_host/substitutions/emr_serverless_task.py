"""``emr-serverless:startJobRun`` and ``.sync`` in state machines, which upstream's interpreter refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from localstack_host import upstream
from localstack_host.config import Config

_PARAMETERS = {
    "applicationid", "clienttoken", "configurationoverrides", "executionrolearn", "executiontimeoutminutes",
    "jobdriver", "mode", "name", "retrypolicy", "tags",
}  # fmt: skip
_FINAL = ("SUCCESS", "FAILED", "CANCELLED")


def _service() -> type[Any]:
    base: Any = upstream.asl_task_callback.StateTaskServiceCallback
    conditions = upstream.asl_task_resource.ResourceCondition

    class EmrServerlessTask(base):  # type: ignore[misc]
        """The interpreter's task service for EMR Serverless; its interface is upstream's."""

        def __init__(self) -> None:
            super().__init__(supported_integration_patterns={conditions.Sync})

        def _get_supported_parameters(self) -> set[str] | None:
            return _PARAMETERS if self.resource.api_action.lower() == "startjobrun" else None

        def _client(self, runtime: Any, credentials: Any) -> Any:
            return upstream.asl_clients.boto_client_for(
                service="emr-serverless", region=runtime.region, state_credentials=credentials
            )

        def _eval_service_task(
            self, env: Any, resource_runtime_part: Any, normalised_parameters: dict[str, Any], state_credentials: Any
        ) -> None:
            started = self._client(resource_runtime_part, state_credentials).start_job_run(**normalised_parameters)
            started.pop("ResponseMetadata", None)
            env.stack.append(started)

        def _build_sync_resolver(
            self, env: Any, resource_runtime_part: Any, normalised_parameters: dict[str, Any], state_credentials: Any
        ) -> Callable[[], Any]:
            started = env.stack.pop()
            client = self._client(resource_runtime_part, state_credentials)

            def resolve() -> Any:
                run = client.get_job_run(applicationId=started["applicationId"], jobRunId=started["jobRunId"])["jobRun"]
                if run["state"] not in _FINAL:
                    return None
                outcome = {f"{name[0].upper()}{name[1:]}": value for name, value in run.items()}
                if run["state"] == "SUCCESS":
                    return outcome
                raise upstream.asl_failure.FailureEventException(_failure(self, env, _TASK_FAILED, outcome))

            return resolve

        def _from_error(self, env: Any, ex: Exception) -> Any:
            if isinstance(ex, ClientError):
                return _failure(
                    self, env, f"EmrServerless.{ex.response['Error']['Code']}", ex.response["Error"]["Message"]
                )
            return super()._from_error(env=env, ex=ex)

    return EmrServerlessTask


_TASK_FAILED = "States.TaskFailed"


def _failure(task: Any, env: Any, error: str, cause: Any) -> Any:
    events, states = upstream.asl_events, upstream.asl_states_error_type.StatesErrorNameType.StatesTaskFailed
    name = (
        upstream.asl_states_error.StatesErrorName(typ=states)
        if error == _TASK_FAILED
        else upstream.asl_custom_error.CustomErrorName(error)
    )
    text = cause if isinstance(cause, str) else upstream.asl_encoding.to_json_str(cause)
    details = events.TaskFailedEventDetails(
        error=error, cause=text, resource=task._get_sfn_resource(), resourceType=task._get_sfn_resource_type()
    )
    return upstream.asl_failure.FailureEvent(
        env=env, error_name=name, event_type=events.HistoryEventType.TaskFailed,
        event_details=upstream.asl_event_detail.EventDetails(taskFailedEventDetails=details),
    )  # fmt: skip


def apply(_config: Config) -> None:
    """Give our service where the interpreter asks for that name."""
    service = _service()
    upstream_for = upstream.asl_task_dispatch.state_task_service_for

    def service_for(service_name: str) -> Any:
        return service() if service_name == "emr-serverless" else upstream_for(service_name)

    upstream.asl_task_dispatch.state_task_service_for = service_for
