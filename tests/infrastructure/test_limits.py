"""What AWS refuses by size, count or name, asked of the template as one deployment makes it (issue 9, 2).

The figures are the services' documented quotas; those that can be raised count as they are by default. `make check`
runs this file: it needs no account.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from cloud import stack
from tests.support import template
from tests.support.rendered import CHINA, FAR, NAMES, STAGE, Place, Rendered, rendered

Measure = Callable[[Rendered], Mapping[str, int]]


def compact(document: Any) -> str:
    """JSON without white space, which neither IAM nor Lambda counts."""
    return document if isinstance(document, str) else json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def permissions(r: Rendered) -> dict[str, int]:
    """Each function's resource policy: all its permissions as statements, as `lambda:AddPermission` stores them."""
    statements: dict[str, list[Any]] = defaultdict(list)
    names = {r.physical(name): name for name in r.of_type("AWS::Lambda::Function")}
    for name, given in r.of_type("AWS::Lambda::Permission").items():
        function = names[given["FunctionName"].rpartition(":")[2]]
        condition = {"ArnLike": {"AWS:SourceArn": given["SourceArn"]}} if "SourceArn" in given else {}
        if "SourceAccount" in given:
            condition |= {"StringEquals": {"AWS:SourceAccount": given["SourceAccount"]}}
        statements[function].append(
            {
                "Sid": f"{r.stack}-{name}-ABCDEFGHIJ12",
                "Effect": "Allow",
                "Principal": {"Service": given["Principal"]},
                "Action": given["Action"],
                "Resource": r.arn(function),
                "Condition": condition,
            }
        )
    policy = {"Version": "2012-10-17", "Id": "default"}
    return {name: len(compact({**policy, "Statement": one})) for name, one in statements.items()}


def environments(r: Rendered) -> dict[str, int]:
    """Lambda measures the variables as JSON."""
    functions = r.of_type("AWS::Lambda::Function")
    given = {name: one["Environment"]["Variables"] for name, one in functions.items() if "Environment" in one}
    return {name: len(compact(one).encode()) for name, one in given.items()}


def sizes(kind: str, document: Callable[[dict[str, Any]], Any]) -> Measure:
    """Size of one document of each resource of a type."""
    return lambda r: {name: len(compact(document(one)).encode()) for name, one in r.of_type(kind).items()}


def counts(kind: str, part: Callable[[dict[str, Any]], Any]) -> Measure:
    """How many of something each resource of a type has."""
    return lambda r: {name: len(part(one) or ()) for name, one in r.of_type(kind).items()}


def figures(kind: str, part: Callable[[dict[str, Any]], int]) -> Measure:
    """A figure of each resource of a type."""
    return lambda r: {name: part(one) for name, one in r.of_type(kind).items()}


def inline(r: Rendered) -> dict[str, int]:
    """A role's inline policies together."""
    roles = r.of_type("AWS::IAM::Role")
    return {
        name: sum(len(compact(policy["PolicyDocument"])) for policy in one.get("Policies", []))
        for name, one in roles.items()
    }


def definition(given: Mapping[str, Any]) -> str:
    """A state machine's definition with its substitutions."""
    text = str(given["DefinitionString"])
    for name, value in given.get("DefinitionSubstitutions", {}).items():
        text = text.replace(f"${{{name}}}", str(value))
    return text


def api_paths(r: Rendered) -> dict[str, int]:
    """Resources of an API: every part of every path is one, the root too."""
    found = {}
    for name, one in r.of_type("AWS::ApiGateway::RestApi").items():
        paths = [path.strip("/").split("/") for path in one["Body"]["paths"]]
        found[name] = 1 + len({tuple(path[:length]) for path in paths for length in range(1, len(path) + 1)})
    return found


def stream_readers(r: Rendered) -> dict[str, int]:
    """Event source mappings of each stream."""
    mappings = r.of_type("AWS::Lambda::EventSourceMapping").values()
    return Counter(one["EventSourceArn"] for one in mappings if "/stream/" in one["EventSourceArn"])


def behind_the_api(r: Rendered) -> dict[str, int]:
    """Time-outs of functions that the API waits for."""
    functions = r.of_type("AWS::Lambda::Function")
    bodies = compact([one["Body"] for one in r.of_type("AWS::ApiGateway::RestApi").values()])
    return {name: one["Timeout"] for name, one in functions.items() if f"{r.arn(name)}/invocations" in bodies}


def alarm_days(r: Rendered) -> dict[str, int]:
    """Seconds that an alarm looks back."""
    alarms = r.of_type("AWS::CloudWatch::Alarm")
    return {name: one["Period"] * one["EvaluationPeriods"] for name, one in alarms.items() if "Period" in one}


def projected(one: Mapping[str, Any]) -> list[str]:
    """Attributes that a table's indexes name beyond keys."""
    indexes = one.get("GlobalSecondaryIndexes", [])
    return [name for index in indexes for name in index["Projection"].get("NonKeyAttributes", [])]


