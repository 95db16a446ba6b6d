"""LocalStack's modules, named in this one place; each substitution takes them from here, as ``Any``.

A module is imported when it is first asked for: that imports LocalStack, whose environment must be complete before, and
the pure parts of the substitutions can be tested where there is no LocalStack.
"""

from __future__ import annotations

import importlib
from typing import Any

_CLOUDFORMATION = "localstack.services.cloudformation"
_LAMBDA = "localstack.services.lambda_.invocation"
_API = "localstack.services.apigateway"
_STATES = "localstack.services.stepfunctions"
_ASL = f"{_STATES}.asl"
_TASK = f"{_ASL}.component.state.state_execution.state_task"
_ERROR = f"{_ASL}.component.common.error_name"

_MODULES = {
    "gateway_handlers": "localstack.aws.handlers",
    "rolo_proxy": "rolo.proxy",
    "runtime": "localstack.runtime.main",
    "resource_provider": f"{_CLOUDFORMATION}.resource_provider",
    "template_deployer": f"{_CLOUDFORMATION}.engine.template_deployer",
    "template_utils": f"{_CLOUDFORMATION}.engine.template_utils",
    "state_machine_resource": f"{_STATES}.resource_providers.aws_stepfunctions_statemachine",
    "lambda_models": f"{_LAMBDA}.lambda_models",
    "lambda_executor": f"{_LAMBDA}.runtime_executor",
    "lambda_environment": f"{_LAMBDA}.execution_environment",
    "lambda_versions": f"{_LAMBDA}.version_manager",
    "lambda_endpoint": f"{_LAMBDA}.executor_endpoint",
    "lambda_provider": "localstack.services.lambda_.provider",
    "rest_api_handlers": f"{_API}.next_gen.execute_api.handlers",
    "rest_api_errors": f"{_API}.next_gen.execute_api.gateway_response",
    "rest_api_failures": f"{_API}.next_gen.execute_api.handlers.gateway_exception",
    "rest_api_lambda": f"{_API}.next_gen.execute_api.integrations.aws",
    "rest_api_provider": f"{_API}.legacy.provider",
    "jsonata": f"{_ASL}.jsonata.jsonata",
    # These two hold a reference of their own to what declares variables.
    "jsonata_states": f"{_ASL}.eval.states",
    "jsonata_variables": f"{_ASL}.eval.variable_store",
    "asl_events": "localstack.aws.api.stepfunctions",
    "asl_event_detail": f"{_ASL}.eval.event.event_detail",
    "asl_failure": f"{_ERROR}.failure_event",
    "asl_custom_error": f"{_ERROR}.custom_error_name",
    "asl_states_error": f"{_ERROR}.states_error_name",
    "asl_states_error_type": f"{_ERROR}.states_error_name_type",
    "asl_task_callback": f"{_TASK}.service.state_task_service_callback",
    "asl_task_resource": f"{_TASK}.service.resource",
    # Holds a reference of its own to the factory of task services.
    "asl_task_dispatch": f"{_TASK}.state_task_factory",
    "asl_encoding": f"{_ASL}.utils.encoding",
    "asl_clients": f"{_ASL}.utils.boto_client",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(name)
    return importlib.import_module(_MODULES[name])
