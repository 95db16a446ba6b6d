"""Runs in ``.venvs/localstack``: asks LocalStack's own classes with and without the substitutions; prints JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from localstack_host.config import Config

DEFINITION = "StartAt: A\nStates: {A: {Type: Wait, Seconds: 1, End: true}}\n"


def numbers_are_substituted(upstream: Any) -> bool:
    try:
        return bool(upstream.state_machine_resource._apply_substitutions("in ${N} s", {"N": 5}) == "in 5 s")
    except TypeError:
        return False


def yaml_is_taken(upstream: Any) -> bool:
    provider = upstream.state_machine_resource.StepFunctionsStateMachineProvider()
    try:
        return "States" in json.loads(provider._get_definition({"DefinitionString": DEFINITION}, None))
    except ValueError:
        return False


def suffix_is_that_of_aws(upstream: Any) -> bool:
    return bool(upstream.template_utils.AWS_URL_SUFFIX == "amazonaws.com")


def strings_are_escaped(upstream: Any) -> bool:
    declared = upstream.jsonata.encode_jsonata_variable_declarations({"$a": 'a "quoted" word'})
    return bool(declared == '$a:="a \\"quoted\\" word";')


def cognito_is_a_resource(upstream: Any) -> bool:
    load = upstream.resource_provider.ResourceProviderExecutor.try_load_resource_provider
    return load("AWS::Cognito::UserPool") is not None


def emr_is_a_task(upstream: Any) -> bool:
    service = upstream.asl_task_dispatch.state_task_service_for("emr-serverless")
    return type(service).__name__ == "EmrServerlessTask"


def authorizers_are_asked(upstream: Any) -> bool:
    return bool(upstream.rest_api_handlers.preprocess_request.handlers)


def functions_run_without_containers(upstream: Any) -> bool:
    return upstream.lambda_environment.get_runtime_executor().__name__ == "ProcessExecutor"


PROBES = (
    numbers_are_substituted, yaml_is_taken, suffix_is_that_of_aws, strings_are_escaped,
    cognito_is_a_resource, emr_is_a_task, authorizers_are_asked, functions_run_without_containers,
)  # fmt: skip


def main() -> None:
    """Ask, substitute, ask again."""
    config = Config.from_environment()
    os.environ.update(config.upstream_environment())
    from localstack_host import substitutions, upstream

    before = {probe.__name__: probe(upstream) for probe in PROBES}
    substitutions.apply_all(config)
    after = {probe.__name__: probe(upstream) for probe in PROBES}
    json.dump({"before": before, "after": after}, sys.stdout)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
