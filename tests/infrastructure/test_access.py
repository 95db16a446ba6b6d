"""Who calls whom without code of ours: services, their roles, the keys of what they write to, the machines' tasks.

test_permissions.py asks the same of the functions, which it runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from cloud.iam import allowed
from tests.infrastructure.test_limits import definition
from tests.support import template
from tests.support.rendered import ACCOUNT, CHINA, FAR, Rendered, listed, rendered

USES_KEY = ("kms:Decrypt", "kms:GenerateDataKey")
# Which property of an encrypted resource names its key.
KEY_OF = {
    "AWS::SQS::Queue": lambda one: one.get("KmsMasterKeyId"),
    "AWS::SNS::Topic": lambda one: one.get("KmsMasterKeyId"),
    "AWS::Logs::LogGroup": lambda one: one.get("KmsKeyId"),
    "AWS::DynamoDB::Table": lambda one: one.get("SSESpecification", {}).get("KMSMasterKeyId"),
    "AWS::SecretsManager::Secret": lambda one: one.get("KmsKeyId"),
    "AWS::S3::Bucket": lambda one: one["BucketEncryption"]["ServerSideEncryptionConfiguration"][0][
        "ServerSideEncryptionByDefault"
    ].get("KMSMasterKeyID"),
}


@pytest.fixture(scope="module", params=[FAR, CHINA], ids=lambda one: one.partition)
def r(request: pytest.FixtureRequest) -> Rendered:
    return rendered(request.param)


def told(problems: Iterable[str]) -> str:
    """A line for each."""
    return "".join(f"\n  {one}" for one in sorted(set(problems)))


def key_of(r: Rendered, arn: str) -> str | None:
    """The key under which a resource's content lies, where it is one of ours."""
    name = r.by_arn[arn]
    found = KEY_OF.get(r.kind(name), lambda _: None)(r.resources[name]["Properties"])
    return None if found is None else str(found)


def service_may(policy: list[dict[str, Any]], service: str, action: str, arn: str, context: dict[str, str]) -> bool:
    """Whether a resource's policy lets a service in."""
    mine = [one for one in policy if service in listed(one["Principal"].get("Service", []))]
    return allowed(mine, action, arn, context)


def key_policy(r: Rendered, key: str) -> list[dict[str, Any]]:
    return listed(r.resources[r.by_arn[key]]["Properties"]["KeyPolicy"]["Statement"])


def lacking_key(r: Rendered, service: str, target: str) -> list[str]:
    """What a service lacks to write to an encrypted target; empty where it may.

    EventBridge's calls to KMS carry no aws:SourceAccount (SQS, KMS permissions for AWS services).
    """
    key = key_of(r, target)
    if key is None:
        return []
    context = {} if service == "events.amazonaws.com" else {"aws:SourceAccount": ACCOUNT}
    missing = [one for one in USES_KEY if not service_may(key_policy(r, key), service, one, key, context)]
    return [f"{service} lacks {one} on the key of {r.by_arn[target]}" for one in missing]


def lacking(r: Rendered, who: str, role: str, needed: list[tuple[str, str]], **context: str) -> list[str]:
    """What a role lacks, keys of encrypted queues, tables and buckets included."""
    held = r.statements(role)
    return [f"{who}: {action} on {arn}" for action, arn in needed if not allowed(held, action, arn, context)]


def sends(r: Rendered, queue: str) -> list[tuple[str, str]]:
    """What an identity needs to send to a queue."""
    key = key_of(r, queue)
    return [("sqs:SendMessage", queue), *((one, key) for one in USES_KEY if key)]


def keeps(r: Rendered, destination: str) -> list[tuple[str, str]]:
    """What a function needs so that Lambda keeps its failures there; in S3 it writes an object and lists the bucket."""
    if ":s3:::" not in destination:
        return sends(r, destination)
    key = key_of(r, destination)
    bucket = [("s3:PutObject", f"{destination}/aws/lambda/x"), ("s3:ListBucket", destination)]
    return [*bucket, *((one, key) for one in USES_KEY if key)]


