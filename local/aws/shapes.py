"""Our resource types: short declarations in the template's parts that expand to CloudFormation resources.

=======================  ============================================================================================
``creditmesh::Alarm``    ``Metrics`` (namespace, name, dimensions), ``Statistic`` of each, and for several metrics
                         the ``Expression`` over them, by default their sum
``creditmesh::Function`` ``Reads``: its environment variables, ``StepOf``: its process; readers of a stream get an
                         alarm if they are ``Late``, and what ``StreamReader`` names among the defaults
``creditmesh::Grant``    additional permissions here for a function or role of another part
``creditmesh::Policy``   a managed policy
``creditmesh::Process``  a state machine, defined in the file of its name, with its steps and an alarm for failures
``creditmesh::Role``     a role for one service of AWS
``creditmesh::Table``    ``Key`` and ``Indexes`` (partition, sort), the expiry attribute; a ``Busy`` one gets an
                         alarm for throttling
=======================  ============================================================================================

``Allow`` lists the resource's own permissions, ``Policies`` names managed policies. Other fields are CloudFormation's.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

Json = dict[str, Any]

SCHEDULER = "SchedulerRole"
"""The role that schedules use to start functions and processes."""
REPLAY = "EventReplay"
"""The process that hands failed events to their functions and processes again."""


class Malformed(Exception):
    """The parts do not form a template; the message names part, resource and field."""


def unknown(name: str, known: Iterable[str]) -> str:
    """The message for an unknown name."""
    close = get_close_matches(name, [*known], n=1)
    return f"{name} is not known" + (f"; is {close[0]} meant?" if close else "")


@dataclass(frozen=True)
class Declared:
    """A resource as declared in a part."""

    part: str
    name: str
    given: Json

    @property
    def kind(self) -> str:
        return str(self.given["Type"])

    def refuse(self, field: str, reason: str) -> Malformed:
        """The error for a field."""
        return Malformed(f"infrastructure/{self.part}.yaml: {self.name}.{field}: {reason}")

    def check(self, fields: Json, required: str, optional: str = "", inside: str = "") -> None:
        """Refuse missing and unknown fields."""
        known = [*required.split(), *optional.split()]
        for name in fields:
            if name not in known:
                raise self.refuse(f"{inside}{name}", unknown(name, known))
        for name in required.split():
            if name not in fields:
                raise self.refuse(f"{inside}{name}", "is missing")

    def allowed(self) -> list[Json]:
        """What the resource may do, as policy statements."""
        for number, one in enumerate(self.given.get("Allow", [])):
            self.check(one, "Action Resource", "Condition", inside=f"Allow[{number}].")
        return [{"Effect": "Allow", **one} for one in self.given.get("Allow", [])]

    def event_types(self) -> set[str]:
        """Types of the events that start it."""
        return {event["Type"] for event in self.given.get("Events", {}).values()}


class Stack:
    """What resources take from other parts: variables, defaults, grants."""

    def __init__(self, variables: Json, defaults: Json, resources: Mapping[str, Declared]) -> None:
        self.variables, self.defaults, self._resources = variables, defaults, resources
        self.steps: dict[str, list[str]] = defaultdict(list)
        self._grants: dict[str, list[Json]] = defaultdict(list)
        for name, one in resources.items():
            if one.kind in TYPES:
                one.check(one.given, f"Type {TYPES[one.kind][0]}", TYPES[one.kind][1])
            elif one.kind.startswith("creditmesh::"):
                raise one.refuse("Type", unknown(one.kind, TYPES))
            if one.kind == "creditmesh::Grant":
                self._grants[self._other(one, "To", "Function", "Role")] += one.allowed()
            if "StepOf" in one.given:
                self.steps[self._other(one, "StepOf", "Process")].append(name)
            process = one.kind == "creditmesh::Process"
            start = _may("states:StartExecution", _ref(name)) if process else _may(_INVOKE, _arn(name))
            if "ScheduleV2" in one.event_types():
                self._grants[SCHEDULER].append(start)
            if one.event_types() & _REPLAYED:
                self._grants[REPLAY].append(start)

    def _other(self, one: Declared, field: str, *kinds: str) -> str:
        """The resource that a field names."""
        name = str(one.given[field])
        if name not in self._resources or self._resources[name].kind.removeprefix("creditmesh::") not in kinds:
            raise one.refuse(field, f"{name} must be a {' or '.join(kinds)} of some part")
        return name

    def policies(self, one: Declared, *more: Json) -> list[Json]:
        """The managed policies that a resource names, and its own statements."""
        own = [*more, *one.allowed(), *self._grants[one.name]]
        named = [*one.given.get("Policies", []), *self.reader(one).get("Policies", [])]
        return [*map(_ref, named), *([_document(own)] if own else [])]

    def reader(self, one: Declared) -> Json:
        """What a reader of a stream gets besides its own."""
        return dict(self.defaults.get("StreamReader", {})) if "DynamoDB" in one.event_types() else {}


def _declared_alarm(one: Declared, _: Stack) -> Json:
    for number, metric in enumerate(one.given["Metrics"]):
        if not isinstance(metric, list) or len(metric) != 3:
            raise one.refuse(f"Metrics[{number}]", "must list namespace, name and dimensions")
    return {one.name: _alarm(one.given)}


def _alarm(given: Json) -> Json:
    metrics = [
        {"Namespace": space, "MetricName": name, "Dimensions": [{"Name": key, "Value": of[key]} for key in of]}
        for space, name, of in given["Metrics"]
    ]
    statistic, period = given.get("Statistic", "Sum"), given.get("Period", 300)
    properties: Json = {"AlarmDescription": given["Description"]}
    if len(metrics) == 1:
        properties |= {**metrics[0], "Statistic": statistic, "Period": period}
    else:
        stats = [{"Stat": statistic, "Period": period, "Metric": metric} for metric in metrics]
        each = [{"Id": f"m{number}", "ReturnData": False, "MetricStat": one} for number, one in enumerate(stats)]
        properties["Metrics"] = [{"Id": "all", "Expression": given.get("Expression", "SUM(METRICS())")}, *each]
    properties |= {name: given.get(name) for name in ("EvaluationPeriods", "Threshold", "ComparisonOperator")}
    condition = {"Condition": given["Condition"]} if "Condition" in given else {}
    return {**condition, **_resource("AWS::CloudWatch::Alarm", properties)}


def _function(one: Declared, stack: Stack) -> Json:
    reads, events = [*one.given.get("Reads", []), *stack.reader(one).get("Reads", [])], one.event_types()
    for name in reads:
        if name not in stack.variables:
            raise one.refuse("Reads", unknown(name, stack.variables))
    properties = {name: one.given.get(name) for name in ("Handler", "Timeout", "MemorySize", "Events")}
    properties["Environment"] = {"Variables": {name: stack.variables[name] for name in reads}} if reads else None
    properties["Policies"] = stack.policies(one)
    if events & {"ScheduleV2", "EventBridgeRule"}:  # asynchronous, so failed events are kept
        kept = stack.defaults.get("EventInvokeConfig", {})
        properties["EventInvokeConfig"] = {**kept, **one.given.get("EventInvokeConfig", {})}
    made = {one.name: _resource("AWS::Serverless::Function", properties)}
    if "DynamoDB" in events:
        age = [["AWS/Lambda", "IteratorAge", {"FunctionName": _ref(one.name)}]]
        late: Json = {"Statistic": "Maximum", "Period": 60, "Threshold": 60000, "EvaluationPeriods": 3}
        late |= {"Description": f"{one.name} reads its stream late.", "Metrics": age, **one.given.get("Late", {})}
        made[f"{one.name.removesuffix('Function')}LateAlarm"] = _alarm(late)
    return made


def _process(one: Declared, stack: Stack) -> Json:
    steps = {name: _arn(name) for name in stack.steps[one.name]}
    properties = {
        "Name": _staged(one.name),
        "DefinitionUri": f"stepfunctions/{_words(one.name, '_')}.asl.yaml",
        "DefinitionSubstitutions": {**one.given.get("Substitutions", {}), **steps},
        "Policies": stack.policies(one, *([_may(_INVOKE, [*steps.values()])] if steps else [])),
        "Events": one.given.get("Events"),
    }
    machine = {"StateMachineArn": _ref(one.name)}
    ends = [["AWS/States", f"Executions{end}", machine] for end in ("Failed", "TimedOut", "Aborted")]
    fails = {"Description": f"An execution of {one.name} failed, timed out or was aborted.", "Metrics": ends}
    return {one.name: _resource("AWS::Serverless::StateMachine", properties), f"{one.name}FailsAlarm": _alarm(fails)}


def _policy(one: Declared, _: Stack) -> Json:
    return {one.name: _resource("AWS::IAM::ManagedPolicy", {"PolicyDocument": _document(one.allowed())})}


def _role(one: Declared, stack: Stack) -> Json:
    trust = {"Effect": "Allow", "Principal": {"Service": one.given["Service"]}, "Action": "sts:AssumeRole"}
    trust["Condition"] = {"StringEquals": {"aws:SourceAccount": _ref("AWS::AccountId")}}
    policies = stack.policies(one)
    properties = {
        "AssumeRolePolicyDocument": _document([trust]),
        "ManagedPolicyArns": [policy for policy in policies if "Ref" in policy],
        "Policies": [
            {"PolicyName": _words(one.name, "-"), "PolicyDocument": policy}
            for policy in policies
            if "Ref" not in policy
        ],
    }
    return {one.name: _resource("AWS::IAM::Role", properties)}


def _table(one: Declared, _: Stack) -> Json:
    indexes, projections = one.given.get("Indexes", {}), one.given.get("Projections", {})
    one.check(projections, "", " ".join(indexes), inside="Projections.")
    keys = {"Key": one.given["Key"], **{f"Indexes.{name}": key for name, key in indexes.items()}}
    for field, key in keys.items():
        if not isinstance(key, list) or len(key) not in (1, 2):
            raise one.refuse(field, "must list one or two attributes")
    attributes = dict.fromkeys(name for key in keys.values() for name in key)
    expires = one.given.get("Expires")
    properties = {
        "TableName": _staged(one.name),
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in attributes],
        "KeySchema": _key(one.given["Key"]),
        "GlobalSecondaryIndexes": [
            {"IndexName": name, "KeySchema": _key(key), "Projection": _projection(projections.get(name, "KEYS_ONLY"))}
            for name, key in indexes.items()
        ],
        "StreamSpecification": {"StreamViewType": one.given["Stream"]} if "Stream" in one.given else None,
        "TimeToLiveSpecification": {"AttributeName": expires, "Enabled": True} if expires else None,
    }
    made = {one.name: _resource("AWS::DynamoDB::Table", properties)}
    if one.given.get("Busy"):
        table = {"TableName": _ref(one.name)}
        metrics = [["AWS/DynamoDB", f"{what}ThrottleEvents", table] for what in ("Read", "Write")]
        throttled = {"Description": f"The table {one.name} throttles reads or writes.", "Metrics": metrics}
        made[f"{one.name}ThrottledAlarm"] = _alarm(throttled)
    return made


def _key(names: list[str]) -> list[Json]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)]


def _projection(given: str | list[str]) -> Json:
    if isinstance(given, str):
        return {"ProjectionType": given}
    return {"ProjectionType": "INCLUDE", "NonKeyAttributes": given}


_INVOKE = "lambda:InvokeFunction"
_REPLAYED = {"DynamoDB", "EventBridgeRule", "ScheduleV2"}
"""Sources whose failed events are replayed at the same target."""


def _resource(kind: str, properties: Json) -> Json:
    """A resource without empty properties."""
    return {"Type": kind, "Properties": {name: value for name, value in properties.items() if value not in (None, [])}}


def _document(statements: list[Json]) -> Json:
    return {"Version": "2012-10-17", "Statement": statements}


def _may(action: str, resource: Any) -> Json:
    return {"Effect": "Allow", "Action": [action], "Resource": resource}


def _ref(name: str) -> Json:
    return {"Ref": name}


def _arn(name: str) -> Json:
    return {"Fn::GetAtt": [name, "Arn"]}


def _staged(name: str) -> Json:
    return {"Fn::Sub": f"creditmesh-${{Stage}}-{_words(name, '-')}"}


def _words(name: str, between: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", between, name).lower()


# Type -> required fields, optional fields, conversion.
TYPES: dict[str, tuple[str, str, Callable[[Declared, Stack], Json]]] = {
    "creditmesh::Alarm": (
        "Description Metrics",
        "Expression Statistic Period EvaluationPeriods Threshold ComparisonOperator Condition",
        _declared_alarm,
    ),
    "creditmesh::Function": (
        "Handler",
        "Timeout MemorySize Events EventInvokeConfig Reads StepOf Policies Allow Late",
        _function,
    ),
    "creditmesh::Grant": ("To Allow", "", lambda one, stack: {}),
    "creditmesh::Policy": ("Allow", "", _policy),
    "creditmesh::Process": ("", "Substitutions Policies Allow Events", _process),
    "creditmesh::Role": ("Service Allow", "Policies", _role),
    "creditmesh::Table": ("Key", "Indexes Projections Stream Expires Busy", _table),
}
