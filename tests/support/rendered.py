"""The template as one deployment makes it: SAM's transform, parameters and conditions applied, every reference as long
as AWS may make it. Names that CloudFormation generates are the stack's name, the logical id and 12 characters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from tests.support import template

ACCOUNT = "123456789012"
STAGE = "quitelonge12"
"""As long as the parameter allows, and no part of any word in the template."""

# Type -> the property that names it, and how many characters a name may have. None: AWS gives it an id.
NAMES: dict[str, tuple[str | None, int]] = {
    "AWS::ApiGateway::RestApi": ("Name", 1024),
    "AWS::CloudWatch::Alarm": ("AlarmName", 255),
    "AWS::CloudWatch::Dashboard": ("DashboardName", 255),
    "AWS::Cognito::UserPool": ("UserPoolName", 128),
    "AWS::DynamoDB::Table": ("TableName", 255),
    "AWS::EMRServerless::Application": ("Name", 64),
    "AWS::Events::EventBus": ("Name", 256),
    "AWS::Events::Rule": ("Name", 64),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", 128),
    "AWS::IAM::Role": ("RoleName", 64),
    "AWS::KMS::Alias": ("AliasName", 256),
    "AWS::Lambda::Function": ("FunctionName", 64),
    "AWS::Lambda::LayerVersion": ("LayerName", 64),
    "AWS::Logs::LogGroup": ("LogGroupName", 512),
    "AWS::Logs::MetricFilter": ("FilterName", 512),
    "AWS::Logs::ResourcePolicy": ("PolicyName", 255),
    "AWS::S3::Bucket": ("BucketName", 63),
    "AWS::SNS::Topic": ("TopicName", 256),
    "AWS::SQS::Queue": ("QueueName", 80),
    "AWS::SSM::Parameter": ("Name", 1011),
    "AWS::Scheduler::Schedule": ("Name", 64),
    "AWS::Scheduler::ScheduleGroup": ("Name", 64),
    "AWS::SecretsManager::Secret": ("Name", 512),
    "AWS::StepFunctions::StateMachine": ("StateMachineName", 80),
    "AWS::WAFv2::WebACL": ("Name", 128),
    # What belongs to another resource has that one's name; what has an id needs none.
    "AWS::ApiGateway::Account": (None, 0),
    "AWS::ApiGateway::Deployment": (None, 0),
    "AWS::ApiGateway::Stage": (None, 0),
    "AWS::Cognito::UserPoolClient": (None, 0),
    "AWS::Cognito::UserPoolGroup": (None, 0),
    "AWS::Cognito::UserPoolRiskConfigurationAttachment": (None, 0),
    "AWS::KMS::Key": (None, 0),
    "AWS::Lambda::EventInvokeConfig": (None, 0),
    "AWS::Lambda::EventSourceMapping": (None, 0),
    "AWS::Lambda::Permission": (None, 0),
    "AWS::S3::BucketPolicy": (None, 0),
    "AWS::SNS::Subscription": (None, 0),
    "AWS::SNS::TopicPolicy": (None, 0),
    "AWS::SQS::QueuePolicy": (None, 0),
    "AWS::WAFv2::WebACLAssociation": (None, 0),
}
# Type -> its ARN; {id} is the name.
_ARNS = {
    "AWS::CloudWatch::Alarm": "arn:{p}:cloudwatch:{r}:{a}:alarm:{id}",
    "AWS::Cognito::UserPool": "arn:{p}:cognito-idp:{r}:{a}:userpool/{id}",
    "AWS::DynamoDB::Table": "arn:{p}:dynamodb:{r}:{a}:table/{id}",
    "AWS::EMRServerless::Application": "arn:{p}:emr-serverless:{r}:{a}:/applications/{id}",
    "AWS::Events::EventBus": "arn:{p}:events:{r}:{a}:event-bus/{id}",
    "AWS::Events::Rule": "arn:{p}:events:{r}:{a}:rule/{id}",
    "AWS::IAM::ManagedPolicy": "arn:{p}:iam::{a}:policy/{id}",
    "AWS::IAM::Role": "arn:{p}:iam::{a}:role/{id}",
    "AWS::KMS::Key": "arn:{p}:kms:{r}:{a}:key/{id}",
    "AWS::Lambda::Function": "arn:{p}:lambda:{r}:{a}:function:{id}",
    "AWS::Lambda::LayerVersion": "arn:{p}:lambda:{r}:{a}:layer:{id}:1",
    "AWS::Logs::LogGroup": "arn:{p}:logs:{r}:{a}:log-group:{id}:*",
    "AWS::S3::Bucket": "arn:{p}:s3:::{id}",
    "AWS::SNS::Topic": "arn:{p}:sns:{r}:{a}:{id}",
    "AWS::SQS::Queue": "arn:{p}:sqs:{r}:{a}:{id}",
    "AWS::SecretsManager::Secret": "arn:{p}:secretsmanager:{r}:{a}:secret:{id}-AbCdEf",
    "AWS::StepFunctions::StateMachine": "arn:{p}:states:{r}:{a}:stateMachine:{id}",
    "AWS::WAFv2::WebACL": "arn:{p}:wafv2:{r}:{a}:regional/webacl/{id}/" + 36 * "1",
}
# Types whose `Ref` is the ARN.
_REF_IS_ARN = {
    "AWS::IAM::ManagedPolicy",
    "AWS::Lambda::LayerVersion",
    "AWS::SNS::Topic",
    "AWS::SecretsManager::Secret",
    "AWS::StepFunctions::StateMachine",
}
# How long the ids are that AWS gives.
_IDS = {
    "AWS::ApiGateway::Deployment": 6,
    "AWS::ApiGateway::RestApi": 10,
    "AWS::Cognito::UserPoolClient": 26,
    "AWS::EMRServerless::Application": 16,
    "AWS::KMS::Key": 36,
}


# What AWS's own policies allow of what is asked here; all on every resource.
_AWS_MANAGED: dict[str, list[str]] = {
    "service-role/AWSLambdaBasicExecutionRole": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
    "service-role/AWSLambdaDynamoDBExecutionRole": [
        "dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams",
    ],
    "service-role/AWSLambdaSQSQueueExecutionRole": [
        "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes",
    ],
    "AWSXrayWriteOnlyAccess": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
    "AWSXRayDaemonWriteAccess": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where a rendering is deployed."""

    region: str
    partition: str = "aws"
    suffix: str = "amazonaws.com"