def template_sizes(r: Rendered) -> dict[str, int]:
    """What is uploaded and what SAM makes of it; both count."""
    return {
        "template.yaml": (template.ROOT / "template.yaml").stat().st_size,
        "transformed": len(json.dumps(r.document).encode()),
    }


def state_names(r: Rendered) -> dict[str, int]:
    """Lengths of the machines' state names."""
    found = {}
    for machine, one in r.of_type("AWS::StepFunctions::StateMachine").items():
        for path, value in template.walk(json.loads(definition(one))):
            if path.rpartition(".")[2] == "States" and isinstance(value, dict):
                found |= {f"{machine}.{name}": len(name) for name in value}
    return found


@dataclass(frozen=True)
class Limit:
    """One quota."""

    what: str
    """Of one thing."""
    figure: int
    """The most that AWS takes."""
    source: str
    """Where it says so."""
    measure: Measure
    """What each thing has."""
    ours: int | None = None
    """Where we stop, to leave room."""


MEGABYTE = 1_000_000
FUNCTION, TABLE, ROLE = "AWS::Lambda::Function", "AWS::DynamoDB::Table", "AWS::IAM::Role"
MAPPING, MACHINE, RULE = "AWS::Lambda::EventSourceMapping", "AWS::StepFunctions::StateMachine", "AWS::Events::Rule"
API = "AWS::ApiGateway::RestApi"
LIMITS = (
    Limit("bytes of a function's resource policy", 20_480, "Lambda, Quotas", permissions, ours=18_000),
    Limit("bytes of a function's environment", 4_096, "Lambda, Quotas", environments, ours=3_500),
    Limit("seconds of a function", 900, "Lambda, Quotas", figures(FUNCTION, lambda one: one["Timeout"])),
    Limit("MB of a function", 10_240, "Lambda, Quotas", figures(FUNCTION, lambda one: one["MemorySize"])),
    Limit("layers of a function", 5, "Lambda, Quotas", counts(FUNCTION, lambda one: one.get("Layers"))),
    Limit(
        "filters of an event source", 5, "Lambda, Event filtering",
        counts(MAPPING, lambda one: one.get("FilterCriteria", {}).get("Filters")),
    ),
    Limit(
        "characters of an event source's filters", 4_096, "Lambda, Event filtering",
        sizes(MAPPING, lambda one: "".join(x["Pattern"] for x in one.get("FilterCriteria", {}).get("Filters", []))),
    ),
    Limit("readers of a stream", 2, "DynamoDB, Streams and Lambda triggers", stream_readers),
    Limit(
        "characters of a managed policy", 6_144, "IAM, Quotas",
        sizes("AWS::IAM::ManagedPolicy", lambda one: one["PolicyDocument"]),
    ),
    Limit("characters of a role's inline policies together", 10_240, "IAM, Quotas", inline, ours=9_700),
    Limit(
        "managed policies of a role", 10, "IAM, Quotas (10 unless raised)",
        counts(ROLE, lambda one: one.get("ManagedPolicyArns")),
    ),
    Limit(
        "characters of a role's trust policy", 2_048, "IAM, Quotas (2,048 unless raised)",
        sizes(ROLE, lambda one: one["AssumeRolePolicyDocument"]),
    ),
    Limit("bytes of a key policy", 32_768, "KMS, Quotas", sizes("AWS::KMS::Key", lambda one: one["KeyPolicy"])),
    Limit(
        "bytes of a bucket policy", 20_480, "S3, Bucket policies",
        sizes("AWS::S3::BucketPolicy", lambda one: one["PolicyDocument"]),
    ),
    Limit(
        "statements of a queue policy", 20, "SQS, Policy quotas",
        counts("AWS::SQS::QueuePolicy", lambda one: one["PolicyDocument"]["Statement"]),
    ),
    Limit(
        "characters of a log resource policy", 5_120, "CloudWatch Logs, PutResourcePolicy",
        sizes("AWS::Logs::ResourcePolicy", lambda one: one["PolicyDocument"]),
    ),
    Limit("indexes of a table", 20, "DynamoDB, Quotas", counts(TABLE, lambda one: one.get("GlobalSecondaryIndexes"))),
    Limit("attributes that a table's indexes name", 100, "DynamoDB, Quotas", counts(TABLE, projected)),
    Limit("bytes of a definition", 1_048_576, "Step Functions, Quotas", sizes(MACHINE, definition)),
    Limit("characters of a state's name", 80, "Amazon States Language, States", state_names),
    Limit(
        "characters of an event pattern", 4_096, "EventBridge, PutRule",
        sizes(RULE, lambda one: one.get("EventPattern", {})),
    ),
    Limit("targets of a rule", 5, "EventBridge, Quotas", counts(RULE, lambda one: one.get("Targets"))),
    Limit("bytes of an API's document", 6 * 1_048_576, "API Gateway, Quotas", sizes(API, lambda one: one["Body"])),
    Limit("resources of an API", 300, "API Gateway, Quotas (300 unless raised)", api_paths),
    Limit("seconds of a function behind the API", 29, "API Gateway, Quotas (29 s unless raised)", behind_the_api),
    Limit("seconds that an alarm looks back", 86_400, "CloudWatch, PutMetricAlarm", alarm_days),
    Limit("resources of the stack", 500, "CloudFormation, Quotas", lambda r: {"template.yaml": len(r.resources)}),
    Limit(
        "parameters of the stack", 200, "CloudFormation, Quotas",
        lambda r: {"template.yaml": len(r.document["Parameters"])},
    ),
    Limit(
        "outputs of the stack", 200, "CloudFormation, Quotas", lambda r: {"template.yaml": len(r.document["Outputs"])}
    ),
    Limit("bytes of a template", MEGABYTE, "CloudFormation, Quotas (1 MB in S3)", template_sizes),
)  # fmt: skip


