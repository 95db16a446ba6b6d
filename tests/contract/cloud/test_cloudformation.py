"""Contract of the ``mends/cfn_*`` for tables, secrets, alarms and definitions, and of ``api_import``."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

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


def test_a_secret_is_referred_to_by_its_arn(cloud: Cloud, name: str) -> None:
    """The physical id is the ARN; an update keeps it and a deletion finds the secret by it."""
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": name, "SecretString": "first"}}
    made = stack(cloud, name, {"Secret": secret})["Secret"]
    stacks, secrets = cloud.client("cloudformation"), cloud.client("secretsmanager")
    changed = {"Resources": {"Secret": {**secret, "Properties": {"Name": name, "SecretString": "second"}}}}
    stacks.update_stack(StackName=name, TemplateBody=json.dumps(changed))
    eventually(lambda: secrets.get_secret_value(SecretId=name)["SecretString"] == "second")
    stacks.delete_stack(StackName=name)
    eventually(lambda: name not in {one["Name"] for one in secrets.list_secrets()["SecretList"]})
    cloud.verdict("cfn_secret_ref", made.startswith("arn:"))


def test_a_generated_secret_has_no_punctuation(cloud: Cloud, name: str) -> None:
    """Where the template says so; among so many characters there would be some."""
    wanted = {"PasswordLength": 400, "ExcludePunctuation": True}
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": name, "GenerateSecretString": wanted}}
    stack(cloud, name, {"Secret": secret})
    text = cloud.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]
    assert len(text) == 400
    cloud.verdict("cfn_secret_ref", text.isalnum())


def test_alarm_over_an_expression(cloud: Cloud, name: str) -> None:
    """An alarm over several metrics is made, and tells whom it would tell."""
    metric = {"Namespace": "AWS/SQS", "MetricName": "NumberOfMessagesSent"}
    alarm = {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": name, "EvaluationPeriods": 1, "Threshold": 1, "TreatMissingData": "notBreaching",
            "ComparisonOperator": "GreaterThanOrEqualToThreshold", "AlarmActions": ["arn:aws:sns:x:1:topic"],
            "Metrics": [
                {"Id": "all", "Expression": "SUM(METRICS())"},
                {"Id": "m0", "ReturnData": False, "MetricStat": {"Stat": "Sum", "Period": 60, "Metric": metric}},
            ],
        },
    }  # fmt: skip
    stack(cloud, name, {"Alarm": alarm})
    found = cloud.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    told = [action for one in found for action in one["AlarmActions"]]
    cloud.verdict("cfn_alarm_expressions", told == ["arn:aws:sns:x:1:topic"])


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


OWN = '{"request": "$context.extendedRequestId"}'


def api_template(codes: dict[str, str], *paths: str, **stage: Any) -> str:
    """A REST API with mocked routes and own gateway responses, with further properties of its stage."""
    body = {
        "swagger": "2.0", "info": {"title": "api", "version": "1"},
        "paths": {path: {"get": {"x-amazon-apigateway-integration": {"type": "mock"}}} for path in paths},
        "x-amazon-apigateway-gateway-responses": {
            kind: {"statusCode": code, "responseTemplates": {"application/json": OWN}}
            for kind, code in codes.items()
        },
    }  # fmt: skip
    resources = {
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": body}},
        f"Deployment{len(paths)}": {"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": {"Ref": "Api"}}},
        "Stage": {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {
                "RestApiId": {"Ref": "Api"}, "StageName": "dev", "DeploymentId": {"Ref": f"Deployment{len(paths)}"},
                **stage,
            },
        },
    }  # fmt: skip
    return json.dumps({"Resources": resources, "Outputs": {"Id": {"Value": {"Ref": "Api"}}}})


def api_id(cloud: Cloud, name: str) -> str:
    """The id of the stack's API once the stack has come to rest."""
    return str(at_rest(cloud, name)["Outputs"][0]["OutputValue"])