FAR = Place("ap-southeast-2")
"""A region whose name is as long as any."""
CHINA = Place("cn-northwest-1", "aws-cn", "amazonaws.com.cn")
"""The longest ARNs, and no Cognito."""


class Rendered:
    """One deployment of the template.

    Args:
        known: what references give that has been made elsewhere.
    """

    def __init__(
        self,
        place: Place = FAR,
        stage: str = STAGE,
        parameters: Mapping[str, str] | None = None,
        known: Mapping[str, str] | None = None,
    ) -> None:
        self.place, self.stack = place, f"creditmesh-{stage}"
        parameters = {"Stage": stage, **(parameters or {})}
        self.document = template.transformed(place.region, **parameters)
        self._written = self.document["Resources"]
        self.refs = _Refs(self, {**parameters, **(known or {})})
        named = self.document.get("Conditions", {})
        self.conditions = {name: template.holds(one, self.refs, named) for name, one in named.items()}

    @cached_property
    def resources(self) -> dict[str, dict[str, Any]]:
        """See the class."""
        wanted = {
            name: one
            for name, one in self._written.items()
            if "Condition" not in one or self.conditions[one["Condition"]]
        }
        return {
            name: {**one, "Properties": template.resolve(one.get("Properties", {}), self.refs, self.conditions)}
            for name, one in wanted.items()
        }

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The resolved properties of all resources of a type, by logical id."""
        return template.of_type({"Resources": self.resources}, kind)

    def kind(self, name: str) -> str:
        """A resource's type."""
        return str(self._written[name]["Type"])

    def named(self, name: str) -> str | None:
        """The name that the template itself gives a resource, or None."""
        written, _ = NAMES[self.kind(name)]
        given = self._written[name].get("Properties", {}).get(written) if written else None
        return None if given is None else str(template.resolve(given, self.refs, self.conditions))

    def physical(self, name: str) -> str:
        """A resource's name or id."""
        kind = self.kind(name)
        if kind in _IDS:
            return _digest(name, _IDS[kind])
        if kind == "AWS::Cognito::UserPool":
            return f"{self.place.region}_AbCdEfGhI"
        if kind == "AWS::ApiGateway::Stage":
            return str(self.resolve(self._written[name]["Properties"]["StageName"]))
        given = self.named(name)
        if given is not None:
            return given
        _, longest = NAMES[kind]
        room = longest - len(self.stack) - 14 if longest else len(name)
        made = f"{self.stack}-{name[:room]}-{_digest(name, 12).upper()}"
        return made.lower() if kind == "AWS::S3::Bucket" else made

    def arn(self, name: str) -> str:
        """A resource's ARN."""
        place = {"p": self.place.partition, "r": self.place.region, "a": ACCOUNT}
        return _ARNS[self.kind(name)].format(id=self.physical(name), **place)

    def resolve(self, value: Any) -> Any:
        """A value of the transformed template with everything filled in."""
        return template.resolve(value, self.refs, self.conditions)

    def statements(self, role: str) -> list[dict[str, Any]]:
        """What a role's ARN or logical id holds: inline, the stack's managed policies, and AWS's that SAM attaches."""
        given = self.resources[self.by_arn.get(role, role)]["Properties"]
        documents = [policy["PolicyDocument"] for policy in given.get("Policies", [])]
        for arn in given.get("ManagedPolicyArns", []):
            if arn in self.by_arn:
                documents.append(self.resources[self.by_arn[arn]]["Properties"]["PolicyDocument"])
            else:
                actions = _AWS_MANAGED[arn.partition(":policy/")[2]]
                documents.append({"Statement": {"Effect": "Allow", "Action": actions, "Resource": "*"}})
        return [statement for document in documents for statement in listed(document["Statement"])]

    def written(self, name: str) -> dict[str, Any]:
        """A resource's properties, unresolved."""
        return dict(self._written[name].get("Properties", {}))

    def exists(self, name: str) -> bool:
        """Whether the template has such a resource."""
        return name in self._written

    @cached_property
    def by_arn(self) -> dict[str, str]:
        """ARN -> logical id of everything that has one."""
        return {self.arn(name): name for name in self.resources if self.kind(name) in _ARNS}