@pytest.mark.parametrize("place", [FAR, CHINA], ids=lambda one: one.partition)
@pytest.mark.parametrize("limit", LIMITS, ids=lambda one: one.what)
def test_nothing_is_larger_than_aws_takes(limit: Limit, place: Place) -> None:
    most = limit.ours or limit.figure
    measured = limit.measure(rendered(place))
    assert measured, f"nothing was measured for: {limit.what}"
    over = [f"{name} has {found:,}" for name, found in sorted(measured.items()) if found > most]
    assert not over, f"{limit.what}: AWS takes {limit.figure:,} ({limit.source}), we {most:,}; {'; '.join(over)}"


def names(r: Rendered) -> Iterator[tuple[str, str, str]]:
    """Every resource that the template names: logical id, type, name."""
    for name in r.resources:
        given = r.named(name)
        if given is not None:
            yield name, r.kind(name), given


def test_every_type_of_resource_is_known_here() -> None:
    unknown = {r.kind(name) for r in (rendered(FAR), rendered(CHINA)) for name in r.resources} - set(NAMES)
    assert not unknown, f"say in tests/support/rendered.py which property names them: {sorted(unknown)}"


def test_names_carry_the_stage() -> None:
    """Two stages in one account and region have no name in common, schedules included."""
    given = list(names(rendered()))
    assert len(given) > 15
    shared = [f"{name} ({kind}) is called {text}" for name, kind, text in given if STAGE not in text]
    assert not shared, f"a second stage in the account could not be created: {shared}"


def test_names_are_not_too_long() -> None:
    r = rendered()
    long = {name: text for name in r.resources if len(text := r.physical(name)) > (NAMES[r.kind(name)][1] or 256)}
    assert not long, f"longer than their type allows: {long}"


def test_no_two_resources_of_a_type_have_one_name() -> None:
    found = Counter((kind, text) for _, kind, text in names(rendered()))
    assert [one for one, number in found.items() if number > 1] == []


@pytest.mark.parametrize("place", [FAR, CHINA], ids=lambda one: one.partition)
def test_tables_are_as_dynamodb_wants_them(place: Place) -> None:
    """Attributes are declared if and only if they are keys; what ends an item is no key."""
    tables = rendered(place).of_type(TABLE)
    assert len(tables) > 10
    for name, one in tables.items():
        schemas = [one["KeySchema"], *(index["KeySchema"] for index in one.get("GlobalSecondaryIndexes", []))]
        keys = {part["AttributeName"] for schema in schemas for part in schema}
        declared = [part["AttributeName"] for part in one["AttributeDefinitions"]]
        assert sorted(declared) == sorted(keys), name
        ending = one.get("TimeToLiveSpecification", {}).get("AttributeName")
        assert ending not in {part["AttributeName"] for part in one["KeySchema"]}, name
        for index in one.get("GlobalSecondaryIndexes", []):
            named = index["Projection"].get("NonKeyAttributes", [])
            assert (index["Projection"]["ProjectionType"] == "INCLUDE") == bool(named), f"{name}.{index['IndexName']}"
            assert len(named) <= 20, f"{name}.{index['IndexName']}"


def test_an_index_is_named_where_a_policy_lets_it_be_read() -> None:
    """`table/name/index/by-x` in a policy is an index of that table."""
    r = rendered()
    indexes = {
        f"{r.arn(name)}/index/{index['IndexName']}"
        for name, one in r.of_type(TABLE).items()
        for index in one.get("GlobalSecondaryIndexes", [])
    }
    named = {
        value for _, value in template.walk(r.resources) if isinstance(value, str) and "/index/" in value
        and not value.endswith("*")
    }  # fmt: skip
    assert named <= indexes, f"no table has {sorted(named - indexes)}"


def test_what_holds_data_is_kept_and_never_replaced() -> None:
    """By the stack as it goes, but for a creation that failed; and by the stack policy, against an update."""
    (deny,) = [one for one in json.loads(stack.POLICY)["Statement"] if one["Effect"] == "Deny"]
    kinds = set(deny["Condition"]["StringEquals"]["ResourceType"])
    r = rendered()
    kept = {name for name, one in r.resources.items() if one.get("DeletionPolicy", "Delete") != "Delete"}
    assert kept == {name for name in r.resources if r.kind(name) in kinds}
    for name in kept:
        policies = r.resources[name]["DeletionPolicy"], r.resources[name]["UpdateReplacePolicy"]
        assert policies == ("RetainExceptOnCreate", "Retain"), name
