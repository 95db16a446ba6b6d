"""The template made of parts: what short forms become, what is merged, and which parts are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aws.shapes import Malformed
from aws.template import HEAD, read, template, written
from cloud.template import parse

Json = dict[str, Any]


def made(*parts: str) -> Json:
    """The resources that parts make."""
    resources = template({f"part{number}": parse(part) for number, part in enumerate(parts)})["Resources"]
    assert isinstance(resources, dict)
    return resources


def properties(resource: Json, kind: str) -> Json:
    assert resource["Type"] == kind
    return dict(resource["Properties"])


def test_a_table_of_a_few_words() -> None:
    resources = made("""
    Resources:
      DueItems:
        Type: creditmesh::Table
        Key: [owner, number]
        Indexes: {by-due: [queue, due_at], by-owner: [owner], by-state: [state]}
        Projections: {by-owner: ALL, by-state: [kind]}
        Stream: NEW_IMAGE
        Expires: expires_at
        Busy: true
    """)
    table = properties(resources["DueItems"], "AWS::DynamoDB::Table")
    assert table["TableName"] == {"Fn::Sub": "creditmesh-${Stage}-due-items"}
    attributes = [(one["AttributeName"], one["AttributeType"]) for one in table["AttributeDefinitions"]]
    assert attributes == [(name, "S") for name in ("owner", "number", "queue", "due_at", "state")]
    assert table["KeySchema"] == [
        {"AttributeName": "owner", "KeyType": "HASH"},
        {"AttributeName": "number", "KeyType": "RANGE"},
    ]
    assert {one["IndexName"]: one["Projection"] for one in table["GlobalSecondaryIndexes"]} == {
        "by-due": {"ProjectionType": "KEYS_ONLY"},
        "by-owner": {"ProjectionType": "ALL"},
        "by-state": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["kind"]},
    }
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    alarm = properties(resources["DueItemsThrottledAlarm"], "AWS::CloudWatch::Alarm")
    assert len(alarm["Metrics"]) == 3


def test_a_plain_table_has_nothing_that_it_does_not_name() -> None:
    resources = made("Resources: {Items: {Type: 'creditmesh::Table', Key: [id]}}")
    assert list(resources) == ["Items"]
    assert set(resources["Items"]["Properties"]) == {"TableName", "AttributeDefinitions", "KeySchema"}


PROCESS = """
Variables: {WHERE: !Ref Bucket, WHEN: never}
Defaults: {EventInvokeConfig: {MaximumRetryAttempts: 1}}
Resources:
  PayLoans: {Type: 'creditmesh::Process', Substitutions: {Days: 3}}
  SchedulerRole: {Type: 'creditmesh::Role', Service: scheduler.amazonaws.com, Allow: []}
"""
STEP = """
Resources:
  PayOneFunction:
    Type: creditmesh::Function
    StepOf: PayLoans
    Handler: pay.one.handler
    Reads: [WHERE]
    Policies: [LoansPolicy]
    Events: {EveryDay: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 day)}}}
