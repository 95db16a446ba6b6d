"""CloudFormation resources of forwarded services: each becomes a stack of one resource in MiniStack.

LocalStack resolves the properties; MiniStack makes the resource and says what ``Ref`` and ``GetAtt`` give.
"""

from __future__ import annotations

import json
import time
from typing import Any

import boto3

from localstack_host import upstream
from localstack_host.config import Config

# Resource type -> the attributes that MiniStack knows of it.
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "AWS::Cognito::UserPool": ("Arn", "ProviderName", "UserPoolId"),
    "AWS::Cognito::UserPoolClient": ("ClientId",),
    "AWS::Cognito::UserPoolGroup": (),
    "AWS::EMRServerless::Application": ("Arn", "ApplicationId"),
}
_REF = "PhysicalId"  # also an attribute of the model, from which LocalStack takes the physical id


def template(kind: str, properties: dict[str, Any]) -> dict[str, Any]:
    """A template of that one resource, with everything that can be asked of it as an output."""
    outputs: dict[str, Any] = {_REF: {"Value": {"Ref": "It"}}}
    outputs |= {name: {"Value": {"Fn::GetAtt": ["It", name]}} for name in ATTRIBUTES[kind]}
    return {"Resources": {"It": {"Type": kind, "Properties": properties}}, "Outputs": outputs}


class NotMade(Exception):
    """MiniStack could not make the resource; the message says why."""


class ForwardedResources:
    """Makes resources in MiniStack."""

    def __init__(self, url: str) -> None:
        self._url = url

    def _stacks(self, region: str) -> Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client("cloudformation", endpoint_url=self._url, region_name=region, **keys)  # type: ignore[call-overload]

    def make(self, kind: str, stack: str, properties: dict[str, Any], region: str) -> dict[str, str]:
        """Create or update the resource; its attributes.

        Raises:
            NotMade: MiniStack could not make it.
        """
        stacks = self._stacks(region)
        exists = any(known["StackName"] == stack for known in stacks.describe_stacks()["Stacks"])
        change = stacks.update_stack if exists else stacks.create_stack
        change(StackName=stack, TemplateBody=json.dumps(template(kind, properties)))
        made = stacks.describe_stacks(StackName=stack)["Stacks"][0]
        while made["StackStatus"].endswith("_IN_PROGRESS"):
            time.sleep(0.1)
            made = stacks.describe_stacks(StackName=stack)["Stacks"][0]
        if made["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            raise NotMade(f"{kind} in MiniStack: {made['StackStatus']}; {_reasons(stacks, stack)}")
        return {output["OutputKey"]: output["OutputValue"] for output in made["Outputs"]}

    def drop(self, stack: str, region: str) -> None:
        """Delete the resource."""
        self._stacks(region).delete_stack(StackName=stack)


def _reasons(stacks: Any, stack: str) -> str:
    events = stacks.describe_stack_events(StackName=stack)["StackEvents"]
    return "; ".join(event.get("ResourceStatusReason", "") for event in events if "FAILED" in event["ResourceStatus"])


def _provider(kind: str, resources: ForwardedResources) -> type[Any]:
    cloudformation = upstream.resource_provider
    base: Any = cloudformation.ResourceProvider

    class ForwardedProvider(base):  # type: ignore[misc]
        """LocalStack's resource provider of one type."""

        SCHEMA = {"primaryIdentifier": [f"/properties/{_REF}"], "required": [], "properties": {}}

        def create(self, request: Any) -> Any:
            """Make the resource."""
            properties = {name: value for name, value in request.desired_state.items() if value is not None}
            made = resources.make(kind, _stack(request), properties, request.region_name)
            return _success({**request.desired_state, **made})

        def update(self, request: Any) -> Any:
            """Make it as it is wanted now."""
            return self.create(request)

        def delete(self, request: Any) -> Any:
            """Drop it."""
            resources.drop(_stack(request), request.region_name)
            return _success({})

    def _stack(request: Any) -> str:
        return f"{request.stack_name}-{request.logical_resource_id}"

    def _success(model: dict[str, Any]) -> Any:
        return cloudformation.ProgressEvent(status=cloudformation.OperationStatus.SUCCESS, resource_model=model)

    return ForwardedProvider


def apply(config: Config) -> None:
    """Have LocalStack's CloudFormation find our providers."""
    resources = ForwardedResources(config.forward_to)
    providers = {kind: _provider(kind, resources) for kind in ATTRIBUTES}
    executor = upstream.resource_provider.ResourceProviderExecutor
    upstream_load = executor.try_load_resource_provider

    def load(resource_type: str) -> Any:
        provider = providers.get(resource_type)
        return provider() if provider else upstream_load(resource_type)

    executor.try_load_resource_provider = staticmethod(load)
