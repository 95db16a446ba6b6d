"""Contract of ``mends/cfn_table_ttl`` and ``mends/cfn_yaml_definition``."""

from __future__ import annotations

import json

from .clouds import ROLE, Cloud, eventually


def stack(cloud: Cloud, name: str, resources: dict[str, object]) -> dict[str, str]:
    """Create a stack; returns physical ids by logical id."""
    stacks = cloud.client("cloudformation")
    stacks.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}))
    eventually(lambda: stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] != "CREATE_IN_PROGRESS")
    found = stacks.describe_stack_resources(StackName=name)["StackResources"]
    return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in found}


def test_table_ttl(cloud: Cloud, name: str) -> None:
    """TimeToLiveSpecification is switched on."""
    table = {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}], "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
        },
    }  # fmt: skip
    made = stack(cloud, name, {"Table": table})["Table"]
    described = cloud.client("dynamodb").describe_time_to_live(TableName=made)["TimeToLiveDescription"]
    cloud.verdict("cfn_table_ttl", described == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"})


def test_yaml_definition(cloud: Cloud, name: str) -> None:
    """A definition in YAML runs."""
    definition = "StartAt: Only\nQueryLanguage: JSONata\nStates:\n  Only: {Type: Pass, Output: '{% 3 %}', End: true}\n"
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {"StateMachineName": name, "RoleArn": ROLE, "DefinitionString": definition},
    }
    made = stack(cloud, name, {"Machine": machine}).get("Machine", "")
    ended = cloud.run(made) if made.startswith("arn:") else {}
    cloud.verdict("cfn_yaml_definition", ended.get("output") == "3")
