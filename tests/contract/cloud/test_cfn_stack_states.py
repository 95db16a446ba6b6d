"""Contract of ``mends/cfn_stack_states`` and ``mends/cfn_name_collisions``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .clouds import Cloud, refused
from .test_cloudformation import at_rest

FAILS = {"Type": "AWS::SSM::Parameter", "DependsOn": "Kept", "Properties": {"Type": "String", "Value": "x"}}


def table(name: str, policy: str = "Delete", **properties: Any) -> dict[str, Any]:
    """A table with a name of its own."""
    own = {
        "TableName": name, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}], **properties,
    }  # fmt: skip
    return {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": policy, "Properties": own}


def body(**resources: Any) -> str:
    """A template."""
    return json.dumps({"Resources": resources})


def failed(cloud: Cloud, name: str, policy: str) -> None:
    """A stack whose create failed after its table was made."""
    cloud.client("ssm").put_parameter(Name=f"/{name}", Value="there", Type="String")
    broken = {**FAILS, "Properties": {**FAILS["Properties"], "Name": f"/{name}"}}
    template = body(Kept=table(name, policy), Broken=broken)
    cloud.client("cloudformation").create_stack(StackName=name, TemplateBody=template)
    assert at_rest(cloud, name)["StackStatus"] == "ROLLBACK_COMPLETE"


def test_a_rolled_back_create_can_only_be_deleted(cloud: Cloud, name: str) -> None:
    """Neither created again, by call or change set, nor updated."""
    failed(cloud, name, "Delete")
    stacks, template = cloud.client("cloudformation"), body(Kept=table(name))
    arn = stacks.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    again = refused(lambda: stacks.create_stack(StackName=name, TemplateBody=template))
    change = {"StackName": name, "ChangeSetName": "change", "TemplateBody": template}
    made = [
        refused(lambda kind=kind: stacks.create_change_set(ChangeSetType=kind, **change))
        for kind in ("CREATE", "UPDATE")
    ]
    cloud.verdict(
        "cfn_stack_states",
        [again, *made]
        == [
            ("AlreadyExistsException", f"Stack [{name}] already exists"),
            (
                "ValidationError",
                f"Stack [{name}] already exists and cannot be created again with the changeSet [change].",
            ),
            ("ValidationError", f"Stack:{arn} is in ROLLBACK_COMPLETE state and can not be updated."),
        ],
    )
    if cloud.mended:
        stacks.delete_stack(StackName=name)
        assert "does not exist" in refused(lambda: at_rest(cloud, name))[1]
        stacks.create_stack(StackName=name, TemplateBody=template)
        assert at_rest(cloud, name)["StackStatus"] == "CREATE_COMPLETE"


def test_what_retain_leaves_is_in_the_way(cloud: Cloud, name: str) -> None:
    """The next create fails on the name; ``RetainExceptOnCreate`` leaves nothing."""
    failed(cloud, name, "Retain")
    cloud.client("cloudformation").delete_stack(StackName=name)
    other = f"{name}-other"
    cloud.client("cloudformation").create_stack(StackName=other, TemplateBody=body(Kept=table(name)))
    status = at_rest(cloud, other)["StackStatus"]
    events = cloud.client("cloudformation").describe_stack_events(StackName=other)["StackEvents"]
    reason = f"Resource of type 'AWS::DynamoDB::Table' with identifier '{name}' already exists."
    told = any(reason in event.get("ResourceStatusReason", "") for event in events)
    cloud.verdict("cfn_name_collisions", status == "ROLLBACK_COMPLETE" and told)


def test_retain_except_on_create_leaves_nothing(cloud: Cloud, name: str) -> None:
    """Upstream does this by itself; a second attempt at a deployment rests on it."""
    failed(cloud, name, "RetainExceptOnCreate")
    assert name not in cloud.client("dynamodb").list_tables()["TableNames"]


NAMED = {
    "AWS::Logs::LogGroup": {"LogGroupName": "NAME"},
    "AWS::SQS::Queue": {"QueueName": "NAME"},
    "AWS::SNS::Topic": {"TopicName": "NAME"},
    "AWS::SecretsManager::Secret": {"Name": "NAME", "SecretString": "x"},
    "AWS::Events::Rule": {"Name": "NAME", "EventPattern": {"source": ["a"]}},
    "AWS::Scheduler::Schedule": {
        "Name": "NAME", "ScheduleExpression": "rate(1 hour)", "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": "arn:aws:lambda:eu-west-1:000000000000:function:f", "RoleArn": "arn:aws:iam::1:role/r"},
    },
    "AWS::IAM::Role": {"RoleName": "NAME", "AssumeRolePolicyDocument": {"Statement": []}},
    "AWS::StepFunctions::StateMachine": {
        "StateMachineName": "NAME", "RoleArn": "arn:aws:iam::000000000000:role/r",
        "DefinitionString": '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}',
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", NAMED)
def test_two_stacks_do_not_share_a_name(mended: Cloud, name: str, kind: str) -> None:
    """Of any kind of resource whose name is the account's; the first stack keeps it and can be updated."""
    stacks = mended.client("cloudformation")
    resource = {"Type": kind, "Properties": json.loads(json.dumps(NAMED[kind]).replace("NAME", name))}
    for number in (1, 2):
        stacks.create_stack(StackName=f"{name}-{number}", TemplateBody=body(Named=resource))
    assert at_rest(mended, f"{name}-1")["StackStatus"] == "CREATE_COMPLETE"
    assert at_rest(mended, f"{name}-2")["StackStatus"] == "ROLLBACK_COMPLETE"
    topic = {"Type": "AWS::SNS::Topic", "Properties": {}}
    stacks.update_stack(StackName=f"{name}-1", TemplateBody=body(Named=resource, Added=topic))
    assert at_rest(mended, f"{name}-1")["StackStatus"] == "UPDATE_COMPLETE"


def test_a_policy_denies_replacement(cloud: Cloud, name: str) -> None:
    """The update fails and is rolled back; a change that replaces nothing goes through."""
    stacks = cloud.client("cloudformation")
    stacks.create_stack(StackName=name, TemplateBody=body(Kept=table(name)))
    at_rest(cloud, name)
    allow = {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}
    deny = {"Effect": "Deny", "Action": ["Update:Replace", "Update:Delete"], "Principal": "*", "Resource": "*",
            "Condition": {"StringEquals": {"ResourceType": ["AWS::DynamoDB::Table"]}}}  # fmt: skip
    stacks.set_stack_policy(StackName=name, StackPolicyBody=json.dumps({"Statement": [allow, deny]}))
    stacks.update_stack(StackName=name, TemplateBody=body(Kept=table(name, Tags=[{"Key": "a", "Value": "b"}])))
    assert at_rest(cloud, name)["StackStatus"] == "UPDATE_COMPLETE"
    stacks.update_stack(StackName=name, TemplateBody=body(Kept=table(f"{name}-new")))
    status = at_rest(cloud, name)["StackStatus"]
    events = stacks.describe_stack_events(StackName=name)["StackEvents"]
    told = any("Action denied by stack policy" in event.get("ResourceStatusReason", "") for event in events)
    cloud.verdict("cfn_stack_states", status == "UPDATE_ROLLBACK_COMPLETE" and told)