def at_rest(cloud: Cloud, name: str) -> dict[str, Any]:
    """A stack that nothing is done to any more."""
    stacks = cloud.client("cloudformation")
    eventually(lambda: not stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"].endswith("PROGRESS"))
    return dict(stacks.describe_stacks(StackName=name)["Stacks"][0])


def get(url: str) -> tuple[int, str]:
    """Status and body of a GET."""
    try:
        with urllib.request.urlopen(url) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read().decode()


def test_gateway_responses(cloud: Cloud, name: str) -> None:
    """A body's gateway responses are used, and name the request."""
    template = api_template({"MISSING_AUTHENTICATION_TOKEN": "404"}, "/a")
    cloud.client("cloudformation").create_stack(StackName=name, TemplateBody=template)
    status, body = get(f"{cloud.endpoint}/_aws/execute-api/{api_id(cloud, name)}/dev/nowhere")
    named = json.loads(body).get("request")
    cloud.verdict("api_import", status == 404 and bool(named) and "$" not in named)


def test_limits_of_one_method(cloud: Cloud, name: str) -> None:
    """They hold for that method, whose path CloudFormation takes with ~1 for its slashes, and for no other."""
    given = [
        {"HttpMethod": method, "ResourcePath": path, "ThrottlingRateLimit": rate, "ThrottlingBurstLimit": rate}
        for method, path, rate in (("*", "/*", 200), ("GET", "/~1a~1{id}", 1))
    ]
    template = api_template({"THROTTLED": "429"}, "/a/{id}", "/b", MethodSettings=given)
    cloud.client("cloudformation").create_stack(StackName=name, TemplateBody=template)
    url = f"{cloud.endpoint}/_aws/execute-api/{api_id(cloud, name)}/dev"
    assert [get(f"{url}/b")[0] for _ in range(5)] == [200] * 5
    cloud.verdict("api_import", 429 in [get(f"{url}/a/1")[0] for _ in range(5)])


def test_the_id_of_an_api_lasts(cloud: Cloud, name: str) -> None:
    """A new route does not move the API to another address, and old routes that are gone are gone."""
    cloud.client("cloudformation").create_stack(StackName=name, TemplateBody=api_template({}, "/a"))
    before = api_id(cloud, name)
    cloud.client("cloudformation").update_stack(StackName=name, TemplateBody=api_template({}, "/b", "/c"))
    after = api_id(cloud, name)
    paths = {resource["path"] for resource in cloud.client("apigateway").get_resources(restApiId=after)["items"]}
    assert paths == {"/", "/b", "/c"}
    cloud.verdict("api_import", before == after)


def table_template(tag: str, *indexes: str) -> str:
    """A table with a tag and indexes."""
    keys = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", *indexes)]
    properties: dict[str, Any] = {
        "AttributeDefinitions": keys, "BillingMode": "PAY_PER_REQUEST", "Tags": [{"Key": "a", "Value": tag}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
    }  # fmt: skip
    if indexes:
        properties["GlobalSecondaryIndexes"] = [
            {"IndexName": f"by-{name}", "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
             "Projection": {"ProjectionType": "ALL"}}
            for name in indexes
        ]  # fmt: skip
    return json.dumps({"Resources": {"Table": {"Type": "AWS::DynamoDB::Table", "Properties": properties}}})


def test_an_update_of_a_stack_keeps_the_items_of_its_tables(mended: Cloud, name: str) -> None:
    """Also when an index is added."""
    stacks, tables = mended.client("cloudformation"), mended.client("dynamodb")
    stacks.create_stack(StackName=name, TemplateBody=table_template("1"))
    at_rest(mended, name)
    table = stacks.describe_stack_resources(StackName=name)["StackResources"][0]["PhysicalResourceId"]
    tables.put_item(TableName=table, Item={"pk": {"S": "kept"}, "x": {"S": "1"}})
    for changed in (table_template("2"), table_template("2", "x"), table_template("2", "x", "y")):
        stacks.update_stack(StackName=name, TemplateBody=changed)
        assert at_rest(mended, name)["StackStatus"] == "UPDATE_COMPLETE"
        assert tables.scan(TableName=table)["Count"] == 1