def queue_lets_in(r: Rendered, service: str, queue: str, context: dict[str, str]) -> bool:
    url = r.refs[r.by_arn[queue]]
    policies = [one for one in r.of_type("AWS::SQS::QueuePolicy").values() if url in one["Queues"]]
    statements = [x for one in policies for x in listed(one["PolicyDocument"]["Statement"])]
    return service_may(statements, service, "sqs:SendMessage", queue, context)


def rule_targets(r: Rendered) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, rule in r.of_type("AWS::Events::Rule").items():
        for target in rule["Targets"]:
            yield name, target


def test_rules_reach_their_targets(r: Rendered) -> None:
    """EventBridge writes as itself to queues, logs and functions, by a role to machines (EventBridge, Permissions)."""
    problems: list[str] = []
    assert list(rule_targets(r))
    for rule, target in rule_targets(r):
        context = {"aws:SourceArn": r.arn(rule), "aws:SourceAccount": ACCOUNT}
        for arn in filter(None, (target["Arn"], target.get("DeadLetterConfig", {}).get("Arn"))):
            kind = r.kind(r.by_arn[arn])
            problems += lacking_key(r, "events.amazonaws.com", arn) if kind != "AWS::Logs::LogGroup" else []
            if kind == "AWS::SQS::Queue" and not queue_lets_in(r, "events.amazonaws.com", arn, context):
                problems.append(f"{rule} may not send to {r.by_arn[arn]}")
            if kind == "AWS::Logs::LogGroup" and not log_group_lets_in(r, arn):
                problems.append(f"{rule} may not write to {r.by_arn[arn]}")
            if kind == "AWS::Lambda::Function" and not may_invoke(r, "events.amazonaws.com", arn, r.arn(rule)):
                problems.append(f"{rule} may not invoke {r.by_arn[arn]}")
            if kind == "AWS::StepFunctions::StateMachine":
                problems += lacking(r, rule, target["RoleArn"], [("states:StartExecution", arn)])
    assert not problems, told(problems)


def log_group_lets_in(r: Rendered, arn: str) -> bool:
    policies = [json.loads(one["PolicyDocument"]) for one in r.of_type("AWS::Logs::ResourcePolicy").values()]
    statements = [x for one in policies for x in listed(one["Statement"])]
    return all(
        service_may(statements, "events.amazonaws.com", action, arn, {"aws:SourceAccount": ACCOUNT})
        for action in ("logs:CreateLogStream", "logs:PutLogEvents")
    )


def may_invoke(r: Rendered, service: str, function: str, source: str) -> bool:
    """Whether a function's resource policy lets a service in for a source."""
    names = (function, r.physical(r.by_arn[function]))
    for one in r.of_type("AWS::Lambda::Permission").values():
        if one["FunctionName"] in names and one["Principal"] == service:
            condition = {"ArnLike": {"AWS:SourceArn": one["SourceArn"]}} if "SourceArn" in one else {}
            statement = {"Effect": "Allow", "Action": one["Action"], "Resource": function, "Condition": condition}
            if allowed([statement], "lambda:InvokeFunction", function, {"AWS:SourceArn": source}):
                return True
    return False


def test_schedules_reach_their_targets(r: Rendered) -> None:
    """Scheduler acts by the schedule's role, for the dead letters too (Scheduler, Configuring a dead-letter queue)."""
    problems: list[str] = []
    schedules = r.of_type("AWS::Scheduler::Schedule")
    assert len(schedules) >= 5
    for name, schedule in schedules.items():
        target = schedule["Target"]
        kind = r.kind(r.by_arn[target["Arn"]])
        action = {
            "AWS::Lambda::Function": "lambda:InvokeFunction",
            "AWS::StepFunctions::StateMachine": "states:StartExecution",
        }[kind]
        needed = [(action, target["Arn"]), *sends(r, target["DeadLetterConfig"]["Arn"])]
        problems += lacking(r, name, target["RoleArn"], needed)
        problems += untrusted(r, target["RoleArn"], "scheduler.amazonaws.com")
    assert not problems, told(problems)


def untrusted(r: Rendered, role: str, service: str) -> list[str]:
    name = r.by_arn[role]
    trust = listed(r.resources[name]["Properties"]["AssumeRolePolicyDocument"]["Statement"])
    open_ = [{**one, "Resource": "*"} for one in trust]
    context = {"aws:SourceAccount": ACCOUNT}
    return [] if service_may(open_, service, "sts:AssumeRole", "*", context) else [f"{service} may not be {name}"]