"""
MAY_INVOKE = {"Effect": "Allow", "Action": ["lambda:InvokeFunction"]}
STEP_ARN = {"Fn::GetAtt": ["PayOneFunction", "Arn"]}


def test_a_new_step_is_one_entry_in_its_own_part() -> None:
    resources = made(PROCESS, STEP)
    function = properties(resources["PayOneFunction"], "AWS::Serverless::Function")
    assert function["Handler"] == "pay.one.handler"
    assert function["Environment"] == {"Variables": {"WHERE": {"Ref": "Bucket"}}}
    assert function["Policies"] == [{"Ref": "LoansPolicy"}]
    machine = properties(resources["PayLoans"], "AWS::Serverless::StateMachine")
    assert machine["DefinitionUri"] == "stepfunctions/pay_loans.asl.yaml"
    assert machine["DefinitionSubstitutions"] == {"Days": 3, "PayOneFunction": STEP_ARN}
    (policy,) = machine["Policies"]
    assert policy["Statement"] == [{**MAY_INVOKE, "Resource": [STEP_ARN]}]
    assert resources["PayLoansFailsAlarm"]["Type"] == "AWS::CloudWatch::Alarm"


def test_the_scheduler_may_start_what_any_part_schedules() -> None:
    resources = made(PROCESS, STEP)
    role = properties(resources["SchedulerRole"], "AWS::IAM::Role")
    (policy,) = role["Policies"]
    assert policy["PolicyDocument"]["Statement"] == [{**MAY_INVOKE, "Resource": STEP_ARN}]
    assert resources["PayOneFunction"]["Properties"]["EventInvokeConfig"] == {"MaximumRetryAttempts": 1}


def test_a_part_grants_to_a_function_of_another() -> None:
    resources = made(
        "Resources: {A: {Type: 'creditmesh::Function', Handler: a.b, Allow: [{Action: x, Resource: y}]}}",
        "Resources: {G: {Type: 'creditmesh::Grant', To: A, Allow: [{Action: v, Resource: w, Condition: {}}]}}",
    )
    assert list(resources) == ["A"]
    (policy,) = resources["A"]["Properties"]["Policies"]
    assert policy["Statement"] == [
        {"Effect": "Allow", "Action": "x", "Resource": "y"},
        {"Effect": "Allow", "Action": "v", "Resource": "w", "Condition": {}},
    ]


def test_a_reader_of_a_stream_is_watched() -> None:
    event = "{Type: DynamoDB, Properties: {}}"
    resources = made(f"""
    Resources:
      ReadFunction:
        Type: creditmesh::Function
        Handler: a.b
        Events: {{Changes: {event}}}
        Late: {{Threshold: 5}}
    """)
    alarm = properties(resources["ReadLateAlarm"], "AWS::CloudWatch::Alarm")
    assert (alarm["MetricName"], alarm["Threshold"], alarm["EvaluationPeriods"]) == ("IteratorAge", 5, 3)
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "ReadFunction"}}]


def test_defaults_are_merged_as_sam_merges_globals() -> None:
    resources = made("""
    Defaults:
      AWS::S3::Bucket: {DeletionPolicy: Retain, Properties: {Rules: [1], Name: {Long: a, Short: b}, Key: !Ref K}}
      SQS: {Properties: {BatchSize: 10}}
    Resources:
      Bucket: {Type: AWS::S3::Bucket, Properties: {Rules: [2], Name: {Short: c}, Key: !Sub L}}
      F: {Type: 'creditmesh::Function', Handler: a.b, Events: {E: {Type: SQS, Properties: {Queue: q}}}}
    """)
    assert resources["Bucket"] == {
        "Type": "AWS::S3::Bucket",
        "DeletionPolicy": "Retain",
        "Properties": {"Rules": [1, 2], "Name": {"Long": "a", "Short": "c"}, "Key": {"Fn::Sub": "L"}},
    }
    assert resources["F"]["Properties"]["Events"]["E"]["Properties"] == {"BatchSize": 10, "Queue": "q"}


def test_the_text_says_what_was_meant_without_anchors() -> None:
    document = template({"a": parse("Resources: {A: {Type: X, P: &p {Days: ['2012-10-17', 'on']}, Q: *p}}")})
    text = written(document)
    assert text.startswith(HEAD)
    assert parse(text) == document
    assert "*" not in text


TABLE = "Type: 'creditmesh::Table', Key: [id]"
FUNCTION = "Type: 'creditmesh::Function', Handler: a.b"


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (["Resource: {}"], "infrastructure/part0.yaml: Resource is not known; is Resources meant?"),
        (["- 1"], "infrastructure/part0.yaml: the part must be a map"),
        (["Resources:"], "infrastructure/part0.yaml: Resources must be a map"),
        (["Resources: {A: }"], "infrastructure/part0.yaml: A must be a map"),
        (["Resources: {A: {}}"], "infrastructure/part0.yaml: A.Type: is missing"),
        (2 * ["Resources: {A: {Type: X}}"], "part1.yaml: A is declared in infrastructure/part0.yaml, too"),
        (
            ["Resources: {A: {Type: 'creditmesh::Tabel'}}"],
            "A.Type: creditmesh::Tabel is not known; is creditmesh::Table",
        ),
        (["Resources: {A: {Type: 'creditmesh::Table'}}"], "A.Key: is missing"),
        (["Resources: {A: {Type: 'creditmesh::Table', Key: id}}"], "A.Key: must list one or two attributes"),
        (
            ["Resources: {A: {Type: 'creditmesh::Alarm', Description: x, Metrics: [[AWS/SQS, Age]]}}"],
            "A.Metrics[0]: must list namespace, name and dimensions",
        ),
        ([f"Resources: {{A: {{{TABLE}, Strem: NEW_IMAGE}}}}"], "A.Strem: Strem is not known; is Stream meant?"),
        ([f"Resources: {{A: {{{TABLE}, Projections: {{by-x: ALL}}}}}}"], "A.Projections.by-x: by-x is not known"),
        (
            [f"Resources: {{A: {{{TABLE}, Busy: true}}, AThrottledAlarm: {{Type: X}}}}"],
            "A.Type: it makes AThrottledAlarm, which is declared, too",
        ),
        (
            ["Variables: {HERE: 1}", f"Resources: {{A: {{{FUNCTION}, Reads: [HEER]}}}}"],
            "part1.yaml: A.Reads: HEER is not",
        ),
        ([f"Resources: {{A: {{{FUNCTION}, StepOf: B}}}}"], "A.StepOf: B must be a Process of some part"),
        ([f"Resources: {{A: {{{FUNCTION}, Allow: [{{Action: x}}]}}}}"], "A.Allow[0].Resource: is missing"),
        (
            [f"Resources: {{A: {{{TABLE}}}, B: {{Type: 'creditmesh::Grant', To: A, Allow: []}}}}"],
            "B.To: A must be a Function or Role of some part",
        ),
    ],
)
def test_what_is_wrong_is_named(parts: list[str], said: str) -> None:
    with pytest.raises(Malformed) as caught:
        made(*parts)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [("Resources: {A: {}, A: {}}", "A is repeated"), ("Resources: [", "orders.yaml"), (None, "holds no parts")],
)
def test_a_folder_of_no_use_is_refused(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "orders.yaml").write_text(text)
    with pytest.raises(Malformed, match=said):
        read(tmp_path)