def _digest(name: str, length: int) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:length]


class _Refs(Mapping[str, Any]):
    """What a reference gives."""

    def __init__(self, rendered: Rendered, parameters: Mapping[str, str]) -> None:
        self._rendered = rendered
        place, stack = rendered.place, rendered.stack
        declared = rendered.document.get("Parameters", {})
        self._plain: dict[str, Any] = {
            **{name: str(one.get("Default", "")) for name, one in declared.items()},
            **parameters,
            "AWS::Partition": place.partition,
            "AWS::Region": place.region,
            "AWS::AccountId": ACCOUNT,
            "AWS::URLSuffix": place.suffix,
            "AWS::StackName": stack,
            "AWS::StackId": f"arn:{place.partition}:cloudformation:{place.region}:{ACCOUNT}:stack/{stack}/1",
        }

    def __getitem__(self, key: str) -> Any:
        if key in self._plain:
            return self._plain[key]
        name, _, attribute = key.partition(".")
        if not self._rendered.exists(name):
            raise KeyError(f"nothing in the template is called {name}")
        return self._attribute(name, attribute) if attribute else self._ref(name)

    def _ref(self, name: str) -> str:
        kind, id_ = self._rendered.kind(name), self._rendered.physical(name)
        if kind in _REF_IS_ARN:
            return self._rendered.arn(name)
        if kind == "AWS::SQS::Queue":
            place = self._rendered.place
            return f"https://sqs.{place.region}.{place.suffix}/{ACCOUNT}/{id_}"
        return id_

    def _attribute(self, name: str, attribute: str) -> str:
        rendered = self._rendered
        kind, id_ = rendered.kind(name), rendered.physical(name)
        if attribute in ("Arn", "TopicArn", "LogGroupArn"):
            return rendered.arn(name)
        if attribute == "StreamArn":
            return f"{rendered.arn(name)}/stream/2026-11-30T00:00:00.000"
        if (kind, attribute) == ("AWS::SSM::Parameter", "Value"):
            return str(rendered.resolve(rendered.written(name)["Value"]))
        if attribute in ("Name", "QueueName", "TopicName", "KeyId", "ApplicationId", "RestApiId"):
            return id_
        raise KeyError(f"what {kind} gives as {attribute} is not known in tests/support/rendered.py")

    def __iter__(self) -> Iterator[str]:
        return iter(self._plain)

    def __len__(self) -> int:
        return len(self._plain)


def listed(value: Any) -> list[Any]:
    """One or several, as a list."""
    return value if isinstance(value, list) else [value]


@cache
def rendered(place: Place = FAR) -> Rendered:
    """The deployment with a stage name and parameters as long as they may well be; made once per process."""
    key = f"arn:{place.partition}:kms:{place.region}:{ACCOUNT}:key/{36 * '2'}"
    given = {
        "AllowedOrigins": "https://api.tax.example.com,https://*.registry.example.com,https://bureau.example.com:8443",
        "TrustedModelKeys": f"{key},{key}",
    }
    if place is CHINA:
        given |= {"OidcIssuer": "https://identity.example.com.cn/realms/creditmesh", "OidcAudience": "creditmesh"}
    return Rendered(place, parameters=given)