def test_alarms_reach_their_topic(r: Rendered) -> None:
    """CloudWatch publishes to an encrypted topic only where the key's policy lets it (CloudWatch, Notifying)."""
    alarms = r.of_type("AWS::CloudWatch::Alarm")
    assert alarms
    topics = {arn for one in alarms.values() for arn in one["AlarmActions"]}
    problems = [problem for arn in topics for problem in lacking_key(r, "cloudwatch.amazonaws.com", arn)]
    assert not problems, told(problems)


def test_logs_are_encrypted_by_a_key_that_takes_them(r: Rendered) -> None:
    """CloudWatch Logs names the group's ARN in the encryption context (CloudWatch Logs, Encrypt log data)."""
    service = f"logs.{r.place.region}.{r.place.suffix}"
    groups = r.of_type("AWS::Logs::LogGroup")
    assert len(groups) >= 5
    for name, group in groups.items():
        key, arn = group["KmsKeyId"], r.arn(name).removesuffix(":*")
        context = {"kms:EncryptionContext:aws:logs:arn": arn}
        actions = ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey", "kms:ReEncryptFrom")
        refused = [one for one in actions if not service_may(key_policy(r, key), service, one, key, context)]
        assert not refused, f"{name}: {service} lacks {refused}"


def test_event_sources_are_read_and_their_failures_kept(r: Rendered) -> None:
    """Lambda reads a source and keeps what failed by the function's own role (Lambda, Event source mappings)."""
    problems: list[str] = []
    mappings = r.of_type("AWS::Lambda::EventSourceMapping")
    functions = {r.physical(name): one for name, one in r.of_type("AWS::Lambda::Function").items()}
    assert len(mappings) >= 5
    for name, given in mappings.items():
        role = functions[given["FunctionName"].rpartition(":")[2]]["Role"]
        source = given["EventSourceArn"]
        if ":sqs:" in source:
            actions = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
        else:
            actions = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")
        needed = [(action, source) for action in actions]
        key = key_of(r, source.partition("/stream/")[0])
        needed += [("kms:Decrypt", key)] if key else []
        failed = given.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        needed += keeps(r, failed) if failed else []
        problems += lacking(r, name, role, needed)
    assert not problems, told(problems)


def test_failures_of_asynchronous_calls_are_kept(r: Rendered) -> None:
    """Lambda sends to `OnFailure` by the function's own role (Lambda, Asynchronous invocation)."""
    problems: list[str] = []
    functions = {r.physical(name): one for name, one in r.of_type("AWS::Lambda::Function").items()}
    for name, given in r.of_type("AWS::Lambda::EventInvokeConfig").items():
        failed = given["DestinationConfig"]["OnFailure"]["Destination"]
        problems += lacking(r, name, functions[given["FunctionName"]]["Role"], sends(r, failed))
    assert not problems, told(problems)


def test_buckets_may_notify_their_queues(r: Rendered) -> None:
    """S3 tries it when the bucket is made, so the queue's policy comes before (S3, Granting permissions to publish)."""
    told_ = 0
    for name, bucket in r.of_type("AWS::S3::Bucket").items():
        for one in bucket.get("NotificationConfiguration", {}).get("QueueConfigurations", []):
            told_ += 1
            context = {"aws:SourceArn": r.arn(name), "aws:SourceAccount": ACCOUNT}
            assert queue_lets_in(r, "s3.amazonaws.com", one["Queue"], context)
            assert not queue_lets_in(r, "s3.amazonaws.com", one["Queue"], {**context, "aws:SourceAccount": "1"})
            assert not lacking_key(r, "s3.amazonaws.com", one["Queue"])
            (policy,) = listed(r.resources[name]["DependsOn"])
            assert r.refs[r.by_arn[one["Queue"]]] in r.resources[policy]["Properties"]["Queues"]
    assert told_ == 1


def test_dead_letter_queues_are_in_the_stack(r: Rendered) -> None:
    """A queue's redrive needs no permission, but the target has to be there and not forbid it."""
    for name, queue in r.of_type("AWS::SQS::Queue").items():
        target = queue.get("RedrivePolicy", {}).get("deadLetterTargetArn")
        assert target is None or target in r.by_arn, name


