"""Four faults of upstream's CloudFormation.

It looks for a resource's end every five seconds only, one resource after the other; it fails on a state machine's
DefinitionSubstitutions that are numbers, and on definitions in YAML; ``AWS::URLSuffix`` is its own host's name, so that
an issuer's name made with it is not the one in the tokens.
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from localstack_host import upstream
from localstack_host.config import Config

_LOOK_SECONDS = 0.2


def as_text(value: Any) -> str:
    """A substitution's value as CloudFormation writes it into the definition."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def apply(_config: Config) -> None:
    """Repair them."""
    _look_often()
    _substitute_text()
    _take_yaml()
    for user in (upstream.template_deployer, upstream.template_utils):
        user.AWS_URL_SUFFIX  # noqa: B018  it must exist
        user.AWS_URL_SUFFIX = "amazonaws.com"


def _look_often() -> None:
    executor = upstream.resource_provider.ResourceProviderExecutor
    upstream_loop = executor.deploy_loop

    def loop(self: Any, provider: Any, resource: Any, raw_payload: Any) -> Any:
        return upstream_loop(self, provider, resource, raw_payload, sleep_time=_LOOK_SECONDS)

    executor.deploy_loop = loop


def _substitute_text() -> None:
    machines = upstream.state_machine_resource
    upstream_apply = machines._apply_substitutions

    def substitute(definition: str, substitutions: dict[str, Any]) -> Any:
        return upstream_apply(definition, {name: as_text(value) for name, value in substitutions.items()})

    machines._apply_substitutions = substitute


def as_json(definition: str) -> str:
    """A state machine's definition in JSON, whether it was that already or YAML."""
    return json.dumps(yaml.safe_load(definition))  # JSON is YAML


def _take_yaml() -> None:
    provider = upstream.state_machine_resource.StepFunctionsStateMachineProvider
    upstream_get = provider._get_definition

    def get(self: Any, model: Any, s3_client: Any) -> str:
        return as_json(upstream_get(self, model, s3_client))

    provider._get_definition = get
