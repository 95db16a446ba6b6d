"""An in-process AWS with what template.yaml declares: tables, buckets, queues, keys, secrets, parameters, bus."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import boto3

from tests.support import template
from tests.support.memory_objects import MemoryObjects
from tests.support.memory_parameters import MemoryParameters
from tests.support.memory_tables import MemoryTables

IN_MEMORY = (MemoryTables, MemoryObjects, MemoryParameters)
SERVICES = ("kms", "sqs", "secretsmanager", "events")
"""What moto stands for."""
STAGE = "test"
ORIGIN = "https://source.test"
"""Where channels may call besides the address book."""
CONFIGURATION = {"Documents"}
"""Tables whose content is configuration: it is there before a test, and stays."""
PROCESS = f"arn:aws:states:{template.REGION}:{template.ACCOUNT}:stateMachine:creditmesh-{STAGE}-loan-origination"


def table_name(logical_id: str) -> str:
    """A table's own name in the stage of the tests."""
    return f"creditmesh-{STAGE}-" + re.sub(r"(?<!^)(?=[A-Z])", "-", logical_id).lower()


def clients() -> dict[str, Any]:
    """A client per service; made once, for making them is what costs."""
    made: dict[str, Any] = {one.name: one(template.REGION).client for one in IN_MEMORY}
    for service in SERVICES:
        made[service] = boto3.client(  # type: ignore[call-overload]
            service, region_name=template.REGION, aws_access_key_id="test", aws_secret_access_key="test"
        )
    return made


@dataclass
class Stack:
    """What was made."""

    clients: Mapping[str, Any]
    refs: dict[str, str] = field(default_factory=dict)
    """What `Ref` and `Fn::GetAtt` of the template give."""

    tables: dict[str, list[str]] = field(default_factory=dict)
    """Table's logical id -> its key attributes."""
    snapshots: dict[str, Any] = field(default_factory=dict)
    """What `stages` keeps."""

    @property
    def memory(self) -> MemoryTables:
        """DynamoDB."""
        behind: MemoryTables = self.clients["dynamodb"].behind
        return behind

    @property
    def objects(self) -> MemoryObjects:
        """S3."""
        behind: MemoryObjects = self.clients["s3"].behind
        return behind

    @cached_property
    def environment(self) -> dict[str, str]:
        """What any function is given; what can't be resolved here belongs to services that are not made here."""
        document = template.source()
        given: dict[str, str] = {}
        for name in template.of_type(document, "AWS::Serverless::Function"):
            given |= self._environment_of(name, document)
        return given

    def environment_of(self, function: str) -> dict[str, str]:
        """The variables of one function."""
        return self._environment_of(function, template.source())

    def _environment_of(self, function: str, document: Mapping[str, Any]) -> dict[str, str]:
        own = document["Resources"][function]["Properties"].get("Environment", {}).get("Variables", {})
        shared = document["Globals"]["Function"]["Environment"]["Variables"]
        given = {}
        for name, value in {**shared, **own}.items():
            with suppress(KeyError):
                given[name] = str(template.resolve(value, self.refs))
        return given

    def raw_items(self, table: str) -> list[dict[str, Any]]:
        """The items of a table, by its logical id, in DynamoDB's wire form."""
        return [dict(item) for item in self.memory.tables[table_name(table)].items.values()]

    def is_empty(self) -> bool:
        """Whether no table holds anything, configuration aside."""
        return not any(self.raw_items(table) for table in set(self.tables) - CONFIGURATION)

    def documents(self) -> dict[str, bytes]:
        """The data bucket's content."""
        return self.objects.below(self.refs["DataBucket"])

    def empty(self) -> None:
        """Take every item and document away."""
        self.memory.empty(*(table_name(table) for table in set(self.tables) - CONFIGURATION))
        for bucket, prefix in (
            ("DataBucket", ""),
            ("FailedRecords", ""),
            ("ArtefactBucket", "models/origination/"),
            ("ArtefactBucket", "models/trade/"),
        ):
            held = self.objects.buckets[self.refs[bucket]]
            for key in self.objects.below(self.refs[bucket], prefix):
                del held[key]


def build(made: Mapping[str, Any], secrets: Mapping[str, str], parameters: Mapping[str, str]) -> Stack:
    """Create the template's resources; must run inside moto's `mock_aws`.

    Args:
        secrets: logical id -> text of the secrets that somebody fills in by hand.
        parameters: logical id -> text of the SSM parameters.
    """
    document = template.source()
    stack = Stack(made, dict(template.PSEUDO))
    defaults = {name: str(one["Default"]) for name, one in document["Parameters"].items() if "Default" in one}
    stack.refs |= {
        **defaults,
        "Stage": STAGE,
        "SparkCode": "0" * 16,
        "LoanOrigination": PROCESS,
        "AllowedOrigins": ORIGIN,
    }
    for name, properties in template.of_type(document, "AWS::KMS::Key").items():
        kind = {part: properties[part] for part in ("KeySpec", "KeyUsage") if part in properties}
        stack.refs[f"{name}.Arn"] = made["kms"].create_key(Description=name, **kind)["KeyMetadata"]["Arn"]
    for name, properties in template.of_type(document, "AWS::DynamoDB::Table").items():
        _table(stack, name, properties)
    for name in template.of_type(document, "AWS::S3::Bucket"):
        stack.refs[name] = f"{STAGE}-{name.lower()}"
        place = {"LocationConstraint": template.REGION}
        made["s3"].create_bucket(Bucket=stack.refs[name], CreateBucketConfiguration=place)
    for name, properties in template.of_type(document, "AWS::SQS::Queue").items():
        named = str(template.resolve(properties.get("QueueName", name), stack.refs))
        attributes = {"FifoQueue": "true"} if properties.get("FifoQueue") else {}
        stack.refs[name] = made["sqs"].create_queue(QueueName=named, Attributes=attributes)["QueueUrl"]
    for name in template.of_type(document, "AWS::SecretsManager::Secret"):
        text = secrets.get(name, f"madeUp{name}".ljust(64, "0"))
        stack.refs[name] = made["secretsmanager"].create_secret(Name=name, SecretString=text)["ARN"]
    for name in template.of_type(document, "AWS::Events::EventBus"):
        stack.refs[name] = f"creditmesh-{STAGE}"
        made["events"].create_event_bus(Name=stack.refs[name])
    for name, properties in template.of_type(document, "AWS::SSM::Parameter").items():
        stack.refs[name] = str(template.resolve(properties["Name"], stack.refs))
        made["ssm"].put_parameter(Name=stack.refs[name], Value=parameters[name], Type="String")
    return stack


def _table(stack: Stack, name: str, properties: Mapping[str, Any]) -> None:
    """The keys and indexes are the template's; encryption and recovery mean nothing here."""
    taken = {
        key: properties[key]
        for key in ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "StreamSpecification")
        if key in properties
    }
    if "StreamSpecification" in taken:
        taken["StreamSpecification"] = {"StreamEnabled": True, **taken["StreamSpecification"]}
    own = str(template.resolve(properties["TableName"], stack.refs))
    table = stack.clients["dynamodb"].create_table(TableName=own, **taken)["TableDescription"]
    stack.tables[name] = [part["AttributeName"] for part in properties["KeySchema"]]
    stack.refs |= {
        name: own,
        f"{own}.Arn": table["TableArn"],
        f"{name}.Arn": table["TableArn"],
        f"{name}.StreamArn": table.get("LatestStreamArn", ""),
    }


def text(document: Any) -> str:
    """A document as JSON text."""
    return json.dumps(document, ensure_ascii=False)