def test_whoever_uses_what_is_encrypted_may_use_its_key(r: Rendered) -> None:
    """DynamoDB, S3, SQS and Secrets Manager decrypt with the caller's own permissions (KMS, each service's page)."""
    problems, asked = [], 0
    encrypted = {arn: key for arn in r.by_arn if (key := key_of(r, arn)) is not None}
    services = ("dynamodb", "s3", "sqs", "secretsmanager", "sns")
    for role in r.of_type("AWS::IAM::Role"):
        held = r.statements(role)
        touched = {
            arn
            for one in held
            for pattern in listed(one["Resource"])
            for arn in encrypted
            if pattern == arn or pattern.startswith((f"{arn}/", f"{arn}:"))
            if any(action.partition(":")[0] in services for action in listed(one["Action"]))
        }
        for arn in touched:
            asked += 1
            if not allowed(held, "kms:Decrypt", encrypted[arn]):
                problems.append(f"{role} uses {r.by_arn[arn]} but not its key")
    assert asked > 30
    assert not problems, told(problems)


def tasks(r: Rendered) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Every task of every machine: machine, role, state, task."""
    for machine, given in r.of_type("AWS::StepFunctions::StateMachine").items():
        for path, value in template.walk(json.loads(definition(given))):
            if isinstance(value, dict) and value.get("Type") == "Task":
                yield machine, given["RoleArn"], path.rpartition(".")[2], value


# Members of what a machine computes, as it reads S3 by itself.
READ_BY_MACHINES = {
    "KeyDataExtraction": {
        "Prefix": ["third-information/x/", "key-data-batches/x/rows/"],
        "Key": ["key-data-batches/x/summary.json"],
    },
    "ScorecardTraining": {"Key": ["training-runs/x/summary.json"]},
}


def replayed(r: Rendered, service: str) -> set[str]:
    """Functions or processes that get an event again: targets of rules, of schedules and of streams."""
    given = [target["Arn"] for _, target in rule_targets(r)]
    given += [one["Target"]["Arn"] for one in r.of_type("AWS::Scheduler::Schedule").values()]
    names = {one["FunctionName"] for one in r.of_type("AWS::Lambda::EventSourceMapping").values()
             if "/stream/" in one["EventSourceArn"]}  # fmt: skip
    given += [r.arn(name) for name in r.of_type("AWS::Lambda::Function") if r.physical(name) in names]
    return {arn for arn in given if arn.split(":")[2] == service}


def needs_of_a_task(r: Rendered, machine: str, task: dict[str, Any]) -> list[tuple[str, str, dict[str, str]]]:
    """What a machine's role needs for a task: action, resource, context (Step Functions, Service integrations)."""
    place, given = r.place, task["Arguments"]
    call = task["Resource"].partition(":states:::")[2].removesuffix(".waitForTaskToken")
    rule = f"arn:{place.partition}:events:{place.region}:{ACCOUNT}:rule/StepFunctionsGetEventsFor"
    by_rule = [("events:PutTargets", rule), ("events:PutRule", rule), ("events:DescribeRule", rule)]
    if call == "lambda:invoke" and machine == "EventReplay":
        return [("lambda:InvokeFunction", one, {}) for one in replayed(r, "lambda")]
    if call == "lambda:invoke":
        return [("lambda:InvokeFunction", given["FunctionName"], {})]
    if call == "states:startExecution":
        return [("states:StartExecution", one, {}) for one in replayed(r, "states")]
    if call == "dynamodb:updateItem":
        return [
            (
                "dynamodb:UpdateItem",
                f"arn:{place.partition}:dynamodb:{place.region}:{ACCOUNT}:table/{given['TableName']}",
                {},
            )
        ]
    if call == "events:putEvents":
        buses = f"arn:{place.partition}:events:{place.region}:{ACCOUNT}:event-bus"
        return [("events:PutEvents", f"{buses}/{one['EventBusName']}", {}) for one in given["Entries"]]
    if call == "states:startExecution.sync:2":
        machine = given["StateMachineArn"]
        runs = machine.replace(":stateMachine:", ":execution:") + ":x"
        found = [("states:StartExecution", machine), ("states:DescribeExecution", runs), ("states:StopExecution", runs)]
        found += [(action, f"{arn}StepFunctionsExecutionRule") for action, arn in by_rule]
        return [(action, arn, {}) for action, arn in found]
    if call == "emr-serverless:startJobRun.sync":
        application = (
            f"arn:{place.partition}:emr-serverless:{place.region}:{ACCOUNT}:/applications/{given['ApplicationId']}"
        )
        found = [("emr-serverless:StartJobRun", application)]
        found += [(f"emr-serverless:{one}", f"{application}/jobruns/1") for one in ("GetJobRun", "CancelJobRun")]
        found += [(action, f"{arn}EMRServerlessJobRule") for action, arn in by_rule]
        passing = ("iam:PassRole", given["ExecutionRoleArn"], {"iam:PassedToService": "emr-serverless.amazonaws.com"})
        return [*((action, arn, {}) for action, arn in found), passing]
    bucket = f"arn:{place.partition}:s3:::{given['Bucket']}"
    if call == "aws-sdk:s3:listObjectsV2":
        return [("s3:ListBucket", bucket, {"s3:prefix": place}) for place in READ_BY_MACHINES[machine]["Prefix"]]
    if call == "aws-sdk:s3:getObject":
        return [("s3:GetObject", f"{bucket}/{place}", {}) for place in READ_BY_MACHINES[machine]["Key"]]
    raise AssertionError(f"say what a role needs for {call}")


def test_machines_may_do_their_tasks(r: Rendered) -> None:
    problems: list[str] = []
    asked = 0
    for machine, role, state, task in tasks(r):
        held = r.statements(role)
        for action, arn, context in needs_of_a_task(r, machine, task):
            asked += 1
            if not allowed(held, action, arn, context):
                problems.append(f"{machine}.{state}: {action} on {arn} with {context}")
        problems += untrusted(r, role, "states.amazonaws.com")
    assert asked > 15
    assert not problems, told(problems)


def test_roles_are_passed_to_one_service_only(r: Rendered) -> None:
    """Who may pass a role anywhere may make any service act by it (IAM, PassedToService)."""
    found = 0
    for role in r.of_type("AWS::IAM::Role"):
        for one in r.statements(role):
            if "iam:PassRole" in listed(one["Action"]):
                found += 1
                given = one.get("Condition", {}).get("StringEquals", {}).get("iam:PassedToService")
                assert given == "emr-serverless.amazonaws.com", f"{role}: {one}"
                for arn in listed(one["Resource"]):
                    assert not untrusted(r, arn, given), role
    assert found >= 2


def test_jobs_on_emr_may_write_their_logs(r: Rendered) -> None:
    """EMR Serverless, Logging with CloudWatch and Encrypting logs: by the job's role, which needs the key as well."""
    place = r.place
    settings = {
        name: one["MonitoringConfiguration"]["CloudWatchLoggingConfiguration"]
        for name, one in r.of_type("AWS::EMRServerless::Application").items()
    }
    (group,) = {one["LogGroupName"] for one in settings.values()}
    (key,) = {one["EncryptionKeyArn"] for one in settings.values()}
    account = f"arn:{place.partition}:logs:{place.region}:{ACCOUNT}"
    streams = f"{account}:log-group:{group}:log-stream:x"
    needed = [
        ("logs:DescribeLogGroups", f"{account}:log-group::log-stream:"),
        ("logs:CreateLogStream", streams),
        ("logs:PutLogEvents", streams),
        ("logs:DescribeLogStreams", f"{account}:log-group:{group}:log-stream:"),
        ("logs:AssociateKmsKey", f"{account}:log-group:{group}:log-stream:"),
        *((action, key) for action in USES_KEY),
    ]
    roles = [
        name for name in r.of_type("AWS::IAM::Role") if not untrusted(r, r.arn(name), "emr-serverless.amazonaws.com")
    ]
    assert len(roles) >= 3
    problems = [problem for role in roles for problem in lacking(r, role, role, needed)]
    assert not problems, told(problems)


def test_the_api_may_invoke_its_functions(r: Rendered) -> None:
    """For every route, by the permission's source: API, any stage, method and path with `*` for what is in braces."""
    (name, api), *others = r.of_type("AWS::ApiGateway::RestApi").items()
    assert not others
    root = f"arn:{r.place.partition}:execute-api:{r.place.region}:{ACCOUNT}:{r.physical(name)}"
    asked = 0
    for path, methods in api["Body"]["paths"].items():
        for method, route in methods.items():
            integration = route.get("x-amazon-apigateway-integration", {})
            if integration.get("type") == "mock":
                continue
            function = re.findall(r"functions/(.+)/invocations", integration["uri"])[0]
            source = f"{root}/{r.refs['Stage']}/{method.upper()}{re.sub(r'{[^}]+}', '*', path)}"
            assert may_invoke(r, "apigateway.amazonaws.com", function, source), f"{method} {path}"
            asked += 1
    for scheme in (
        api["Body"].get("securityDefinitions", api["Body"].get("components", {}).get("securitySchemes", {})).values()
    ):
        uri = scheme.get("x-amazon-apigateway-authorizer", {}).get("authorizerUri")
        if uri:
            function = re.findall(r"functions/(.+)/invocations", uri)[0]
            assert may_invoke(r, "apigateway.amazonaws.com", function, f"{root}/authorizers/x")
            asked += 1
    assert asked > 70


# What a policy names that the stack does not make: all rules, Step Functions' own, a job's runs, earlier keys' aliases.
API_CALLS = re.compile(r":execute-api:|:apigateway:")
OUTSIDE = re.compile(
    r":rule/(StepFunctionsGetEventsFor|\*$)|:key/(\*$|2{36})|:log-group:(\*|:|$|/.+/\*$)|:iam::\d+:root$"
)


def test_arns_written_by_hand_name_what_is_there(r: Rendered) -> None:
    """A name that is put together in a policy or variable is that of a resource of the stack."""
    parameters = {f":parameter{r.physical(name)}" for name in r.of_type("AWS::SSM::Parameter")}
    known = set(r.by_arn) | {arn.replace(":stateMachine:", ":execution:") for arn in r.by_arn}
    known |= {arn.removesuffix(":*") for arn in r.by_arn}
    unknown = set()
    for name, resource in r.resources.items():
        for path, value in template.walk(resource["Properties"]):
            if not isinstance(value, str) or not value.startswith("arn:") or OUTSIDE.search(value):
                continue
            if ACCOUNT not in value and ":s3:::" not in value:
                continue
            ours = any(value == arn or value.startswith((f"{arn}/", f"{arn}:")) for arn in known)
            if not ours and not value.endswith(tuple(parameters)) and not API_CALLS.search(value):
                unknown.add(f"{name}.{path}: {value}")
    assert not unknown, told(unknown)


# Condition keys that a request of an action carries (Service Authorization Reference); of any action: aws:….
CONDITION_KEYS = {
    "s3:ListBucket": {"s3:prefix", "s3:max-keys", "s3:delimiter"},
    "kms:": {
        "kms:resourcealiases",
        "kms:viaservice",
        "kms:grantisforawsresource",
        "kms:encryptioncontext:aws:logs:arn",
    },
    "iam:PassRole": {"iam:passedtoservice", "iam:associatedresourcearn"},
    "dynamodb:": {"dynamodb:leadingkeys", "dynamodb:attributes", "dynamodb:select"},
}


def test_conditions_are_of_keys_that_the_request_carries(r: Rendered) -> None:
    """A condition on a key that the request lacks never holds, unless its operator says `IfExists`."""
    conditional = 0
    wrong = set()
    for name, resource in r.resources.items():
        for path, one in template.walk(resource["Properties"]):
            if not (isinstance(one, dict) and "Condition" in one and "Action" in one):
                continue
            conditional += 1
            allowed([{**one, "Resource": "*"}], listed(one["Action"])[0], "*")  # knows each operator, or raises
            for action in listed(one["Action"]):
                known = {
                    key
                    for start, keys in CONDITION_KEYS.items()
                    for key in keys
                    if (action.startswith(start) if start.endswith(":") else action == start)
                }
                for operator, tests in one["Condition"].items():
                    asked = {key.lower() for key in tests if not key.startswith("aws:")}
                    wrong |= {f"{name}.{path}: {operator} {key} of {action}" for key in asked - known}
    assert conditional > 10
    assert not wrong, told(wrong)
